"""What a creator has spent of a refunded share is owed, and the next earnings pay it first, whatever else happens."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from credits_core.audit import invariants
from credits_core.errors import CreditsError
from credits_core.ledger import actions, lot_rows, parts
from credits_core.ledger.lots import EARNINGS, Draw
from credits_core.ledger.requests import Charge, UnlockRequest
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import CreditSource, Happened, Part
from credits_core.values.credits import div_floor
from tests.support import earlier_refunds, holding, paying, racers, world
from tests.support.actors import TESTER
from tests.support.plain_sql import balance, contradictions, rows, transactions
from tests.support.world import HAIKU_WITH_FEE, LATER, NOW, UNLOCK

_examples = itertools.count()


def _is_clean(engine: Engine) -> bool:
    assert contradictions(engine) == []
    assert [str(one) for one in invariants.check(engine, world.price_book().plans) if not one.ok] == []
    return True


def _owed(engine: Engine, user: str = "ben") -> int:
    with database.read(engine) as connection:
        return -parts.of_user(connection, user).get(Part.DEBT, 0)


def _owing(engine: Engine, user: str = "ben") -> None:
    """The user owes 600 of a share of 800, has nothing, and ada has 98,999 credits."""
    world.add(engine, "ada", 100_000, key="fund")
    run = world.charge(engine, replace(HAIKU_WITH_FEE, creator_id=user), key="run")
    for number in range(2):
        world.charge(engine, world.run_by(user), key=f"spends-{number}")
    world.refund(engine, run.entry_id, key="refund")
    assert (balance(engine, user), _owed(engine, user)) == (0, 600)


def test_the_next_share_pays_what_is_owed_first_in_the_same_entry(engine: Engine) -> None:
    _owing(engine)
    first = world.charge(engine, replace(HAIKU_WITH_FEE, creator_fee_credits=500), key="next")
    assert transactions(engine, first.entry_id) == [
        ("ada", "prompt_run", -750, 98_000 + 1_999 + 1 - 750),
        ("ben", "creator_payment", 400, 400),
        ("platform:revenue", "platform_revenue", 100, None),
        ("platform:inference", "inference_cost", 250, None),
        ("ben", "transfer", -400, 0),
        ("ben:debt", "transfer", 400, -200),
    ]
    unlocked = world.unlock(engine, UNLOCK, key="unlock").receipt
    assert unlocked is not None
    assert [(moved.account_id, moved.amount_credits) for moved in unlocked.transactions[3:]] == [
        ("ben", -200),
        ("ben:debt", 200),
    ]
    third = world.charge(engine, HAIKU_WITH_FEE, key="third")
    assert len(third.transactions) == 4
    assert (balance(engine, "ben"), _owed(engine)) == (600 + 800, 0)
    assert _is_clean(engine)


def test_captured_holds_and_batches_pay_what_is_owed_too(engine: Engine, book: PriceBook) -> None:
    _owing(engine)
    hold_id = holding.authorise(engine, replace(holding.WITH_FEE, creator_fee_credits=300), key="hold").hold.id
    holding.capture(engine, hold_id, key="capture")  # a share of 240
    assert (balance(engine, "ben"), _owed(engine)) == (0, 360)
    batch = [Charge(replace(HAIKU_WITH_FEE, creator_fee_credits=300), f"b-{n}", LATER, TESTER) for n in range(3)]
    database.write(engine, lambda connection: actions.charge_prompts(connection, batch, book=book))
    assert (balance(engine, "ben"), _owed(engine)) == (3 * 240 - 360, 0)
    assert _is_clean(engine)


def test_a_share_that_paid_a_debt_can_be_refunded_and_is_owed_anew(engine: Engine) -> None:
    _owing(engine)
    run = world.charge(engine, HAIKU_WITH_FEE, key="next")
    assert (balance(engine, "ben"), _owed(engine)) == (200, 0)
    world.refund(engine, run.entry_id, key="refund-next")
    assert (balance(engine, "ben"), _owed(engine)) == (0, 600)
    assert _is_clean(engine)


def test_a_creator_who_owes_pays_an_own_run_with_its_share(engine: Engine) -> None:
    _owing(engine)
    world.add(engine, "ben", 2_000, key="ben-buys")
    own = world.charge(engine, world.run_by("ben", HAIKU_WITH_FEE), key="own")
    assert (balance(engine, "ben"), _owed(engine)) == (2_000 - 1_251 + 200, 0)
    world.refund(engine, own.entry_id, key="refund-own")  # of 949 + 1,251 the share of 800 is given back
    assert (balance(engine, "ben"), _owed(engine)) == (1_400, 0)
    assert _is_clean(engine)


@pytest.mark.parametrize("source", [CreditSource.PURCHASE, CreditSource.GRANT, CreditSource.ADJUSTMENT])
def test_credits_that_are_added_pay_nothing_of_it(engine: Engine, source: CreditSource) -> None:
    _owing(engine)
    world.add(engine, "ben", 5_000, key="add", source=source, reason="Added")
    assert (balance(engine, "ben"), _owed(engine)) == (5_000, 600)
    assert _is_clean(engine)


def test_a_purchase_pays_what_is_owed_of_purchases_alone_and_a_share_what_is_owed_of_shares(engine: Engine) -> None:
    bought = paying.buy(engine, "ben")
    paying.tell(engine, paying.event(Happened.PAID, purchase_id=bought.id))
    world.unlock(engine, UnlockRequest("ben", "some-flow", "cleo", 700), key="ben-spends")
    _owing_beside(engine)  # a run of 1,251 is refunded, of whose 800 he has spent all, and the 300 besides
    paying.tell(engine, paying.event(Happened.REFUNDED, 100, purchase_id=bought.id, about="back", at=1))
    assert (balance(engine, "ben"), _owed(engine)) == (0, 800 + 1_000)
    world.charge(engine, HAIKU_WITH_FEE, key="pays-800")
    assert (balance(engine, "ben"), _owed(engine)) == (0, 1_000)
    world.charge(engine, HAIKU_WITH_FEE, key="pays-nothing")
    assert (balance(engine, "ben"), _owed(engine)) == (800, 1_000)
    again = paying.buy(engine, "ben", key="again")
    paying.tell(engine, paying.event(Happened.PAID, purchase_id=again.id, about="second"))
    assert (balance(engine, "ben"), _owed(engine)) == (800, 0)
    assert _is_clean(engine)


def _owing_beside(engine: Engine) -> None:
    world.add(engine, "ada", 100_000, key="fund")
    run = world.charge(engine, HAIKU_WITH_FEE, key="run")
    world.unlock(engine, UnlockRequest("ben", "other-flow", "cleo", 1_100), key="ben-spends-more")
    world.refund(engine, run.entry_id, key="refund")
    assert (balance(engine, "ben"), _owed(engine)) == (0, 800)


@pytest.mark.parametrize("cuts", [[1], [500, 901], [313, 314, 1_250]])
def test_parts_owe_in_the_end_what_one_refund_owes(engine: Engine, cuts: list[int]) -> None:
    for user, creator in (("ada", "ben"), ("vic", "wim")):
        world.add(engine, user, 1_251, key=f"fund-{user}")
        run = world.charge(engine, replace(HAIKU_WITH_FEE, user_id=user, creator_id=creator), key=f"run-{user}")
        world.charge(engine, world.run_by(creator), key=f"spends-{creator}")  # 300 of 800
        ends = [*cuts, 1_251] if user == "ada" else [1_251]
        for before, end in itertools.pairwise([0, *ends]):
            world.refund(engine, run.entry_id, amount_credits=end - before, key=f"back-{user}-{end}")
    assert (balance(engine, "ben"), _owed(engine)) == (balance(engine, "wim"), _owed(engine, "wim")) == (0, 300)
    assert _is_clean(engine)


@pytest.mark.parametrize("order", list(itertools.permutations(["refund", "share", "part", "unlock"])))
def test_any_order_of_refunds_and_shares_ends_in_the_same_sums(engine: Engine, order: tuple[str, ...]) -> None:
    world.add(engine, "ada", 100_000, key="fund")
    runs = [world.charge(engine, HAIKU_WITH_FEE, key=f"run-{number}").entry_id for number in range(2)]
    for number in range(5):
        world.charge(engine, world.run_by("ben"), key=f"spends-{number}")  # 1,500 of 1,600
    do: dict[str, Callable[[], object]] = {
        "refund": lambda: world.refund(engine, runs[0], key="refund"),
        "part": lambda: world.refund(engine, runs[1], amount_credits=1_000, key="part"),  # 639 of 800
        "share": lambda: world.charge(engine, replace(HAIKU_WITH_FEE, creator_fee_credits=300), key="share"),  # 240
        "unlock": lambda: world.unlock(engine, UNLOCK, key="unlock"),  # 800
    }
    for step in order:
        do[step]()
    assert (balance(engine, "ben"), _owed(engine)) == (0, 800 + 639 - 100 - 240 - 800)
    assert _is_clean(engine)


def test_what_is_owed_under_the_earlier_rule_is_nothing(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    run = world.charge(engine, HAIKU_WITH_FEE, key="run")
    world.charge(engine, world.run_by("ben"), key="spends")
    back = earlier_refunds.refund(engine, run.entry_id, key="refund")
    assert ("platform:revenue", "refund", -300, None) in transactions(engine, back.entry_id)
    world.charge(engine, HAIKU_WITH_FEE, key="next")
    assert (balance(engine, "ben"), _owed(engine)) == (800, 0)
    assert _is_clean(engine)


def test_kept_lots_know_what_shares_paid_and_an_own_run_gets_back_what_it_drew(engine: Engine) -> None:
    _owing(engine)
    granted = world.add(
        engine, "ben", 1_500, key="grant", source=CreditSource.GRANT, reason="Welcome", expires_at=NOW + timedelta(9)
    ).entry_id
    own = world.charge(engine, world.run_by("ben", HAIKU_WITH_FEE), key="own")  # its share pays the 600

    def left() -> list[tuple[int, int]]:
        with database.read(engine) as connection:
            return [(lot.number, lot.left_credits) for lot in lot_rows.kept_lots(connection, "ben")]

    assert left() == [(granted, 249), (EARNINGS, 200)]
    with database.read(engine) as connection:
        assert lot_rows.drawn_by(connection, "ben", own.entry_id) == [Draw(granted, 1_251)]
    world.refund(engine, own.entry_id, key="refund-own")
    assert left() == [(granted, 1_500 - 600)]  # 200 of the share from the earnings, the rest from what there is
    run = world.charge(engine, HAIKU_WITH_FEE, key="another")
    world.unlock(engine, UnlockRequest("ben", "all-of-it", "cleo", 1_700), key="spends-all")
    world.refund(engine, run.entry_id, key="refund-another")
    assert (left(), _owed(engine)) == ([], 800)
    assert _is_clean(engine)


def test_a_creator_who_owes_nothing_costs_a_charge_no_more_statements(engine: Engine) -> None:
    world.add(engine, "ada", 100_000, key="fund")
    world.charge(engine, HAIKU_WITH_FEE, key="first")
    counted = _statements(engine, lambda: world.charge(engine, HAIKU_WITH_FEE, key="second"))
    world.refund(engine, 2, key="refund")  # ben has all of it, so nothing is owed
    assert _statements(engine, lambda: world.charge(engine, HAIKU_WITH_FEE, key="third")) == counted
    assert rows(engine, "SELECT * FROM user_parts") == []


def _statements(engine: Engine, act: Callable[[], object]) -> list[str]:
    """What is asked of the database beside the statements of every charge, which go to the driver itself."""
    asked: list[str] = []

    def note(*arguments: Any) -> None:
        asked.append(arguments[2])

    event.listen(engine, "before_cursor_execute", note)
    act()
    event.remove(engine, "before_cursor_execute", note)
    return asked


# --- laws -----------------------------------------------------------------------------------------------------------

_STEP = st.tuples(
    st.sampled_from(["share", "share", "spend", "spend", "refund", "refund", "part", "part", "add"]),
    st.integers(0, 5),
    st.integers(1, 900),
)


@dataclass
class _Model:
    """What one creator has and owes, and of each run its total, its share, and how much of it is refunded."""

    has: int = 0
    owes: int = 0
    runs: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    def earn(self, share: int) -> None:
        paid = min(self.owes, share)
        self.owes, self.has = self.owes - paid, self.has + share - paid

    def give_back(self, entry_id: int, through: int) -> None:
        total, share, before = self.runs[entry_id]
        back = div_floor(share * through, total) - div_floor(share * before, total)
        taken = min(back, self.has)
        self.has, self.owes = self.has - taken, self.owes + back - taken
        self.runs[entry_id] = total, share, through


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(_STEP, max_size=18))
def test_whatever_a_creator_does_debts_are_those_of_an_independent_model(
    engine: Engine, steps: list[tuple[str, int, int]]
) -> None:
    creator, model = f"c{next(_examples)}", _Model()
    world.add(engine, "ada", 10**6, key=f"{creator}-fund")
    for number, (kind, one, credits) in enumerate(steps):
        key = f"{creator}-{number}"
        if kind == "share":
            request = replace(HAIKU_WITH_FEE, creator_id=creator, creator_fee_credits=credits + 5)
            run = world.charge(engine, request, key=key)
            share = div_floor((credits + 5) * 8, 10)
            model.runs[run.entry_id] = 250 + credits + 5, share, 0
            model.earn(share)
        elif kind == "spend":
            try:
                world.charge(engine, world.run_by(creator), key=key)
            except CreditsError:
                assert model.has < 300
            else:
                model.has -= 300
        elif kind == "add":
            world.add(engine, creator, credits, key=key)
            model.has += credits
        elif open_ := sorted(entry for entry, (total, _, back) in model.runs.items() if back < total):
            entry_id = open_[one % len(open_)]
            total, _, before = model.runs[entry_id]
            amount = None if kind == "refund" else min(credits, total - before)
            world.refund(engine, entry_id, amount_credits=amount, key=key)
            model.give_back(entry_id, total if amount is None else before + amount)
        if model.has or model.owes or model.runs:
            assert (balance(engine, creator), _owed(engine, creator)) == (model.has, model.owes)
    assert contradictions(engine) == []
    with database.read(engine) as connection:
        found = invariants.finding(connection, {}, invariants.earnings_are_paid_left_or_owed, invariants.BEGINNING)
    assert found.violations == ()


# --- races ----------------------------------------------------------------------------------------------------------


def test_refunds_and_shares_at_once_end_in_the_same_sums_in_real_processes(engine: Engine) -> None:
    world.add(engine, "ada", 100 * 1_251, key="fund")
    runs = [world.charge(engine, HAIKU_WITH_FEE, key=f"run-{number}").entry_id for number in range(12)]
    world.unlock(engine, UnlockRequest("ben", "all", "cleo", 12 * 800), key="spends-all")
    url = engine.url.render_as_string(hide_password=False)
    start_line = racers.processes().Barrier(4)
    racing = [
        racers.start(racers.refund_each, start_line, url, f"r{number}", runs[number::2]) for number in range(2)
    ] + [racers.start(racers.earn_many, start_line, url, f"e{number}", 5) for number in range(2)]
    assert sum(racers.answers_of(racing)) == 12 + 10
    # 12 shares of 800 are owed, and 10 were earned: whatever came first, 2 are owed in the end, and nothing is left.
    assert (balance(engine, "ben"), _owed(engine)) == (0, 2 * 800)
    assert _is_clean(engine)


def test_many_refunds_of_one_run_at_once_owe_its_share_once(engine: Engine) -> None:
    world.add(engine, "ada", 1_251, key="fund")
    run = world.charge(engine, HAIKU_WITH_FEE, key="run").entry_id
    world.charge(engine, world.run_by("ben"), key="spends")

    def refund(key: str) -> bool:
        try:
            return bool(world.refund(engine, run, key=key))
        except CreditsError:
            return False

    assert sum(racers.at_once([partial(refund, f"k-{number}") for number in range(8)])) == 1
    assert (balance(engine, "ben"), _owed(engine)) == (0, 300)
    assert _is_clean(engine)
