"""Days in the time zone of the business: every sum by them, and totals that are built anew when the zone changes."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from credits_core import startup
from credits_core.audit import daily_tables
from credits_core.errors import InvalidRequest
from credits_core.plans.book import PriceBooks
from credits_core.pricing.quote import PriceBook
from credits_core.reports import daily_totals, earnings, statements, sums
from credits_core.reports.recorded_runs import recorded_history
from credits_core.reports.statements import CreatorStatement
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.days import DayRange, day_of
from credits_core.values.time_zones import UTC_ZONE, TimeZone, zone_named
from tests.support import racers, world
from tests.support.plain_sql import rows, scalar
from tests.support.world import HAIKU, HAIKU_WITH_FEE, UNLOCK

BERLIN, KATHMANDU = zone_named("Europe/Berlin"), zone_named("Asia/Kathmandu")
ST_JOHNS, NEW_YORK = zone_named("America/St_Johns"), zone_named("America/New_York")
ZONES = (UTC_ZONE, BERLIN, KATHMANDU, ST_JOHNS, NEW_YORK)
MICROSECOND = timedelta(microseconds=1)


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}+00:00")


def by_day(engine: Engine, days: DayRange) -> dict[str, tuple[int, int, int]]:
    """For each day its runs, what creators received, and by how much users' credits changed."""
    with database.read(engine) as connection:
        totals = sums.totals_by_day(connection, days)
    return {day.day.isoformat(): (day.runs, day.creators_credits, day.circulation_change_credits) for day in totals}


@pytest.fixture
def clocks_forward(engine: Engine) -> Engine:
    """Runs of 300 around the day on which Berlin's clocks go forward, 2026-03-29, which has 23 hours."""
    world.add(engine, "ada", 1_000_000, key="fund", now=at("2026-03-28 12:00"))
    world.charge(engine, HAIKU, key="last-of-28", now=at("2026-03-28 23:00") - MICROSECOND)
    world.charge(engine, HAIKU, key="first-of-29", now=at("2026-03-28 23:00"))
    world.charge(engine, HAIKU_WITH_FEE, key="last-of-29", now=at("2026-03-29 22:00") - MICROSECOND)
    world.charge(engine, HAIKU_WITH_FEE, key="first-of-30", now=at("2026-03-29 22:00"))
    return engine


FORWARD_IN_BERLIN = {
    "2026-03-28": (1, 0, 1_000_000 - 300),
    "2026-03-29": (2, 800, -300 - 1_251 + 800),
    "2026-03-30": (1, 800, -1_251 + 800),
}
FORWARD_IN_UTC = {"2026-03-28": (2, 0, 1_000_000 - 600), "2026-03-29": (2, 1_600, 2 * (800 - 1_251))}


@pytest.mark.parametrize("kept", [None, UTC_ZONE, BERLIN, KATHMANDU], ids=lambda zone: zone.name if zone else "none")
def test_a_day_of_23_hours_has_what_was_posted_in_them(clocks_forward: Engine, kept: TimeZone | None) -> None:
    if kept is not None:
        daily_totals.build_for(clocks_forward, kept)
    assert by_day(clocks_forward, DayRange(zone=BERLIN)) == FORWARD_IN_BERLIN
    assert by_day(clocks_forward, DayRange(zone=UTC_ZONE)) == FORWARD_IN_UTC
    march_29 = date(2026, 3, 29)
    assert by_day(clocks_forward, DayRange(march_29, march_29, BERLIN)) == {
        "2026-03-29": FORWARD_IN_BERLIN["2026-03-29"]
    }
    with database.read(clocks_forward) as connection:
        assert sums.entry_days(connection, BERLIN) == DayRange(date(2026, 3, 28), date(2026, 3, 30), BERLIN)
        of_29 = DayRange(march_29, march_29, BERLIN)
        assert sums.spending(connection, of_29).runs_credits == 300 + 1_251
        assert sums.overview(connection, of_29).circulation_credits == 1_000_000 - 300 - 300 - 1_251 + 800
        assert [(name, one.earned_credits) for name, one in earnings.creator_totals(connection, of_29)] == [
            ("ben", 800)
        ]
        assert [work.uses for work in earnings.top_prompts(connection, of_29)] == [1]


