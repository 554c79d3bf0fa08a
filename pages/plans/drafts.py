"""Drafts of price plans on the way in: kept, with the way back, and imported from TOML files."""

import streamlit as st

from credits_core.errors import CreditsError, DataFileInvalid
from credits_core.plans import actions as plan_actions
from credits_core.plans.records import PlanRecord, PlanStatus
from credits_core.plans.refusals import PlanActivated
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_difference import plan_difference
from credits_core.pricing.plan_toml import parse_price_plan
from pages.parts import action, clock, done, links, plan_choice, show, words
from pages.plans import undo

_IMPORT, _BROUGHT = "plan:import", "plan:import:asked"
_SCREEN = "Plans"


def say_saved(screen: str, kept: PlanRecord, before: PlanRecord | None) -> None:
    """Note on the screen that a draft was saved, with the way back. `before` is the draft that it replaced."""
    which = f", revision {kept.revision}" if before else ""
    done.add(
        screen,
        f"Saved the draft **{words.plain(kept.plan.id)}**{which}. It charges nobody.",
        link=done.Link("plans/pricing_lab.py", "Open it", links.carry_to(plan=kept.plan.id)),
        undo=undo.saved(kept, before),
    )


def bring_in(stored: dict[str, PlanRecord]) -> None:
    """Import a plan from a TOML file as a draft; every problem of the file is listed.

    Over a draft it shows what would change, and replaces only the revision that it showed.
    """
    asked = st.session_state.pop(_BROUGHT, None)
    file = st.file_uploader("Import a plan (TOML)", type="toml", key="plan:file")
    if file is None:
        return
    try:
        plan = parse_price_plan(file.getvalue().decode("utf-8"), file.name)
    except UnicodeDecodeError:
        st.error("Nothing was imported.", title="The file is not UTF-8 text", icon=":material/block:")
        return
    except DataFileInvalid as error:
        lines = "\n".join(f"- {words.plain(problem)}" for problem in error.problems)
        st.error(lines, title="The plan in this file is not valid", icon=":material/block:")
        return
    before = stored.get(plan.id)
    if before and before.status is not PlanStatus.DRAFT:
        show.refusal(PlanActivated(plan.id), undone="Nothing was imported.")
        return
    if asked is not None:
        refusal = save(_SCREEN, asked[0], seen=asked[1])
        if refusal is None:
            plan_choice.show(plan.id, key="plan")
        show.refusal(refusal, undone="Nothing was saved.")
    action.performed(_IMPORT)
    if before:
        _what_changes(before, plan)
    label = f"Replace draft {plan.id}" if before else f"Save {plan.id} as draft"
    # The arguments are those of the page that the person saw, not of the one that the click draws.
    st.button(words.plain(label), icon=":material/save:", on_click=_bring, args=(plan, before))


def _bring(plan: PricePlan, seen: PlanRecord | None) -> None:
    st.session_state[_BROUGHT] = (plan, seen)


def _what_changes(before: PlanRecord, plan: PricePlan) -> None:
    st.caption(
        f"Replaces revision {before.revision}, saved by {words.by(before.actor)} "
        f"on {clock.text(before.saved_at, '%Y-%m-%d at %H:%M')}."
    )
    changes = plan_difference(before.plan, plan)
    st.markdown("\n".join(f"- {words.plain(change)}" for change in changes or ["no difference"]))


def save(screen: str, plan: PricePlan, *, seen: PlanRecord | None) -> CreditsError | None:
    """Keep a draft and say so on the screen, or return why it was refused. `seen` is the draft as it was before."""
    outcome = action.perform(
        _IMPORT,
        (plan, seen),
        lambda connection, _key, now, actor: plan_actions.save_draft(connection, plan, seen=seen, now=now, actor=actor),
    )
    if outcome.result is not None and outcome.refusal is None:
        say_saved(screen, outcome.result, seen)
        action.start_over(_IMPORT)
    return outcome.refusal
