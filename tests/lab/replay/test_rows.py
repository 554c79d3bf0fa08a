"""The charges behind a figure of a replay are those of the figure, and add up to it."""

from sqlalchemy import Engine

from credits_core.lab.replay.counterfactual import replay
from credits_core.lab.replay.result import Counterfactual, compare
from credits_core.lab.replay.rows import Listing, Wanted, listing
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.reports.recorded_runs import reading_history, recorded_history
from credits_core.store import database
from credits_core.values.days import DayRange, number_of_day
from credits_core.values.progress import Progress
from tests.support import busy_ledger, world
from tests.support.busy_ledger import FIRST_MORNING

DEARER = PricePlan("dearer", 7_000, (MarkupTier(None, 10_000, None),))
"""A run without a fee costs twice its inference cost, and a creator has 70 % of a fee instead of 80 %."""
ALL = DayRange()


def under(engine: Engine, wanted: Wanted, limit: int = 1_000) -> Listing:
    with database.read(engine) as connection:
        history = recorded_history(connection, ALL)
    return listing(history, replay(history, DEARER), wanted, limit=limit)


def compared(engine: Engine) -> Counterfactual:
    with database.read(engine) as connection:
        return compare(recorded_history(connection, ALL), DEARER, world.dearer_book().plans)


def test_a_user_has_the_own_charges_with_what_each_gains(engine: Engine) -> None:
    ids = busy_ledger.three_days(engine)
    found = under(engine, Wanted(user="ada"))
    assert [(one.entry_id, one.model_id, one.refunded, one.user_gain_credits) for one in found.charges] == [
        (ids["run"], "claude-3-haiku", False, -200),  # 300; twice 250
        (ids["run with fee"], "claude-3-haiku", True, 0),
        (ids["run at midnight"], "claude-3-haiku", False, 0),
        (ids["unlock"], None, True, 0),
    ]
    assert found.in_all == 4


def test_a_creator_has_the_charges_that_paid_them(engine: Engine) -> None:
    ids = busy_ledger.three_days(engine)
    found = under(engine, Wanted(creator="ben"))
    assert {one.entry_id for one in found.charges} == {ids["run with fee"], ids["run at midnight"], ids["unlock"]}
    # 70 % of 1,001 is 700 instead of 800.
    assert [(one.plan_share_credits, one.creator_gain_credits) for one in found.charges] == [(700, -100)] * 3


def test_models_unlocks_days_and_changes_have_their_charges(engine: Engine) -> None:
    ids = busy_ledger.three_days(engine)
    assert [one.entry_id for one in under(engine, Wanted(model="Flow unlocks")).charges] == [ids["unlock"]]
    assert under(engine, Wanted(model="claude-3-haiku")).in_all == 5
    assert under(engine, Wanted(model="gpt-4")).in_all == 0
    first_day = number_of_day(FIRST_MORNING.date())
    assert {one.entry_id for one in under(engine, Wanted(day=first_day)).charges} == {ids["run"], ids["run with fee"]}
    # Cara's run would cost 200 more too, but is refused: Ben's run is, so she has nothing.
    dearer = under(engine, Wanted(change_credits=(200, 499)))
    assert [one.entry_id for one in dearer.charges] == [ids["run"]]
    assert under(engine, Wanted(change_credits=(201, 499))).in_all == 0
    assert under(engine, Wanted(user="cara")).charges[0].refused
    assert under(engine, Wanted(user="nobody")) == Listing(0, ())


def test_refused_charges_come_first_and_then_the_largest_changes(engine: Engine) -> None:
    world.add(engine, "ada", 34_000, key="add")
    small = world.charge(engine, world.HAIKU, key="small").entry_id  # 300; 500
    large = world.charge(engine, world.ChargeRequest("ada", "p", "gpt-4"), key="large").entry_id  # 33,000; 60,000
    last = world.charge(engine, world.HAIKU, key="last").entry_id
    found = under(engine, Wanted(user="ada"))
    assert [(one.entry_id, one.refused, one.user_gain_credits) for one in found.charges] == [
        (large, True, 0),
        (small, False, -200),
        (last, False, -200),
    ]
    cut = under(engine, Wanted(user="ada"), limit=1)
    assert ([one.entry_id for one in cut.charges], cut.in_all) == ([large], 3)


def test_what_a_user_gains_by_all_charges_is_what_the_table_says(engine: Engine) -> None:
    busy_ledger.drawn_days(engine, seed=11)
    found = compared(engine)
    for group in found.by_user.page():
        charges = under(engine, Wanted(user=group.name)).charges
        assert group.charges == len(charges)
        assert group.refused == sum(one.refused for one in charges)
        gains = sum(one.user_gain_credits for one in charges if not one.refunded)
        assert group.user_gain_credits == gains
    assert any(group.user_gain_credits for group in found.by_user.page())


def test_reading_the_ledger_tells_how_many_of_its_entries_are_read(engine: Engine) -> None:
    busy_ledger.three_days(engine)
    with database.read(engine) as connection:
        told = list(reading_history(connection, ALL))
    # 5 runs, 1 unlock, 4 refunds, and the additions with the refund of one: 12 entries.
    assert (told[0], told[1]) == (Progress(5, 12), Progress(6, 12))
    assert told[-1] == Progress(12, 12)
    assert told == sorted(told, key=lambda progress: progress.done)


def test_reading_can_be_left_half_way(engine: Engine) -> None:
    busy_ledger.three_days(engine)
    with database.read(engine) as connection:
        work = reading_history(connection, ALL)
        next(work)
        work.close()
        assert recorded_history(connection, ALL).charges.entry_id.size == 6