def test_a_day_of_25_hours_has_what_was_posted_in_them(engine: Engine) -> None:
    world.add(engine, "ada", 1_000_000, key="fund", now=at("2026-10-24 12:00"))
    for hour in range(-1, 26):  # one before the day, one in each of its 25 hours, one after it
        world.charge(engine, HAIKU, key=f"run-{hour}", now=at("2026-10-24 22:30") + timedelta(hours=hour))
    expected = {"2026-10-24": (1, 0, 1_000_000 - 300), "2026-10-25": (25, 0, -7_500), "2026-10-26": (1, 0, -300)}
    assert by_day(engine, DayRange(zone=BERLIN)) == expected
    daily_totals.build_for(engine, BERLIN)
    assert by_day(engine, DayRange(zone=BERLIN)) == expected
    (with_run,) = rows(
        engine,
        "SELECT amount_credits, transaction_count FROM daily_totals WHERE day = :day AND type = 'prompt_run'",
        day=(date(2026, 10, 25) - date(1970, 1, 1)).days,
    )
    assert with_run == (-7_500, 25)


def test_an_entry_early_in_1970_is_on_the_last_day_of_1969_west_of_utc(engine: Engine) -> None:
    world.add(engine, "ada", 500, key="fund", now=at("1970-01-01 04:59"))
    world.add(engine, "ada", 700, key="more", now=at("1970-01-01 05:00"))
    daily_totals.build_for(engine, NEW_YORK)
    expected = {"1969-12-31": (0, 0, 500), "1970-01-01": (0, 0, 700)}
    assert by_day(engine, DayRange(zone=NEW_YORK)) == expected


@pytest.mark.parametrize("has_totals", [False, True])
def test_months_of_a_statement_are_months_of_the_time_zone(engine: Engine, has_totals: bool) -> None:
    world.add(engine, "ada", 10_000, key="fund", now=at("2026-10-31 12:00"))
    world.charge(engine, HAIKU_WITH_FEE, key="run", now=at("2026-10-31 23:30"))
    if has_totals:
        daily_totals.build_for(engine, BERLIN)
    october, november = (date(2026, 10, 1), date(2026, 10, 31)), (date(2026, 11, 1), date(2026, 11, 30))
    of_ben = CreatorStatement("ben", 1, 0, 1_001, 800, 0)
    with database.read(engine) as connection:
        assert statements.statements(connection, DayRange(*october)) == [of_ben]
        assert statements.statements(connection, DayRange(*november)) == []
        assert statements.statements(connection, DayRange(*october, BERLIN)) == []
        assert statements.statements(connection, DayRange(*november, BERLIN)) == [of_ben]
        assert statements.plan_ids(connection, DayRange(*october, BERLIN)) == []
        assert statements.plan_ids(connection, DayRange(*november, BERLIN)) == ["plan-1"]
        ((_, earned),) = earnings.creator_totals(connection, DayRange(*november, BERLIN))
        assert earned.earned_credits == 800


def test_a_replay_counts_runs_on_the_days_of_the_time_zone(clocks_forward: Engine) -> None:
    world.unlock(clocks_forward, UNLOCK, key="unlock", now=at("2026-03-29 22:30"))
    entry = world.charge(clocks_forward, HAIKU, key="back", now=at("2026-03-29 22:31")).entry_id
    world.refund(clocks_forward, entry, key="refund", now=at("2026-03-30 21:59"))
    with database.read(clocks_forward) as connection:
        everything = recorded_history(connection, DayRange(zone=BERLIN))
        march_30 = recorded_history(connection, DayRange(date(2026, 3, 30), date(2026, 3, 30), BERLIN))
        in_utc = recorded_history(connection, DayRange(date(2026, 3, 30), date(2026, 3, 30)))
    assert [day_of(number).day for number in everything.charges.day.tolist()] == [28, 29, 29, 30, 30, 30]
    assert [day_of(number).day for number in everything.refunds.day.tolist()] == [30]
    assert march_30.charges.is_compared.tolist() == [True, True, True]
    assert march_30.refunds.is_compared.tolist() == [True]
    assert not in_utc.charges.is_compared.any()


