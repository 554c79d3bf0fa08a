"""Triggers that keep users, unlocks, API keys, audits and people: none is deleted, and what names them never changes.

What may change is a balance, an unlock's refund (once), a person's roles, and of a key when it ends: only sooner, and a
revoked or replaced key stays so. On PostgreSQL half an entry is refused: the transactions of an entry come in one
statement and sum to zero. SQLite has no triggers for a whole statement, so there only the audit sees it.
"""

from alembic import op

revision = "0016"
down_revision = "0015"

_UNLOCK = (
    *("entry_id", "user_id", "flow_id", "creator_id", "plan_id", "unlock_fee_credits"),
    *("creator_share_credits", "created_at_us"),
)
_KEY = ("id", "name", "role", "user_id", "key_hash", "beginning", "created_at_us", "has_numbered_requests")
_WORDS = {
    "user_credits": "user_credits keeps every user: an account is never deleted, and only its balance changes",
    "unlocked_flows": "unlocked_flows keeps every unlock: only its refund is written to it, once",
    "api_keys": "api_keys keeps every key: it can only end sooner",
    "people": "people keeps everybody: remove a person by the date of removal",
    "audit_runs": "audit_runs keeps every audit",
}


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _unlock_changes(differs: str) -> str:
    others = " OR ".join(f"NEW.{column} {differs} OLD.{column}" for column in _UNLOCK)
    return f"OLD.refunded_by_entry_id IS NOT NULL OR {others}"


def _key_changes(differs: str) -> str:
    others = " OR ".join(f"NEW.{column} {differs} OLD.{column}" for column in _KEY)
    stays = " OR ".join(
        f"(OLD.{column} IS NOT NULL AND NEW.{column} {differs} OLD.{column})"
        for column in ("revoked_at_us", "replaced_at_us")
    )
    # Never NULL, which would let a trigger of SQLite pass.
    later = "(OLD.expires_at_us IS NOT NULL AND COALESCE(NEW.expires_at_us > OLD.expires_at_us, TRUE))"
    return f"{others} OR {stays} OR {later}"


def _guard_postgres() -> None:
    changes = {
        "user_credits": "NEW.user_id <> OLD.user_id OR NEW.created_at_us <> OLD.created_at_us",
        "unlocked_flows": _unlock_changes("IS DISTINCT FROM"),
        "api_keys": _key_changes("IS DISTINCT FROM"),
        "people": "NEW.email <> OLD.email",
    }
    # Without a list of columns the trigger would run at every charge.
    of_columns = {"user_credits": " OF user_id, created_at_us", "people": " OF email"}
    for table, changes_more in changes.items():
        op.execute(
            f"CREATE FUNCTION refuse_change_of_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF TG_OP = 'UPDATE' THEN IF NOT ({changes_more}) THEN RETURN NEW; END IF; END IF; "
            f"RAISE EXCEPTION '{_WORDS[table]}'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE DELETE OR UPDATE{of_columns.get(table, '')} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse_change_of_{table}()"
        )
    op.execute(
        "CREATE TRIGGER audit_runs_no_change BEFORE UPDATE OR DELETE ON audit_runs "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    # Once for each statement, which costs a charge 2 %; a trigger at the end of the unit of work costs 6 %.
    op.execute(
        "CREATE FUNCTION refuse_half_entry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF EXISTS (SELECT 1 FROM written GROUP BY entry_id HAVING count(*) < 2 OR sum(amount_credits) <> 0) THEN "
        "RAISE EXCEPTION 'the transactions of an entry come together and sum to zero'; END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER credit_transactions_no_half AFTER INSERT ON credit_transactions REFERENCING NEW TABLE AS written "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_half_entry()"
    )
    for table in _WORDS:
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _guard_sqlite() -> None:
    updates = {
        "user_credits": (
            "UPDATE OF user_id, created_at_us",
            "WHEN NEW.user_id IS NOT OLD.user_id OR NEW.created_at_us IS NOT OLD.created_at_us ",
        ),
        "unlocked_flows": ("UPDATE", f"WHEN {_unlock_changes('IS NOT')} "),
        "api_keys": ("UPDATE", f"WHEN {_key_changes('IS NOT')} "),
        "people": ("UPDATE OF email", "WHEN NEW.email IS NOT OLD.email "),
        "audit_runs": ("UPDATE", ""),
    }
    same_row = {
        "unlocked_flows": "entry_id = NEW.entry_id OR (refunded_by_entry_id IS NULL"
        " AND NEW.refunded_by_entry_id IS NULL AND user_id = NEW.user_id AND flow_id = NEW.flow_id)",
        "api_keys": "id = NEW.id",
        "people": "email = NEW.email",
        "audit_runs": "id = NEW.id",
    }
    for table, words in _WORDS.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        update, when = updates[table]
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE {update} ON {table} {when}{refuse}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
        if table in same_row:  # as in the first migration, it stands against INSERT OR REPLACE
            op.execute(
                f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same_row[table]}) {refuse}"
            )
    # A key whose name or hash is taken is left out without an error, because ON CONFLICT DO NOTHING gets here first.
    op.execute(
        "CREATE TRIGGER api_keys_no_replace_by_name BEFORE INSERT ON api_keys WHEN EXISTS (SELECT 1 FROM api_keys "
        "WHERE key_hash = NEW.key_hash OR (name = NEW.name AND revoked_at_us IS NULL AND replaced_at_us IS NULL "
        "AND NEW.revoked_at_us IS NULL AND NEW.replaced_at_us IS NULL)) BEGIN SELECT RAISE(IGNORE); END"
    )
