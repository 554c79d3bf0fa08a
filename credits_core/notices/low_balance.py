"""Levels of balances below which one wants to be told, and the look at new entries that finds who fell below one.

A level is told once each time that a balance falls below it: from at least the level to less. It is told again after
the balance was at the level or above. A run that was held before counts from the balance before its hold came back.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.errors import InvalidRequest
from credits_core.ledger import accounts, locks
from credits_core.notices import deliveries, journal, telling
from credits_core.notices.events import Content
from credits_core.notices.journal import Settled
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.kinds import EventKind, HoldEnd, is_part
from credits_core.store.tables import (
    CreditTransaction,
    HoldEnding,
    JournalEntry,
    LowBalanceLevel,
    LowBalanceProgress,
    WebhookEvent,
)
from credits_core.values.credits import require_credits
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.fields import require_id
from credits_core.values.roles import Actor, May, Way
from credits_core.values.text import counted

EVERYBODY = ""
"""The user of levels that count for all who have none of their own."""
MOST_LEVELS = 5
ENTRIES_PER_STEP = 2_000
PAUSES = deliveries.PAUSES[:4]
"""How long after each message that no address took the next one goes out; the last pause is repeated."""
_MOST_TOLD = 50
_OVER_API, _BY_USER, _BY_OPERATOR = f"{Way.API}/", "user", "operator"


@dataclass(frozen=True, slots=True)
class Level:
    """A level: whose it is, empty for everybody, and how many credits."""

    user_id: str
    level_credits: int


@dataclass(frozen=True, slots=True)
class Fall:
    """An entry after which a user has less than a level, and had at least as much before.

    `set_by` says who set the level: `operator`, or `user` where it was set over the API.
    """

    entry_id: int
    user_id: str
    level_credits: int
    balance_credits: int
    happened_at: datetime
    set_by: str


def levels(connection: Connection) -> list[Level]:
    """All levels, those for everybody first, and of each user the highest first."""
    row = LowBalanceLevel
    found = connection.execute(select(row.user_id, row.level_credits).order_by(row.user_id, row.level_credits.desc()))
    return [Level(*one) for one in found]


def levels_of(connection: Connection, user_id: str) -> list[int]:
    """The levels of one user in credits, or those for everybody, the highest first."""
    of_user = select(LowBalanceLevel.level_credits).where(LowBalanceLevel.user_id == user_id)
    return sorted(connection.execute(of_user).scalars(), reverse=True)


def is_any(connection: Connection) -> bool:
    """Whether any level is set."""
    return connection.execute(select(LowBalanceLevel.level_credits).limit(1)).first() is not None


def set_level(connection: Connection, user_id: str, level_credits: int, *, now: datetime, actor: Actor) -> None:
    """Have it told when the user's balance falls below a level from now on. An empty user stands for everybody.

    Waits for those who are writing entries of the user, or of anybody: what they write is before the level. Setting it
    twice changes nothing.

    Raises:
        NotAllowed: the actor may not manage this product, nor set levels where it is for one user.
        InvalidRequest: the level is no whole number from 1 to 2^53-1, or the user has five levels.
        UnknownUser: the user has no account.
    """
    _require_may(actor, user_id)
    require_credits("level_credits", level_credits)
    if user_id == EVERYBODY:
        locks.lock_everyone(connection)
    else:
        accounts.user(connection, require_id("user_id", user_id))
        locks.lock_users(connection, [user_id])
    of_user = levels_of(connection, user_id)
    if level_credits in of_user:
        return
    if len(of_user) >= MOST_LEVELS:
        raise InvalidRequest("level_credits", f"must be one of at most {MOST_LEVELS} levels: remove another one first")
    newest = select(func.coalesce(func.max(JournalEntry.id), 0)).scalar_subquery()
    values = {"user_id": user_id, "level_credits": level_credits, "after_entry_id": newest}
    connection.execute(insert(LowBalanceLevel).values(**values, actor=actor.recorded, set_at_us=to_microseconds(now)))
    _note(connection, Change.LOW_BALANCE_LEVEL_SET, user_id, level_credits, now, actor)


def remove_level(connection: Connection, user_id: str, level_credits: int, *, now: datetime, actor: Actor) -> None:
    """Have nothing told of this level any more.

    Raises:
        NotAllowed: as `set_level`.
        InvalidRequest: there is no such level.
    """
    _require_may(actor, user_id)
    row = LowBalanceLevel
    removed = delete(row).where(row.user_id == user_id, row.level_credits == level_credits)
    if connection.execute(removed).rowcount == 0:
        raise InvalidRequest("level_credits", "must be a level that was set")
    _note(connection, Change.LOW_BALANCE_LEVEL_REMOVED, user_id, level_credits, now, actor)


def _require_may(actor: Actor, user_id: str) -> None:
    actor.require(May.MANAGE, *([] if user_id == EVERYBODY else [May.SET_LEVELS]))


def _note(
    connection: Connection, change: Change, user_id: str, level_credits: int, now: datetime, actor: Actor
) -> None:
    detail = {"level_credits": level_credits}
    activity.note(connection, change, user_id or "everybody", actor=actor.recorded, now=now, detail=detail)


def look(connection: Connection, up_to: Settled) -> bool:
    """Look at the next 2,000 entries, write down who fell below a level, and say whether more is left.

    What was found and how far the look came are one unit of work. Nothing is read while no level is set.
    """
    insert_ = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert_(LowBalanceProgress).values(id=1, entry_id=0, told_event_id=0).on_conflict_do_nothing())
    after = connection.execute(select(LowBalanceProgress.entry_id).with_for_update()).scalar_one()
    if after >= up_to.entry_id or not journal.is_still_there(connection, up_to):
        return False
    oldest = connection.execute(select(func.min(LowBalanceLevel.after_entry_id))).scalar()
    if oldest is None:
        return False
    after = max(after, oldest)
    last = min(after + ENTRIES_PER_STEP, up_to.entry_id)
    if last <= after:
        return False
    for fall in _falls(connection, after, last):
        content: Content = {
            "user_id": fall.user_id,
            "level_credits": fall.level_credits,
            "balance_credits": fall.balance_credits,
            "entry_id": fall.entry_id,
            "set_by": fall.set_by,
        }
        about = f"low balance {fall.entry_id} {fall.level_credits} {fall.user_id}"
        telling.tell(connection, EventKind.BALANCE_LOW, fall.user_id, content, about=about, now=fall.happened_at)
    connection.execute(update(LowBalanceProgress).values(entry_id=last))
    return bool(last < up_to.entry_id)


def _falls(connection: Connection, after: int, up_to: int) -> Iterator[Fall]:
    """Who fell below which of the levels in these entries, the highest level of an entry first."""
    before_hold, moved = _before_holds(connection, after, up_to), list(_moved(connection, after, up_to))
    by_user = _levels_for(connection, {user_id for _, user_id, *_ in moved} | {EVERYBODY})
    for entry_id, user_id, before_credits, after_credits, at_us in moved:
        before = before_hold.get((entry_id, user_id), before_credits)
        of_user = by_user.get(user_id) or by_user.get(EVERYBODY, [])
        for level_credits, after_entry_id, set_by in sorted(of_user, reverse=True):
            if entry_id > after_entry_id and after_credits < level_credits <= before:
                yield Fall(entry_id, user_id, level_credits, after_credits, from_microseconds(at_us), set_by)


def _levels_for(connection: Connection, user_ids: Collection[str]) -> dict[str, list[tuple[int, int, str]]]:
    """The levels of these users: how many credits, after which entry, and whether an operator or the user set it."""
    row, found = LowBalanceLevel, dict[str, list[tuple[int, int, str]]]()
    wanted = select(row.user_id, row.level_credits, row.after_entry_id, row.actor).where(row.user_id.in_(user_ids))
    for user_id, level_credits, after_entry_id, actor in connection.execute(wanted):
        set_by = _BY_USER if actor.startswith(_OVER_API) else _BY_OPERATOR
        found.setdefault(user_id, []).append((level_credits, after_entry_id, set_by))
    return found


def _moved(connection: Connection, after: int, up_to: int) -> Iterator[tuple[int, str, int, int, int]]:
    """Of each entry and user: what the user could spend before it and after it, and when it was."""
    row = CreditTransaction
    found = connection.execute(
        select(row.entry_id, row.account_id, row.amount_credits, row.balance_after_credits, row.created_at_us)
        .where(row.entry_id > after, row.entry_id <= up_to, row.balance_after_credits.is_not(None))
        .order_by(row.entry_id, row.position)
    )
    of_entry: dict[tuple[int, str], tuple[int, int, int]] = {}
    for entry_id, account_id, amount_credits, after_credits, at_us in found:
        if after_credits is not None and not is_part(account_id):
            first = of_entry.get((entry_id, account_id))
            before_credits = after_credits - amount_credits if first is None else first[0]
            of_entry[entry_id, account_id] = (before_credits, after_credits, at_us)
    for (entry_id, user_id), (before_credits, after_credits, at_us) in of_entry.items():
        yield entry_id, user_id, before_credits, after_credits, at_us


def _before_holds(connection: Connection, after: int, up_to: int) -> dict[tuple[int, str], int]:
    """Of each run that was held: what its user could spend before the hold came back, by the run and the user."""
    row = CreditTransaction
    found = connection.execute(
        select(HoldEnding.run_entry_id, row.account_id, row.balance_after_credits - row.amount_credits)
        .join(row, row.entry_id == HoldEnding.id)
        .where(HoldEnding.kind == HoldEnd.CAPTURED.value)
        .where(HoldEnding.run_entry_id > after, HoldEnding.run_entry_id <= up_to)
    )
    return {
        (int(run), account_id): int(before)
        for run, account_id, before in found
        if run is not None and before is not None and not is_part(account_id)
    }


def untold(connection: Connection, *, now: datetime) -> tuple[int, list[str]]:
    """What the operators were not told yet: the number of the last of these falls, and a sentence for each of them.

    At most 50 falls, which are one message; without those below levels that were set over the API, for users
    themselves. The number is 0 when there are none, and in a pause after a message that no address took.
    """
    at = connection.execute(select(LowBalanceProgress.told_event_id, LowBalanceProgress.next_try_at_us)).one_or_none()
    told = 0 if at is None else at.told_event_id
    if at is not None and at.next_try_at_us is not None and at.next_try_at_us > to_microseconds(now):
        return 0, []
    row = WebhookEvent
    found = connection.execute(
        select(row.id, row.content)
        .where(row.id > told, row.kind == EventKind.BALANCE_LOW.value)
        .order_by(row.id)
        .limit(_MOST_TOLD)
    ).all()
    read = [json.loads(one.content) for one in found]
    sentences = [_sentence(one) for one in read if one.get("set_by") != _BY_USER]
    return (found[-1].id if found else 0), sentences


def _sentence(content: dict[str, int]) -> str:
    """What one fall is, in words.

    >>> _sentence({"user_id": "ada", "level_credits": 5_000, "balance_credits": 4_700, "entry_id": 7})
    'ada can spend 4,700 credits, less than the level of 5,000 (entry 7).'
    """
    left, level = counted(content["balance_credits"], "credit"), f"{content['level_credits']:,}"
    return f"{content['user_id']} can spend {left}, less than the level of {level} (entry {content['entry_id']})."


def mark_told(connection: Connection, up_to_event_id: int) -> None:
    """Keep up to which event the operators were told."""
    told = {"told_event_id": up_to_event_id, "failed_tries": None, "next_try_at_us": None}
    connection.execute(update(LowBalanceProgress).values(told))


def mark_failed(connection: Connection, *, now: datetime) -> None:
    """Keep that no address took the message. It is tried again after 5 seconds, 5 and 30 minutes, and every 2 hours."""
    tries = (connection.execute(select(LowBalanceProgress.failed_tries).with_for_update()).scalar() or 0) + 1
    pause = PAUSES[min(tries, len(PAUSES)) - 1]
    connection.execute(
        update(LowBalanceProgress).values(failed_tries=tries, next_try_at_us=to_microseconds(now + pause))
    )