def test_a_replay_counts_a_run_at_the_moment_when_clocks_go_back_to_the_day_before(engine: Engine) -> None:
    back = at("2026-10-29 21:00")  # in Cairo, midnight becomes 23:00
    world.add(engine, "ada", 10_000, key="fund", now=at("2026-10-29 12:00"))
    for number, minutes in enumerate((-1, 0, 59, 60)):
        world.charge(engine, HAIKU, key=f"run-{number}", now=back + timedelta(minutes=minutes))
    with database.read(engine) as connection:
        history = recorded_history(connection, DayRange(zone=zone_named("Africa/Cairo")))
    assert [day_of(number).day for number in history.charges.day.tolist()] == [29, 29, 29, 30]


# --- laws -----------------------------------------------------------------------------------------------------------


def _drawn_around_changes(engine: Engine, seed: int, entries: int = 40) -> None:
    """Additions and runs with times around changes of clocks, in no order."""
    random = Random(seed)
    around = [at(day) for day in ("2010-11-07 03:00", "2026-03-08 04:00", "2026-03-29 01:00", "2026-10-25 01:00")]
    for number in range(entries):
        now = random.choice(around) + timedelta(minutes=random.randint(-60 * 50, 60 * 50))
        world.add(
            engine,
            "ada",
            random.randint(2_000, 9_000),
            key=f"{seed}-{number}",
            source=CreditSource.GRANT,
            reason="Drawn",
            now=now,
        )
        world.charge(engine, random.choice([HAIKU, HAIKU_WITH_FEE]), key=f"run-{seed}-{number}", now=now)


def _plain_days(engine: Engine, zone: TimeZone) -> dict[str, tuple[int, int, int]]:
    """What `by_day` must give, a transaction at a time, by the limits of each day."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for account, type_, credits, us in rows(
        engine, "SELECT account_id, type, amount_credits, created_at_us FROM credit_transactions"
    ):
        day = _plain_day(int(str(us)), zone).isoformat()
        found[day][0] += type_ == "prompt_run"
        found[day][1] += int(str(credits)) if type_ == "creator_payment" else 0
        found[day][2] += 0 if str(account).startswith("platform:") else int(str(credits))
    return {day: (runs, creators, change) for day, (runs, creators, change) in sorted(found.items())}


def _plain_day(us: int, zone: TimeZone) -> date:
    """The last day whose first midnight, by the clocks, is not after the moment."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + us * MICROSECOND
    local = moment.astimezone(zone.clock).date()
    tomorrow = local + timedelta(days=1)
    midnight = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone.clock)
    return tomorrow if midnight.astimezone(UTC) <= moment else local


@pytest.fixture(params=["nothing", "half", "everything", "another zone"])
def drawn(engine: Engine, request: pytest.FixtureRequest) -> Callable[[TimeZone], Engine]:
    """A ledger, of which the totals of a zone cover nothing, half or everything, or are those of another zone."""
    _drawn_around_changes(engine, 1)

    def with_totals(zone: TimeZone) -> Engine:
        covered = request.param
        if covered == "half":
            daily_totals.build_for(engine, zone)
            _drawn_around_changes(engine, 2, 20)
        elif covered == "everything":
            daily_totals.build_for(engine, zone)
        elif covered == "another zone":
            daily_totals.build_for(engine, KATHMANDU if zone != KATHMANDU else BERLIN)
        return engine

    return with_totals


@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: zone.name)
def test_sums_are_those_of_the_transactions_in_every_zone(
    drawn: Callable[[TimeZone], Engine], zone: TimeZone, book: PriceBook
) -> None:
    engine = drawn(zone)
    expected = _plain_days(engine, zone)
    assert len(expected) > 12
    assert by_day(engine, DayRange(zone=zone)) == expected

    days = st.none() | st.sampled_from(sorted(expected)).map(date.fromisoformat)

    @given(first=days, last=days)
    def law(first: date | None, last: date | None) -> None:
        assert by_day(engine, DayRange(first, last, zone)) == {
            day: totals
            for day, totals in expected.items()
            if (first is None or day >= first.isoformat()) and (last is None or day <= last.isoformat())
        }

    law()
    with database.read(engine) as connection:
        assert daily_tables.daily_totals_are_sums(connection, book.plans).violations == ()


