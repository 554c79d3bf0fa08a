"""Reads many rows in blocks, so that memory does not grow with the ledger, and makes arrays of their columns.

The rows are tuples as the driver gives them. What a column may hold in a damaged database is not what it should: an
array is made only of whole numbers that fit 64 bits, and never by rounding or guessing.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select

from credits_core.values.arrays import Credits

Row = tuple[Any, ...]
_ROWS = 1_000
_numbers = count(1)  # several are read side by side


def blocks(
    connection: Connection, statement: Select[*tuple[Any, ...]], *, rows_at_once: int = _ROWS
) -> Iterator[list[Row]]:
    """The rows of the statement in blocks. Small ones stay in the processor's cache."""
    # SQLAlchemy's own rows cost as much as all that the audit does with most of them.
    sql = str(statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    if not connection.in_transaction():
        connection.begin()  # all blocks are of one snapshot
    driver: Any = connection.connection.driver_connection
    is_postgres = connection.dialect.name == "postgresql"  # which keeps the rows only behind a name
    with closing(driver.cursor(name=f"blocks_{next(_numbers)}") if is_postgres else driver.cursor()) as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(rows_at_once):
            yield rows


def whole_numbers(column: Sequence[object]) -> Credits | None:
    """The column as an array of 64-bit integers; None when anything in it is none.

    >>> whole_numbers((1, 2**53)), whole_numbers((1, 2.0)), whole_numbers((1, None)), whole_numbers((1, 2**63))
    (array([               1, 9007199254740992]), None, None, None)
    """
    if set(map(type, column)) - {int}:
        return None
    try:
        return np.array(column, np.int64)
    except OverflowError:
        return None
