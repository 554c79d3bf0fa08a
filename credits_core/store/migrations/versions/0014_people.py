"""People, sessions, test users, proposals, and the record of changes that are no movement of credits.

What was decided about a proposal is written once, and a record of a change never changes: triggers refuse it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_KEPT = (
    "id",
    "kind",
    "subject",
    "request",
    "effect",
    "based_on",
    "reason",
    "proposed_by",
    "proposed_at_us",
    "expires_at_us",
)


def upgrade() -> None:
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "people",
        sa.Column("email", sa.String(length=110), nullable=False),
        sa.Column("roles", sa.String(length=64), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.String(length=128), nullable=False),
        sa.Column("removed_at_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_people_email_folded")),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_people")),
    )
    op.create_table(
        "sign_in_sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=110), nullable=False),
        sa.Column("started_at_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_sessions")),
    )
    op.create_index("ix_sign_in_sessions_email", "sign_in_sessions", ["email"])
    op.create_table(
        "trial_users",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_trial_users_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_trial_users")),
    )
    op.create_table(
        "proposals",
        sa.Column("id", id_, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("based_on", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.String(length=128), nullable=False),
        sa.Column("proposed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("decided_by", sa.String(length=128), nullable=True),
        sa.Column("decided_at_us", sa.BigInteger(), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("entry_id", id_, nullable=True),
        sa.CheckConstraint(
            "state = 'open' OR state = 'approved' OR state = 'declined' OR state = 'withdrawn' OR state = 'expired'",
            name=op.f("ck_proposals_state_known"),
        ),
        sa.CheckConstraint(
            "(state = 'open') = (decided_at_us IS NULL) AND (state <> 'open' OR decided_by IS NULL)",
            name=op.f("ck_proposals_decided_once"),
        ),
        sa.CheckConstraint(
            "state <> 'approved' OR (decided_by IS NOT NULL AND decided_by <> proposed_by)",
            name=op.f("ck_proposals_four_eyes"),
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entries.id"], name=op.f("fk_proposals_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
    )
    op.create_index("ix_proposals_state", "proposals", ["state", "id"])
    op.create_table(
        "activity",
        sa.Column("id", id_, nullable=False),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("happened_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
    )
    if op.get_context().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _guard_postgres() -> None:
    kept = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in _KEPT)
    op.execute(
        "CREATE FUNCTION refuse_second_decision() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR OLD.state <> 'open' OR {kept} THEN "
        "RAISE EXCEPTION 'a proposal is kept for ever and decided once'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER proposals_no_change BEFORE UPDATE OR DELETE ON proposals "
        "FOR EACH ROW EXECUTE FUNCTION refuse_second_decision()"
    )
    op.execute(
        "CREATE TRIGGER activity_no_change BEFORE UPDATE OR DELETE ON activity "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    for table in ("activity", "proposals"):
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _guard_sqlite() -> None:
    kept = " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in _KEPT)
    refuse = "BEGIN SELECT RAISE(ABORT, 'a proposal is decided once'); END"
    op.execute(
        f"CREATE TRIGGER proposals_no_update BEFORE UPDATE ON proposals WHEN OLD.state <> 'open' OR {kept} {refuse}"
    )
    for table in ("activity", "proposals"):
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
        # As in the first migration, the trigger on insert stands against INSERT OR REPLACE.
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) {refuse}"
        )
    op.execute(
        "CREATE TRIGGER activity_no_update BEFORE UPDATE ON activity "
        "BEGIN SELECT RAISE(ABORT, 'activity is kept for ever'); END"
    )
