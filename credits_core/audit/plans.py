"""The invariant of the journal of live plans: each line is sealed together with its plan and the line before.

The journal is the only record of which plan was live when, by whom and why; a broken seal shows that it was changed.
"""

from sqlalchemy import Connection, select

from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.audit.journals import missing_at_the_end
from credits_core.store.tables import PlanActivation, StoredPlan
from credits_core.values.seal import seal


def activations_are_sealed(connection: Connection, _: Plans, _since: Since = BEGINNING) -> Finding:
    """The activations are numbered from 1 without a gap; neither they nor their plans were changed since, and none is
    missing at the end."""
    rows = connection.execute(
        select(
            PlanActivation.id,
            PlanActivation.plan_id,
            PlanActivation.reason,
            PlanActivation.actor,
            PlanActivation.activated_at_us,
            PlanActivation.seal,
            StoredPlan.toml,
            StoredPlan.revision,
            StoredPlan.actor.label("plan_actor"),
            StoredPlan.saved_at_us,
        )
        .outerjoin(StoredPlan, StoredPlan.id == PlanActivation.plan_id)
        .order_by(PlanActivation.id)
    ).all()
    violations, seal_before = [] if rows else ["no plan was ever activated"], ""
    for number, row in enumerate(rows, 1):
        activation = (number, row.plan_id, row.reason, row.actor, row.activated_at_us)
        plan = (row.toml, row.revision, row.plan_actor, row.saved_at_us)
        if row.id != number:
            violations.append(f"activation {number} is missing before activation {row.id}")
            break
        if row.seal != seal(activation, plan, seal_before):
            violations.append(f"activation {row.id}, of {row.plan_id}, or its plan was changed since")
        seal_before = row.seal
    plans = connection.execute(
        select(StoredPlan.id, StoredPlan.last_activation_id, StoredPlan.discarded_at_us).order_by(StoredPlan.id)
    ).all()
    journal = {row.plan_id: row.id for row in rows}
    violations += missing_at_the_end("plan", {plan.id: plan.last_activation_id for plan in plans}, journal)
    discarded = [plan.id for plan in plans if plan.discarded_at_us is not None]
    violations += [f"plan {plan_id} was made live and is discarded" for plan_id in discarded if plan_id in journal]
    return Finding("every activated plan is as it was activated", len(rows), tuple(violations))
