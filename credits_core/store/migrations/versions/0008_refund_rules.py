"""The rule that each refund was made under. Refunds from before were made under the earlier one."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_COST_BOOKED_BACK = "rule = 'cost_booked_back'"


def upgrade() -> None:
    op.create_table(
        "refunds",
        sa.Column(
            "entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("provider_refunded", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "rule = 'platform_bears_cost' OR rule = 'cost_booked_back'", name=op.f("ck_refunds_rule_known")
        ),
        sa.CheckConstraint(
            "rule = 'platform_bears_cost' OR NOT provider_refunded", name=op.f("ck_refunds_asked_by_rule")
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entries.id"], name=op.f("fk_refunds_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_refunds")),
    )
    op.create_index(
        "ix_refunds_cost_booked_back",
        "refunds",
        ["entry_id"],
        sqlite_where=sa.text(_COST_BOOKED_BACK),
        postgresql_where=sa.text(_COST_BOOKED_BACK),
    )
    op.execute(
        "INSERT INTO refunds (entry_id, rule, provider_refunded) "
        "SELECT id, 'cost_booked_back', FALSE FROM journal_entries WHERE refunds_entry_id IS NOT NULL"
    )
    _create_triggers()


def _create_triggers() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER refunds_no_change BEFORE UPDATE OR DELETE ON refunds "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER refunds_no_truncate BEFORE TRUNCATE ON refunds "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    # As in the first migration, the trigger on insert stands against INSERT OR REPLACE.
    refuse = "BEGIN SELECT RAISE(ABORT, 'refunds is append-only: post a new entry instead'); END"
    op.execute(f"CREATE TRIGGER refunds_no_update BEFORE UPDATE ON refunds {refuse}")
    op.execute(f"CREATE TRIGGER refunds_no_delete BEFORE DELETE ON refunds {refuse}")
    op.execute(
        "CREATE TRIGGER refunds_no_replace BEFORE INSERT ON refunds "
        f"WHEN EXISTS (SELECT 1 FROM refunds WHERE entry_id = NEW.entry_id) {refuse}"
    )
