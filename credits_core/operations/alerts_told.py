"""Has it told what is wrong and what is over: each fault in one message, its end in another, many at once in one.

A fault to which something was added, such as another job that fails, is told once more.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Select, and_, case, or_, select, update

from credits_core.notices.digest import Message, Told, digest
from credits_core.store import database
from credits_core.store.tables import Alert
from credits_core.values.days import from_microseconds, to_microseconds

_MOST_AT_ONCE = 50
# What ended before anybody was told of it is told once, as over.
_BEGAN = and_(Alert.told_at_us.is_(None), Alert.counts_from_us.is_not(None), Alert.ended_at_us.is_(None))
_ENDED = and_(Alert.end_told_at_us.is_(None), Alert.ended_at_us.is_not(None))
_LATEST = timedelta(days=1)
"""What ended earlier is told no more, as where no address was set until now."""


def tell(engine: Engine, send: Callable[[Message], int], *, now: datetime) -> int:
    """Have one message sent about all that began or ended since the last one, and return how many addresses took it.

    `send` sends a message and says how many took it, as `notices.sending.send` does. What none took is told again the
    next time. Nothing is sent when there is nothing to tell.
    """
    with database.read(engine) as connection:
        rows = connection.execute(_untold(now)).all()
    faults = [
        Told(
            row.name,
            row.said,
            from_microseconds(row.since_us),
            None if row.ended_at_us is None else from_microseconds(row.ended_at_us),
        )
        for row in rows
    ]
    message = digest(faults)
    if message is None:
        return 0
    taken = send(message)
    if taken:
        began = [row.id for row in rows if row.ended_at_us is None]
        ended = [row.id for row in rows if row.ended_at_us is not None]
        database.write(engine, lambda connection: _mark(connection, began, ended, to_microseconds(now)))
    return taken


def _untold(now: datetime) -> Select[int, str, str, int, int | None]:
    ended_lately = and_(_ENDED, Alert.ended_at_us > to_microseconds(now - _LATEST))
    of_each = select(Alert.id, Alert.name, Alert.said, Alert.since_us, Alert.ended_at_us)
    return of_each.where(or_(_BEGAN, ended_lately)).order_by(Alert.id).limit(_MOST_AT_ONCE)


def _mark(connection: Connection, began: list[int], ended: list[int], now_us: int) -> None:
    told = case((Alert.told_at_us.is_(None), now_us), else_=Alert.told_at_us)
    connection.execute(update(Alert).where(Alert.id.in_(began)).values(told_at_us=now_us))
    connection.execute(update(Alert).where(Alert.id.in_(ended)).values(told_at_us=told, end_told_at_us=now_us))
