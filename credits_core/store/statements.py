"""What runs on the driver's own connection: a statement that is compiled once, and inserts of any number of rows."""

import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.expression import Executable

_HUNDRED = 100


class Statement:
    """A Core statement without parameters, compiled once for each database and run on the driver's connection."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, str] = {}

    def run(self, connection: Connection) -> Any:
        """The driver's cursor after running the statement."""
        dialect = connection.dialect
        sql = self._compiled.get(dialect.name)
        if sql is None:
            sql = self._compiled[dialect.name] = str(self._statement.compile(dialect=dialect))  # type: ignore[attr-defined]
        return connection.connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def pipelined(connection: Connection) -> AbstractContextManager[object]:
    """On PostgreSQL, send the statements of the block without waiting for each, until a result is read.

    For what runs on the driver's connection: SQLAlchemy's own statements read their results at once, and must not stand
    in the block.
    """
    driver: Any = connection.connection.driver_connection
    return driver.pipeline() if connection.dialect.name == "postgresql" else nullcontext()


class RowWriter:
    """Inserts any number of rows into one table, in the way that is quickest on each database.

    A row is a value for each column, in the table's order.
    """

    def __init__(self, table: Table) -> None:
        names = ", ".join(table.c.keys())
        marks = f"({', '.join('?' * len(table.c))})"
        self._insert_one = f"INSERT INTO {table.name} ({names}) VALUES {marks}"
        self._insert_hundred = f"{self._insert_one}, {', '.join([marks] * (_HUNDRED - 1))}"
        # Short names, because they stand in every row of the JSON.
        self._keys = [f"c{number}" for number in range(len(table.c))]
        types = (column.type.compile(postgresql.dialect()) for column in table.c)  # type: ignore[no-untyped-call]
        typed = ", ".join(f"{key} {type_}" for key, type_ in zip(self._keys, types, strict=True))
        self.insert_json = (
            f"INSERT INTO {table.name} ({names}) SELECT {', '.join(self._keys)}"
            f" FROM json_to_recordset(%s::json) AS given ({typed})"
        )
        """PostgreSQL's statement. Its one parameter is `as_json`, so it is the same prepared statement for all rows."""

    def as_json(self, rows: Iterable[Sequence[object]]) -> str:
        """The parameter of `insert_json`."""
        return json.dumps([dict(zip(self._keys, row, strict=True)) for row in rows])

    def insert_on_sqlite(self, driver: Any, rows: Sequence[Sequence[object]]) -> None:
        """Insert the rows over this connection of SQLite's driver."""
        in_hundreds = len(rows) - len(rows) % _HUNDRED
        for first in range(0, in_hundreds, _HUNDRED):  # a third quicker than row by row
            driver.execute(self._insert_hundred, [*chain.from_iterable(rows[first : first + _HUNDRED])])
        if in_hundreds < len(rows):
            driver.executemany(self._insert_one, rows[in_hundreds:])