# --- a change of the time zone --------------------------------------------------------------------------------------


def _stamp(engine: Engine) -> object:
    return scalar(engine, "SELECT time_zone FROM rollup_watermark")


def test_a_change_of_the_zone_builds_the_totals_anew_in_small_steps_and_no_sum_is_wrong_meanwhile(
    clocks_forward: Engine, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily_totals.build_for(clocks_forward, UTC_ZONE)
    assert scalar(clocks_forward, "SELECT COUNT(*) FROM daily_totals") == 9
    monkeypatch.setattr(daily_totals, "_ROWS_DELETED_AT_ONCE", 2)
    monkeypatch.setattr(daily_totals, "_ENTRIES_PER_UNIT_OF_WORK", 2)
    seen: list[tuple[object, object]] = []
    write_for_real = database.write

    def write(engine: Engine, action: Callable[[Connection], int]) -> int:
        done = write_for_real(engine, action)
        assert by_day(engine, DayRange(zone=BERLIN)) == FORWARD_IN_BERLIN
        assert by_day(engine, DayRange(zone=UTC_ZONE)) == FORWARD_IN_UTC
        with database.read(engine) as connection:
            assert daily_tables.daily_totals_are_sums(connection, book.plans).violations == ()
        seen.append((_stamp(engine), scalar(engine, "SELECT COUNT(*) FROM daily_totals")))
        return done

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", write)
        assert daily_totals.build_for(clocks_forward, BERLIN) == 5
    assert [left for stamp, left in seen if stamp == ""] == [7, 5, 3, 1]
    assert seen[4] == (BERLIN.stamp, 0)
    assert _stamp(clocks_forward) == BERLIN.stamp
    assert by_day(clocks_forward, DayRange(zone=BERLIN)) == FORWARD_IN_BERLIN


def test_what_a_process_left_half_done_is_done_by_the_next(
    clocks_forward: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily_totals.build_for(clocks_forward, UTC_ZONE)
    monkeypatch.setattr(daily_totals, "_ROWS_DELETED_AT_ONCE", 2)
    database.write(clocks_forward, lambda connection: daily_totals._empty(connection, BERLIN))
    assert _stamp(clocks_forward) == ""
    assert daily_totals.catch_up(clocks_forward, BERLIN) == 0
    assert daily_totals.catch_up(clocks_forward, UTC_ZONE) == 0
    assert by_day(clocks_forward, DayRange(zone=UTC_ZONE)) == FORWARD_IN_UTC
    assert daily_totals.build_for(clocks_forward, KATHMANDU) == 5
    assert _stamp(clocks_forward) == KATHMANDU.stamp


def test_a_process_with_another_zone_leaves_the_totals_alone_and_is_right_all_the_same(clocks_forward: Engine) -> None:
    daily_totals.build_for(clocks_forward, BERLIN)
    kept = rows(clocks_forward, "SELECT * FROM daily_totals")
    world.charge(clocks_forward, HAIKU, key="later", now=at("2026-03-30 12:00"))
    assert daily_totals.catch_up(clocks_forward, UTC_ZONE) == 0
    assert sorted(rows(clocks_forward, "SELECT * FROM daily_totals")) == sorted(kept)
    assert by_day(clocks_forward, DayRange(zone=UTC_ZONE)) == {**FORWARD_IN_UTC, "2026-03-30": (1, 0, -300)}
    runs, creators, change = FORWARD_IN_BERLIN["2026-03-30"]
    assert by_day(clocks_forward, DayRange(zone=BERLIN)) == {
        **FORWARD_IN_BERLIN,
        "2026-03-30": (runs + 1, creators, change - 300),
    }


def test_processes_that_start_at_once_with_different_zones_end_and_are_right(
    clocks_forward: Engine, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily_totals.build_for(clocks_forward, NEW_YORK)
    monkeypatch.setattr(daily_totals, "_ROWS_DELETED_AT_ONCE", 2)
    monkeypatch.setattr(daily_totals, "_ENTRIES_PER_UNIT_OF_WORK", 2)
    builds = [lambda zone=zone: daily_totals.build_for(clocks_forward, zone) for zone in (BERLIN, UTC_ZONE, BERLIN)]
    racers.at_once(builds)
    assert _stamp(clocks_forward) in {BERLIN.stamp, UTC_ZONE.stamp}
    assert by_day(clocks_forward, DayRange(zone=BERLIN)) == FORWARD_IN_BERLIN
    assert by_day(clocks_forward, DayRange(zone=UTC_ZONE)) == FORWARD_IN_UTC
    with database.read(clocks_forward) as connection:
        assert daily_tables.daily_totals_are_sums(connection, book.plans).violations == ()


def test_totals_of_a_zone_whose_rules_have_changed_are_not_read_and_built_anew(clocks_forward: Engine) -> None:
    daily_totals.build_for(clocks_forward, BERLIN)
    with clocks_forward.begin() as connection:
        connection.execute(text("UPDATE rollup_watermark SET time_zone = 'Europe/Berlin 000000000000'"))
        connection.execute(text("UPDATE daily_totals SET day = day + 1000"))
    assert by_day(clocks_forward, DayRange(zone=BERLIN)) == FORWARD_IN_BERLIN
    daily_totals.build_for(clocks_forward, BERLIN)
    assert by_day(clocks_forward, DayRange(zone=BERLIN)) == FORWARD_IN_BERLIN
    assert _stamp(clocks_forward) == BERLIN.stamp


def test_the_audit_checks_the_totals_by_the_days_of_their_own_zone(clocks_forward: Engine, book: PriceBook) -> None:
    daily_totals.build_for(clocks_forward, BERLIN)
    with clocks_forward.connect() as connection:
        found = daily_tables.daily_totals_are_sums(connection, book.plans)
        assert (found.violations, found.checked) == ((), 30)
        for damage in (
            "UPDATE rollup_watermark SET time_zone = 'UTC'",
            f"UPDATE rollup_watermark SET time_zone = '{KATHMANDU.stamp}'",
            "UPDATE daily_totals SET day = day + 10",
            "UPDATE rollup_watermark SET time_zone = 'Nowhere/Else 000000000000'",
            "UPDATE rollup_watermark SET time_zone = ''",  # and still said to cover five entries
        ):
            connection.execute(text(damage))
            assert daily_tables.daily_totals_are_sums(connection, book.plans).violations
            connection.rollback()
        # Nobody reads these: they are being emptied, or will be.
        for unread in (
            "time_zone = '', entry_id = 0, circulating_credits = 0",
            "time_zone = 'Europe/Berlin 000000000000'",
        ):
            connection.execute(text(f"UPDATE rollup_watermark SET {unread}"))
            found = daily_tables.daily_totals_are_sums(connection, book.plans)
            assert (found.violations, found.checked) == ((), 0)
            connection.rollback()


def test_a_start_builds_the_totals_of_the_zone_that_is_set(
    clocks_forward: Engine, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, stamp in (("", "UTC"), ("Europe/Berlin", BERLIN.stamp), ("Asia/Kathmandu", KATHMANDU.stamp)):
        monkeypatch.setenv("CREDITS_TIME_ZONE", name)
        startup.prepare(clocks_forward, PriceBooks(book.models), demo=False, now=at("2026-11-26 12:00"))
        assert _stamp(clocks_forward) == stamp
        assert scalar(clocks_forward, "SELECT entry_id FROM rollup_watermark") == 5
    monkeypatch.setenv("CREDITS_TIME_ZONE", "Berlin")
    with pytest.raises(InvalidRequest, match="such as Europe/Berlin, not 'Berlin'"):
        startup.prepare(clocks_forward, PriceBooks(book.models), demo=False, now=at("2026-11-26 12:00"))
    assert _stamp(clocks_forward) == KATHMANDU.stamp
