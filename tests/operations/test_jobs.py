"""What each job does: it can be repeated, takes bounded steps, and says what it did or what is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from credits_core import settings
from credits_core.access import calls, proposals
from credits_core.access.proposed import AddCredits
from credits_core.audit import seal_keys, seals
from credits_core.audit.invariants import INVARIANTS
from credits_core.operations import jobs, running
from credits_core.operations.runs import Run
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support import damage, holding, job_world, world
from tests.support.actors import TESTER
from tests.support.backup_world import charge_more, some_runs
from tests.support.plain_sql import rows, scalar
from tests.support.world import NOW

TODAY = timedelta(days=271)
"""2026-11-27, after the prices in `data/models.toml` were checked."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDITS_BACKUP_URL", str(tmp_path / "backups"))
    return tmp_path / "backups"


def run(engine: Engine, name: str, *, at: timedelta = timedelta(0)) -> Run:
    return running.run(jobs.named(name), job_world.around(engine, now=NOW + at), actor=TESTER)


def said(engine: Engine, name: str, *, at: timedelta = timedelta(0)) -> tuple[str | None, str]:
    done = run(engine, name, at=at)
    return done.outcome, done.message


def test_entries_are_added_to_the_daily_totals_and_then_nothing_is_left(engine: Engine) -> None:
    some_runs(engine)
    assert said(engine, "rollup") == ("ok", "4 new entry numbers added to the daily totals.")
    assert said(engine, "rollup") == ("ok", "No new entries.")


def test_what_is_new_is_sealed(engine: Engine) -> None:
    some_runs(engine)
    assert said(engine, "seals") == ("ok", "1 new seal.")
    assert said(engine, "seals") == ("ok", "Nothing new to seal.")


def test_holds_and_lots_whose_time_is_over_come_back_and_expire_once(engine: Engine) -> None:
    world.add(engine, "ada", 20_000, key="fund")
    holding.authorise(engine, key="hold")
    world.add(engine, "ben", 70, key="ben", expires_at=NOW + timedelta(hours=1))
    assert said(engine, "expiry") == ("ok", "Nothing has expired.")
    assert said(engine, "expiry", at=timedelta(hours=2)) == ("ok", "holds ended: 1, users' lots booked: 1.")
    assert said(engine, "expiry", at=timedelta(hours=2)) == ("ok", "Nothing has expired.")
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id") == [
        ("ada", 20_000),
        ("ben", 0),
    ]


def test_sealing_that_is_refused_is_a_failure(engine: Engine, tmp_path: Path) -> None:
    world.add(engine, "ada", 5, key="one")
    key = seal_keys.make(tmp_path / "key")
    seals.catch_up(engine, now=NOW, key=key, begins_signing=True)
    world.add(engine, "ada", 5, key="two")
    outcome, message = said(engine, "seals")
    assert outcome == "failed"
    assert message.startswith("CREDITS_SEAL_KEY_FILE: is not set, but the newest seal is signed")


def test_what_is_new_is_audited_and_a_result_as_before_is_on_record_once_an_hour(engine: Engine) -> None:
    some_runs(engine)
    assert said(engine, "verify-new") == ("ok", f"All {len(INVARIANTS)} invariants hold.")
    audits = "SELECT count(*) FROM audit_runs"
    for minutes, kept in ((0, 1), (5, 1), (59, 1), (60, 2), (65, 2)):
        run(engine, "verify-new", at=timedelta(minutes=minutes))
        assert scalar(engine, audits) == kept, minutes
    charge_more(engine, runs=1, prefix="later")
    run(engine, "verify-new", at=timedelta(minutes=66))
    assert scalar(engine, audits) == 3


@pytest.mark.as_owner
@pytest.mark.parametrize("name", ["verify-new", "verify-all"])
def test_a_broken_ledger_makes_an_audit_fail_and_the_message_names_it(engine: Engine, name: str) -> None:
    some_runs(engine)
    damage.behind_its_back(engine, "UPDATE journal_entries SET description = 'x', request_hash = 'y' WHERE id = 2")
    outcome, message = said(engine, name)
    damage_undone = "UPDATE journal_entries SET description = NULL WHERE id = 2"
    damage.behind_its_back(engine, damage_undone)
    assert outcome == "failed"
    assert f"of {len(INVARIANTS)} invariants are broken: WRONG " in message


def test_the_whole_ledger_is_audited_and_always_on_record(engine: Engine) -> None:
    some_runs(engine)
    for number in (1, 2):
        assert said(engine, "verify-all") == ("ok", f"All {len(INVARIANTS)} invariants hold.")
        assert rows(engine, "SELECT since_entry_id FROM audit_runs") == [(0,)] * number


