"""Undoes what was done with a plan: discards a draft that was saved, saves one that was discarded, goes back.

Each refuses, by raising a refusal, when somebody changed the plan or the live plan since.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection

from credits_core.plans import actions as plan_actions
from credits_core.plans import records as plan_records
from credits_core.plans.records import PlanRecord
from credits_core.pricing.plan import PricePlan
from pages.parts import resources, who, words


def saved(kept: PlanRecord, before: PlanRecord | None) -> Callable[[], str]:
    """What undoes the saving of a draft: it is discarded, or saved as it was before."""
    return partial(_save_as_before, kept, before.plan) if before else partial(_discard, kept)


def discarded(plan: PricePlan) -> Callable[[], str]:
    """What undoes the discarding of a draft: it is saved again, as a new one."""
    return partial(_save_again, plan)


def made_live(plan_id: str, *, before_id: str) -> Callable[[], str]:
    """What undoes an activation: the plan that was live before is made live again."""
    return partial(_go_back, plan_id, before_id)


def _discard(kept: PlanRecord) -> str:
    now, actor = datetime.now(UTC), who.actor()
    resources.writing(lambda connection: plan_actions.discard_draft(connection, kept, now=now, actor=actor))
    return "Discarded again."


def _save_as_before(kept: PlanRecord, plan: PricePlan) -> str:
    record = _save(plan, kept)
    return f"Saved as it was before, as revision {record.revision}."


def _save_again(plan: PricePlan) -> str:
    _save(plan, None)
    return f"{words.plain(plan.id)} is a draft again."


def _save(plan: PricePlan, seen: PlanRecord | None) -> PlanRecord:
    now, actor = datetime.now(UTC), who.actor()
    return resources.writing(
        lambda connection: plan_actions.save_draft(connection, plan, seen=seen, now=now, actor=actor)
    )


def _go_back(plan_id: str, before_id: str) -> str:
    now, actor = datetime.now(UTC), who.actor()

    def activate(connection: Connection) -> None:
        plan_actions.activate(
            connection,
            plan_records.plans(connection)[before_id],
            reason=f"Undone: {plan_id} was made live by mistake",
            now=now,
            actor=actor,
            in_place_of=plan_id,
        )

    resources.writing(activate)
    return f"{words.plain(before_id)} is live again."
