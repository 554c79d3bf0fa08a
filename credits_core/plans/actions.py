"""The actions on stored price plans: save and discard a draft, and make a plan live.

A plan is a draft until it is made live. From then on it never changes, because runs are priced with it; a change is a
plan with another id. The newest activation in the journal names the live plan. Like the actions of the ledger, these
never commit and never ask for the time. `plans.records` reads plans, `plans.book` gives the current price book.
"""

from datetime import datetime

from sqlalchemy import Connection, func, insert, select, text, update

from credits_core.plans.records import PlanRecord, PlanStatus
from credits_core.plans.refusals import DraftChanged, LivePlanChanged, PlanActivated, PlanInForce
from credits_core.prices.lists import ACTIVATION_LOCK
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import checked, price_plan_toml
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.tables import PlanActivation, StoredPlan
from credits_core.values.days import to_microseconds
from credits_core.values.fields import require_id, require_text
from credits_core.values.roles import Actor, May
from credits_core.values.seal import seal

_PLANS_LOCK = 7_206_151_031


def save_draft(
    connection: Connection, plan: PricePlan, *, seen: PlanRecord | None, now: datetime, actor: Actor
) -> PlanRecord:
    """Save a draft and return what is stored. `seen` is the draft as it was before the change; None for a new one.

    Raises:
        NotAllowed: the actor may not save plans.
        InvalidRequest: the plan breaks a rule of plans; every problem is named.
        PlanActivated: a plan with this id is or was live, so it never changes.
        DraftChanged: somebody saved or discarded the draft meanwhile, or a new draft's id is taken.
    """
    actor.require(May.DRAFT_PLANS)
    recorded = require_id("actor", actor.recorded)
    _lock_drafts(connection, plan.id)
    last_revision = _require_as_seen(connection, plan.id, seen)
    kept = PlanRecord(plan, PlanStatus.DRAFT, last_revision + 1, recorded, now)
    saved = {
        "toml": price_plan_toml(checked(plan)),
        "revision": kept.revision,
        "actor": recorded,
        "saved_at_us": to_microseconds(now),
        "discarded_at_us": None,
    }
    if last_revision:
        connection.execute(update(StoredPlan).where(StoredPlan.id == plan.id).values(saved))
    else:
        connection.execute(insert(StoredPlan).values(id=plan.id, **saved))
    detail = {"revision": kept.revision}
    activity.note(connection, Change.PLAN_SAVED, plan.id, actor=recorded, now=now, detail=detail)
    return kept


def discard_draft(connection: Connection, seen: PlanRecord, *, now: datetime, actor: Actor) -> None:
    """Discard a draft. A new one may have its id, but never one of its revisions.

    Raises:
        NotAllowed: the actor may not save plans, and so not discard them.
        PlanActivated: the plan is or was live.
        DraftChanged: somebody saved or discarded the draft meanwhile.
    """
    actor.require(May.DRAFT_PLANS)
    _lock_drafts(connection, seen.plan.id)
    _require_as_seen(connection, seen.plan.id, seen)
    discarded = update(StoredPlan).where(StoredPlan.id == seen.plan.id)
    connection.execute(discarded.values(discarded_at_us=to_microseconds(now)))
    detail = {"revision": seen.revision}
    activity.note(connection, Change.PLAN_DISCARDED, seen.plan.id, actor=actor.recorded, now=now, detail=detail)


def activate(
    connection: Connection,
    seen: PlanRecord,
    *,
    reason: str,
    now: datetime,
    actor: Actor,
    in_place_of: str | None = None,
) -> None:
    """Make a draft or a previously live plan live, from the next charge on, and write that into the journal.

    `in_place_of` is the id of the plan that the caller believes to be live, where the decision depends on it.

    Raises:
        NotAllowed: the actor may not make plans live.
        NeedsApproval: another person must approve it (`access.proposals`).
        InvalidRequest: the reason does not have 1 to 500 characters.
        DraftChanged: somebody changed the plan meanwhile, so it is not the plan that the caller looked at.
        PlanInForce: the plan is already live.
        LivePlanChanged: another plan than `in_place_of` is live.
    """
    actor.require(May.PROPOSE_PLANS)
    actor.require_second()
    reason = require_text("reason", reason)
    recorded = require_id("actor", actor.recorded)
    plan_id = seen.plan.id
    lock_all(connection)  # no charge is under way then: each was priced with what was live
    _require_as_seen(connection, plan_id, seen)
    newest = connection.execute(
        select(PlanActivation.id, PlanActivation.plan_id, PlanActivation.seal)
        .order_by(PlanActivation.id.desc())
        .limit(1)
    ).one()
    if newest.plan_id == plan_id:
        raise PlanInForce(plan_id)
    if in_place_of not in {None, newest.plan_id}:
        raise LivePlanChanged(in_place_of, newest.plan_id)
    plan = connection.execute(
        select(StoredPlan.toml, StoredPlan.revision, StoredPlan.actor, StoredPlan.saved_at_us).where(
            StoredPlan.id == plan_id
        )
    ).one()
    sealed = (plan.toml, plan.revision, plan.actor, plan.saved_at_us)
    # Counted by the plans as well: a line that is missing at the end of the journal must leave a gap.
    last = connection.execute(select(func.max(StoredPlan.last_activation_id))).scalar_one() or 0
    line = 1 + max(last, newest.id)
    activation = (line, plan_id, reason, recorded, to_microseconds(now))
    columns = ("id", "plan_id", "reason", "actor", "activated_at_us")
    connection.execute(
        insert(PlanActivation).values(
            **dict(zip(columns, activation, strict=True)), seal=seal(activation, sealed, newest.seal)
        )
    )
    connection.execute(update(StoredPlan).where(StoredPlan.id == plan_id).values(last_activation_id=line))
    detail = {"reason": reason, "in_place_of": newest.plan_id}
    activity.note(connection, Change.PLAN_MADE_LIVE, plan_id, actor=recorded, now=now, detail=detail)


def lock_all(connection: Connection) -> None:
    """Make everyone wait who saves a plan, makes a plan or prices live, or charges, until this unit of work ends."""
    _lock(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ACTIVATION_LOCK})"))


def _lock(connection: Connection) -> None:
    # Until the unit of work ends, nobody else saves or activates a plan. On SQLite it is the only writer anyway.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_PLANS_LOCK})"))


def _lock_drafts(connection: Connection, plan_id: str) -> None:
    _lock(connection)
    is_activated = select(PlanActivation.id).where(PlanActivation.plan_id == plan_id).limit(1)
    if connection.execute(is_activated).first() is not None:
        raise PlanActivated(plan_id)


def _require_as_seen(connection: Connection, plan_id: str, seen: PlanRecord | None) -> int:
    """The last revision that a plan with this id had, 0 when there never was one."""
    state = select(StoredPlan.revision, StoredPlan.discarded_at_us).where(StoredPlan.id == plan_id)
    found = connection.execute(state).one_or_none()
    revision = 0 if found is None or found.discarded_at_us is not None else found.revision
    expected = seen.revision if seen else 0
    if revision != expected:
        raise DraftChanged(plan_id, expected, revision)
    return found.revision if found else 0
