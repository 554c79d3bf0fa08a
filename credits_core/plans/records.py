"""Reads the stored price plans and the journal of their activations."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from credits_core.errors import DataFileInvalid
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import parse_price_plan
from credits_core.store.tables import PlanActivation, StoredPlan
from credits_core.values.days import from_microseconds


class PlanStatus(StrEnum):
    """A plan's state: a draft, live (`IN_FORCE`), or previously live (`RETIRED`)."""

    DRAFT = "draft"
    IN_FORCE = "in force"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A stored plan. `actor` is who saved it last.

    `revision` counts how often a draft with this id was saved, from 1. It goes on counting after a draft was discarded.
    """

    plan: PricePlan
    status: PlanStatus
    revision: int
    actor: str
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Activation:
    """One line of the journal: which plan was made live, by whom, when and why.

    The first line, for the specification's plan, is dated 1970-01-01: that plan was live from the start.
    """

    number: int
    plan_id: str
    reason: str
    actor: str
    activated_at: datetime


def plans(connection: Connection) -> dict[str, PlanRecord]:
    """Every stored plan by its id: first the live plan, then drafts, then previously live plans, each group by id.

    Raises:
        DataFileInvalid: a stored plan was damaged and cannot be read.
    """
    journal = activations(connection)
    activated = {activation.plan_id for activation in journal}
    records = []
    kept = select(StoredPlan.__table__).where(StoredPlan.discarded_at_us.is_(None)).order_by(StoredPlan.id)
    for row in connection.execute(kept):
        status = PlanStatus.RETIRED if row.id in activated else PlanStatus.DRAFT
        if row.id == journal[0].plan_id:
            status = PlanStatus.IN_FORCE
        saved_at = from_microseconds(row.saved_at_us)
        records.append(PlanRecord(parse_stored(row.id, row.toml), status, row.revision, row.actor, saved_at))
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


def parse_stored(plan_id: str, toml: str) -> PricePlan:
    """The plan in a stored row.

    Raises:
        DataFileInvalid: the row was damaged and cannot be read, or holds a plan with another id.
    """
    source = f"the stored price plan {plan_id}"
    plan = parse_price_plan(toml, source)
    if plan.id != plan_id:
        raise DataFileInvalid(source, [f"holds another plan, {plan.id!r}"])
    return plan
