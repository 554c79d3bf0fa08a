"""Model prices in the database, and runs that keep their usage and its prices unit by unit.

A run also keeps its price list, its service tier, the name asked for, and the time of use.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ONE_PRICE = (
    "(run_price_credits IS NULL) = (unit_prices IS NOT NULL OR (input_usd_per_mtok IS NOT NULL AND output_usd_per_mtok "
    "IS NOT NULL AND request_usd_per_thousand IS NOT NULL AND input_tokens IS NOT NULL AND output_tokens IS NOT NULL))"
)
_ONE_USAGE = "usage IS NULL OR (input_tokens IS NULL AND output_tokens IS NULL)"
_OLD_COLUMNS = (
    "entry_id, user_id, prompt_id, model_id, creator_id, plan_id, input_tokens, output_tokens, run_price_credits, "
    "input_usd_per_mtok, output_usd_per_mtok, request_usd_per_thousand, inference_cost_credits, creator_fee_credits, "
    "platform_markup_credits, total_credits, creator_share_credits, created_at_us"
)


def _new_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("usage", sa.Text(), nullable=True),
        sa.Column("unit_prices", sa.Text(), nullable=True),
        sa.Column("service_tier", sa.String(length=32), nullable=True),
        sa.Column("asked_model", sa.String(length=128), nullable=True),
        sa.Column("used_at_us", sa.BigInteger(), nullable=True),
        sa.Column("price_list_id", _KEY, nullable=True),
    ]


def upgrade() -> None:
    op.create_table(
        "price_lists",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("toml", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("saved_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("toml <> ''", name=op.f("ck_price_lists_toml_given")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_lists")),
    )
    op.create_table(
        "price_list_activations",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("price_list_id", _KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("activated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_price_list_activations_reason_given")),
        sa.ForeignKeyConstraint(
            ["price_list_id"], ["price_lists.id"], name=op.f("fk_price_list_activations_price_list_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_list_activations")),
    )
    if op.get_context().dialect.name == "postgresql":
        for column in _new_columns():
            op.add_column("prompt_runs", column)
        op.drop_constraint(op.f("ck_prompt_runs_one_price"), "prompt_runs", type_="check")
        op.create_check_constraint(op.f("ck_prompt_runs_one_price"), "prompt_runs", _ONE_PRICE)
        op.create_check_constraint(op.f("ck_prompt_runs_one_usage"), "prompt_runs", _ONE_USAGE)
        op.create_foreign_key(
            op.f("fk_prompt_runs_price_list_id"), "prompt_runs", "price_lists", ["price_list_id"], ["id"]
        )
        for table in ("price_lists", "price_list_activations"):
            _create_postgres_triggers(table)
    else:
        _rebuild_prompt_runs()
        for table in ("price_lists", "price_list_activations"):
            _create_sqlite_triggers(table)


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
        *_new_columns(),
        sa.CheckConstraint(
            "(creator_fee_credits = 0) = (creator_id IS NULL)", name=op.f("ck_prompt_runs_fee_has_creator")
        ),
        sa.CheckConstraint(_ONE_PRICE, name=op.f("ck_prompt_runs_one_price")),
        sa.CheckConstraint(_ONE_USAGE, name=op.f("ck_prompt_runs_one_usage")),
        sa.CheckConstraint(
            "creator_share_credits BETWEEN 0 AND creator_fee_credits", name=op.f("ck_prompt_runs_share_within_fee")
        ),
        sa.CheckConstraint(
            "total_credits = inference_cost_credits + creator_fee_credits + platform_markup_credits",
            name=op.f("ck_prompt_runs_total_is_sum"),
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entries.id"], name=op.f("fk_prompt_runs_entry_id")),
        sa.ForeignKeyConstraint(["price_list_id"], ["price_lists.id"], name=op.f("fk_prompt_runs_price_list_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_prompt_runs_user_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_prompt_runs")),
    )
    op.execute(f"INSERT INTO prompt_runs ({_OLD_COLUMNS}) SELECT {_OLD_COLUMNS} FROM prompt_runs_before")
    op.execute("DROP TABLE prompt_runs_before")
    refuse = "BEGIN SELECT RAISE(ABORT, 'prompt_runs is append-only: post a new entry instead'); END"
    op.execute(f"CREATE TRIGGER prompt_runs_no_update BEFORE UPDATE ON prompt_runs {refuse}")
    op.execute(f"CREATE TRIGGER prompt_runs_no_delete BEFORE DELETE ON prompt_runs {refuse}")
    op.execute(
        "CREATE TRIGGER prompt_runs_no_replace BEFORE INSERT ON prompt_runs "
        f"WHEN EXISTS (SELECT 1 FROM prompt_runs WHERE entry_id = NEW.entry_id) {refuse}"
    )


def _create_postgres_triggers(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _create_sqlite_triggers(table: str) -> None:
    # As in the first migration, the trigger on insert stands against INSERT OR REPLACE.
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: save a new version instead'); END"
    op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) {refuse}"
    )
