"""The chain of seals, and what the last audit said of each invariant. A seal never changes: triggers refuse it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "seals",
        sa.Column("number", number, autoincrement=False, nullable=False),
        sa.Column("last_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_count", sa.Integer(), nullable=False),
        sa.Column("record_count", sa.Integer(), nullable=False),
        sa.Column("records_up_to", sa.Text(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("skip_hash", sa.String(length=64), nullable=False),
        sa.Column("sealed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("signature", sa.String(length=128), nullable=True),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_seals_number_positive")),
        sa.CheckConstraint("(signature IS NULL) = (key_id IS NULL)", name=op.f("ck_seals_signature_names_key")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_seals")),
    )
    op.create_table(
        "invariant_results",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("is_ok", sa.Boolean(), nullable=False),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.Column("wrong", sa.BigInteger(), nullable=False),
        sa.Column("first_wrong", sa.Text(), nullable=False),
        sa.Column("finished_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_invariant_results")),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER seals_no_change BEFORE UPDATE OR DELETE ON seals "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER seals_no_truncate BEFORE TRUNCATE ON seals "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'a seal never changes'); END"
    op.execute(f"CREATE TRIGGER seals_no_update BEFORE UPDATE ON seals {refuse}")
    op.execute(f"CREATE TRIGGER seals_no_delete BEFORE DELETE ON seals {refuse}")
    # As in the first migration, the trigger on insert stands against INSERT OR REPLACE.
    op.execute(
        "CREATE TRIGGER seals_no_replace BEFORE INSERT ON seals "
        f"WHEN EXISTS (SELECT 1 FROM seals WHERE number = NEW.number) {refuse}"
    )
