"""Spending limits of users and API keys: what counts, when it begins anew, and that no race passes them."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from credits_core.access import keys
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger import actions, holds, spending_limits
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import InsufficientCredits, SpendingLimitReached, UnknownUser
from credits_core.ledger.requests import Charge, ChargeRequest, HoldRequest
from credits_core.ledger.spending import SpendingLimit, bounds, subject_of_key
from credits_core.store import database
from credits_core.store.kinds import SpendingPeriod
from credits_core.values.days import to_microseconds
from credits_core.values.roles import Actor, Role, key_holder
from credits_core.values.time_zones import UTC_ZONE, TimeZone, zone_named
from tests.support import racers, world
from tests.support.actors import TESTER
from tests.support.holding import TOO_LATE, USED_LESS, authorise, capture, expire, release
from tests.support.plain_sql import balance, every_row, refused, rows, scalar
from tests.support.world import HAIKU, NOW, UNLOCK

BOOK = world.price_book()
DAY, MONTH = SpendingPeriod.DAY, SpendingPeriod.MONTH
SHOP, OFFICE = key_holder("shop", Role.SERVICE), key_holder("office", Role.ADMIN)
TOMORROW = NOW + timedelta(days=1)


@pytest.fixture
def ledger(engine: Engine) -> Engine:
    """Ada has 1,000,000 credits; there are the keys shop and office."""
    world.add(engine, "ada", 1_000_000, key="fund")

    def make(connection: Connection) -> None:
        for number, (name, role) in enumerate((("shop", Role.SERVICE), ("office", Role.ADMIN))):
            keys.create_key(connection, name, key=f"pfk_{number}" + "k" * 42, role=role, now=NOW, actor=TESTER)

    database.write(engine, make)
    return engine


def limit(
    engine: Engine,
    credits: int,
    period: SpendingPeriod = DAY,
    *,
    of: str = "ada",
    now: datetime = NOW,
    zone: TimeZone = UTC_ZONE,
    actor: Actor = TESTER,
) -> None:
    database.write(engine, lambda c: spending_limits.set_limit(c, of, period, credits, zone=zone, now=now, actor=actor))


def run_as(engine: Engine, actor: Actor, *, key: str, request: ChargeRequest = HAIKU, now: datetime = NOW) -> Receipt:
    return database.write(engine, lambda c: actions.charge_prompt(c, request, book=BOOK, key=key, now=now, actor=actor))


def spent(engine: Engine, of: str = "ada", period: SpendingPeriod = DAY) -> object:
    sql = "SELECT spent_credits FROM spending_limits WHERE subject = :of AND period = :period"
    return scalar(engine, sql, of=of, period=period.value)


def now_of(engine: Engine, of: str = "ada", now: datetime = NOW) -> list[tuple[str, int, int, int]]:
    """The period, what was spent and is held, and what is left, of each limit."""
    with database.read(engine) as connection:
        found = spending_limits.limits_now(connection, of, now=now)
    return [(one.limit.period.value, one.limit.spent_credits, one.held_credits, one.left_credits) for one in found]


def test_a_user_spends_up_to_the_limit_of_the_day_and_the_rest_tomorrow(ledger: Engine) -> None:
    limit(ledger, 900)
    for number in range(3):
        world.charge(ledger, HAIKU, key=f"run-{number}")
    with refused(ledger, SpendingLimitReached) as caught:
        world.charge(ledger, HAIKU, key="run-3")
    assert str(caught.value) == (
        "ada may spend 900 credits a day. 900 are spent or held, so 300 more are too many. Nothing was charged. "
        "Wait until 2026-03-02 00:00 UTC, or have the limit raised."
    )
    told = caught.value
    assert (told.limit_credits, told.spent_credits, told.required_credits) == (900, 900, 300)
    assert (told.subject, told.period, told.resets_at) == ("ada", "day", "2026-03-02T00:00:00Z")
    assert world.charge(ledger, HAIKU, key="run-2").replayed  # it was charged before, and costs nothing again
    world.charge(ledger, HAIKU, key="run-3", now=TOMORROW)
    assert (spent(ledger), balance(ledger, "ada")) == (300, 1_000_000 - 4 * 300)


def test_a_run_of_more_than_the_limit_is_never_possible(ledger: Engine) -> None:
    limit(ledger, 299)
    with refused(ledger, SpendingLimitReached) as caught:
        world.charge(ledger, HAIKU, key="run")
    assert str(caught.value).endswith("Nothing was charged. Have the limit raised.")
    limit(ledger, 0)
    with refused(ledger, SpendingLimitReached):
        world.charge(ledger, HAIKU, key="run")
    limit(ledger, 300)
    world.charge(ledger, HAIKU, key="run")


def test_of_a_day_and_a_month_the_one_that_lasts_longest_is_named(ledger: Engine) -> None:
    limit(ledger, 300)
    limit(ledger, 700, MONTH)
    world.charge(ledger, HAIKU, key="first")
    with refused(ledger, SpendingLimitReached) as caught:
        world.charge(ledger, HAIKU, key="second")
    assert caught.value.period == "day"
    world.charge(ledger, HAIKU, key="second", now=TOMORROW)
    with refused(ledger, SpendingLimitReached) as caught:
        world.charge(ledger, HAIKU, key="third", now=TOMORROW)
    assert (caught.value.period, caught.value.resets_at) == ("month", "2026-04-01T00:00:00Z")
    assert now_of(ledger, now=TOMORROW) == [("day", 300, 0, 0), ("month", 600, 0, 100)]
    world.charge(ledger, HAIKU, key="third", now=datetime(2026, 4, 1, tzinfo=UTC))


def test_an_unlock_counts_and_its_refund_gives_nothing_back(ledger: Engine) -> None:
    limit(ledger, 1_200)
    unlock = world.unlock(ledger, UNLOCK, key="unlock")
    assert unlock.receipt is not None
    world.refund(ledger, unlock.receipt.entry_id, key="back")
    assert spent(ledger) == 1_001
    with refused(ledger, SpendingLimitReached):
        world.unlock(ledger, replace(UNLOCK, flow_id="another"), key="another")
    assert balance(ledger, "ada") == 1_000_000


def test_a_limit_counts_what_was_spent_before_it_was_set_and_begins_anew_when_set_again(ledger: Engine) -> None:
    world.charge(ledger, HAIKU, key="last-month", now=datetime(2026, 2, 28, tzinfo=UTC))
    world.charge(ledger, HAIKU, key="today")
    world.unlock(ledger, UNLOCK, key="unlock")
    limit(ledger, 5_000)
    limit(ledger, 5_000, MONTH)
    assert now_of(ledger) == [("day", 1_301, 0, 3_699), ("month", 1_301, 0, 3_699)]
    world.charge(ledger, HAIKU, key="more")
    limit(ledger, 1_000, MONTH)
    assert now_of(ledger) == [("day", 1_601, 0, 3_399), ("month", 1_601, 0, 0)]


def test_the_day_is_that_of_the_time_zone(ledger: Engine) -> None:
    limit(ledger, 300, zone=zone_named("Asia/Kolkata"))
    world.charge(ledger, HAIKU, key="noon")
    with refused(ledger, SpendingLimitReached) as caught:
        world.charge(ledger, HAIKU, key="again")
    assert caught.value.resets_at == "2026-03-01T18:30:00Z"
    world.charge(ledger, HAIKU, key="again", now=datetime(2026, 3, 1, 18, 30, tzinfo=UTC))


def test_what_is_held_counts_until_it_is_released(ledger: Engine) -> None:
    limit(ledger, 14_000)
    made = authorise(ledger, key="hold")
    assert now_of(ledger) == [("day", 0, 13_750, 250)]
    with refused(ledger, SpendingLimitReached) as caught:
        world.charge(ledger, HAIKU, key="run")
    assert caught.value.spent_credits == 13_750
    with refused(ledger, SpendingLimitReached):
        authorise(ledger, HoldRequest("ada", "chat", "openai/gpt-4o", asked_credits=251), key="second")
    release(ledger, made.hold.id, key="release")
    world.charge(ledger, HAIKU, key="run")
    assert spent(ledger) == 300


def test_a_captured_run_counts_as_what_it_cost_and_is_never_refused_for_the_limit(ledger: Engine) -> None:
    limit(ledger, 14_000)
    made = authorise(ledger, key="hold")
    limit(ledger, 100)
    capture(ledger, made.hold.id, USED_LESS, key="capture")
    assert now_of(ledger) == [("day", 7_800, 0, 0)]


def test_what_is_held_after_its_time_does_not_count(ledger: Engine) -> None:
    limit(ledger, 14_000)
    authorise(ledger, key="hold")
    world.charge(ledger, HAIKU, key="run", now=TOO_LATE)
    assert expire(ledger, now=TOO_LATE) == 1
    assert spent(ledger) == 300


def test_a_batch_stops_at_the_limit_as_singles_would(ledger: Engine) -> None:
    limit(ledger, 1_000)
    charges = [Charge(HAIKU, f"run-{number}", NOW, TESTER) for number in range(5)]
    outcomes = database.write(ledger, lambda c: actions.charge_prompts(c, charges, book=BOOK))
    assert [type(one).__name__ for one in outcomes] == ["Receipt"] * 3 + ["SpendingLimitReached"] * 2
    assert spent(ledger) == 900


def test_a_charge_that_is_refused_for_another_reason_counts_nothing(ledger: Engine) -> None:
    world.add(ledger, "poor", 299, key="poor")
    limit(ledger, 1_000, of="poor")
    with refused(ledger, InsufficientCredits):
        world.charge(ledger, world.run_by("poor"), key="run")
    assert spent(ledger, "poor") == 0


def test_a_key_spends_up_to_its_limit_for_all_users_and_other_keys_go_on(ledger: Engine) -> None:
    world.add(ledger, "ben", 1_000, key="ben")
    limit(ledger, 600, of=subject_of_key("shop"))
    run_as(ledger, SHOP, key="first")
    run_as(ledger, SHOP, key="second", request=world.run_by("ben"))
    with refused(ledger, SpendingLimitReached) as caught:
        run_as(ledger, SHOP, key="third")
    assert str(caught.value).startswith("The key shop may spend 600 credits a day.")
    run_as(ledger, OFFICE, key="third")
    world.charge(ledger, HAIKU, key="fourth")
    assert now_of(ledger, subject_of_key("shop")) == [("day", 600, 0, 0)]


def test_what_a_key_holds_counts_for_it_whoever_captures(ledger: Engine) -> None:
    of_shop = subject_of_key("shop")
    limit(ledger, 14_000, of=of_shop)
    limit(ledger, 100, of=subject_of_key("office"))
    request = HoldRequest("ada", "summarise", "openai/gpt-4o", input_tokens=1_000, output_tokens=1_000)
    made = database.write(ledger, lambda c: holds.authorise(c, request, book=BOOK, key="hold", now=NOW, actor=SHOP))
    assert now_of(ledger, of_shop) == [("day", 0, 13_750, 250)]
    with refused(ledger, SpendingLimitReached):
        run_as(ledger, SHOP, key="run")
    database.write(
        ledger,
        lambda c: holds.capture(c, made.hold.id, USED_LESS, book=BOOK, key="capture", now=NOW, actor=OFFICE),
    )
    assert now_of(ledger, of_shop) == [("day", 7_800, 0, 6_200)]
    assert now_of(ledger, subject_of_key("office")) == [("day", 0, 0, 100)]
    limit(ledger, 14_000, MONTH, of=of_shop)  # counted anew, from what the ledger holds
    assert now_of(ledger, of_shop)[1] == ("month", 7_800, 0, 6_200)


def test_a_user_named_like_a_key_has_limits_of_their_own(ledger: Engine) -> None:
    world.add(ledger, "api/shop", 1_000, key="named")
    limit(ledger, 0, of="api/shop")
    run_as(ledger, SHOP, key="run")
    with refused(ledger, SpendingLimitReached):
        run_as(ledger, SHOP, key="second", request=world.run_by("api/shop"))


def test_a_removed_limit_is_gone(ledger: Engine) -> None:
    limit(ledger, 0)
    database.write(ledger, lambda c: spending_limits.remove_limit(c, "ada", DAY, now=NOW, actor=TESTER))
    world.charge(ledger, HAIKU, key="run")
    with refused(ledger, InvalidRequest) as caught:
        database.write(ledger, lambda c: spending_limits.remove_limit(c, "ada", DAY, now=NOW, actor=TESTER))
    assert "ada has none for a day" in str(caught.value)
    changes = rows(ledger, "SELECT kind, subject, detail FROM activity WHERE kind LIKE 'spending%' ORDER BY id")
    assert changes == [
        ("spending_limit_set", "ada", '{"after_entry_id": 1, "limit_credits": 0, "period": "day", "time_zone": "UTC"}'),
        ("spending_limit_removed", "ada", '{"limit_credits": 0, "period": "day"}'),
    ]


@pytest.mark.parametrize(
    ("of", "credits", "refusal"),
    [
        ("nobody", 5, UnknownUser),
        ("key:nobody", 5, InvalidRequest),
        ("ada", -1, InvalidRequest),
        ("ada", 2**53, InvalidRequest),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(
    ledger: Engine, of: str, credits: int, refusal: type[CreditsError]
) -> None:
    before = every_row(ledger)
    with pytest.raises(refusal):
        limit(ledger, credits, of=of)
    assert every_row(ledger) == before


def test_of_eight_processes_the_users_limit_lets_through_what_fits(ledger: Engine) -> None:
    limit(ledger, 37 * 300 + 299)
    url = ledger.url.render_as_string(hide_password=False)
    start_line = racers.processes().Barrier(8)
    racing = [racers.start(racers.charge_many, start_line, url, f"p{number}", 10) for number in range(8)]
    assert sum(racers.answers_of(racing)) == 80 - 37
    assert scalar(ledger, "SELECT COUNT(*) FROM prompt_runs") == 37
    assert spent(ledger) == 37 * 300


def test_a_race_of_many_users_does_not_pass_the_limit_of_a_key(ledger: Engine) -> None:
    users = [f"user-{number}" for number in range(8)]
    for user_id in users:
        world.add(ledger, user_id, 3_000, key=f"fund-{user_id}")
    limit(ledger, 5 * 300, of=subject_of_key("shop"))
    limit(ledger, 9 * 300, MONTH, of=subject_of_key("office"))

    def charge_four(user_id: str, number: int) -> list[str]:
        # Both keys in one unit of work, in an order of its own: nobody may wait in a circle.
        order = (SHOP, OFFICE) if number & 1 else (OFFICE, SHOP)
        charges = [Charge(world.run_by(user_id), f"{user_id}-{at}", NOW, actor) for at, actor in enumerate(order * 2)]
        outcomes = database.write(ledger, lambda c: actions.charge_prompts(c, charges, book=BOOK))
        return [type(one).__name__ for one in outcomes]

    found = racers.at_once([partial(charge_four, user_id, number) for number, user_id in enumerate(users)])
    assert Counter(one for some in found for one in some) == {"Receipt": 14, "SpendingLimitReached": 18}
    by_actor = rows(
        ledger, "SELECT actor, COUNT(*) FROM journal_entries WHERE type = 'prompt_run' GROUP BY 1 ORDER BY 1"
    )
    assert by_actor == [("api/office", 9), ("api/shop", 5)]


def test_a_limit_that_is_set_amid_charges_counts_every_one_of_them(ledger: Engine) -> None:
    stop = threading.Event()

    def charge_on(name: str) -> int:
        number = 0
        while not stop.is_set():
            try:
                run_as(ledger, SHOP, key=f"{name}-{number}")
            except SpendingLimitReached:
                break
            number += 1
        return number

    def set_it() -> int:
        limit(ledger, 300 * 60, of=subject_of_key("shop"))
        limit(ledger, 300 * 60)
        return 0

    try:
        made = sum(racers.at_once([*(partial(charge_on, f"t{n}") for n in range(3)), set_it]))
    finally:
        stop.set()
    assert made == scalar(ledger, "SELECT COUNT(*) FROM prompt_runs")
    assert spent(ledger) == spent(ledger, subject_of_key("shop")) == 300 * made
    assert made >= 60


@given(
    moments=st.lists(st.integers(0, 90 * 24 * 60), min_size=1, max_size=30),
    amounts=st.lists(st.integers(1, 400), min_size=30, max_size=30),
    period=st.sampled_from(SpendingPeriod),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]),
)
def test_no_period_ever_has_more_than_the_limit(
    moments: list[int], amounts: list[int], period: SpendingPeriod, zone: str
) -> None:
    """Against a plain count by the calendar of the zone's own clock."""
    begin, clock = datetime(2026, 2, 20, tzinfo=UTC), zone_named(zone).clock
    at_first = bounds(period, to_microseconds(begin), zone_named(zone))
    one = SpendingLimit("ada", period, 1_000, zone_named(zone), *at_first, 0)
    plain: Counter[str] = Counter()
    for minutes, amount in zip(sorted(moments), amounts, strict=False):
        moment = begin + timedelta(minutes=minutes)
        shown = f"{moment.astimezone(clock):%Y-%m-%d}"[: 10 if period is DAY else 7]
        one = one.at(to_microseconds(moment))
        fits = plain[shown] + amount <= 1_000
        assert one.allows(amount, held_credits=0) is fits
        if fits:
            plain[shown] += amount
            one = one.plus(amount)
        assert one.left_credits == 1_000 - plain[shown]
