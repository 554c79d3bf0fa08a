"""What is wrong is kept from when until when, and told once, and its end once, whatever the addresses do."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from credits_core import settings
from credits_core.access import calls
from credits_core.access.calls import Call, Content
from credits_core.audit import log, seals
from credits_core.audit.finding import Finding, Since
from credits_core.notices.digest import Message
from credits_core.operations import alerts, alerts_told, jobs, lease, runs
from credits_core.operations.alert_calls import read_calls
from credits_core.operations.alert_state import Calls, Job, read_state
from credits_core.operations.surroundings import Surroundings
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.values.progress import finish
from credits_core.values.time_zones import UTC_ZONE
from tests.support import earlier_refunds, world
from tests.support.plain_sql import rows
from tests.support.world import NOW

NAMES = jobs.NAMES
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def audited(engine: Engine, now: datetime, *, is_clean: bool, after_entry: int = 0) -> None:
    found = [Finding("sums", 1, () if is_clean else ("something",))]
    since = Since(after_entry, 0, 0, {})
    database.write(engine, lambda connection: log.record(connection, found, now=now, since=since))


def led(engine: Engine) -> None:
    """A process has the lease of the leader for ten minutes."""
    database.write(engine, lambda connection: lease.take(connection, lease.LEADER, "host-1", seconds=600))


def ran(engine: Engine, name: str, ended_at: datetime, *, is_ok: bool = True) -> None:
    def run(connection: object) -> None:
        number = runs.begin(connection, name, process="host-1", actor="jobs", now=ended_at)  # type: ignore[arg-type]
        runs.end(connection, number, is_ok=is_ok, message="", now=ended_at)  # type: ignore[arg-type]

    database.write(engine, run)


def check(engine: Engine, now: datetime) -> int:
    return alerts.check(engine, NAMES, now=now, zone=UTC_ZONE)


def seen(engine: Engine, now: datetime) -> list[tuple[str, datetime | None]]:
    with database.read(engine) as connection:
        return [(one.rule.name, one.since) for one in alerts.look(connection, NAMES, now=now, zone=UTC_ZONE)]


class Mailbox:
    """Takes messages, or fails to."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.works = True

    def __call__(self, message: Message) -> int:
        if not self.works:
            return 0
        self.got.append(message)
        return 1


def tell(engine: Engine, box: Mailbox, now: datetime) -> list[str]:
    """What a message said that was sent now."""
    before = len(box.got)
    alerts_told.tell(engine, box, now=now)
    return [message.title for message in box.got[before:]]


# --- since when -------------------------------------------------------------------------------------------------------


def test_a_fault_is_kept_from_its_beginning_to_its_end(engine: Engine) -> None:
    led(engine)
    audited(engine, NOW, is_clean=False)
    assert check(engine, NOW) == 1
    assert check(engine, NOW + MINUTE) == 1
    assert seen(engine, NOW + 2 * MINUTE) == [("IntegrityBroken", NOW)]
    audited(engine, NOW + 3 * MINUTE, is_clean=True)
    assert check(engine, NOW + 3 * MINUTE) == 0
    assert seen(engine, NOW + 4 * MINUTE) == []
    start = world.NOW_US
    assert rows(engine, "SELECT name, since_us, counts_from_us, ended_at_us FROM alerts") == [
        ("IntegrityBroken", start, start, start + 180_000_000)
    ]
    audited(engine, NOW + HOUR, is_clean=False)  # another one
    check(engine, NOW + HOUR)
    assert seen(engine, NOW + HOUR) == [("IntegrityBroken", NOW + HOUR)]


