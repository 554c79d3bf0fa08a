"""API keys that are replaced under their name, and unlocks that were answered without a payment."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_IN_FORCE = "revoked_at_us IS NULL AND replaced_at_us IS NULL"
_OLD_COLUMNS = "id, name, role, user_id, key_hash, beginning, created_at_us, expires_at_us, revoked_at_us"


def upgrade() -> None:
    _change_keys()
    _create_unlock_answers()
    op.create_index("ix_unlocked_flows_user_id", "unlocked_flows", ["user_id", "flow_id", "entry_id"])
    op.create_index("ix_unlocked_flows_flow_id", "unlocked_flows", ["flow_id", "entry_id"])


def _change_keys() -> None:
    op.drop_index("uq_api_keys_name_in_force", "api_keys")
    if op.get_context().dialect.name == "postgresql":
        op.add_column("api_keys", sa.Column("replaced_at_us", sa.BigInteger(), nullable=True))
        # Of every key from before; later keys have no such requests.
        op.add_column(
            "api_keys", sa.Column("has_numbered_requests", sa.Boolean(), nullable=False, server_default=sa.true())
        )
        op.alter_column("api_keys", "has_numbered_requests", server_default=None)
    else:
        _rebuild_keys()
    op.create_index(
        "uq_api_keys_name_in_force",
        "api_keys",
        ["name"],
        unique=True,
        sqlite_where=sa.text(_IN_FORCE),
        postgresql_where=sa.text(_IN_FORCE),
    )
    op.create_index(
        "ix_api_keys_numbered",
        "api_keys",
        ["name"],
        sqlite_where=sa.text("has_numbered_requests = 1"),
        postgresql_where=sa.text("has_numbered_requests"),
    )


def _rebuild_keys() -> None:
    # SQLite cannot add a column without a default to a table with rows. The table has no triggers.
    op.execute("ALTER TABLE api_keys RENAME TO api_keys_before")
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
        sa.Column("replaced_at_us", sa.BigInteger(), nullable=True),
        sa.Column("has_numbered_requests", sa.Boolean(), nullable=False),
        sa.CheckConstraint("role = 'admin' OR role = 'service' OR role = 'user'", name=op.f("ck_api_keys_role_known")),
        sa.CheckConstraint("(role = 'user') = (user_id IS NOT NULL)", name=op.f("ck_api_keys_user_only_for_users")),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_api_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.execute(f"INSERT INTO api_keys SELECT {_OLD_COLUMNS}, NULL, 1 FROM api_keys_before")
    op.execute("DROP TABLE api_keys_before")


def _create_unlock_answers() -> None:
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "unlock_answers",
        sa.Column("idempotency_key", sa.String(length=400), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("flow_id", sa.String(length=128), nullable=False),
        sa.Column("creator_id", sa.String(length=128), nullable=False),
        sa.Column("unlock_fee_credits", sa.BigInteger(), nullable=False),
        sa.Column("unlocked_by_entry_id", id_, nullable=True),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("answered_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(unlocked_by_entry_id IS NULL) = (creator_id = user_id)", name=op.f("ck_unlock_answers_entry_or_own_flow")
        ),
        sa.ForeignKeyConstraint(
            ["unlocked_by_entry_id"], ["journal_entries.id"], name=op.f("fk_unlock_answers_unlocked_by_entry_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_unlock_answers_user_id")),
        sa.PrimaryKeyConstraint("idempotency_key", name=op.f("pk_unlock_answers")),
    )
    op.create_index(
        "ix_unlock_answers_own_flow",
        "unlock_answers",
        ["user_id", "flow_id"],
        sqlite_where=sa.text("unlocked_by_entry_id IS NULL"),
        postgresql_where=sa.text("unlocked_by_entry_id IS NULL"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER unlock_answers_no_change BEFORE UPDATE OR DELETE ON unlock_answers "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER unlock_answers_no_truncate BEFORE TRUNCATE ON unlock_answers "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'unlock_answers is append-only: an answer was given'); END"
    op.execute(f"CREATE TRIGGER unlock_answers_no_update BEFORE UPDATE ON unlock_answers {refuse}")
    op.execute(f"CREATE TRIGGER unlock_answers_no_delete BEFORE DELETE ON unlock_answers {refuse}")
    op.execute(
        "CREATE TRIGGER unlock_answers_no_replace BEFORE INSERT ON unlock_answers "
        f"WHEN EXISTS (SELECT 1 FROM unlock_answers WHERE idempotency_key = NEW.idempotency_key) {refuse}"
    )
