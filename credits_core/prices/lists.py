"""Price lists in the database: versions of the model prices, and the journal of the live ones.

A list never changes. A change of prices, and of the models that are offered, is a new list, made live by a person with
a reason. Like the ledger's actions, these never commit and never ask for the time.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, text, update

from credits_core.prices.refusals import PriceListLive, UnknownPriceList
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.tables import PriceList, PriceListActivation
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.fields import require_id, require_text
from credits_core.values.roles import Actor, May, system
from credits_core.values.seal import seal

ACTIVATION_LOCK = 7_206_151_032
"""PostgreSQL's advisory lock that an activation takes alone, and every charge together with the other charges."""
_MIGRATION = system("migration")
_FIRST = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class PriceListRecord:
    """A version of the price list. `source` says where it is from, `actor` who saved it."""

    number: int
    source: str
    actor: str
    saved_at: datetime
    is_live: bool


@dataclass(frozen=True, slots=True)
class PriceListActivated:
    """One line of the journal: this list was made live, by whom, when and why."""

    number: int
    price_list: int
    reason: str
    actor: str
    activated_at: datetime


def lists(connection: Connection) -> list[PriceListRecord]:
    """Every version, newest first."""
    live = live_list(connection)
    rows = connection.execute(
        select(PriceList.id, PriceList.source, PriceList.actor, PriceList.saved_at_us).order_by(PriceList.id.desc())
    )
    return [
        PriceListRecord(row.id, row.source, row.actor, from_microseconds(row.saved_at_us), row.id == live)
        for row in rows
    ]


def activations(connection: Connection) -> list[PriceListActivated]:
    """The journal, newest first."""
    rows = connection.execute(select(PriceListActivation.__table__).order_by(PriceListActivation.id.desc()))
    return [
        PriceListActivated(row.id, row.price_list_id, row.reason, row.actor, from_microseconds(row.activated_at_us))
        for row in rows
    ]


def live_list(connection: Connection) -> int | None:
    """The number of the live list, or None when the database has none yet."""
    newest = select(PriceListActivation.price_list_id).order_by(PriceListActivation.id.desc()).limit(1)
    return connection.execute(newest).scalar()


def text_of(connection: Connection, number: int) -> str:
    """The TOML of a version.

    Raises:
        UnknownPriceList: no version has this number.
    """
    found = connection.execute(select(PriceList.toml).where(PriceList.id == number)).scalar()
    if found is None:
        raise UnknownPriceList(number)
    return str(found)


def models_of(connection: Connection, number: int) -> ModelRegistry:
    """The models of a version, with their prices.

    Raises:
        UnknownPriceList: no version has this number.
        DataFileInvalid: the stored list was damaged and cannot be read.
    """
    return parse_model_registry(text_of(connection, number), f"the stored price list {number}", is_kept=True)


def save(connection: Connection, toml: str, *, source: str, now: datetime, actor: Actor) -> int:
    """Keep a price list as a new version, which is not live yet, and return its number.

    Raises:
        NotAllowed: the actor may not save price lists.
        DataFileInvalid: it is no price list; every problem is listed.
        InvalidRequest: the actor is no id, or the source is not 1 to 500 characters.
    """
    actor.require(May.DRAFT_PLANS)
    recorded = require_id("actor", actor.recorded)
    source = require_text("source", source)
    parse_model_registry(toml, source)
    lock(connection)
    number = 1 + int(connection.execute(select(func.coalesce(func.max(PriceList.id), 0))).scalar_one())
    kept = {"id": number, "toml": toml, "source": source, "actor": recorded, "saved_at_us": to_microseconds(now)}
    connection.execute(insert(PriceList).values(kept))
    if actor is not _MIGRATION:
        detail = {"source": source}
        activity.note(connection, Change.PRICES_SAVED, str(number), actor=recorded, now=now, detail=detail)
    return number


def activate(connection: Connection, number: int, *, reason: str, now: datetime, actor: Actor) -> None:
    """Make a version live from the next charge on, in every process, and write that into the journal.

    Raises:
        NotAllowed: the actor may not make prices live.
        NeedsApproval: another person must approve it (`access.proposals`).
        InvalidRequest: the actor is no id, or the reason is not 1 to 500 characters.
        UnknownPriceList: no version has this number.
        PriceListLive: it is live already.
    """
    actor.require(May.PROPOSE_PLANS)
    actor.require_second()
    recorded = require_id("actor", actor.recorded)
    reason = require_text("reason", reason)
    lock(connection)
    columns = (PriceList.toml, PriceList.source, PriceList.actor, PriceList.saved_at_us)
    kept = connection.execute(select(*columns).where(PriceList.id == number)).one_or_none()
    if kept is None:
        raise UnknownPriceList(number)
    newest = connection.execute(
        select(PriceListActivation.id, PriceListActivation.price_list_id, PriceListActivation.seal)
        .order_by(PriceListActivation.id.desc())
        .limit(1)
    ).one_or_none()
    if newest is not None and newest.price_list_id == number:
        raise PriceListLive(number)
    # Counted by the lists as well: a line that is missing at the end of the journal must leave a gap.
    last = connection.execute(select(func.max(PriceList.last_activation_id))).scalar_one() or 0
    line = 1 + max(last, 0 if newest is None else newest.id)
    record = (line, number, reason, recorded, to_microseconds(now))
    sealed = seal(record, tuple(kept), "" if newest is None else newest.seal)
    names = ("id", "price_list_id", "reason", "actor", "activated_at_us")
    connection.execute(insert(PriceListActivation).values(**dict(zip(names, record, strict=True)), seal=sealed))
    connection.execute(update(PriceList).where(PriceList.id == number).values(last_activation_id=line))
    if actor is not _MIGRATION:
        before = None if newest is None else newest.price_list_id
        detail = {"reason": reason, "source": kept.source, "in_place_of": before}
        activity.note(connection, Change.PRICES_MADE_LIVE, str(number), actor=recorded, now=now, detail=detail)


def begin_with(connection: Connection, toml: str) -> None:
    """Make this list the first live one of a database that has none yet; otherwise nothing.

    It is dated 1970: a new database has had these prices from the start.
    """
    lock(connection)
    if live_list(connection) is None:
        number = save(connection, toml, source="data/models.toml", now=_FIRST, actor=_MIGRATION)
        activate(connection, number, reason="The prices that this version brings", now=_FIRST, actor=_MIGRATION)


def lock(connection: Connection) -> None:
    """Until the unit of work ends nobody else saves or activates a list, and no charge is under way.

    On SQLite it is the only writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ACTIVATION_LOCK})"))
