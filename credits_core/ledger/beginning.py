"""The query with which a unit of work begins: users, taken keys, spending limits, and the numbers of new entries."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

NEXT_NUMBER = "nextval('journal_entries_id_seq')"
"""The SQL of an entry's number on PostgreSQL, which gives none twice."""
# Rows of a kind, a text, two numbers and a text: a hash, or of a user whether there are other parts (p) and lots (l).
# SQLite gives the first number alone.
_READ = """
SELECT 'user', user_id, balance_credits, created_at_us, CASE WHEN has_parts THEN 'p' ELSE '' END
    || CASE WHEN has_lots THEN 'l' ELSE '' END FROM user_credits
    WHERE lower(user_id) {users}
UNION ALL SELECT 'entry', idempotency_key, id, 0, request_hash FROM journal_entries WHERE idempotency_key {keys}
UNION ALL SELECT 'answer', idempotency_key, 0, 0, request_hash FROM unlock_answers WHERE idempotency_key {keys}
UNION ALL SELECT 'limit', subject, 0, 0, '' FROM spending_limits WHERE subject {spenders}
UNION ALL SELECT 'number', '', {numbers}
"""
_FEW = 4
_NUMBER_ON_SQLITE = "coalesce(max(id), 0) + 1, 0, '' FROM journal_entries"
_READ_SQLITE = _READ.format(
    users="IN (SELECT value FROM json_each(?))",
    keys="IN (SELECT value FROM json_each(?))",
    spenders="IN (SELECT value FROM json_each(?))",
    numbers=_NUMBER_ON_SQLITE,
)
_READ_POSTGRESQL = _READ.format(
    users="= ANY (%s::text[])",
    keys="= ANY (%s::text[])",
    spenders="= ANY (%s::text[])",
    numbers=f"{NEXT_NUMBER}, 0, '' FROM generate_series(1, %s)",
)


@lru_cache(maxsize=64)
def _read_few(users: int, keys: int, spenders: int) -> str:
    """The same for SQLite and so few of each that marks of their own are quicker than JSON."""
    marks = {name: f"IN ({', '.join('?' * many)})" for name, many in (("users", users), ("keys", keys))}
    return _READ.format(**marks, spenders=f"IN ({', '.join('?' * spenders)})", numbers=_NUMBER_ON_SQLITE)


def read(
    connection: Connection, folded: Sequence[str], keys: Sequence[str], spenders: Sequence[str], *, numbers: int
) -> Any:
    """The driver's cursor over what was found of these users, by their folded ids, of these keys and of these spenders.

    SQLite gives the first number alone, PostgreSQL as many as `numbers`.
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        return driver.execute(_READ_POSTGRESQL, (folded, keys, keys, spenders, numbers))
    if len(folded) <= _FEW and len(keys) <= _FEW:
        return driver.execute(_read_few(len(folded), len(keys), len(spenders)), (*folded, *keys, *keys, *spenders))
    return driver.execute(_READ_SQLITE, [*map(json.dumps, (folded, keys, keys, spenders))])
