"""No value and no row of what is sealed or proved can be changed behind the ledger's back without the audit telling."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Connection, Executable, Integer, SmallInteger, Table, delete, update
from sqlalchemy.exc import IntegrityError

from credits_core.audit.check_proof import COLUMNS, RECORD_TABLES
from credits_core.pricing.quote import PriceBook
from credits_core.store.tables import Base
from tests.support import damage
from tests.support.damage import Ledger


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One sealed ledger for all the damage, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("cells"), book, is_sealed=True) as ledger:
        yield ledger


def test_the_ledger_to_be_damaged_is_clean(ledger: Ledger) -> None:
    assert ledger.after() == {}
    with ledger.unguarded() as connection:
        assert not ledger.has_findings(connection)


# Who called the API, who was told to have a flow already, how somebody chose to begin, what people keep by name, and
# who is signed in are no part of what it proves, and neither are jobs, the embedded gateway's books and what other
# systems are told: none of them moves credits. What is left to settle is there for a moment, and has tests of its own.
NOT_PROVED = {
    "alert_samples",
    "alerts",
    "api_calls",
    "clean_start",
    "events_to_settle",
    "invariant_results",
    "job_leases",
    "job_runs",
    "low_balance_levels",
    "low_balance_progress",
    "sandbox_events",
    "saved_views",
    "sign_in_sessions",
    "unlock_answers",
    "watch_findings",
    "watch_key_days",
    "watch_progress",
    "webhook_deliveries",
    "webhook_endpoints",
    "webhook_events",
    "webhook_held_users",
}
LEDGER_TABLES = [table for table in Base.metadata.sorted_tables if table.name not in NOT_PROVED]
# One entry of each kind, some covered by the daily totals and some not.
TRIED = [
    "grant",
    "run with fee",
    "unlock",
    "run by ben",
    "refund of run by ben",
    "token run",
    "usage run",
    "late run",
    "late unlock",
    "captured hold",
    "held run",
    "end of expired hold",
    "granted purchase",
    "frozen purchase",
    "lost purchase",
    "payout set aside",
    "payout paid",
    "part of fee run",
    "rest of fee run",
]
WITHOUT_ENTRIES = (
    "activity",
    "api_keys",
    "audit_runs",
    "people",
    "proposals",
    "trial_users",
    "seals",
    "daily_sums",
    "daily_totals",
    "daily_works",
    "rollup_watermark",
    "price_plans",
    "plan_activations",
    "price_lists",
    "price_list_activations",
    "holds",
    "hold_ends",
    "user_parts",
    "lots",
    "lot_draws",
    "lot_terms",
    "purchases",
    "purchase_events",
    "purchase_moves",
    "purchase_receipts",
    *("payout_terms", "payout_cycles", "payout_approvals", "payouts", "payout_moves", "payout_reports"),
    *("payout_files", "payout_file_lines"),
    "partial_refunds",
    "spending_limits",
)


def _rows(ledger: Ledger, connection: Connection, table: Table) -> list[dict[str, object]]:
    """The rows to damage: those of the tried entries, and up to a dozen of a table that has no entries."""
    entry_column = {"journal_entries": "id", "user_credits": ""} | dict.fromkeys(WITHOUT_ENTRIES, "")
    column = entry_column.get(table.name, "entry_id")
    found = [dict(row) for row in connection.execute(table.select()).mappings()]
    return [row for row in found if row[column] in {ledger.ids[name] for name in TRIED}] if column else found[:12]


def _other_values(table: Table, column: str, value: object) -> list[object]:
    if isinstance(table.c[column].type, Boolean):
        return [not value, None]
    if isinstance(value, bytes):
        return [value[:-1] + bytes([value[-1] ^ 1]), b"", None]
    if column == "rule":
        return ["cost_booked_back", None]
    if isinstance(table.c[column].type, BigInteger | Integer | SmallInteger):
        return [1 if value is None else int(str(value)) + 1, None]
    return ["7" if str(value)[:1].isdigit() else "refund" if column.endswith("type") else "ben", None]


def _goes_unseen(ledger: Ledger, connection: Connection, damage: Executable) -> bool:
    """Whether the damage is done, no constraint refuses it, and the audit finds nothing wrong. It is undone again."""
    savepoint = connection.begin_nested()
    try:
        connection.execute(damage)
        return not ledger.has_findings(connection)
    except IntegrityError:
        return False
    finally:
        savepoint.rollback()


@pytest.mark.parametrize("table", LEDGER_TABLES, ids=lambda table: table.name)
def test_no_value_of_the_ledger_can_be_changed_unseen(ledger: Ledger, table: Table, full: bool) -> None:
    """Every column is tried in every third row at least; with --full in each."""
    with ledger.unguarded() as connection:
        rows = _rows(ledger, connection, table)
        unseen = {
            (table.name, column)
            for number, row in enumerate(rows)
            for place, (column, value) in enumerate(row.items())
            if full or len(rows) < 3 or (number + place) % 3 == 0
            for other in _other_values(table, column, value)
            if other != value and _goes_unseen(ledger, connection, _same(table, row, update).values({column: other}))
        }
    assert unseen == set()


@pytest.mark.parametrize("table", LEDGER_TABLES, ids=lambda table: table.name)
def test_no_row_of_the_ledger_can_be_deleted_unseen(ledger: Ledger, table: Table) -> None:
    with ledger.unguarded() as connection:
        tried = _rows(ledger, connection, table)
        if table.name == "seals":
            tried = tried[:-1]  # without the newest one nothing is contradicted: only a head that was kept tells
        assert tried
        assert [row for row in tried if _goes_unseen(ledger, connection, _same(table, row, delete))] == []


def _same(table: Table, row: dict[str, object], statement: Callable[[Table], Any]) -> Any:
    return statement(table).where(*(column == row[column.name] for column in table.primary_key))


# Of the tables that are sealed: what may change, and what says the same as the number of the entry beside it.
NOT_SEALED = {
    "unlock": {"entry_id", "refunded_by_entry_id"},
    "run": {"entry_id"},
    "refund": {"entry_id"},
    "transactions": {"entry_id"},
    "api_keys": {"expires_at_us", "replaced_at_us", "revoked_at_us"},
    "holds": {"ended_by_entry_id"},
    "proposals": {"state", "decided_by", "decided_at_us", "decision_reason", "entry_id"},
}
PARTS = {
    "entry": "journal_entries",
    "transactions": "credit_transactions",
    "run": "prompt_runs",
    "unlock": "unlocked_flows",
    "refund": "refunds",
    **{name: name for name in RECORD_TABLES},
}


@pytest.mark.parametrize("part", PARTS)
def test_every_column_is_sealed_or_may_change(part: str) -> None:
    """Whoever adds a column decides: a new form of seals, or a line above."""
    sealed = set(COLUMNS[part]) - {"account_created_at_us"}
    assert sealed | NOT_SEALED.get(part, set()) == set(Base.metadata.tables[PARTS[part]].c.keys())
