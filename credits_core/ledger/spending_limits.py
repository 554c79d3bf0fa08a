"""Sets, removes and lists spending limits: how many credits a user, or an API key, may spend in a day or a month.

`ledger.spending` says what a limit allows, and `ledger.charging` asks before each payment.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.errors import InvalidRequest
from credits_core.ledger import accounts, locks, spending_book
from credits_core.ledger.spending import SpendingLimit, bounds, key_of, recorded_of_key
from credits_core.store import activity, tables
from credits_core.store.activity import Change
from credits_core.store.kinds import EntryType, Part, SpendingPeriod, part_account
from credits_core.store.tables import ApiKey, CreditTransaction, HoldEnding, JournalEntry, UserPart
from credits_core.values.credits import require_credits
from credits_core.values.days import to_microseconds
from credits_core.values.fields import require_id
from credits_core.values.roles import Actor, May
from credits_core.values.time_zones import TimeZone

_row = tables.SpendingLimit


@dataclass(frozen=True, slots=True)
class LimitNow:
    """A limit with what counts against it now: what was spent in the period, and what is held. Credits."""

    limit: SpendingLimit
    held_credits: int

    @property
    def left_credits(self) -> int:
        """What may still be spent in the period, at least 0."""
        return max(0, self.limit.left_credits - self.held_credits)


def set_limit(
    connection: Connection,
    subject: str,
    period: SpendingPeriod,
    limit_credits: int,
    *,
    zone: TimeZone,
    now: datetime,
    actor: Actor,
) -> None:
    """Let a user or a key spend at most so many credits in each day or month of the time zone; 0 lets them spend none.

    `subject` is a user's id, or what `spending.subject_of_key` gives for a key's name. What was spent in the present
    period counts, in a moment for each 100,000 runs. Waits for those who are charging the user; for a key, for all.

    Raises:
        NotAllowed: the actor may not move users' credits; or not manage, for a key.
        InvalidRequest: the limit is no whole number from 0 to 2^53-1, or no key that works has the name.
        UnknownUser: the user has no account.
    """
    _require_may(actor, subject)
    require_credits("limit_credits", limit_credits, minimum=0)
    _require_known(connection, subject)
    _lock(connection, subject)
    begins_us, ends_us = bounds(period, to_microseconds(now), zone)
    newest = connection.execute(select(func.coalesce(func.max(JournalEntry.id), 0))).scalar_one()
    values: dict[str, str | int] = {
        "limit_credits": limit_credits,
        "time_zone": zone.name,
        "begins_us": begins_us,
        "ends_us": ends_us,
        "spent_credits": _spent_credits(connection, subject, begins_us),
        "after_entry_id": newest,
        "actor": actor.recorded,
        "set_at_us": to_microseconds(now),
    }
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    written = insert(_row).values(subject=subject, period=period.value, **values)
    connection.execute(written.on_conflict_do_update(index_elements=["subject", "period"], set_=values))
    told = {name: values[name] for name in ("limit_credits", "time_zone", "after_entry_id")}
    _note(connection, Change.SPENDING_LIMIT_SET, subject, period, now, actor, told)


def remove_limit(connection: Connection, subject: str, period: SpendingPeriod, *, now: datetime, actor: Actor) -> None:
    """Let a user or a key spend as much as there is again.

    Raises:
        NotAllowed: as `set_limit`.
        InvalidRequest: there is no such limit.
    """
    _require_may(actor, subject)
    _lock(connection, subject)
    removed = delete(_row).where(_row.subject == subject, _row.period == period.value).returning(_row.limit_credits)
    limit_credits = connection.execute(removed).scalar()
    if limit_credits is None:
        raise InvalidRequest("period", f"must have a limit: {subject} has none for a {period}")
    told: dict[str, str | int] = {"limit_credits": limit_credits}
    _note(connection, Change.SPENDING_LIMIT_REMOVED, subject, period, now, actor, told)


def limits_now(connection: Connection, subject: str, *, now: datetime) -> list[LimitNow]:
    """The limits of a user or a key with what counts against each now, that of the day first; empty without any."""
    return [_now(connection, one, now) for one in spending_book.limits_of(connection, [subject])]


def all_limits(connection: Connection, *, now: datetime, only_keys: bool = False, limit: int = 200) -> list[LimitNow]:
    """The limits of all users and keys, or only of keys, by subject: at most `limit`."""
    rows = _ALL.where(_IS_OF_KEY) if only_keys else _ALL
    return [_now(connection, spending_book.limit_in(row), now) for row in connection.execute(rows.limit(limit))]


def _now(connection: Connection, limit: SpendingLimit, now: datetime) -> LimitNow:
    limit = limit.at(to_microseconds(now))
    name = key_of(limit.subject)
    if name is not None:
        return LimitNow(limit, spending_book.held_by(connection, name, now))
    held = select(UserPart.balance_credits).where(UserPart.account_id == part_account(limit.subject, Part.HELD))
    return LimitNow(limit, connection.execute(held).scalar() or 0)


def _require_may(actor: Actor, subject: str) -> None:
    actor.require(May.MOVE_CREDITS if key_of(subject) is None else May.MANAGE)


def _lock(connection: Connection, subject: str) -> None:
    # Of a key that had no limit, charges are under way that nobody waits for.
    if key_of(subject) is None:
        locks.lock_users(connection, [subject])
    else:
        locks.lock_everyone(connection)


def _require_known(connection: Connection, subject: str) -> None:
    name = key_of(subject)
    if name is None:
        accounts.user(connection, require_id("user_id", subject))
        return
    in_force = select(ApiKey.id).where(ApiKey.name == name, ApiKey.revoked_at_us.is_(None))
    if connection.execute(in_force.limit(1)).first() is None:
        raise InvalidRequest("key", f"must be the name of a key that was not revoked, not {name!r}")


def _spent_credits(connection: Connection, subject: str, begins_us: int) -> int:
    """What runs and unlocks since this moment cost the user, or whoever has the key."""
    paid = (
        select(func.coalesce(-func.sum(CreditTransaction.amount_credits), 0))
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(
            or_(*(JournalEntry.type == kind.value for kind in (EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK))),
            CreditTransaction.position == 0,
            CreditTransaction.created_at_us >= begins_us,
        )
    )
    name = key_of(subject)
    if name is None:
        paid = paid.where(CreditTransaction.account_id == subject)
    else:
        made = select(JournalEntry.actor, HoldEnding.run_entry_id).join(
            HoldEnding, HoldEnding.hold_id == JournalEntry.id
        )
        hold = made.where(HoldEnding.run_entry_id.is_not(None)).subquery()
        paid = paid.outerjoin(hold, hold.c.run_entry_id == JournalEntry.id)
        paid = paid.where(func.coalesce(hold.c.actor, JournalEntry.actor) == recorded_of_key(name))
    return int(connection.execute(paid).scalar_one())


def _note(
    connection: Connection,
    change: Change,
    subject: str,
    period: SpendingPeriod,
    now: datetime,
    actor: Actor,
    told: dict[str, str | int],
) -> None:
    detail = {"period": period.value, **told}
    activity.note(connection, change, subject, actor=actor.recorded, now=now, detail=detail)


_IS_OF_KEY: ColumnElement[bool] = _row.subject.contains(":")
_ALL: Select[tuple[object, ...]] = select(_row.__table__).order_by(_row.subject, _row.period)
