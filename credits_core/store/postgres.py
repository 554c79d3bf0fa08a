"""Connections to PostgreSQL that never wait past the deadline, whatever the server does.

Two guards. Whoever waits for the server goes away when the deadline passes, and throws the connection away: so a server
that stands still holds nobody. And the server is told how long a statement, a lock and an idle unit of work may take:
so a unit of work whose process stands still, or has gone away, ends by itself and gives its locks back.
"""

import time
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from credits_core.store import deadline
from credits_core.store.deadline import LONGEST_WAIT_SECONDS

_IDLE_SECONDS = 1
_LOOK_UP_SECONDS = 0.1  # as the driver does, so that Ctrl-C is noticed
_LATER_SECONDS = 1
"""How much later the server gives up than whoever asked, who can say more about it."""
_NETWORK = {"tcp_user_timeout": 30_000, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""A network that has gone silent is noticed within a minute, also where no deadline holds."""


class NoAnswer(psycopg.OperationalError):
    """The server said nothing until the deadline had passed. The connection is closed."""


class PunctualConnection(psycopg.Connection[Any]):
    """A connection on which nobody waits for the server past the deadline."""

    def wait(self, gen: Any, interval: float = _LOOK_UP_SECONDS, timeout: float | None = None) -> Any:
        """As the driver's own.

        Raises:
            NoAnswer: the deadline has passed.
        """
        if deadline.current() is None:
            return super().wait(gen, interval, timeout)
        left = deadline.remaining()
        try:
            return super().wait(gen, interval, left if timeout is None else min(left, timeout))
        except psycopg.errors._WaitTimeout as error:
            self.pgconn.finish()
            raise NoAnswer("the server does not answer") from error


def create_postgres_engine(url: URL, **pool: int) -> Engine:
    """An engine for PostgreSQL."""
    engine = create_engine(url, hide_parameters=True, **pool)

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: list[Any], named: dict[str, Any]) -> PunctualConnection:
        given = _NETWORK | named
        given.setdefault("connect_timeout", int(deadline.remaining(30)) + 1)
        return PunctualConnection.connect(*arguments, **given)

    # A connection may have been lost while nobody used it. One that was just in use is asked only if the server has
    # said something by itself, as it does when it ends: to ask takes as long as a statement of a charge.
    @event.listens_for(engine, "checkin")
    def note_when(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def make_ready(connection: PunctualConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        has_idled = time.monotonic() - record.info.get("used_at", time.monotonic()) > _IDLE_SECONDS
        try:
            if has_idled or connection.closed or _has_news(connection):
                engine.dialect.do_ping(connection)  # type: ignore[arg-type]
            _tell_limits(connection, record)
        except NoAnswer:
            raise
        except psycopg.Error as error:
            raise DisconnectionError from error  # the pool makes a new connection

    return engine


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    with DefaultSelector() as selector:
        selector.register(connection.fileno(), EVENT_READ)
        return bool(selector.select(0))


def _tell_limits(connection: PunctualConnection, record: ConnectionPoolEntry) -> None:
    """Tell the server the limits of this deadline, unless the connection has them: all requests have the same."""
    now = deadline.current()
    kind = (0, False) if now is None else (now.seconds, now.until is not None)
    if record.info.get("limits") == kind:
        return
    statement_ms, lock_ms, idle_ms = 0, LONGEST_WAIT_SECONDS * 1_000, 0
    if now is not None:
        statement_ms = lock_ms = (now.seconds + _LATER_SECONDS) * 1_000
        idle_ms = 0 if now.until is None else statement_ms
    connection.autocommit = True
    try:
        connection.execute(
            "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
            " set_config('idle_in_transaction_session_timeout', %s, false)",
            (str(statement_ms), str(lock_ms), str(idle_ms)),
        )
    finally:
        if not connection.closed:
            connection.autocommit = False
    record.info["limits"] = kind
