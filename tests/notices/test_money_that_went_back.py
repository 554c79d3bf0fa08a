"""Endpoints are told when the gateway gave money back, when it was lost in a dispute, and when it came again."""

from sqlalchemy import Engine

from credits_core.store.kinds import EventKind, Happened
from tests.support import hooks, paying, receiver, world
from tests.support.hooks import look
from tests.support.paying import event, tell
from tests.support.world import HAIKU_WITH_FEE

TOLD = [EventKind.PURCHASE_PAID, EventKind.REFUND_MADE]


def said(to: receiver.Receiver) -> list[tuple[str, int, int, int]]:
    """The kind of each event, its amount, the entry that it refunds, and the balance; all of purchase 1."""
    data = [(one["type"], one["data"]) for one in to.taken]
    assert {one["purchase_id"] for _, one in data} == {1}
    return [(kind, one["amount_credits"], one.get("refunds_entry_id", 0), one["balance_credits"]) for kind, one in data]


def test_a_refund_at_the_gateway_and_one_that_failed_are_told(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to, TOLD)
        paying.buy(engine, pack=paying.WITH_BONUS)
        tell(engine, event(Happened.PAID), event(Happened.REFUNDED, 40, about="r", at=1))
        tell(engine, event(Happened.REFUND_FAILED, 40, about="r", at=2))
        look(engine, 1, to)
    # Entry 1 added 1,000 credits and entry 2 a bonus of 100. 40 of 100 cents went back, and came again.
    assert said(to) == [
        ("purchase.paid", 1_000, 0, 1_000),
        ("refund.made", -400, 1, 700),
        ("refund.made", -40, 2, 660),
        ("refund.made", 400, 1, 1_060),
        ("refund.made", 40, 2, 1_100),
    ]


def test_a_dispute_is_told_when_it_is_lost_also_where_the_credits_are_spent(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to, TOLD)
        paying.buy(engine)
        tell(engine, event(Happened.PAID))
        for run in range(3):
            world.charge(engine, world.run_by("ada"), key=f"run-{run}")  # 300 each
        tell(engine, event(Happened.DISPUTED, 100, about="d", at=1))
        look(engine, 1, to)
        assert len(to.taken) == 1  # what is frozen may still come free
        tell(engine, event(Happened.LOST, 100, about="d", at=2))
        look(engine, 1, to)
    assert said(to)[1:] == [("refund.made", -1_000, 1, 0)]


def test_a_refund_in_parts_is_told_part_by_part_with_what_is_left(engine: Engine) -> None:
    with receiver.listening() as to:
        world.add(engine, "ada", 2_000, key="fund")
        run = world.charge(engine, HAIKU_WITH_FEE, key="run").entry_id
        hooks.add(engine, to)
        world.refund(engine, run, amount_credits=500, key="part")
        world.refund(engine, run, key="rest")
        assert look(engine, 1, to) == 2
        told = [one["data"] for one in to.taken]
        names = ("refunds_entry_id", "amount_credits", "refunded_credits", "left_credits", "balance_credits")
        assert [[data[name] for name in names] for data in told] == [
            [run, 500, 500, 751, 1_249],
            [run, 751, 1_251, 0, 2_000],
        ]
