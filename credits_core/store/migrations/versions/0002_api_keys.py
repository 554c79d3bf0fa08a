"""API keys and the audit's results."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=True),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("beginning", sa.String(length=16), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("role = 'admin' OR role = 'service' OR role = 'user'", name=op.f("ck_api_keys_role_known")),
        sa.CheckConstraint("(role = 'user') = (user_id IS NOT NULL)", name=op.f("ck_api_keys_user_only_for_users")),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_api_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(
        "uq_api_keys_name_in_force",
        "api_keys",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at_us IS NULL"),
        postgresql_where=sa.text("revoked_at_us IS NULL"),
    )
    op.create_table(
        "audit_runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("invariants", sa.Integer(), nullable=False),
        sa.Column("broken_invariants", sa.Integer(), nullable=False),
        sa.Column("finished_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_runs")),
    )
