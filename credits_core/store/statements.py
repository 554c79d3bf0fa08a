"""Statements that are compiled once and run on the driver's connection, and savepoints."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import itemgetter
from typing import Any, Self

from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.sql.expression import Executable

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


class Savepoint:
    """A part of the unit of work that can be rolled back alone. Costs two statements on the driver."""

    def __init__(self, connection: Connection) -> None:
        self._driver: Any = connection.connection.driver_connection

    def __enter__(self) -> Self:
        self._driver.execute("SAVEPOINT one_charge")
        return self

    def roll_back(self) -> None:
        """Undo everything since the savepoint; the unit of work goes on."""
        self._driver.execute("ROLLBACK TO SAVEPOINT one_charge")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._driver.execute("RELEASE SAVEPOINT one_charge")
