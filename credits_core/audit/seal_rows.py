"""Reads what seals are made over: entries with all their parts, and the rows of other tables, each with its hash.

The rows come from the driver as they are: SQLAlchemy's own cost as much as all the hashing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from credits_core.audit.check_proof import COLUMNS, leaf_hash, leaf_hashes
from credits_core.store.kinds import is_platform

Row = tuple[Any, ...]
_TABLES = {"run": "prompt_runs", "unlock": "unlocked_flows", "refund": "refunds"}
_BOOLEANS = {"provider_refunded", "has_numbered_requests", "is_bonus"}
_MOST_ACCOUNTS_KEPT = 200_000


class Leaf(NamedTuple):
    """A record of a seal: "entry", or the name of another table; its number, and its hash."""

    kind: str
    number: int
    hash: bytes

    def __str__(self) -> str:
        """The record in words, such as `entry 7`."""
        return f"{self.kind} {self.number}"


Ranges = Sequence[tuple[int | None, int]]
"""After which entry each begins, None for the first, and up to which it goes."""
Hashing = Callable[[Ranges], Iterable[list[Leaf]]]
"""Reads and hashes the entries of several ranges, in order."""


class Reader:
    """Reads records over one connection. Keeps when accounts were opened, so use it for one snapshot alone."""

    def __init__(self, connection: Connection) -> None:
        """Read over this connection, in its transaction."""
        if not connection.in_transaction():
            connection.begin()
        self._driver: Any = connection.connection.driver_connection
        self._is_postgres = connection.dialect.name == "postgresql"
        self._opened_at: dict[str, int | None] = {}

    def entries(self, after: int | None, up_to: int) -> list[Leaf]:
        """The entries after one, or from the first on, up to another, in order."""
        found = [*self._entries(after, up_to)]
        hashes = leaf_hashes([record for _, record in found])
        return [Leaf("entry", number, hash_) for (number, _), hash_ in zip(found, hashes, strict=True)]

    def each(self, ranges: Ranges) -> Iterator[list[Leaf]]:
        """The entries of each range, one after the other."""
        return (self.entries(after, up_to) for after, up_to in ranges)

    def entry(self, entry_id: int) -> Row | None:
        """One entry as the record that is hashed; None when it is not there."""
        return dict(self._entries(entry_id - 1, entry_id)).get(entry_id)

    def records(self, table: str, after: int | None, up_to: int) -> list[Leaf]:
        """The rows of another table after a number, or from the first on, up to another, in order."""
        rows = self._rows(table, "id", COLUMNS[table], after, up_to)
        return [Leaf(table, row[0], leaf_hash([table, row])) for row in rows]

    def last_of_next(self, table: str, after: int | None, bound: int, most: int) -> int | None:
        """The number of the last of the next rows, at most so many and up to a bound; None when there are none."""
        where = f"id <= {bound}" if after is None else f"id > {after} AND id <= {bound}"
        numbers = f"SELECT id FROM {table} WHERE {where} ORDER BY id LIMIT {most}"
        (last,) = self._driver.execute(f"SELECT max(id) FROM ({numbers}) AS numbers").fetchone()
        return None if last is None else int(last)

    def _entries(self, after: int | None, up_to: int) -> Iterator[tuple[int, Row]]:
        entries = {row[0]: row for row in self._rows("journal_entries", "id", COLUMNS["entry"], after, up_to)}
        moved: dict[int, list[Row]] = {entry_id: [] for entry_id in entries}
        columns = ("entry_id", *COLUMNS["transactions"][:-1])
        of_entries = self._rows("credit_transactions", "entry_id, position", columns, after, up_to)
        opened_at = self._opened({row[2] for row in of_entries})
        for row in of_entries:
            moved.setdefault(row[0], []).append((*row[1:], opened_at.get(row[2])))
        run, unlock, refund = (
            {row[0]: row[1:] for row in self._rows(table, "entry_id", ("entry_id", *COLUMNS[kind]), after, up_to)}
            for kind, table in _TABLES.items()
        )
        # A part without its entry is one more record than was sealed.
        ids: Iterable[int] = entries
        if not entries.keys() == moved.keys() >= run.keys() | unlock.keys() | refund.keys():
            ids = sorted(moved.keys() | run.keys() | unlock.keys() | refund.keys())
        for entry_id in ids:
            parts = (moved.get(entry_id, []), run.get(entry_id), unlock.get(entry_id), refund.get(entry_id))
            yield entry_id, ("entry", entries.get(entry_id), *parts)

    def _opened(self, accounts: set[str]) -> dict[str, int | None]:
        """When each of these accounts was opened; nothing of the platform's own."""
        known = self._opened_at
        if len(known) > _MOST_ACCOUNTS_KEPT:
            known.clear()
        missing = [account for account in accounts - known.keys() if not is_platform(str(account))]
        if missing:
            which = "= ANY(%s)" if self._is_postgres else f"IN ({', '.join('?' * len(missing))})"
            found = f"SELECT user_id, created_at_us FROM user_credits WHERE user_id {which}"
            known.update(self._driver.execute(found, [missing] if self._is_postgres else missing).fetchall())
        return known

    def _rows(self, table: str, order: str, columns: Iterable[str], after: int | None, up_to: int) -> list[Row]:
        key = order.partition(",")[0]
        asked = ", ".join(
            f"CAST({column} AS INTEGER)" if self._is_postgres and column in _BOOLEANS else column for column in columns
        )
        where = f"{key} <= {up_to}" if after is None else f"{key} > {after} AND {key} <= {up_to}"
        rows: list[Row] = self._driver.execute(f"SELECT {asked} FROM {table} WHERE {where} ORDER BY {order}").fetchall()
        return rows
