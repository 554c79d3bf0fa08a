"""What other systems are told: endpoints, deliveries, events that are no entries, and levels of low balances."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KINDS = "kind = 'run.charged' OR kind = 'balance.low' OR kind = 'purchase.paid' OR kind = 'hold.expired' OR kind = 'refund.made' OR kind = 'payout.paid' OR kind = 'plan.activated'"


def upgrade() -> None:
    _create_endpoints()
    _create_deliveries()
    op.create_table(
        "webhook_events",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("happened_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(_KINDS, name=op.f("ck_webhook_events_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("about", name=op.f("uq_webhook_events_about")),
    )
    op.create_table(
        "low_balance_levels",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("level_credits", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("after_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("set_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "level_credits BETWEEN 1 AND 9007199254740991", name=op.f("ck_low_balance_levels_level_in_bounds")
        ),
        sa.PrimaryKeyConstraint("user_id", "level_credits", name=op.f("pk_low_balance_levels")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "low_balance_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("told_event_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_low_balance_progress_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_low_balance_progress")),
    )
    if op.get_context().dialect.name == "postgresql":
        for name, when, each in (("no_change", "UPDATE OR DELETE", "ROW"), ("no_truncate", "TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER webhook_events_{name} BEFORE {when} ON webhook_events"
                f" FOR EACH {each} EXECUTE FUNCTION refuse_change()"
            )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'webhook_events is append-only: post a new entry instead'); END"
    op.execute(f"CREATE TRIGGER webhook_events_no_update BEFORE UPDATE ON webhook_events {refuse}")
    op.execute(f"CREATE TRIGGER webhook_events_no_delete BEFORE DELETE ON webhook_events {refuse}")
    op.execute(  # as in the first migration, it stands against INSERT OR REPLACE
        "CREATE TRIGGER webhook_events_no_replace BEFORE INSERT ON webhook_events"
        f" WHEN EXISTS (SELECT 1 FROM webhook_events WHERE id = NEW.id OR about = NEW.about) {refuse}"
    )


def _create_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("address", sa.String(length=500), nullable=False),
        sa.Column("events", sa.String(length=200), nullable=False),
        sa.Column("secret", sa.String(length=80), nullable=False),
        sa.Column("old_secret", sa.String(length=80), nullable=True),
        sa.Column("old_until_us", sa.BigInteger(), nullable=True),
        sa.Column("after_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("after_event_id", sa.BigInteger(), nullable=False),
        sa.Column("after_activation_id", sa.BigInteger(), nullable=False),
        sa.Column("failing_since_us", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at_us", sa.BigInteger(), nullable=True),
        sa.Column("disabled_because", sa.String(length=200), nullable=True),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("removed_at_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(old_secret IS NULL) = (old_until_us IS NULL)", name=op.f("ck_webhook_endpoints_old_secret_has_end")
        ),
        sa.CheckConstraint(
            "(disabled_at_us IS NULL) = (disabled_because IS NULL)",
            name=op.f("ck_webhook_endpoints_disabled_for_a_reason"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("endpoint_id", _KEY, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("made_at_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at_us", sa.BigInteger(), nullable=True),
        sa.Column("tried_at_us", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.CheckConstraint(_KINDS, name=op.f("ck_webhook_deliveries_kind_known")),
        sa.CheckConstraint(
            "state = 'waiting' OR state = 'delivered' OR state = 'dead'", name=op.f("ck_webhook_deliveries_state_known")
        ),
        sa.CheckConstraint(
            "next_at_us IS NULL OR state = 'waiting'", name=op.f("ck_webhook_deliveries_only_waiting_is_tried")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_deliveries_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("endpoint_id", "event_id", name=op.f("uq_webhook_deliveries_event_id")),
    )
    waiting, head = sa.text("state = 'waiting'"), sa.text("next_at_us IS NOT NULL")
    of = "webhook_deliveries"
    indexes = (
        ("ix_webhook_deliveries_waiting", ["endpoint_id", "user_id", "id"], waiting, False),
        ("uq_webhook_deliveries_head", ["endpoint_id", "user_id"], head, True),
        ("ix_webhook_deliveries_due", ["endpoint_id", "next_at_us"], head, False),
        ("ix_webhook_deliveries_state", ["state", "id"], None, False),
    )
    for name, columns, where, is_unique in indexes:
        op.create_index(name, of, columns, unique=is_unique, sqlite_where=where, postgresql_where=where)