def test_a_clean_audit_of_what_is_new_does_not_end_what_an_audit_of_everything_found(engine: Engine) -> None:
    led(engine)
    audited(engine, NOW - 2 * HOUR, is_clean=True)
    audited(engine, NOW, is_clean=False)
    audited(engine, NOW + 5 * MINUTE, is_clean=True, after_entry=7)
    assert check(engine, NOW + 5 * MINUTE) == 1
    assert [name for name, _ in seen(engine, NOW + 5 * MINUTE)] == ["IntegrityBroken"]
    with database.read(engine) as connection:
        assert [(one.invariant, one.is_ok) for one in log.last_findings(connection)] == [("sums", False)]
        assert read_state(connection, NAMES, now=NOW, zone=UTC_ZONE).clean_audit_age_seconds == 7_200
    audited(engine, NOW + 10 * MINUTE, is_clean=True)
    assert check(engine, NOW + 10 * MINUTE) == 0
    audited(engine, NOW + 15 * MINUTE, is_clean=False, after_entry=7)  # what is new can be broken alone
    assert check(engine, NOW + 15 * MINUTE) == 1
    audited(engine, NOW + 20 * MINUTE, is_clean=True, after_entry=7)
    assert check(engine, NOW + 20 * MINUTE) == 0


def test_a_fault_counts_when_it_has_lasted_as_long_as_its_rule_asks(engine: Engine) -> None:
    led(engine)
    world.add(engine, "ada", 5, key="fund", now=NOW - 16 * MINUTE)  # which nobody seals
    daily_totals.catch_up(engine)
    assert [check(engine, NOW + minute * MINUTE) for minute in (0, 4)] == [0, 0]
    assert seen(engine, NOW + 4 * MINUTE) == []
    assert check(engine, NOW + 5 * MINUTE) == 1
    assert seen(engine, NOW + 5 * MINUTE) == [("SealsBehind", NOW)]
    seals.catch_up(engine, now=NOW + 6 * MINUTE)
    assert check(engine, NOW + 6 * MINUTE) == 0


def test_a_fault_that_ends_before_it_counts_was_never_there(engine: Engine) -> None:
    led(engine)
    world.add(engine, "ada", 5, key="fund", now=NOW - 16 * MINUTE)
    check(engine, NOW)
    seals.catch_up(engine, now=NOW + MINUTE)
    check(engine, NOW + MINUTE)
    assert rows(engine, "SELECT * FROM alerts") == []


def test_what_is_not_known_any_more_goes_on_as_it_was(engine: Engine) -> None:
    led(engine)
    keep_calls(engine, NOW, 40, status=503, code="unavailable")
    check(engine, NOW - 5 * MINUTE)
    check(engine, NOW)
    assert [name for name, _ in seen(engine, NOW)] == ["UnavailableRateHigh"]
    database.write(engine, lambda connection: calls.delete_old(connection, most=0))
    check(engine, NOW + MINUTE)
    assert rows(engine, "SELECT COUNT(*) FROM alerts WHERE ended_at_us IS NULL AND name = 'UnavailableRateHigh'") == [
        (1,)
    ]


def test_without_a_leader_what_is_wrong_is_seen_at_once_but_not_since_when(engine: Engine) -> None:
    audited(engine, NOW, is_clean=False)
    assert seen(engine, NOW) == [("IntegrityBroken", None), ("NoLeader", None)]


def test_an_hour_later_one_sees_what_changed(engine: Engine) -> None:
    led(engine)
    world.add(engine, "ada", 200_000_000, key="fund", now=NOW - MINUTE)
    seals.catch_up(engine, now=NOW)
    check(engine, NOW)
    world.add(engine, "ada", 200_000_000, key="more", now=NOW)
    seals.catch_up(engine, now=NOW)
    assert check(engine, NOW + 59 * MINUTE) == 0
    check(engine, NOW + 60 * MINUTE)
    assert check(engine, NOW + 61 * MINUTE) == 1
    assert seen(engine, NOW + 61 * MINUTE) == [("CirculationJumps", NOW + HOUR)]
    check(engine, NOW + 3 * HOUR)
    assert len(rows(engine, "SELECT * FROM alert_samples")) == 5
    check(engine, NOW + 4 * HOUR)
    assert len(rows(engine, "SELECT * FROM alert_samples")) == 4  # one of three hours ago is kept


