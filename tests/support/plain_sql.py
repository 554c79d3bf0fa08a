"""What the tests ask the database directly, in SQL that shares nothing with the code under test."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from credits_core.errors import CreditsError

_CONTRADICTIONS_IN_SQL = {
    "the ledger does not sum to zero": (
        "SELECT SUM(amount_credits) FROM credit_transactions HAVING SUM(amount_credits) <> 0"
    ),
    "an entry has fewer than two transactions or does not sum to zero": (
        "SELECT e.id, COUNT(t.position), SUM(t.amount_credits) FROM journal_entries e"
        " LEFT JOIN credit_transactions t ON t.entry_id = e.id"
        " GROUP BY e.id HAVING COUNT(t.position) < 2 OR SUM(t.amount_credits) <> 0"
    ),
    "a transaction has no entry": (
        "SELECT entry_id FROM credit_transactions WHERE entry_id NOT IN (SELECT id FROM journal_entries)"
    ),
    "a balance is not the sum of its transactions": (
        "SELECT u.user_id, u.balance_credits, SUM(t.amount_credits) FROM user_credits u"
        " LEFT JOIN credit_transactions t ON t.account_id = u.user_id"
        " GROUP BY u.user_id, u.balance_credits HAVING COALESCE(SUM(t.amount_credits), 0) <> u.balance_credits"
    ),
    "a balance is negative": "SELECT user_id FROM user_credits WHERE balance_credits < 0",
    "a user has transactions but no account": (
        "SELECT account_id FROM credit_transactions WHERE account_id NOT LIKE '%:%'"
        " AND account_id NOT IN (SELECT user_id FROM user_credits)"
    ),
    "a part of a user is not the sum of its transactions": (
        "SELECT account_id, SUM(credits) FROM (SELECT account_id, balance_credits AS credits FROM user_parts"
        " UNION ALL SELECT account_id, -amount_credits FROM credit_transactions"
        " WHERE account_id LIKE '%:%' AND account_id NOT LIKE 'platform:%') AS parts"
        " GROUP BY account_id HAVING SUM(credits) <> 0"
    ),
    "what is held is not the sum of the open holds": (
        "SELECT account_id, SUM(credits) FROM (SELECT account_id, balance_credits AS credits FROM user_parts"
        " WHERE account_id LIKE '%\\:held'"
        " UNION ALL SELECT user_id || '\\:held', -held_credits FROM holds"
        " WHERE id NOT IN (SELECT hold_id FROM hold_ends)) AS parts"
        " GROUP BY account_id HAVING SUM(credits) <> 0"
    ),
    "a balance after a transaction is not the sum of the account's transactions up to it": (
        "SELECT * FROM (SELECT account_id, entry_id, balance_after_credits, SUM(amount_credits) OVER"
        " (PARTITION BY account_id ORDER BY entry_id, position) AS sum_credits FROM credit_transactions"
        " WHERE account_id NOT LIKE 'platform:%') AS running WHERE balance_after_credits <> sum_credits"
    ),
    "a run has no entry of its kind, or an entry has no run": (
        "SELECT e.id, r.entry_id FROM (SELECT id FROM journal_entries WHERE type = 'prompt_run') AS e"
        " FULL OUTER JOIN prompt_runs r ON r.entry_id = e.id WHERE e.id IS NULL OR r.entry_id IS NULL"
    ),
    "a run's total is not what its user paid": (
        "SELECT r.entry_id FROM prompt_runs r LEFT JOIN credit_transactions t ON t.entry_id = r.entry_id"
        " AND t.account_id = r.user_id AND t.type = 'prompt_run' AND t.amount_credits = -r.total_credits"
        " WHERE t.entry_id IS NULL"
    ),
    "an unlock has no entry of its kind, or an entry has no unlock": (
        "SELECT e.id, f.entry_id FROM (SELECT id FROM journal_entries WHERE type = 'flow_unlock') AS e"
        " FULL OUTER JOIN unlocked_flows f ON f.entry_id = e.id WHERE e.id IS NULL OR f.entry_id IS NULL"
    ),
}
_CONTRADICTIONS = {sentence: text(sql) for sentence, sql in _CONTRADICTIONS_IN_SQL.items()}
# Where all of these are empty, as after many a refusal, nothing contradicts anything.
_WITH_CREDITS = ("journal_entries", "credit_transactions", "user_credits", "user_parts", "holds", "prompt_runs")
_HAS_CREDITS = text(
    "SELECT " + ", ".join(f"EXISTS (SELECT 1 FROM {table})" for table in (*_WITH_CREDITS, "unlocked_flows"))
)


def rows(engine: Engine, sql: str, **parameters: object) -> list[tuple[object, ...]]:
    """The rows of a query as plain tuples."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql), parameters)]


def scalar(engine: Engine, sql: str, **parameters: object) -> object:
    """The one value of a query."""
    ((value,),) = rows(engine, sql, **parameters)
    return value


def balance(engine: Engine, user_id: str) -> object:
    """The user's balance row, in credits."""
    return scalar(engine, "SELECT balance_credits FROM user_credits WHERE user_id = :user", user=user_id)


def transactions(engine: Engine, entry_id: int) -> list[tuple[object, ...]]:
    """The entry's rows: account, type, amount and balance after, in credits."""
    return rows(
        engine,
        "SELECT account_id, type, amount_credits, balance_after_credits FROM credit_transactions"
        " WHERE entry_id = :entry ORDER BY position",
        entry=entry_id,
    )


def every_row(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is in the database: the sorted rows of each of its tables."""
    with engine.connect() as connection:
        tables = sorted(inspect(connection).get_table_names())
        return {
            table: sorted(map(tuple, connection.exec_driver_sql(f'SELECT * FROM "{table}"')), key=repr)
            for table in tables
        }


owner: dict[str, str] = {}
"""Who owns the tables of the test server: `username`, and `password` where it needs one."""


@contextmanager
def unguarded(engine: Engine) -> Iterator[Connection]:
    """A connection on which no trigger refuses anything, as the owner on PostgreSQL. What it did is committed."""
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
            for name, _ in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            yield connection
            for _, sql in triggers:
                connection.exec_driver_sql(sql)
        return
    as_owner = create_engine(engine.url.set(**owner))
    with as_owner.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        yield connection
    as_owner.dispose()


def contradictions(engine: Engine) -> list[str]:
    """What the stored rows say against the rules of money, as sentences with the rows."""
    with engine.connect() as connection:
        if not any(connection.execute(_HAS_CREDITS).one()):
            return []
        found = {sentence: list(map(tuple, connection.execute(asked))) for sentence, asked in _CONTRADICTIONS.items()}
    return [f"{sentence}: {wrong}" for sentence, wrong in found.items() if wrong]


def alone_on_postgres(engine: Engine, seconds: float = 120) -> bool:
    """Whether the one who asks has the only connection, once the server has ended those that were closed."""
    others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    until = time.monotonic() + seconds
    while scalar(engine, others) != 0:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def refused(engine: Engine, refusal: type[CreditsError]) -> Iterator["pytest.ExceptionInfo[CreditsError]"]:
    """The block is refused with exactly this class and leaves every row of every table as it was."""
    before = every_row(engine)
    with pytest.raises(refusal) as caught:
        yield caught
    assert type(caught.value) is refusal
    assert every_row(engine) == before
