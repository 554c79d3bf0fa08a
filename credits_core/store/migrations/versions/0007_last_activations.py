"""Plans and price lists that know their last activation, and discarded drafts that stay so that no revision comes twice.

An activated plan and a price list stay as they are; the triggers let nothing but the number of the last activation rise.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PLAN = ("price_plans", "plan_activations", "plan_id")
_LIST = ("price_lists", "price_list_activations", "price_list_id")
_PLAN_COLUMNS = ("id", "toml", "revision", "actor", "saved_at_us", "discarded_at_us")
_LIST_COLUMNS = ("id", "toml", "source", "actor", "saved_at_us")


def upgrade() -> None:
    is_postgres = op.get_context().dialect.name == "postgresql"
    op.add_column("price_plans", sa.Column("discarded_at_us", sa.BigInteger(), nullable=True))
    for table, journal, names in (_PLAN, _LIST):
        op.add_column(table, sa.Column("last_activation_id", _KEY, nullable=True))
        op.execute(f"DROP TRIGGER {table}_no_change ON {table}" if is_postgres else f"DROP TRIGGER {table}_no_update")
        op.execute(
            f"UPDATE {table} SET last_activation_id = (SELECT MAX(id) FROM {journal} WHERE {names} = {table}.id) "
            f"WHERE id IN (SELECT {names} FROM {journal})"
        )
    if is_postgres:
        _create_postgres_triggers()
    else:
        _create_sqlite_triggers()


def _rises(_table: str, journal: str, names: str) -> str:
    # Never NULL, which would let a trigger of SQLite pass.
    return (
        "COALESCE(NEW.last_activation_id, 0) > COALESCE(OLD.last_activation_id, 0) "
        f"AND NEW.last_activation_id = COALESCE((SELECT MAX(id) FROM {journal} WHERE {names} = NEW.id), 0)"
    )


def _create_postgres_triggers() -> None:
    rest = "to_jsonb({}) - 'last_activation_id'"
    same = f"{rest.format('NEW')} = {rest.format('OLD')}"
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change_of_activated() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NOT EXISTS (SELECT 1 FROM plan_activations WHERE plan_id = OLD.id) THEN "
        "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; "
        "IF NEW.last_activation_id IS NOT DISTINCT FROM OLD.last_activation_id THEN RETURN NEW; END IF; "
        f"ELSIF TG_OP = 'UPDATE' THEN IF {same} AND {_rises(*_PLAN)} THEN RETURN NEW; END IF; END IF; "
        "RAISE EXCEPTION USING "
        "MESSAGE = 'the plan ' || OLD.id || ' was activated: make a plan with another id instead'; END $$"
    )
    op.execute(
        "CREATE FUNCTION refuse_change_of_list() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' THEN IF {same} AND {_rises(*_LIST)} THEN RETURN NEW; END IF; END IF; "
        "RAISE EXCEPTION USING MESSAGE = 'price_lists is append-only: save a new version instead'; END $$"
    )
    for table, function in (("price_plans", "refuse_change_of_activated"), ("price_lists", "refuse_change_of_list")):
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )


def _create_sqlite_triggers() -> None:
    same_plan, same_list = (
        " AND ".join(f"NEW.{column} IS OLD.{column}" for column in columns)
        for columns in (_PLAN_COLUMNS, _LIST_COLUMNS)
    )
    # UPDATE OR REPLACE deletes the row whose id it takes.
    op.execute(
        "CREATE TRIGGER price_plans_no_update BEFORE UPDATE ON price_plans "
        "WHEN CASE WHEN EXISTS (SELECT 1 FROM plan_activations WHERE plan_id IN (OLD.id, NEW.id)) "
        f"THEN NOT ({same_plan} AND {_rises(*_PLAN)}) "
        "ELSE NEW.last_activation_id IS NOT OLD.last_activation_id END "
        "BEGIN SELECT RAISE(ABORT, 'a plan that was activated stays as it is: make one with another id'); END"
    )
    op.execute(
        "CREATE TRIGGER price_lists_no_update BEFORE UPDATE ON price_lists "
        f"WHEN NOT ({same_list} AND {_rises(*_LIST)}) "
        "BEGIN SELECT RAISE(ABORT, 'price_lists is append-only: save a new version instead'); END"
    )
