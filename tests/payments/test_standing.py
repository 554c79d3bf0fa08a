"""What a gateway's news come to, row by row, by hand."""

import itertools

import pytest

from credits_core.payments.standing import News, State, standing
from credits_core.store.kinds import Happened

_KINDS = {kind.value: kind for kind in Happened}


def news(*told: str) -> list[News]:
    """News written as `kind about amount`, a second apart; `@3` at the end is another time."""
    found = []
    for number, one in enumerate(told):
        kind, about, amount, *at = one.split()
        found.append(News(_KINDS[kind], about, int(amount), int(at[0][1:]) if at else number, f"event-{number}"))
    return found


# Of a purchase of 100: what is told; what is paid, taken, disputed and paid too much; and the state.
TOLD = [
    ((), (0, 0, 0, 0), State.NEW),
    (("opened c 0",), (0, 0, 0, 0), State.NEW),
    (("pending p 100",), (0, 0, 0, 0), State.PENDING),
    (("pending p 100", "declined p 100"), (0, 0, 0, 0), State.DECLINED),
    (("declined p 100", "expired c 0"), (0, 0, 0, 0), State.EXPIRED),
    (("paid p 99",), (99, 0, 0, 0), State.UNDERPAID),
    (("paid p 99", "paid q 1"), (100, 0, 0, 0), State.PAID),
    (("declined p 100", "paid q 100"), (100, 0, 0, 0), State.PAID),
    (("paid p 100", "paid p 100"), (100, 0, 0, 0), State.PAID),
    (("paid p 100", "paid q 100"), (200, 0, 0, 100), State.PAID),
    (("paid p 100", "paid q 100", "refunded r 100"), (200, 0, 0, 0), State.PAID),
    (("paid p 100", "paid q 100", "refunded r 130"), (200, 30, 0, 0), State.PARTLY_REFUNDED),
    (("paid p 100", "refunded r 30"), (100, 30, 0, 0), State.PARTLY_REFUNDED),
    (("paid p 100", "refunded r 30", "refunded s 70"), (100, 100, 0, 0), State.REFUNDED),
    (("paid p 100", "refunded r 30", "refund_failed r 30"), (100, 0, 0, 0), State.PAID),
    (("paid p 100", "refunded r 30 @5", "refund_failed r 30 @5"), (100, 0, 0, 0), State.PAID),
    (("paid p 100", "disputed d 100"), (100, 0, 100, 0), State.DISPUTED),
    (("paid p 100", "refunded r 30", "disputed d 100"), (100, 30, 70, 0), State.DISPUTED),
    (("paid p 100", "disputed d 100", "won d 100"), (100, 0, 0, 0), State.PAID),
    (("paid p 100", "won d 100 @1", "disputed d 100 @2"), (100, 0, 0, 0), State.PAID),
    (("paid p 100", "disputed d 60", "lost d 60"), (100, 60, 0, 0), State.LOST),
    (("paid p 100", "disputed d 60", "lost d 60", "disputed e 40"), (100, 60, 40, 0), State.DISPUTED),
    (("paid p 100", "disputed d 100", "lost d 100", "refunded r 100"), (100, 100, 0, 0), State.LOST),
]


@pytest.mark.parametrize(("told", "sums", "state"), TOLD)
def test_news_come_to_the_same_in_any_order(told: tuple[str, ...], sums: tuple[int, ...], state: State) -> None:
    for order in itertools.permutations(news(*told)):
        found = standing(100, order)
        came_to = (found.paid_minor, found.taken_minor, found.disputed_minor, found.overpaid_minor)
        assert (came_to, found.state) == (sums, state)


@pytest.mark.parametrize(
    ("told", "of_1000", "of_1"),
    [
        (("paid p 100",), (0, 0), (0, 0)),
        (("paid p 100", "refunded r 33"), (330, 0), (0, 0)),
        (("paid p 100", "refunded r 99"), (990, 0), (0, 0)),
        (("paid p 100", "refunded r 100"), (1_000, 0), (1, 0)),
        (("paid p 100", "refunded r 50", "disputed d 50"), (500, 500), (0, 1)),
        ((), (1_000, 0), (1, 0)),
    ],
)
def test_credits_follow_the_money_in_proportion_rounded_down(
    told: tuple[str, ...], of_1000: tuple[int, int], of_1: tuple[int, int]
) -> None:
    found = standing(100, news(*told))
    assert (found.parts_of(1_000), found.parts_of(1)) == (of_1000, of_1)