def test_a_refund_that_the_platform_pays_makes_the_margin_negative(engine: Engine) -> None:
    led(engine)
    world.add(engine, "ada", 10_000, key="fund")
    run = world.charge(engine, world.HAIKU, key="run")
    check(engine, NOW)
    world.refund(engine, run.entry_id, key="back")
    seals.catch_up(engine, now=NOW)
    with database.read(engine) as connection:
        state = read_state(connection, NAMES, now=NOW + HOUR, zone=UTC_ZONE)
    assert state.an_hour_ago == (9_700, 50)
    assert (state.money.margin_credits, state.money.refunded_inference_credits) == (-250, 250)


# --- what is read -----------------------------------------------------------------------------------------------------


def test_jobs_are_read_with_their_last_good_run(engine: Engine) -> None:
    ran(engine, "seals", NOW - 10 * HOUR)
    ran(engine, "backup", NOW - 5 * HOUR)
    for hours in (3, 2, 1):
        ran(engine, "backup", NOW - hours * HOUR, is_ok=False)
    with database.read(engine) as connection:
        state = read_state(connection, ["seals", "backup", "drill"], now=NOW, zone=UTC_ZONE)
    assert list(state.jobs) == [
        Job("seals", True, 36_000, 0),
        Job("backup", False, 18_000, 3),
        Job("drill", None, 36_000, 0),
    ]
    assert state.clean_audit_age_seconds == 36_000


