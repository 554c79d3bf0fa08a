"""Payouts: how creators are paid, cycles and what they say of each creator, what was done, and what became of it.

There is a new kind of entry and transaction: a payout. An index tells which users ever had credits that were not earned.
All of it is history and never changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ENTRY_TYPES = "type = 'prompt_run' OR type = 'flow_unlock' OR type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'refund' OR type = 'transfer' OR type = 'expiry' OR type = 'bonus' OR type = 'reversal'"
_TYPES = "type = 'prompt_run' OR type = 'inference_cost' OR type = 'platform_revenue' OR type = 'creator_payment' OR type = 'flow_unlock' OR type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'refund' OR type = 'transfer' OR type = 'expiry' OR type = 'bonus' OR type = 'reversal'"
_MORE_TYPES = " OR type = 'payout'"
_ADDED_TYPES = "(type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'bonus') AND position = 0"
_SAME_ROW = {
    "payout_terms": "id = NEW.id",
    "payout_cycles": "id = NEW.id",
    "payout_approvals": "id = NEW.id",
    "payouts": "id = NEW.id OR (cycle_id = NEW.cycle_id AND creator_id = NEW.creator_id)",
    "payout_moves": "id = NEW.id OR (payout_id = NEW.payout_id AND step = NEW.step)",
    "payout_reports": "id = NEW.id OR (payout_id = NEW.payout_id AND kind = NEW.kind)",
    "payout_files": "id = NEW.id",
    "payout_file_lines": "id = NEW.id OR payout_id = NEW.payout_id",
}


def upgrade() -> None:
    is_postgres = op.get_context().dialect.name == "postgresql"
    if is_postgres:
        for table, words in (("journal_entries", _ENTRY_TYPES), ("credit_transactions", _TYPES)):
            op.drop_constraint(op.f(f"ck_{table}_type_known"), table, type_="check")
            op.create_check_constraint(op.f(f"ck_{table}_type_known"), table, words + _MORE_TYPES)
    else:
        _widen_sqlite()
    op.create_index(
        "ix_credit_transactions_added",
        "credit_transactions",
        ["account_id", "entry_id"],
        sqlite_where=sa.text(_ADDED_TYPES),
        postgresql_where=sa.text(_ADDED_TYPES),
    )
    _create_terms()
    _create_cycles()
    _create_payouts()
    _create_moves()
    _create_files()
    for table, same_row in _SAME_ROW.items():
        (_guard_postgres if is_postgres else _guard_sqlite)(table, same_row)


def _widen_sqlite() -> None:
    # As in migration 0020: the words of the tables are changed where SQLite keeps them.
    bind = op.get_bind()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    for table, words in (("journal_entries", _ENTRY_TYPES), ("credit_transactions", _TYPES)):
        of_table = "type = 'table' AND name = ?"
        (sql,) = bind.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE {of_table}", (table,)).one()
        assert sql.count(f"({words})") == 1, f"{table} has the known types once"
        sql = sql.replace(f"({words})", f"({words}{_MORE_TYPES})")
        bind.exec_driver_sql(f"UPDATE sqlite_master SET sql = ? WHERE {of_table}", (sql, table))
    bind.exec_driver_sql("PRAGMA writable_schema = RESET")


def _create_terms() -> None:
    op.create_table(
        "payout_terms",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("creator_id", sa.String(length=128), nullable=False),
        sa.Column("destination_kind", sa.String(length=16), nullable=True),
        sa.Column("address", sa.String(length=128), nullable=True),
        sa.Column("holder", sa.String(length=128), nullable=True),
        sa.Column("paused_because", sa.Text(), nullable=True),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("set_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "destination_kind = 'gateway' OR destination_kind = 'bank'", name=op.f("ck_payout_terms_kind_known")
        ),
        sa.CheckConstraint(
            "(destination_kind IS NULL) = (address IS NULL)", name=op.f("ck_payout_terms_kind_has_address")
        ),
        sa.ForeignKeyConstraint(["creator_id"], ["user_credits.user_id"], name=op.f("fk_payout_terms_creator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_terms")),
    )
    op.create_index("ix_payout_terms_creator_id", "payout_terms", ["creator_id", "id"])


def _create_cycles() -> None:
    op.create_table(
        "payout_cycles",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("first_waiting_day", sa.Integer(), nullable=False),
        sa.Column("waiting_days", sa.Integer(), nullable=False),
        sa.Column("threshold_credits", sa.BigInteger(), nullable=False),
        sa.Column("reserve_bps", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("proposed_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "threshold_credits >= 0 AND waiting_days >= 0 AND reserve_bps BETWEEN 0 AND 9999",
            name=op.f("ck_payout_cycles_rules_in_bounds"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_cycles")),
    )
    op.create_table(
        "payout_approvals",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("approved_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["payout_cycles.id"], name=op.f("fk_payout_approvals_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_approvals")),
    )


def _create_payouts() -> None:
    op.create_table(
        "payouts",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("cycle_id", _KEY, nullable=False),
        sa.Column("creator_id", sa.String(length=128), nullable=False),
        sa.Column("left_credits", sa.BigInteger(), nullable=False),
        sa.Column("waiting_credits", sa.BigInteger(), nullable=False),
        sa.Column("reserved_credits", sa.BigInteger(), nullable=False),
        sa.Column("owed_credits", sa.BigInteger(), nullable=False),
        sa.Column("amount_credits", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("terms_id", _KEY, nullable=True),
        sa.CheckConstraint(
            "verdict = 'paid_out' OR verdict = 'paused' OR verdict = 'all_waiting' OR verdict = 'owed' OR verdict = 'reserved' OR verdict = 'below_threshold' OR verdict = 'no_destination'",
            name=op.f("ck_payouts_verdict_known"),
        ),
        sa.CheckConstraint("(verdict = 'paid_out') = (amount_credits > 0)", name=op.f("ck_payouts_paid_has_amount")),
        sa.CheckConstraint("verdict <> 'paid_out' OR terms_id IS NOT NULL", name=op.f("ck_payouts_paid_has_terms")),
        sa.CheckConstraint(
            "left_credits BETWEEN 0 AND 9007199254740991 AND waiting_credits BETWEEN 0 AND left_credits AND reserved_credits BETWEEN 0 AND left_credits - waiting_credits AND owed_credits >= 0 AND amount_credits BETWEEN 0 AND left_credits - waiting_credits - reserved_credits",
            name=op.f("ck_payouts_credits_in_bounds"),
        ),
        sa.ForeignKeyConstraint(["cycle_id"], ["payout_cycles.id"], name=op.f("fk_payouts_cycle_id")),
        sa.ForeignKeyConstraint(["creator_id"], ["user_credits.user_id"], name=op.f("fk_payouts_creator_id")),
        sa.ForeignKeyConstraint(["terms_id"], ["payout_terms.id"], name=op.f("fk_payouts_terms_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("cycle_id", "creator_id", name=op.f("uq_payouts_creator_id")),
    )
    op.create_index("ix_payouts_creator_id", "payouts", ["creator_id", "id"])


def _create_moves() -> None:
    op.create_table(
        "payout_moves",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("payout_id", _KEY, nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "step = 'set_aside' OR step = 'paid' OR step = 'unpaid' OR step = 'returned'",
            name=op.f("ck_payout_moves_step_known"),
        ),
        sa.ForeignKeyConstraint(["id"], ["journal_entries.id"], name=op.f("fk_payout_moves_id")),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_payout_moves_payout_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_moves")),
        sa.UniqueConstraint("payout_id", "step", name=op.f("uq_payout_moves_step")),
    )
    op.create_table(
        "payout_reports",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("payout_id", _KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("reported_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind = 'short' OR kind = 'stopped' OR kind = 'paid' OR kind = 'failed'",
            name=op.f("ck_payout_reports_kind_known"),
        ),
        sa.CheckConstraint(
            "(kind <> 'failed' AND kind <> 'stopped') OR reason <> ''", name=op.f("ck_payout_reports_ended_has_reason")
        ),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_payout_reports_payout_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_reports")),
        sa.UniqueConstraint("payout_id", "kind", name=op.f("uq_payout_reports_kind")),
    )


def _create_files() -> None:
    op.create_table(
        "payout_files",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("cycle_id", _KEY, nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("made_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["cycle_id"], ["payout_cycles.id"], name=op.f("fk_payout_files_cycle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_files")),
    )
    op.create_index("ix_payout_files_cycle_id", "payout_files", ["cycle_id", "id"])
    op.create_table(
        "payout_file_lines",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("payout_id", _KEY, nullable=False),
        sa.Column("file_id", _KEY, nullable=False),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_payout_file_lines_payout_id")),
        sa.ForeignKeyConstraint(["file_id"], ["payout_files.id"], name=op.f("fk_payout_file_lines_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_file_lines")),
        sa.UniqueConstraint("payout_id", name=op.f("uq_payout_file_lines_payout_id")),
    )
    op.create_index("ix_payout_file_lines_file_id", "payout_file_lines", ["file_id", "id"])


def _guard_postgres(table: str, _: str) -> None:
    for name, when, each in (("no_change", "UPDATE OR DELETE", "ROW"), ("no_truncate", "TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )


def _guard_sqlite(table: str, same_row: str) -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: post a new entry instead'); END"
    op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
    op.execute(  # as in the first migration, it stands against INSERT OR REPLACE
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same_row}) {refuse}"
    )
