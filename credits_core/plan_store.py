"""Price plans in the database: drafts that are edited, the journal of activations, and the price book of the moment.

A plan is a draft until it is activated; from then on it never changes, because runs are priced with it, and a change is
a plan with another id. The newest activation names the plan in force. Like the services, the actions here never commit
and never ask for the time.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, select, text, update

from credits_core.errors import DataFileInvalid, DraftChanged, PlanActivated, PlanInForce
from credits_core.ledger import Statement
from credits_core.model_registry import ModelRegistry
from credits_core.money import require_id
from credits_core.plan_audit import seal
from credits_core.plan_files import checked, parse_price_plan, price_plan_toml
from credits_core.price_plan import PricePlan
from credits_core.pricing import PriceBook
from credits_core.request_checks import require_text
from credits_core.tables import PlanActivation, StoredPlan, from_microseconds, to_microseconds

_ACTIVATION_LOCK = 7_206_151_031
_newest_activation = Statement([], lambda _: select(func.max(PlanActivation.id)))


class PlanStatus(StrEnum):
    """Where a plan is in its life: a draft, in force, or retired, which is activated once and in force no more."""

    DRAFT = "draft"
    IN_FORCE = "in force"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A stored plan. `revision` counts how often it was saved, from 1; `actor` saved it last."""

    plan: PricePlan
    status: PlanStatus
    revision: int
    actor: str
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Activation:
    """One line of the journal: this plan was put in force, by whom, when and why.

    The first, that of the specification's plan, is dated 1970-01-01: it has been in force from the start.
    """

    number: int
    plan_id: str
    reason: str
    actor: str
    activated_at: datetime


class PriceBooks:
    """The price book of the moment, read again only when a plan was activated since. One for each process.

    To be asked inside the unit of work that charges, so that an activation holds from the next charge on; but not in
    the one that activates, because that may yet be rolled back.
    """

    def __init__(self, models: ModelRegistry) -> None:
        """Take the models; a process reads them once."""
        self.models = models
        self._newest: tuple[int, PriceBook] | None = None

    def at(self, connection: Connection) -> PriceBook:
        """The book with the plan in force and with every plan that was ever activated.

        Raises:
            DataFileInvalid: a stored plan was damaged and cannot be read.
        """
        (number,) = _newest_activation.run(connection, ()).fetchone()
        newest = self._newest
        if newest is None or newest[0] != number:
            newest = (number, _book(connection, self.models, number))
            self._newest = newest
        return newest[1]


def plans(connection: Connection) -> dict[str, PlanRecord]:
    """Every stored plan by its id: the one in force, then drafts, then retired ones, each kind in order of the ids.

    Raises:
        DataFileInvalid: a stored plan was damaged and cannot be read.
    """
    journal = activations(connection)
    activated = {activation.plan_id for activation in journal}
    records = []
    for row in connection.execute(select(*StoredPlan.__table__.columns).order_by(StoredPlan.id)):
        status = PlanStatus.RETIRED if row.id in activated else PlanStatus.DRAFT
        if row.id == journal[0].plan_id:
            status = PlanStatus.IN_FORCE
        saved_at = from_microseconds(row.saved_at_us)
        records.append(PlanRecord(_parse(row.id, row.toml), status, row.revision, row.actor, saved_at))
    order = [PlanStatus.IN_FORCE, PlanStatus.DRAFT, PlanStatus.RETIRED]
    return {record.plan.id: record for record in sorted(records, key=lambda record: order.index(record.status))}


def activations(connection: Connection) -> list[Activation]:
    """The journal of activations, newest first."""
    journal = connection.execute(
        select(
            PlanActivation.id,
            PlanActivation.plan_id,
            PlanActivation.reason,
            PlanActivation.actor,
            PlanActivation.activated_at_us,
        ).order_by(PlanActivation.id.desc())
    )
    return [Activation(*row[:4], from_microseconds(row.activated_at_us)) for row in journal]