def test_what_creators_owe_is_told_from_what_the_platform_bore_under_the_earlier_rule(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    run = world.charge(engine, world.HAIKU_WITH_FEE, key="run")  # 800 to ben
    world.charge(engine, world.run_by("ben"), key="spent")  # 300 of them
    earlier_refunds.refund(engine, run.entry_id, key="back")
    other = world.charge(engine, world.HAIKU_WITH_FEE, key="other-run")
    world.charge(engine, world.run_by("ben"), key="spent-too")
    world.refund(engine, other.entry_id, key="other-back")
    with database.read(engine) as connection:
        money = read_state(connection, [], now=NOW, zone=UTC_ZONE).money
    assert (money.borne_for_creators_credits, money.owed_credits) == (300, 300)
    assert money.moved_credits["creator_payment"] == 1_600
    assert money.circulating_credits == 10_000 - 300


def keep_calls(engine: Engine, at: datetime, count: int, *, status: int = 200, code: str = "", ms: float = 5) -> None:
    found = [
        calls.row_of(Call(at, "GET", "/credits/balance", status, code, ms, f"{at}-{number}-{status}", Content("shop")))
        for number in range(count)
    ]
    database.write(engine, lambda connection: calls.keep(connection, found, most=10_000))


def test_the_calls_of_five_minutes_are_summed_up(engine: Engine) -> None:
    with database.read(engine) as connection:
        assert read_calls(connection, NOW) is None
    keep_calls(engine, NOW - 5 * MINUTE, 50, status=503, code="unavailable")
    keep_calls(engine, NOW - 4 * MINUTE, 97)
    keep_calls(engine, NOW - MINUTE, 2, status=402, code="insufficient_credits", ms=70)
    keep_calls(engine, NOW, 1, status=503, code="unavailable", ms=8_000)
    with database.read(engine) as connection:
        assert read_calls(connection, NOW) == Calls(answered=100, refused=3, unavailable=1, p99_us=70_000)


# --- told -------------------------------------------------------------------------------------------------------------


def test_a_fault_is_told_once_and_its_end_once(engine: Engine) -> None:
    led(engine)
    box = Mailbox()
    audited(engine, NOW, is_clean=False)
    check(engine, NOW)
    assert tell(engine, box, NOW) == ["PromptFlow credits: 1 wrong"]
    check(engine, NOW + MINUTE)
    assert tell(engine, box, NOW + MINUTE) == []
    audited(engine, NOW + 2 * MINUTE, is_clean=True)
    check(engine, NOW + 2 * MINUTE)
    assert tell(engine, box, NOW + 2 * MINUTE) == ["PromptFlow credits: 1 over"]
    assert tell(engine, box, NOW + 3 * MINUTE) == []
    assert "It began 2026-03-01 12:00 UTC." in box.got[1].body


def test_many_faults_are_one_message(engine: Engine) -> None:
    led(engine)
    box = Mailbox()
    audited(engine, NOW, is_clean=False)
    for _ in range(3):
        ran(engine, "backup", NOW - 40 * HOUR, is_ok=False)
    check(engine, NOW)
    check(engine, NOW + 10 * MINUTE)
    assert tell(engine, box, NOW + 10 * MINUTE) == ["PromptFlow credits: 4 wrong"]
    assert [line.split(":")[0] for line in box.got[0].body.splitlines()] == ["WRONG since 2026-03-01 12"] * 4


def test_another_job_that_fails_is_told_while_one_is_broken(engine: Engine) -> None:
    led(engine)
    box = Mailbox()

    def fail(name: str) -> None:
        for _ in range(3):
            ran(engine, name, NOW, is_ok=False)

    fail("seals")
    check(engine, NOW)
    assert tell(engine, box, NOW) == ["PromptFlow credits: 1 wrong"]
    fail("payments")
    check(engine, NOW + MINUTE)
    assert tell(engine, box, NOW + MINUTE) == ["PromptFlow credits: 1 wrong"]
    assert "These jobs failed 3 times or more: seals, payments." in box.got[1].body
    check(engine, NOW + 2 * MINUTE)
    assert tell(engine, box, NOW + 2 * MINUTE) == []
    ran(engine, "payments", NOW + 3 * MINUTE)
    check(engine, NOW + 3 * MINUTE)
    assert tell(engine, box, NOW + 3 * MINUTE) == []  # it is one less


def test_what_does_not_count_yet_is_not_told(engine: Engine) -> None:
    led(engine)
    world.add(engine, "ada", 5, key="fund", now=NOW - 16 * MINUTE)
    check(engine, NOW)
    assert tell(engine, Mailbox(), NOW) == []


def test_when_no_address_takes_it_it_is_told_the_next_time(engine: Engine) -> None:
    led(engine)
    box = Mailbox()
    box.works = False
    audited(engine, NOW, is_clean=False)
    check(engine, NOW)
    assert tell(engine, box, NOW) == []
    box.works = True
    assert tell(engine, box, NOW + MINUTE) == ["PromptFlow credits: 1 wrong"]


@pytest.mark.parametrize(("later", "titles"), [(MINUTE, ["PromptFlow credits: 1 over"]), (25 * HOUR, [])])
def test_what_began_and_ended_untold_is_told_as_over_unless_it_is_long_ago(
    engine: Engine, later: timedelta, titles: list[str]
) -> None:
    led(engine)
    audited(engine, NOW, is_clean=False)
    check(engine, NOW)
    audited(engine, NOW, is_clean=True)
    check(engine, NOW + MINUTE)
    box = Mailbox()
    assert tell(engine, box, NOW + MINUTE + later) == titles
    assert tell(engine, box, NOW + MINUTE + later) == []


def test_the_jobs_say_what_they_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    led(engine)
    audited(engine, NOW, is_clean=False)
    around = Surroundings(engine, PriceBooks(settings.load_models()), UTC_ZONE, lambda: NOW)
    assert finish(jobs.named("alerts").work(around)) == "1 thing wrong."
    monkeypatch.setenv("CREDITS_NOTIFY_URLS", "nonsense json://127.0.0.1:9/")
    assert finish(jobs.named("alerts").work(around)) == "1 thing wrong."  # nobody took the message, and nothing stops
    monkeypatch.setattr("credits_core.notices.sending.send", lambda _message, addresses: len(addresses) - 1)
    assert finish(jobs.named("alerts").work(around)) == "1 thing wrong. Told of what is new: 1 of 2 addresses."
    world.add(engine, "ada", 5, key="fund")
    daily_totals.catch_up(engine)
    assert finish(jobs.named("watch").work(around)) == "1 new entry number watched, 0 new findings."
    assert finish(jobs.named("watch").work(around)) == "No new entries."
    audited(engine, NOW + MINUTE, is_clean=True)
    assert finish(jobs.named("alerts").work(around)) == "Nothing is wrong. Told of what is new: 1 of 2 addresses."
