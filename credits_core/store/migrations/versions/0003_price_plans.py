"""Price plans in the database, and runs that have both a creator fee and a markup, as a minimum for the platform makes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# data/price_plans/promptflow-v1.toml, as it is stored: the specification's plan, in force since before the first entry.
_FIRST_PLAN = """id = "promptflow-v1"
creator_share_bps = 8000
tier_mode = "volume"
cap_down = false

[[tiers]]
below_credits = 10000
markup_bps = 2000

[[tiers]]
below_credits = 100000
markup_bps = 1000

[[tiers]]
markup_credits = 500
"""
_FIRST_SEAL = "3861dea98a52ab1a11de51c2da383a2cd65f25e073d6889ba10841725af22c8d"


def upgrade() -> None:
    plans = op.create_table(
        "price_plans",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("toml", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("saved_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_price_plans_revision_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_plans")),
    )
    activations = op.create_table(
        "plan_activations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("activated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_plan_activations_reason_given")),
        sa.ForeignKeyConstraint(["plan_id"], ["price_plans.id"], name=op.f("fk_plan_activations_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_activations")),
    )
    op.bulk_insert(
        plans, [{"id": "promptflow-v1", "toml": _FIRST_PLAN, "revision": 1, "actor": "migration", "saved_at_us": 0}]
    )
    first = {"id": 1, "plan_id": "promptflow-v1", "reason": "The specification's plan", "actor": "migration"}
    op.bulk_insert(activations, [{**first, "activated_at_us": 0, "seal": _FIRST_SEAL}])
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_prompt_runs_fee_or_markup"), "prompt_runs", type_="check")
        _create_postgres_triggers()
    else:
        _rebuild_prompt_runs()
        _create_sqlite_triggers()


def _create_postgres_triggers() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change_of_activated() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF EXISTS (SELECT 1 FROM plan_activations WHERE plan_id = OLD.id) THEN RAISE EXCEPTION USING "
        "MESSAGE = 'the plan ' || OLD.id || ' was activated: make a plan with another id instead'; END IF; "
        "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER price_plans_no_change BEFORE UPDATE OR DELETE ON price_plans "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_activated()"
    )
    op.execute(
        "CREATE TRIGGER price_plans_no_truncate BEFORE TRUNCATE ON price_plans "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER plan_activations_no_change BEFORE UPDATE OR DELETE ON plan_activations "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER plan_activations_no_truncate BEFORE TRUNCATE ON plan_activations "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _create_sqlite_triggers() -> None:
    # As in the first migration, the triggers on insert stand against INSERT OR REPLACE.
    activated = "BEGIN SELECT RAISE(ABORT, 'a plan that was activated stays as it is: make one with another id'); END"
    # UPDATE OR REPLACE deletes the row whose id it takes.
    for suffix, event, ids in (
        ("update", "UPDATE", "OLD.id, NEW.id"),
        ("delete", "DELETE", "OLD.id"),
        ("replace", "INSERT", "NEW.id"),
    ):
        op.execute(
            f"CREATE TRIGGER price_plans_no_{suffix} BEFORE {event} ON price_plans "
            f"WHEN EXISTS (SELECT 1 FROM plan_activations WHERE plan_id IN ({ids})) {activated}"
        )
    _create_append_only_triggers("plan_activations", "id = NEW.id")
    _create_append_only_triggers("prompt_runs", "entry_id = NEW.entry_id")


def _create_append_only_triggers(table: str, is_same_row: str) -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: post a new entry instead'); END"
    op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {is_same_row}) {refuse}"
    )


def _rebuild_prompt_runs() -> None:
    # SQLite cannot drop a constraint, and Alembic's batch mode loses triggers: the table is made anew by hand. Its old
    # triggers go with the old table.
    op.execute("ALTER TABLE prompt_runs RENAME TO prompt_runs_before")
    op.create_table(
        "prompt_runs",
        sa.Column(
            "entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("prompt_id", sa.String(length=128), nullable=False),
        sa.Column("model_id", sa.String(length=128), nullable=False),
        sa.Column("creator_id", sa.String(length=128), nullable=True),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("run_price_credits", sa.BigInteger(), nullable=True),
        sa.Column("input_usd_per_mtok", sa.String(length=32), nullable=True),
        sa.Column("output_usd_per_mtok", sa.String(length=32), nullable=True),
        sa.Column("request_usd_per_thousand", sa.String(length=32), nullable=True),
        sa.Column("inference_cost_credits", sa.BigInteger(), nullable=False),
        sa.Column("creator_fee_credits", sa.BigInteger(), nullable=False),
        sa.Column("platform_markup_credits", sa.BigInteger(), nullable=False),
        sa.Column("total_credits", sa.BigInteger(), nullable=False),
        sa.Column("creator_share_credits", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(creator_fee_credits = 0) = (creator_id IS NULL)", name=op.f("ck_prompt_runs_fee_has_creator")
        ),
        sa.CheckConstraint(
            "(run_price_credits IS NULL) = (input_usd_per_mtok IS NOT NULL AND output_usd_per_mtok IS NOT NULL AND request_usd_per_thousand IS NOT NULL AND input_tokens IS NOT NULL AND output_tokens IS NOT NULL)",
            name=op.f("ck_prompt_runs_one_price"),
        ),
        sa.CheckConstraint(
            "creator_share_credits BETWEEN 0 AND creator_fee_credits", name=op.f("ck_prompt_runs_share_within_fee")
        ),
        sa.CheckConstraint(
            "total_credits = inference_cost_credits + creator_fee_credits + platform_markup_credits",
            name=op.f("ck_prompt_runs_total_is_sum"),
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entries.id"], name=op.f("fk_prompt_runs_entry_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_prompt_runs_user_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_prompt_runs")),
    )
    op.execute("INSERT INTO prompt_runs SELECT * FROM prompt_runs_before")
    op.execute("DROP TABLE prompt_runs_before")
