"""What the comparison opens with: the live plan and the newest draft, and never a plan beside itself."""

from dataclasses import replace

from credits_core.lab.inspector.cures import Cure, cures, same_rules
from credits_core.plans import records as plan_records
from credits_core.plans.records import PlanStatus
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import to_line
from pages.parts import resources


def to_begin_with() -> dict[str, str]:
    """The live plan as `a`; as `b` the newest draft, else the plan that was live before, else the live plan with a fix.

    Where there is only one plan, and nothing in it to fix, it is also `b`, to be edited.
    """
    with resources.reading() as connection:
        records, journal = plan_records.plans(connection), plan_records.activations(connection)
    live = next(iter(records))
    drafts = [record for record in records.values() if record.status is PlanStatus.DRAFT]
    if drafts:
        newest = max(drafts, key=lambda record: (record.saved_at, record.plan.id))
        return {"a": live, "b": newest.plan.id}
    before = [activation.plan_id for activation in journal if activation.plan_id != live]
    if before:
        return {"a": live, "b": before[0]}
    fixes = cures(records[live].plan, records.keys())
    return {"a": live, "b": live} | ({"edit": to_line(fixes[0].plan)} if fixes else {})


def fix_in(edited: PricePlan, stored: PricePlan) -> Cure | None:
    """The fix of the stored plan that the edited one has, whatever its tiers; None when it has none."""
    of_tiers_before = replace(edited, tiers=stored.tiers)
    return next((cure for cure in cures(stored, ()) if same_rules(cure.plan, of_tiers_before)), None)
