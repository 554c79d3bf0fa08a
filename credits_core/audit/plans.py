"""The invariant of the journal of live plans: each line is sealed together with its plan and the line before.

The journal is the only record of which plan was live when, by whom and why; a broken seal shows that it was changed.
"""

from sqlalchemy import Connection, select

from credits_core.audit.finding import Finding, Plans
from credits_core.store.tables import PlanActivation, StoredPlan
from credits_core.values.seal import seal


def activations_are_sealed(connection: Connection, _: Plans) -> Finding:
    """The activations are numbered from 1 without a gap, and neither they nor their plans were changed since."""
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
    return Finding("every activated plan is as it was activated", len(rows), tuple(violations))