def test_what_is_old_is_cleaned_up_and_the_rest_stays(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(engine, "ada", 5, key="one")
    monkeypatch.setenv("CREDITS_KEPT_CALLS", "2")
    day_us = 86_400_000_000

    def prepare(connection: object) -> None:
        change = AddCredits("ada", 20_000_000, CreditSource.GRANT)
        for days in (8, 1):
            proposals.propose(
                connection,  # type: ignore[arg-type]
                AddCredits("ada", change.amount_credits + days, change.source),
                reason="Because",
                now=NOW - timedelta(days=days),
                actor=TESTER,
            )
        calls.keep(connection, [call_row(number) for number in range(5)], most=100)  # type: ignore[arg-type]
        for name, email, days in (
            ("a", "ada@x.y", 40),
            ("b", "ada@x.y", 31),
            ("c", "ada@x.y", 2),
            ("d", "ben@x.y", 99),
        ):
            at = world.NOW_US - days * day_us
            connection.execute(  # type: ignore[attr-defined]
                text(
                    "INSERT INTO sign_in_sessions (id, email, started_at_us, seen_at_us)"
                    f" VALUES ('{name}', '{email}', {at}, {at})"
                )
            )

    database.write(engine, prepare)
    assert said(engine, "clean-up") == (
        "ok",
        "stale proposals closed: 1, calls deleted: 3, sessions deleted: 2.",
    )
    assert rows(engine, "SELECT state FROM proposals ORDER BY id") == [("expired",), ("open",)]
    assert rows(engine, "SELECT request_id FROM api_calls ORDER BY id") == [("call-3",), ("call-4",)]
    assert rows(engine, "SELECT id FROM sign_in_sessions ORDER BY id") == [("c",), ("d",)]
    assert said(engine, "clean-up") == ("ok", "There was nothing to clean up.")


def call_row(number: int) -> dict[str, object]:
    texts = dict.fromkeys(
        ("method", "path", "code", "key_name", "idempotency_key", "query", "detail", "request_body", "answer_body"), ""
    )
    numbers = dict.fromkeys(("latency_us", "request_bytes", "answer_bytes"), 0)
    return texts | numbers | {"answered_at_us": 1, "request_id": f"call-{number}", "status": 200, "entry_id": None}


def test_prices_are_compared_and_nothing_is_changed(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "models.toml"
    shipped = settings.MODELS_FILE.read_text(encoding="utf-8")
    file.write_text(shipped, encoding="utf-8")
    monkeypatch.setattr(settings, "MODELS_FILE", file)
    # A list may not be older than the prices that it has.
    assert said(engine, "price-check", at=TODAY) == ("ok", "models.toml has the prices of the installed genai-prices.")
    other = shipped.replace("input_tokens = 2.5,", "input_tokens = 2.6,", 1)
    assert other != shipped
    file.write_text(other, encoding="utf-8")
    outcome, message = said(engine, "price-check", at=TODAY)
    assert outcome == "ok"
    assert message.startswith("1 price of models.toml differ")
    assert file.read_text(encoding="utf-8") == other


def test_backups_are_made_tried_and_pruned_by_jobs(sqlite_engine: Engine, place: Path) -> None:
    some_runs(sqlite_engine)
    assert said(sqlite_engine, "drill")[0] == "failed"  # there is none
    assert run(sqlite_engine, "backup").message.startswith("credits-20260301T120000.000000Z: 4 entries, ")
    assert said(sqlite_engine, "drill") == (
        "ok",
        "Restored and proved in 0 s. It would have lost 0 entries that came later.",
    )
    run(sqlite_engine, "backup", at=timedelta(hours=1))
    (stored,) = place.glob("*130000*.zst")
    stored.write_bytes(b"")
    outcome, message = said(sqlite_engine, "drill")
    assert outcome == "failed"
    assert message.startswith("The newest backup is bad: it has 0 bytes instead of ")
    assert said(sqlite_engine, "prune") == ("ok", "0 backups and 0 unfinished files deleted.")
    later = said(sqlite_engine, "prune", at=timedelta(days=31))
    assert later == ("ok", "1 backup and 0 unfinished files deleted.")


def test_every_job_can_be_repeated_on_an_empty_ledger(sqlite_engine: Engine) -> None:
    for _ in range(2):
        for job in jobs.ALL:
            assert run(sqlite_engine, job.name, at=TODAY).outcome == "ok", job.name


def test_no_job_is_unknown_to_the_time_and_every_name_fits_its_column() -> None:
    assert len(set(jobs.NAMES)) == len(jobs.ALL)
    assert all(len(name) <= 48 for name in jobs.NAMES)
