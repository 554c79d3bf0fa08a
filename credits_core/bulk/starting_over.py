"""Starts the demo over: all that is in the database goes, and the demo world is built anew in the same unit of work.

What counts as a demo, and why: docs/decisions/0018-starting-the-demo-over.md.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, not_, select
from sqlalchemy.orm import InstrumentedAttribute

from credits_core.bulk import demo
from credits_core.bulk.demo_world import DemoWorld
from credits_core.bulk.refusals import NotADemo
from credits_core.ledger import locks, trial_users
from credits_core.plans import actions as plan_actions
from credits_core.plans.book import PriceBooks
from credits_core.prices import lists
from credits_core.pricing.models import ModelRegistry
from credits_core.store import activity, clearing
from credits_core.store.activity import Change
from credits_core.store.tables import (
    ApiKey,
    Base,
    CreditTransaction,
    JournalEntry,
    PriceList,
    Purchase,
    SavedView,
    StoredPlan,
    UnlockAnswer,
    UserCredits,
)
from credits_core.values.roles import Actor, May
from credits_core.values.text import counted

_BUILT, _TRIED = f"{trial_users.DEMO_KEYS}%", "dashboard:%"
# A key that the screen API sends is kept with its caller, as `caller:NAME:dashboard:…`. No name has a colon, so more
# than one before `dashboard` are of a key that the caller chose.
_TRIED_OVER_HTTP, _CHOSEN_BY_A_CALLER = "caller:%:dashboard:%", "caller:%:%:dashboard:%"
# What follows from entries that are counted anyway: the end of a hold, credits that expired, an approved proposal.
# What a purchase or a payout brings too.
_FOLLOWING = ("hold:%", "expiry:%", "proposal:%", "purchase:%", "payout:%")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a demo database holds, and so what is deleted when the demo is started over.

    `tried_entries` are those of `entries` that people posted on the dashboard, and what followed from them. The plans
    and price lists are those that people added; a discarded draft does not count.
    """

    entries: int = 0
    tried_entries: int = 0
    price_plans: int = 0
    price_lists: int = 0
    api_keys: int = 0
    saved_views: int = 0

    def __str__(self) -> str:
        """What is deleted, in words.

        >>> str(Holdings(4_660, 3, price_plans=1)), str(Holdings(4_657)), str(Holdings())
        ('4,660 entries (3 from the dashboard), 1 price plan', '4,657 entries', 'nothing')
        """
        tried = f" ({self.tried_entries:,} from the dashboard)" if self.tried_entries else ""
        added = (
            (self.price_plans, "price plan"),
            (self.price_lists, "price list"),
            (self.api_keys, "API key"),
            (self.saved_views, "saved view"),
        )
        counts = [counted(count, noun) for count, noun in added if count]
        return ", ".join([f"{self.entries:,} entries{tried}", *counts]) if self.entries else "nothing"


def holdings(connection: Connection) -> Holdings:
    """What is in a database that began as the demo world, and got nothing since but what people tried on the dashboard.

    Raises:
        NotADemo: it began otherwise, or has entries, answers or accounts that came by an import, a log or the API.
    """
    first = trial_users.first_entry(connection)
    if first is None:
        return Holdings()
    if not trial_users.is_of_demo(*first):
        raise NotADemo(f"its first entry is by {first[0]}, not by the demo")
    found = [_counted(count, *words) for count, *words in _from_outside(connection) if count]
    if found:
        raise NotADemo(f"it also holds {' and '.join(found)}, by an import, a log or the API")
    return Holdings(
        entries=_count(connection, JournalEntry),
        tried_entries=_count(connection, JournalEntry, JournalEntry.idempotency_key.not_like(_BUILT)),
        price_plans=_count(connection, StoredPlan, StoredPlan.discarded_at_us.is_(None)) - 1,
        price_lists=_count(connection, PriceList) - 1,
        api_keys=_count(connection, ApiKey),
        saved_views=_count(connection, SavedView),
    )


def _from_outside(connection: Connection) -> list[tuple[int, str, str]]:
    has_moved = select(CreditTransaction.entry_id).where(CreditTransaction.account_id == UserCredits.user_id).exists()
    has_bought = select(Purchase.id).where(Purchase.user_id == UserCredits.user_id).exists()
    return [
        (_count(connection, JournalEntry, _is_foreign(JournalEntry.idempotency_key)), "other entry", "other entries"),
        (_count(connection, UnlockAnswer, _is_foreign(UnlockAnswer.idempotency_key)), "other answer", "other answers"),
        (_count(connection, Purchase, _is_foreign(Purchase.idempotency_key)), "other purchase", "other purchases"),
        (
            _count(connection, UserCredits, ~has_moved, ~has_bought),
            "account without entries",
            "accounts without entries",
        ),
    ]


def _is_foreign(key: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    is_tried_over_http = and_(key.like(_TRIED_OVER_HTTP), key.not_like(_CHOSEN_BY_A_CALLER))
    own = (_BUILT, _TRIED, *_FOLLOWING)
    return and_(*(key.not_like(pattern) for pattern in own), not_(is_tried_over_http))


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _count(connection: Connection, table: type[Base], *conditions: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())


def start_over(
    connection: Connection,
    world: DemoWorld,
    *,
    prices: str,
    models: ModelRegistry,
    ends_at: datetime,
    now: datetime,
    actor: Actor,
) -> Holdings:
    """Empty the database and build the demo world as in a new one, and return what was deleted.

    In a ledger without entries it only builds. `prices` is the TOML of the first price list; `models` finds models that
    are not offered.

    Raises:
        NotAllowed: the actor may not manage the database.
        NotADemo: the database holds anything but a demo.
        InvalidRequest: on PostgreSQL, the tables belong to another role.
    """
    actor.require(May.MANAGE)
    # Everybody who charges or makes something live waits from here on. In this order, as they take the locks.
    plan_actions.lock_all(connection)
    locks.lock_everyone(connection)
    deleted = holdings(connection)
    if deleted.entries:
        clearing.clear(connection)
        lists.begin_with(connection, prices)
    # A book of its own: should this be rolled back, nobody may keep it.
    demo.build(connection, world, PriceBooks(models).at(connection), ends_at=ends_at)
    detail = {"deleted": str(deleted)}
    activity.note(connection, Change.DEMO_STARTED_OVER, "demo", actor=actor.recorded, now=now, detail=detail)
    return deleted
