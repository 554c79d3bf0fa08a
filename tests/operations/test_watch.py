"""Watching a ledger: every planted case is found once, with its entries, and an ordinary month has few false alarms."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core import settings
from credits_core.ledger import actions
from credits_core.ledger.requests import ChargeRequest, UnlockRequest
from credits_core.operations import watch, watch_findings
from credits_core.operations.watch import Watched
from credits_core.operations.watch_findings import Finding
from credits_core.operations.watch_refusals import AlreadyLookedAt, UnknownFinding
from credits_core.operations.watch_rules import WatchRule, load_watch_rules
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.days import number_of_day
from credits_core.values.roles import Role, key_holder
from credits_core.values.time_zones import UTC_ZONE, TimeZone, zone_named
from tests.support import demo, rows, world
from tests.support.actors import TESTER
from tests.support.plain_sql import rows as found_rows
from tests.support.plain_sql import scalar
from tests.support.world import NOW

RULES = load_watch_rules(settings.WATCH_FILE)
DAY = timedelta(days=1)
MILLION = 1_000_000
# 250 inference, the rest is the fee, of which 80 % are the creator's share.
FEE = replace(world.HAIKU_WITH_FEE, creator_fee_credits=20 * MILLION)


def look(engine: Engine, zone: TimeZone = UTC_ZONE, *, steps: int = 100) -> Watched:
    daily_totals.build_for(engine, zone)
    entries = findings = 0
    for _ in range(steps):
        done = watch.watch_step(engine, RULES, now=NOW, zone=zone)
        if done is None:
            break
        entries, findings = entries + done.entries, findings + done.findings
    return Watched(entries, findings)


def waiting(engine: Engine) -> list[Finding]:
    with database.read(engine) as connection:
        return watch_findings.findings(connection, is_waiting=True)


def the_one(engine: Engine, rule: WatchRule, subject: str) -> Finding:
    """The only finding there is."""
    (found,) = waiting(engine)
    assert (found.rule, found.subject) == (rule, subject)
    return found


def funded(engine: Engine, *user_ids: str, days_ago: int = 40) -> None:
    for user_id in user_ids:
        world.add(engine, user_id, 1_000 * MILLION, key=f"fund-{user_id}", now=NOW - days_ago * DAY)


def runs(
    engine: Engine, request: ChargeRequest, count: int, *, days_ago: int = 0, name: str = "", by: str = "ada"
) -> list[int]:
    """The entries of so many runs."""
    now = NOW - days_ago * DAY
    key = f"{name or by}-{request.creator_id}-{days_ago}"
    return [
        world.charge(engine, world.run_by(by, request), key=f"{key}-{number}", now=now).entry_id
        for number in range(count)
    ]


# --- planted cases ----------------------------------------------------------------------------------------------------


def test_a_user_who_spends_far_more_than_ever_is_found_with_the_runs_of_that_day(engine: Engine) -> None:
    funded(engine, "ada", "zoe")
    for days_ago in range(10, 5, -1):
        runs(engine, world.HAIKU_WITH_FEE, 2, days_ago=days_ago)
        runs(engine, FEE, 1, days_ago=days_ago, by="zoe")  # who always spends as much
    spent = runs(engine, FEE, 2)
    runs(engine, FEE, 2, by="zoe", name="today")
    runs(engine, world.HAIKU_WITH_FEE, 1, days_ago=-1)
    assert look(engine) == Watched(entries=2 + 15 + 4 + 1, findings=1)
    found = the_one(engine, WatchRule.SPENDING, "ada")
    assert found.numbers == {"spent_credits": 40_000_500, "largest_day_credits": 2_502}
    assert found.entries == spent[::-1]
    assert found.day == NOW.date()


def test_a_user_without_a_past_is_not_unusual(engine: Engine) -> None:
    funded(engine, "ada")
    for days_ago in range(5, 1, -1):  # four days are too few
        runs(engine, world.HAIKU_WITH_FEE, 1, days_ago=days_ago)
    runs(engine, FEE, 1)
    assert look(engine).findings == 0


def test_a_past_that_is_too_long_ago_does_not_count(engine: Engine) -> None:
    funded(engine, "ada")
    for days_ago in (29, 4, 3, 2, 1):
        runs(engine, world.HAIKU_WITH_FEE, 1, days_ago=days_ago)
    runs(engine, FEE, 1)
    assert look(engine).findings == 0


def test_an_unlock_counts_as_spending(engine: Engine) -> None:
    funded(engine, "ada")
    for days_ago in range(5, 0, -1):
        runs(engine, world.HAIKU, 1, days_ago=days_ago)
    unlock = UnlockRequest("ada", "flow", "ben", 20 * MILLION)
    world.unlock(engine, unlock, key="unlock")
    look(engine)
    assert the_one(engine, WatchRule.SPENDING, "ada").entries == [7]


def test_a_creator_of_whose_income_much_is_refunded_is_found_with_the_refunds(engine: Engine) -> None:
    users = [f"user-{number}" for number in range(4)]
    funded(engine, *users)
    charged = [entry_id for user_id in users for entry_id in runs(engine, FEE, 1, by=user_id, days_ago=2)]
    other = replace(FEE, creator_id="cy")
    for user_id in users:
        runs(engine, other, 2, by=user_id, name=f"other-{user_id}")
    refunds = [world.refund(engine, charged[number], key=f"back-{number}").entry_id for number in range(2)]
    of_other = scalar(engine, "SELECT MIN(entry_id) FROM prompt_runs WHERE creator_id = 'cy'")
    world.refund(engine, int(str(of_other)), key="back-other")  # one of eight
    look(engine)
    found = the_one(engine, WatchRule.REFUNDS, "ben")
    assert found.numbers == {"refunded_credits": 32 * MILLION, "earned_credits": 64 * MILLION}
    assert found.entries == refunds[::-1]


def test_refunds_in_parts_count_by_their_part_of_the_income(engine: Engine) -> None:
    users = [f"user-{number}" for number in range(4)]
    funded(engine, *users)
    charged = [entry_id for user_id in users for entry_id in runs(engine, FEE, 1, by=user_id, days_ago=2)]
    paid = int(str(scalar(engine, "SELECT total_credits FROM prompt_runs WHERE entry_id = :id", id=charged[0])))
    parts = [
        world.refund(engine, entry_id, amount_credits=paid // 2, key=f"part-{entry_id}").entry_id
        for entry_id in charged
    ]
    look(engine)
    found = the_one(engine, WatchRule.REFUNDS, "ben")
    assert (found.numbers["earned_credits"], found.entries) == (64 * MILLION, parts[::-1])
    assert 32 * MILLION - 8 <= int(str(found.numbers["refunded_credits"])) <= 32 * MILLION


def test_a_creator_whom_one_account_pays_is_found_with_its_runs(engine: Engine) -> None:
    funded(engine, "ada", "zoe")
    fee = replace(FEE, creator_fee_credits=50_000)
    runs(engine, fee, 2, by="zoe")
    paid = runs(engine, fee, 21)
    runs(engine, replace(fee, creator_id="cy"), 19)  # too few to say so of cy
    look(engine)
    found = the_one(engine, WatchRule.ONE_PAYER, "ben")
    assert found.numbers == {
        "paid_credits": 21 * 40_000,
        "earned_credits": 23 * 40_000,
        "payments": 23,
        "payer": "ada",
    }
    assert found.entries == paid[:0:-1]  # the newest twenty


def test_a_creator_who_runs_their_own_prompts_is_found(engine: Engine) -> None:
    users = [f"user-{number}" for number in range(5)]
    funded(engine, "ben", *users)
    fee = replace(FEE, creator_fee_credits=50_000)
    for user_id in users:
        runs(engine, fee, 3, by=user_id)
    own = runs(engine, fee, 7, by="ben")
    look(engine)
    found = the_one(engine, WatchRule.OWN_RUNS, "ben")
    assert found.numbers["payer"] == "ben"
    assert found.entries == own[::-1]


def test_only_the_newest_hundred_payments_count_and_refunds_are_none(engine: Engine) -> None:
    users = [f"user-{number}" for number in range(6)]
    funded(engine, "ada", *users)
    fee = replace(FEE, creator_fee_credits=50_000)
    for user_id in users:
        runs(engine, fee, 10, by=user_id)
    paid = runs(engine, fee, 99)  # and one of a user's, before
    world.refund(engine, paid[0], key="back")
    look(engine)
    found = the_one(engine, WatchRule.ONE_PAYER, "ben")
    assert found.numbers == {
        "paid_credits": 99 * 40_000,
        "earned_credits": 100 * 40_000,
        "payments": 100,
        "payer": "ada",
    }


def test_runs_of_a_model_that_is_priced_at_zero_are_found_by_model_and_plan(engine: Engine) -> None:
    funded(engine, "ada")
    no_price = world.PRICE_LIST.replace("input_tokens = 2.5, output_tokens = 10", "input_tokens = 0, output_tokens = 0")
    free = replace(world.price_book(), models=parse_model_registry(no_price))
    request = replace(world.TOKENS, creator_id="ben", creator_fee_credits=1_001)
    paid = [world.charge(engine, request, key=f"free-{n}", book=free).entry_id for n in range(2)]
    runs(engine, request, 1)
    look(engine)
    found = the_one(engine, WatchRule.BELOW_COST, "openai/gpt-4o under plan-1")
    assert (found.numbers, found.entries) == ({"runs": 2, "lost_credits": 0}, paid[::-1])


def test_runs_below_cost_are_found_with_what_was_lost_and_later_ones_are_added(engine: Engine) -> None:
    funded(engine, "ada")
    for entry_id in (101, 102):
        below_cost(engine, entry_id)
    look(engine)
    below_cost(engine, 103)
    assert look(engine).findings == 0
    found = the_one(engine, WatchRule.BELOW_COST, "m under plan")
    assert (found.numbers, found.entries) == ({"runs": 3, "lost_credits": 30}, [103, 102, 101])


def below_cost(engine: Engine, entry_id: int) -> None:
    """A run of 240 credits with an inference cost of 250, which no plan makes, as somebody might write it."""
    now = world.NOW_US
    balance = int(str(scalar(engine, "SELECT balance_credits FROM user_credits WHERE user_id = 'ada'"))) - 240
    run = rows.run(
        entry_id=str(entry_id),
        user_id="'ada'",
        creator_id="NULL",
        run_price_credits="250",
        inference_cost_credits="250",
        creator_fee_credits="0",
        platform_markup_credits="-10",
        total_credits="240",
        creator_share_credits="0",
        created_at_us=str(now),
    )
    statements = [
        f"INSERT INTO journal_entries ({rows.ENTRY})"
        f" VALUES ({entry_id}, 'prompt_run', 'low-{entry_id}', '', 'x', NULL, {now})",
        f"INSERT INTO credit_transactions ({rows.TRANSACTION}) VALUES"
        f" ({entry_id}, 0, 'ada', 'prompt_run', -240, {balance}, {now}),"
        f" ({entry_id}, 1, 'platform:inference', 'inference_cost', 250, NULL, {now}),"
        f" ({entry_id}, 2, 'platform:revenue', 'platform_revenue', -10, NULL, {now})",
        run.split("; ")[-1],
        f"UPDATE user_credits SET balance_credits = {balance} WHERE user_id = 'ada'",
    ]
    database.write(engine, lambda connection: [connection.execute(text(one)) for one in statements])


def shop(engine: Engine, user_ids: Sequence[str], *, days_ago: int, minute: int = 0, name: str = "shop") -> list[int]:
    """Runs of these users, charged by one key of the API."""
    now = NOW - days_ago * DAY + timedelta(minutes=minute)
    actor = key_holder(name, Role.SERVICE)

    def charge(connection: Connection, user_id: str) -> int:
        request, key = world.run_by(user_id), f"{name}-{user_id}-{days_ago}-{minute}"
        receipt = actions.charge_prompt(connection, request, book=world.price_book(), key=key, now=now, actor=actor)
        return receipt.entry_id

    return [
        database.write(engine, lambda connection, user_id=user_id: charge(connection, user_id)) for user_id in user_ids
    ]


def test_a_key_that_charges_for_many_users_at_once_is_found_with_one_entry_of_each(engine: Engine) -> None:
    users = [f"user-{number:02}" for number in range(20)]
    funded(engine, *users)
    for days_ago in (3, 2, 1):
        shop(engine, users[:4], days_ago=days_ago)
        shop(engine, users, days_ago=days_ago, name="bulk")  # always for many
    # The two halves come in two passes, and are at once all the same.
    first = shop(engine, users[:10], days_ago=0)
    look(engine)
    assert waiting(engine) == []
    second = shop(engine, users[10:], days_ago=0, minute=9)
    shop(engine, users, days_ago=0, name="bulk")
    look(engine)
    found = the_one(engine, WatchRule.MANY_USERS, "api/shop")
    assert found.numbers == {"users": 20, "most_before": 4, "window_minutes": 10}
    assert found.entries == second[::-1]
    assert len(first) == 10
    shop(engine, users[:1], days_ago=0, minute=30)
    look(engine)
    today = number_of_day(NOW.date())
    kept = "SELECT most_users FROM watch_key_days WHERE actor = 'api/shop' AND day = :day"
    assert found_rows(engine, kept, day=today) == [(20,)]  # the most of the day, not the newest


def test_users_of_one_key_who_are_apart_are_not_at_once(engine: Engine) -> None:
    users = [f"user-{number:02}" for number in range(20)]
    funded(engine, *users)
    for days_ago in (3, 2, 1):
        shop(engine, users[:4], days_ago=days_ago)
    shop(engine, users[:10], days_ago=0, minute=9)
    shop(engine, users[10:], days_ago=0, minute=10)
    look(engine)
    assert waiting(engine) == []
    kept = found_rows(engine, "SELECT day, most_users FROM watch_key_days ORDER BY day")
    today = number_of_day(NOW.date())
    assert kept == [(today - 3, 4), (today - 2, 4), (today - 1, 4), (today, 10)]


# --- once -------------------------------------------------------------------------------------------------------------


def paid_by_one(engine: Engine, count: int, name: str, days_ago: int = 0) -> list[int]:
    return runs(engine, replace(FEE, creator_fee_credits=50_000), count, name=name, days_ago=days_ago)


def test_a_finding_is_kept_once_and_takes_the_newest_numbers_until_somebody_looks(engine: Engine) -> None:
    funded(engine, "ada")
    paid_by_one(engine, 20, "first")
    assert look(engine).findings == 1
    assert look(engine) == Watched(0, 0)
    newest = paid_by_one(engine, 1, "second")[0]
    assert look(engine) == Watched(1, 0)
    (found,) = waiting(engine)
    assert (found.numbers["payments"], found.entries[0]) == (21, newest)
    database.write(engine, lambda connection: watch_findings.look_at(connection, 1, note="Fine", now=NOW, actor=TESTER))
    paid_by_one(engine, 1, "third")
    assert look(engine) == Watched(1, 0)
    assert waiting(engine) == []
    with database.read(engine) as connection:
        (looked_at,) = watch_findings.findings(connection, is_waiting=False)
    assert (looked_at.numbers["payments"], looked_at.look is not None) == (21, True)


@pytest.mark.parametrize(("days", "findings"), [(29, 1), (30, 2)])
def test_the_same_is_found_again_after_the_days_of_its_rule(engine: Engine, days: int, findings: int) -> None:
    funded(engine, "ada")
    paid_by_one(engine, 20, "first", days_ago=days)
    look(engine)
    paid_by_one(engine, 1, "second")
    look(engine)
    assert len(waiting(engine)) == findings


def test_steps_go_on_where_the_last_one_ended(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "ENTRIES_PER_STEP", 4)
    funded(engine, "ada")
    paid_by_one(engine, 20, "first")
    assert look(engine, steps=2) == Watched(8, 0)
    assert scalar(engine, "SELECT entry_id FROM watch_progress") == 8
    assert look(engine) == Watched(13, 1)


def test_of_two_that_watch_at_once_one_stops(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    funded(engine, "ada")
    paid_by_one(engine, 20, "first")
    daily_totals.catch_up(engine)
    see = watch._see

    def while_another_watches(*read: object) -> object:
        monkeypatch.setattr(watch, "_see", see)
        assert watch.watch_step(engine, RULES, now=NOW, zone=UTC_ZONE) == Watched(21, 1)
        return see(*read)  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "_see", while_another_watches)
    assert watch.watch_step(engine, RULES, now=NOW, zone=UTC_ZONE) is None
    assert len(waiting(engine)) == 1


def test_days_are_those_of_the_time_zone_and_those_of_another_are_left_alone(engine: Engine) -> None:
    zone = zone_named("Asia/Kolkata")
    funded(engine, "ada")
    late = NOW + timedelta(hours=8)  # past midnight there
    world.charge(engine, world.HAIKU, key="late", now=late)
    shop(engine, ["ada"], days_ago=0, minute=480)
    assert look(engine, zone).entries == 3
    assert scalar(engine, "SELECT day FROM watch_key_days") == number_of_day((late + DAY).date())
    assert watch.watch_step(engine, RULES, now=NOW, zone=UTC_ZONE) is None


# --- looked at --------------------------------------------------------------------------------------------------------


def test_a_finding_is_looked_at_once_and_that_is_on_record(engine: Engine) -> None:
    funded(engine, "ada")
    paid_by_one(engine, 20, "first")
    look(engine)

    def look_at(number: int) -> None:
        database.write(
            engine,
            lambda connection: watch_findings.look_at(
                connection, number, note=" His own company ", now=NOW, actor=TESTER
            ),
        )

    look_at(1)
    with pytest.raises(AlreadyLookedAt, match="tester has looked at finding 1 already"):
        look_at(1)
    with pytest.raises(UnknownFinding):
        look_at(2)
    assert found_rows(engine, "SELECT looked_by, note, looked_at_us FROM watch_findings") == [
        ("tester", "His own company", world.NOW_US)
    ]
    assert found_rows(engine, "SELECT kind, subject, detail FROM activity WHERE kind = 'finding_looked_at'") == [
        ("finding_looked_at", "1", '{"about": "ben", "note": "His own company", "rule": "one_payer"}')
    ]


# --- an ordinary month ------------------------------------------------------------------------------------------------


def test_the_demo_world_has_at_most_three_false_alarms(engine: Engine) -> None:
    demo.build(engine)
    assert look(engine).entries > 3_000
    assert len(waiting(engine)) <= 3


def test_credits_that_are_added_are_no_spending(engine: Engine) -> None:
    world.add(engine, "ada", 900 * MILLION, key="gift", source=CreditSource.GRANT, reason="x")
    assert look(engine) == Watched(1, 0)
