"""`plan replay`: what it prints, as text and as JSON, and what it refuses in one line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support import world
from tests.support.commands import Commands
from tests.support.plain_sql import every_row

HALF = """
id = "half"
creator_share_bps = 5000
tiers = [{markup_bps = 4000}]
"""


@pytest.fixture
def call(commands: Commands, sqlite_engine: Engine) -> Commands:
    """The commands on a ledger where the specification's plan is live."""
    world.put_in_force(sqlite_engine, world.price_book().plan)
    return commands


@pytest.fixture
def half(tmp_path: Path) -> str:
    path = tmp_path / "half.toml"
    path.write_text(HALF, encoding="utf-8")
    return str(path)


@pytest.fixture
def ledger(sqlite_engine: Engine) -> Engine:
    """A run of 300, one of 1,251 with a fee of 1,001, and an unlock of 1,001, out of 2,600 credits."""
    world.add(sqlite_engine, "ada", 2_600, key="add")
    world.charge(sqlite_engine, world.HAIKU, key="plain")
    world.charge(sqlite_engine, world.HAIKU_WITH_FEE, key="fee")
    world.unlock(sqlite_engine, world.UNLOCK, key="unlock")
    return sqlite_engine


def test_a_replay_reads_as_text(call: Commands, ledger: Engine, half: str) -> None:
    before = every_row(ledger)
    code, printed, error = call("plan", "replay", half)
    lines = printed.splitlines()
    assert (code, error) == (0, "")
    # The plain run costs 250 + 100. Of 2,600 credits 2,250 are left, then 999: the unlock of 1,001 is refused.
    # Ben receives 500 instead of 1,600, and the platform 100 + 501 instead of 50 + 201 + 201.
    assert lines[:3] == [
        "half, all days: 2 runs, 1 unlock, 0 refunds",
        "Under half, users would have paid 951 credits ($0.000951) less (−37.26 %). Creators would have received"
        " 1,100 credits ($0.0011) less (−68.75 %). The platform would have received 149 credits ($0.000149) more"
        " (+32.96 %). 1 unlock of 1 user would have been refused for lack of credits. Originally charged for this:"
        " 1,001 credits ($0.001001).",
        "The first difference is entry 2. Charged: 300 credits ($0.0003), including 0 for the creator. Under the plan:"
        " 350, including 0 for the creator.",
    ]
    assert lines[3] == "Check passed: 3 of 3 charges match the plan they were made under."
    assert [line.split() for line in lines[5:10]] == [
        ["credits", "recorded", "under", "the", "plan", "difference"],
        ["users", "paid", "2,552", "1,601", "−951", "−37.26", "%"],
        ["inference", "500", "500", "0", "0", "%"],
        ["creators", "1,600", "500", "−1,100", "−68.75", "%"],
        ["platform", "452", "601", "+149", "+32.96", "%"],
    ]
    assert lines[11] == "2 runs: 0 cheaper, 1 unchanged, 1 dearer, 0 refused. 1 costs up to 50 credits more."
    assert lines[-1] == ("Runs that were refused at the time are not recorded. A cheaper plan cannot bring them back.")
    assert every_row(ledger) == before


def test_the_plan_of_every_run_is_said_to_equal_the_record(call: Commands, ledger: Engine) -> None:
    _, printed, _ = call("plan", "replay", "plan-1")
    assert "Check passed: all 2 runs and 1 unlock come out exactly as charged." in printed.splitlines()


def test_a_replay_reads_as_json(call: Commands, ledger: Engine, half: str) -> None:
    code, printed, error = call("plan", "replay", half, "--from", "2026-03-01", "--json")
    found = json.loads(printed)
    assert (code, error, found["from"], found["to"], found["time_zone"]) == (0, "", "2026-03-01", None, "UTC")
    assert (found["plan"], found["matches_record"], found["first_difference"]["entry_id"]) == ("half", False, 2)
    assert found["users_paid"] == {
        "recorded_credits": 2_552,
        "plan_credits": 1_601,
        "difference_credits": -951,
        "difference_bps": -3_726,
    }
    assert (found["runs"], found["unlocks"], found["refused_unlocks"], found["refused_credits"]) == (2, 1, 1, 1_001)
    assert found["change_of_run"] == {
        "least_credits": 0,
        "p50_credits": 0,
        "p95_credits": 50,
        "most_credits": 50,
    }
    assert [one["name"] for one in found["by_model"]] == ["Flow unlocks", "claude-3-haiku"]
    assert found["by_user"][0]["refused"] == 1


def test_days_are_those_of_the_time_zone_that_is_set(
    call: Commands, ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = datetime(2026, 3, 1, 18, 15, tzinfo=UTC)  # midnight in Kathmandu
    world.add(ledger, "ada", 1_000, key="more", now=late)
    world.charge(ledger, world.HAIKU, key="late", now=late)
    day = ("--from", "2026-03-02", "--to", "2026-03-02")
    _, _, error = call("plan", "replay", "plan-1", *day)
    assert error == "error: ledger: has no run and no unlock to price again (2026-03-02, UTC)\n"
    monkeypatch.setenv("CREDITS_TIME_ZONE", "Asia/Kathmandu")
    _, printed, _ = call("plan", "replay", "plan-1", *day)
    assert printed.splitlines()[0] == "plan-1, 2026-03-02, Asia/Kathmandu: 1 run, 0 unlocks, 0 refunds"
    found = json.loads(call("plan", "replay", "plan-1", "--json")[1])
    assert found["time_zone"] == "Asia/Kathmandu"
    assert [(one["name"], one["charges"]) for one in found["by_day"]] == [("2026-03-01", 3), ("2026-03-02", 1)]


def test_an_unknown_time_zone_is_one_line(call: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_TIME_ZONE", "Berlin")
    line = "error: CREDITS_TIME_ZONE: must be the name of a time zone, such as Europe/Berlin, not 'Berlin'\n"
    assert call("plan", "replay", "plan-1") == (1, "", line)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("plan-9",), "There is no price plan 'plan-9'. Choose one of plan-1, promptflow-v1, or name a .toml file."),
        (("plan-1", "--from", "soon"), "from: must be a day such as 2026-11-01, not 'soon'"),
        (
            ("plan-1", "--from", "2026-03-02", "--to", "2026-03-01"),
            "days: must not begin after they end: 2026-03-02 is after 2026-03-01",
        ),
        (("plan-1", "--to", "2020-01-01"), "ledger: has no run and no unlock to price again (up to 2020-01-01, UTC)"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    call: Commands, ledger: Engine, arguments: tuple[str, ...], error: str
) -> None:
    assert call("plan", "replay", *arguments) == (1, "", f"error: {error}\n")


def test_an_empty_ledger_is_one_line(call: Commands) -> None:
    line = "error: ledger: has no run and no unlock to price again (all days)\n"
    assert call("plan", "replay", "plan-1") == (1, "", line)
