"""Statements that are compiled once and run on the driver's connection, one row or many rows at a time."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.sql.expression import Executable

_HUNDRED = 100
InsertClass = type[sqlite.Insert] | type[postgresql.Insert]


class Statement:
    """A Core statement, with the names of its parameters in the order in which `run` takes them.

    Compiled once per dialect and run on the driver's connection. Positional, because the drivers look named parameters
    up one by one, which costs as much as the insert itself.
    """

    def __init__(self, names: Sequence[str], build: Callable[[InsertClass], Executable]) -> None:
        self._names = list(names)
        self._build = build
        self._compiled: dict[str, tuple[str, Callable[[Sequence[object]], Sequence[object]]]] = {}

    def run(self, connection: Connection, parameters: Sequence[object]) -> Any:
        """The driver's cursor after running the statement."""
        dialect_name = connection.dialect.name
        sql, in_order = self._compiled.get(dialect_name) or self._compile(dialect_name)
        return connection.connection.driver_connection.execute(sql, in_order(parameters))  # type: ignore[union-attr]

    def sql(self, dialect_name: str) -> str:
        """The statement's text on a database, with a mark for each parameter."""
        return (self._compiled.get(dialect_name) or self._compile(dialect_name))[0]

    def _compile(self, dialect_name: str) -> tuple[str, Callable[[Sequence[object]], Sequence[object]]]:
        if dialect_name == "postgresql":
            statement = self._build(postgresql.Insert)
            dialect: Dialect = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
        else:
            statement, dialect = self._build(sqlite.Insert), sqlite.dialect(paramstyle="qmark")
        compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        order = [self._names.index(name) for name in compiled.positiontup]
        in_order = _as_given if order == list(range(len(self._names))) else itemgetter(*order)
        self._compiled[dialect_name] = str(compiled), in_order
        return self._compiled[dialect_name]


def _as_given(parameters: Sequence[object]) -> Sequence[object]:
    return parameters


def pipelined(connection: Connection) -> AbstractContextManager[object]:
    """On PostgreSQL, send the statements of the block without waiting for each, until a result is read.

    For `Statement`s alone: SQLAlchemy's own statements read their results at once, and must not stand in the block.
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