def save_draft(
    connection: Connection, plan: PricePlan, *, seen: PlanRecord | None, now: datetime, actor: str
) -> PlanRecord:
    """Keep a draft and return what is stored. `seen` is the draft as it was before the change, None for a new one.

    Raises:
        InvalidRequest: no plan can be like that.
        PlanActivated: a plan with this id was activated, so it never changes.
        DraftChanged: the draft is not as it was seen: somebody saved or discarded it meanwhile, or has taken the id.
    """
    require_id("actor", actor)
    _lock_drafts(connection, plan.id)
    _require_as_seen(connection, plan.id, seen)
    kept = PlanRecord(plan, PlanStatus.DRAFT, seen.revision + 1 if seen else 1, actor, now)
    saved = {
        "toml": price_plan_toml(checked(plan)),
        "revision": kept.revision,
        "actor": actor,
        "saved_at_us": to_microseconds(now),
    }
    if seen:
        connection.execute(update(StoredPlan).where(StoredPlan.id == plan.id).values(saved))
    else:
        connection.execute(insert(StoredPlan).values(id=plan.id, **saved))
    return kept


def discard_draft(connection: Connection, seen: PlanRecord) -> None:
    """Delete a draft.

    Raises:
        PlanActivated: it is no draft any more.
        DraftChanged: the draft is not as it was seen.
    """
    _lock_drafts(connection, seen.plan.id)
    _require_as_seen(connection, seen.plan.id, seen)
    connection.execute(delete(StoredPlan).where(StoredPlan.id == seen.plan.id))


def activate(connection: Connection, seen: PlanRecord, *, reason: str, now: datetime, actor: str) -> None:
    """Put a plan in force from the next charge on, a draft or a retired one, and write that into the journal.

    Raises:
        InvalidRequest: the reason is not 1 to 500 characters.
        DraftChanged: the plan is not as it was seen; so nobody activates what somebody else has just changed.
        PlanInForce: it is in force already.
    """
    reason = require_text("reason", reason)
    require_id("actor", actor)
    plan_id = seen.plan.id
    _lock(connection)
    _require_as_seen(connection, plan_id, seen)
    newest = connection.execute(
        select(PlanActivation.id, PlanActivation.plan_id, PlanActivation.seal)
        .order_by(PlanActivation.id.desc())
        .limit(1)
    ).one()
    if newest.plan_id == plan_id:
        raise PlanInForce(plan_id)
    plan = connection.execute(
        select(StoredPlan.toml, StoredPlan.revision, StoredPlan.actor, StoredPlan.saved_at_us).where(
            StoredPlan.id == plan_id
        )
    ).one()
    sealed = (plan.toml, plan.revision, plan.actor, plan.saved_at_us)
    activation = (newest.id + 1, plan_id, reason, actor, to_microseconds(now))
    columns = ("id", "plan_id", "reason", "actor", "activated_at_us")
    connection.execute(
        insert(PlanActivation).values(
            **dict(zip(columns, activation, strict=True)), seal=seal(activation, sealed, newest.seal)
        )
    )


def _lock(connection: Connection) -> None:
    # Until the unit of work ends, nobody else saves or activates a plan. On SQLite it is the only writer anyway.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ACTIVATION_LOCK})"))


def _lock_drafts(connection: Connection, plan_id: str) -> None:
    _lock(connection)
    is_activated = select(PlanActivation.id).where(PlanActivation.plan_id == plan_id).limit(1)
    if connection.execute(is_activated).first() is not None:
        raise PlanActivated(plan_id)


def _require_as_seen(connection: Connection, plan_id: str, seen: PlanRecord | None) -> None:
    # The time beside the revision, because a draft that is discarded and made anew begins with revision 1 again.
    state = select(StoredPlan.revision, StoredPlan.saved_at_us).where(StoredPlan.id == plan_id)
    found = connection.execute(state).one_or_none()
    expected = None if seen is None else (seen.revision, to_microseconds(seen.saved_at))
    if (None if found is None else tuple(found)) != expected:
        raise DraftChanged(plan_id, seen.revision if seen else 0, found.revision if found else 0)


def _book(connection: Connection, models: ModelRegistry, number: int) -> PriceBook:
    rows = connection.execute(
        select(PlanActivation.id, StoredPlan.id.label("plan_id"), StoredPlan.toml)
        .join(StoredPlan, StoredPlan.id == PlanActivation.plan_id)
        .where(PlanActivation.id <= number)
        .order_by(PlanActivation.id)
    ).all()
    activated = {row.plan_id: _parse(row.plan_id, row.toml) for row in rows}
    return PriceBook(models=models, plan=activated[rows[-1].plan_id], plans=activated)


def _parse(plan_id: str, toml: str) -> PricePlan:
    source = f"the stored price plan {plan_id}"
    plan = parse_price_plan(toml, source)
    if plan.id != plan_id:
        raise DataFileInvalid(source, [f"says that it is {plan.id!r}"])
    return plan
