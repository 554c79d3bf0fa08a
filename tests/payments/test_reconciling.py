"""The gateway's books against what it told: every kind of difference is named, and its one action mends it."""

import random
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.payments import reconciling, sandbox
from credits_core.payments.gateway import GatewayEvent
from credits_core.payments.reconciling import Compared, Match
from credits_core.payments.sandbox import Ending, Sandbox
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import Happened
from credits_core.values.time_zones import UTC_ZONE, zone_named
from tests.support import paying
from tests.support.actors import TESTER
from tests.support.paying import buy, event, parts, tell
from tests.support.plain_sql import scalar
from tests.support.world import NOW

PAID = event(Happened.PAID)


def _matches(compared: list[Compared]) -> list[tuple[Match, str]]:
    return [(one.match, one.fact.about) for one in compared]


def test_both_sides_are_compared_fact_by_fact() -> None:
    here = [
        PAID,
        paying.twice(PAID),
        event(Happened.PAID, 90, about="less", at=1),
        event(Happened.REFUNDED, 5, about="ours alone", at=2),
        event(Happened.OPENED, 0, about="checkout"),
    ]
    there = [
        event(Happened.PAID, event_id="another name"),
        event(Happened.PAID, 100, about="less", at=1),
        event(Happened.LOST, 100, about="theirs alone", at=3),
        event(Happened.DECLINED, about="no money"),
    ]
    assert _matches(reconciling.compare(here, there)) == [
        (Match.MATCHED, "payment"),
        (Match.DIFFERENT_AMOUNT, "less"),
        (Match.MISSING_THERE, "ours alone"),
        (Match.MISSING_HERE, "theirs alone"),
    ]


def test_days_are_those_of_the_time_zone_and_have_the_sums_of_both_sides() -> None:
    there = [replace(PAID, fee_minor=7), event(Happened.REFUNDED, 30, about="r", at=0)]
    (day,) = reconciling.by_day(reconciling.compare([PAID], there), UTC_ZONE)
    assert (day.day.isoformat(), day.currency, day.fees_minor) == ("2026-03-01", "usd", 7)
    assert day.matches == {
        Match.MATCHED: 1,
        Match.MISSING_HERE: 1,
        Match.MISSING_THERE: 0,
        Match.DIFFERENT_AMOUNT: 0,
    }
    assert (day.here_minor, day.there_minor) == (
        {Happened.PAID: 100},
        {Happened.PAID: 100, Happened.REFUNDED: 30},
    )
    late = event(Happened.PAID, at=12 * 3_600)  # midnight in UTC
    assert [one.day.day for one in reconciling.by_day(reconciling.compare([PAID, late], []), UTC_ZONE)] == [2]
    apart = [PAID, replace(late, about="second")]
    assert [one.day.day for one in reconciling.by_day(reconciling.compare(apart, []), UTC_ZONE)] == [2, 1]
    auckland = zone_named("Pacific/Auckland")
    assert [one.day.day for one in reconciling.by_day(reconciling.compare(apart, []), auckland)] == [2]


def test_each_difference_is_mended_by_one_event(engine: Engine, book: PriceBook) -> None:
    for user in ("lost", "less", "ours"):
        buy(engine, user, key=user)
    there = [event(Happened.PAID, about="a", purchase_id=1), event(Happened.PAID, 100, about="b", purchase_id=2)]
    tell(
        engine,
        event(Happened.PAID, 60, about="b", purchase_id=2),
        event(Happened.PAID, about="c", purchase_id=3),
    )
    assert [parts(engine, user)[0] for user in ("lost", "less", "ours")] == [0, 0, 1_000]
    with database.read(engine) as connection:
        here = reconciling.told_here(connection, paying.GATEWAY, NOW)
    found = reconciling.compare(here, there)
    assert [one.match for one in found] == [Match.MISSING_HERE, Match.DIFFERENT_AMOUNT, Match.MISSING_THERE]
    for one in found:
        assert one.mending is not None
        tell(engine, one.mending, one.mending)
    assert [parts(engine, user)[0] for user in ("lost", "less", "ours")] == [1_000, 1_000, 0]
    with database.read(engine) as connection:
        here = reconciling.told_here(connection, paying.GATEWAY, NOW)
    assert {one.match for one in reconciling.compare(here, there)} == {Match.MATCHED}
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []


def test_of_many_payments_of_which_a_fifth_was_lost_nothing_is_lost_or_doubled(
    sqlite_engine: Engine, book: PriceBook, full: bool
) -> None:
    engine, chosen = sqlite_engine, random.Random(17)
    count = 500 if full else 100
    for number in range(count):
        bought = buy(engine, f"u{number}", key=f"b{number}")
        ending = Ending.EVENT_LOST if number % 5 == 0 else Ending.PAID
        database.write(engine, lambda one, b=bought, e=ending: sandbox.play(one, b.id, e, now=NOW, actor=TESTER))
    books: list[GatewayEvent] = list(Sandbox(engine, lambda: NOW).events(NOW - timedelta(days=1)))
    told = [one for one in books if one.purchase_id % 5 != 1] * 2
    chosen.shuffle(told)
    tell(engine, *told)
    granted = "SELECT COUNT(*) FROM purchase_receipts"
    assert scalar(engine, granted) == count * 4 // 5
    with database.read(engine) as connection:
        missing = reconciling.compare(reconciling.told_here(connection, sandbox.NAME, NOW), books)
    lost = [one.mending for one in missing if one.match is Match.MISSING_HERE]
    assert len(lost) == count // 5
    tell(engine, *(one for one in lost if one is not None))
    assert scalar(engine, granted) == count
    assert scalar(engine, "SELECT COUNT(*) FROM user_credits WHERE balance_credits <> 1000") == 0
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []
