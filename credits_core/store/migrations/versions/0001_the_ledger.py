"""The ledger: accounts, append-only journal, runs, unlocks and daily totals."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "daily_totals",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.String(length=128), nullable=False),
        sa.Column("entry_type", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("amount_credits", sa.BigInteger(), nullable=False),
        sa.Column("transaction_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "account_id", "entry_type", "type", name=op.f("pk_daily_totals")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "journal_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("idempotency_key", sa.String(length=400), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("refunds_entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(type = 'refund') = (refunds_entry_id IS NOT NULL)", name=op.f("ck_journal_entries_refund_names_entry")
        ),
        sa.CheckConstraint(
            "type = 'prompt_run' OR type = 'flow_unlock' OR type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'refund'",
            name=op.f("ck_journal_entries_type_known"),
        ),
        sa.ForeignKeyConstraint(
            ["refunds_entry_id"], ["journal_entries.id"], name=op.f("fk_journal_entries_refunds_entry_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entries")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_journal_entries_idempotency_key")),
        sa.UniqueConstraint("refunds_entry_id", name=op.f("uq_journal_entries_refunds_entry_id")),
    )
    op.create_table(
        "rollup_watermark",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_rollup_watermark_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_watermark")),
    )
    op.create_table(
        "user_credits",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("balance_credits", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "balance_credits BETWEEN 0 AND 9007199254740991", name=op.f("ck_user_credits_balance_in_bounds")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_user_credits")),
    )
    op.create_table(
        "credit_transactions",
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("account_id", sa.String(length=128), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("amount_credits", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_credits", sa.BigInteger(), nullable=True),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(substr(account_id, 1, 9) = 'platform:') = (balance_after_credits IS NULL)",
            name=op.f("ck_credit_transactions_balance_only_for_users"),
        ),
        sa.CheckConstraint(
            "type = 'prompt_run' OR type = 'inference_cost' OR type = 'platform_revenue' OR type = 'creator_payment' OR type = 'flow_unlock' OR type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'refund'",
            name=op.f("ck_credit_transactions_type_known"),
        ),
        sa.CheckConstraint(
            "amount_credits <> 0 AND amount_credits BETWEEN -9007199254740991 AND 9007199254740991",
            name=op.f("ck_credit_transactions_amount_in_bounds"),
        ),
        sa.CheckConstraint("balance_after_credits >= 0", name=op.f("ck_credit_transactions_balance_not_negative")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entries.id"], name=op.f("fk_credit_transactions_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", "position", name=op.f("pk_credit_transactions")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_credit_transactions_account_id", "credit_transactions", ["account_id", "entry_id", "position"], unique=False
    )

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
            "creator_fee_credits = 0 OR platform_markup_credits = 0", name=op.f("ck_prompt_runs_fee_or_markup")
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
    op.create_table(
        "unlocked_flows",
        sa.Column(
            "entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("flow_id", sa.String(length=128), nullable=False),
        sa.Column("creator_id", sa.String(length=128), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("unlock_fee_credits", sa.BigInteger(), nullable=False),
        sa.Column("creator_share_credits", sa.BigInteger(), nullable=False),
        sa.Column("refunded_by_entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "creator_share_credits BETWEEN 0 AND unlock_fee_credits", name=op.f("ck_unlocked_flows_share_within_fee")
        ),
        sa.CheckConstraint("unlock_fee_credits > 0", name=op.f("ck_unlocked_flows_fee_positive")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entries.id"], name=op.f("fk_unlocked_flows_entry_id")),
        sa.ForeignKeyConstraint(
            ["refunded_by_entry_id"], ["journal_entries.id"], name=op.f("fk_unlocked_flows_refunded_by_entry_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_unlocked_flows_user_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_unlocked_flows")),
    )
    op.create_index(
        "uq_unlocked_flows_in_force",
        "unlocked_flows",
        ["user_id", "flow_id"],
        unique=True,
        sqlite_where=sa.text("refunded_by_entry_id IS NULL"),
        postgresql_where=sa.text("refunded_by_entry_id IS NULL"),
    )
    op.execute("INSERT INTO rollup_watermark (id, entry_id) VALUES (1, 0)")
    _create_append_only_triggers()


def _create_append_only_triggers() -> None:
    # On SQLite a third trigger refuses an existing key on insert: INSERT OR REPLACE deletes without firing the delete
    # trigger unless recursive_triggers is on. An entry can be replaced by way of its two other unique columns as well; one
    # with a taken idempotency key is left out without an error, because ON CONFLICT DO NOTHING gets here first, too.
    # A later migration that rebuilds one of these tables must make them again.
    same_row = {
        "journal_entries": "id = NEW.id",
        "credit_transactions": "entry_id = NEW.entry_id AND position = NEW.position",
        "prompt_runs": "entry_id = NEW.entry_id",
    }
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING "
            "MESSAGE = TG_TABLE_NAME || ' is append-only: post a new entry instead'; END $$"
        )
        for table in same_row:
            op.execute(
                f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
        return
    for table, is_same_row in same_row.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: post a new entry instead'); END"
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {is_same_row}) {refuse}"
        )
    op.execute(
        "CREATE TRIGGER journal_entries_no_replace_by_refund BEFORE INSERT ON journal_entries "
        "WHEN NEW.refunds_entry_id IS NOT NULL "
        "AND EXISTS (SELECT 1 FROM journal_entries WHERE refunds_entry_id = NEW.refunds_entry_id) "
        "BEGIN SELECT RAISE(ABORT, 'journal_entries is append-only: this entry was refunded before'); END"
    )
    op.execute(
        "CREATE TRIGGER journal_entries_no_replace_by_key BEFORE INSERT ON journal_entries "
        "WHEN EXISTS (SELECT 1 FROM journal_entries WHERE idempotency_key = NEW.idempotency_key) "
        "BEGIN SELECT RAISE(IGNORE); END"
    )
