"""Who may do something now: a row with an end, which one process takes at a time and another takes when it has passed.

A process that was stopped and wakes up believes that it still has its lease. So its units of work begin with a look at
the row (`fenced`): whoever has lost the lease is refused before it reads or writes anything.

The time is the database's, so that the clocks of several machines do not count.
"""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    and_,
    event,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.operations.refusals import LeaseLost
from credits_core.store.tables import JobLease

_NOW = {
    "postgresql": "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    "sqlite": "(CAST(strftime('%s', 'now') AS INTEGER) * 1000000)",
}
_SECOND_US = 1_000_000
_FURTHEST_US = 3_600 * _SECOND_US  # no lease is taken for so long: one that ends later was taken by a clock gone wrong
LEADER = "leader"
"""The lease of the process whose schedule runs."""
# Whoever holds the row in a unit of work and was stopped there is cut off, so that another can take the lease.
_LONGEST_WAIT = "SET LOCAL lock_timeout = '5s'"
_LONGEST_STANDSTILL = "SET LOCAL idle_in_transaction_session_timeout = '20s'"


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was taken. `epoch` tells it from the same holder's lease of another time."""

    name: str
    holder: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Held:
    """Who has a lease, and whether it still runs."""

    holder: str
    is_running: bool


def take(connection: Connection, name: str, holder: str, *, seconds: int) -> Lease | None:
    """Take the lease for so many seconds, or return None while somebody has it.

    One that ends more than an hour from now was taken while the database's clock was wrong, and is free.

    Raises:
        OperationalError: on PostgreSQL, when the row is locked for five seconds.
    """
    _bound(connection)
    now = _now(connection)
    until = now + seconds * _SECOND_US
    taken = connection.execute(
        update(JobLease)
        .where(JobLease.name == name, ~_runs(now))
        .values(holder=holder, epoch=JobLease.epoch + 1, until_us=until)
        .returning(JobLease.epoch)
    ).scalar_one_or_none()
    if taken is None:
        insert_ = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        taken = connection.execute(
            insert_(JobLease)
            .values(name=name, holder=holder, epoch=1, until_us=until)
            .on_conflict_do_nothing()
            .returning(JobLease.epoch)
        ).scalar_one_or_none()
    return None if taken is None else Lease(name, holder, taken)


def renew(connection: Connection, lease: Lease, *, seconds: int) -> bool:
    """Keep the lease for so many seconds from now on; False when somebody else has it, or its end has passed."""
    _bound(connection)
    now = _now(connection)
    renewed = connection.execute(
        update(JobLease)
        .where(*_is(lease), JobLease.until_us > now)
        .values(until_us=now + seconds * _SECOND_US)
        .returning(JobLease.epoch)
    )
    return renewed.scalar_one_or_none() is not None


def release(connection: Connection, lease: Lease) -> None:
    """Give the lease back at once. Does nothing where somebody else has it."""
    connection.execute(update(JobLease).where(*_is(lease)).values(until_us=0))


def held(connection: Connection) -> dict[str, Held]:
    """Who has each lease, or had it last, by its name."""
    now = _now(connection)
    rows = connection.execute(select(JobLease.name, JobLease.holder, _runs(now)))
    return {name: Held(holder, bool(is_running)) for name, holder, is_running in rows}


def require(connection: Connection, lease: Lease) -> None:
    """Do nothing as long as the lease holds. A unit of work that writes keeps others from taking it until its end.

    Raises:
        LeaseLost: it is somebody else's, or its end has passed.
    """
    now = _now(connection)
    asked = select(JobLease.epoch).where(*_is(lease), JobLease.until_us > now)
    if connection.dialect.name == "postgresql" and connection.get_execution_options().get("credits_writer"):
        connection.execute(text(_LONGEST_STANDSTILL))
        asked = asked.with_for_update(read=True)
    if connection.execute(asked).scalar_one_or_none() is None:
        raise LeaseLost(lease.name)


def fenced(engine: Engine, lease: Lease) -> Engine:
    """The same database, in which every unit of work and every read begins with `require`."""
    guarded = engine.execution_options(credits_lease=lease.epoch)
    is_postgres = engine.dialect.name == "postgresql"

    @event.listens_for(guarded, "begin")
    def look_first(connection: Connection) -> None:
        if is_postgres and not connection.get_execution_options().get("credits_writer", False):
            # Elsewhere: two connections that read one snapshot take it over before their first query.
            with engine.connect() as beside:
                require(beside, lease)
        else:
            require(connection, lease)

    @event.listens_for(guarded, "commit")
    def look_again(connection: Connection) -> None:
        if is_postgres:
            return
        try:  # the first look came before the lock that keeps others from writing
            require(connection, lease)
        except BaseException:
            # SQLAlchemy takes the unit of work for ended, and the pool would keep it open.
            driver_connection = connection.connection.driver_connection
            assert driver_connection is not None
            driver_connection.rollback()
            raise

    return guarded


def _bound(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(_LONGEST_WAIT))
        connection.execute(text(_LONGEST_STANDSTILL))


def _now(connection: Connection) -> ColumnElement[int]:
    return literal_column(_NOW[connection.dialect.name], BigInteger())


def _runs(now: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(JobLease.until_us > now, JobLease.until_us <= now + _FURTHEST_US)


def _is(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (JobLease.name == lease.name, JobLease.holder == lease.holder, JobLease.epoch == lease.epoch)
