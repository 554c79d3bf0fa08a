"""Buttons for a stored plan: make it live, discard it, download it; and importing a plan from a file."""

import pandas as pd
import streamlit as st

from credits_core.errors import CreditsError, DataFileInvalid
from credits_core.plans import actions as plan_actions
from credits_core.plans.records import Activation, PlanRecord, PlanStatus
from credits_core.plans.refusals import PlanActivated
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_difference import plan_difference
from credits_core.pricing.plan_toml import parse_price_plan, price_plan_toml
from pages.parts import action, plan_choice, resources, show, words

_ACTIVATE, _DISCARD, _IMPORT = "plan:activate", "plan:discard", "plan:import"
_ASKED, _BROUGHT = "plan:asked", "plan:import:asked"


def row(record: PlanRecord) -> None:
    """The buttons for what can be done with the plan, in one row."""
    with st.container(horizontal=True):
        if record.status is not PlanStatus.IN_FORCE:
            st.button("Make live", icon=":material/bolt:", on_click=_ask, args=("activate", record))
        if record.status is PlanStatus.DRAFT:
            st.button("Discard draft", icon=":material/delete:", on_click=_ask, args=("discard", record))
        st.download_button(
            "Download as TOML",
            price_plan_toml(record.plan),
            f"{record.plan.id}.toml",
            "application/toml",
            icon=":material/download:",
            on_click="ignore",
        )
    asked, of_plan = st.session_state.get(_ASKED, (None, None))
    if of_plan == record:
        if asked == "activate":
            _activation(record)
        else:
            _discarding(record)
    elif of_plan is not None and of_plan.plan.id == record.plan.id:
        _stop_asking()
        st.warning(
            f"Now you see revision {record.revision}, saved by {words.plain(record.actor)}. Nothing was changed.",
            title="Somebody saved this draft meanwhile",
            icon=":material/sync_problem:",
        )


def _ask(what: str, record: PlanRecord) -> None:
    action.start_over(_ACTIVATE)
    action.start_over(_DISCARD)
    st.session_state[_ASKED] = (what, record)


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Make this plan live?", icon=":material/bolt:", on_dismiss=_stop_asking)
def _activation(record: PlanRecord) -> None:
    which = f", revision {record.revision}," if record.status is PlanStatus.DRAFT else ""
    st.markdown(
        f"**{words.plain(record.plan.id)}**{which} will price all new runs and unlocks. Past charges do not change. "
        "A live plan cannot be edited; to go back, make an earlier plan live."
    )
    with st.form("activate", border=False):
        reason = st.text_input("Reason", max_chars=500, placeholder="Kept in the journal", key="activate:reason")
        confirmed = st.form_submit_button("Make live", type="primary", icon=":material/bolt:")
    if confirmed:
        outcome = action.perform(
            _ACTIVATE,
            (record, reason),
            lambda connection, _key, now: plan_actions.activate(
                connection, record, reason=reason, now=now, actor=action.ACTOR
            ),
        )
        if outcome.refusal is None:
            _stop_asking()
            st.toast(f"{words.plain(record.plan.id)} is now live.", icon=":material/bolt:")
            st.rerun()
        show.refusal(outcome.refusal, undone="The live plan has not changed.")


@st.dialog("Discard this draft?", icon=":material/delete:", on_dismiss=_stop_asking)
def _discarding(record: PlanRecord) -> None:
    st.markdown(f"This discards the draft **{words.plain(record.plan.id)}**. No run was ever priced with it.")
    if st.button("Discard draft", type="primary", icon=":material/delete:", key="discard:confirm"):
        outcome = action.perform(
            _DISCARD,
            record,
            lambda connection, _key, now: plan_actions.discard_draft(connection, record, now=now),
        )
        if outcome.refusal is None:
            _stop_asking()
            plan_choice.show(resources.book().plan.id, key="plan")
        show.refusal(outcome.refusal, undone="Nothing was deleted.")


def bring_in(stored: dict[str, PlanRecord]) -> None:
    """Import a plan from a TOML file as a draft; every problem of the file is listed.

    Over a draft it shows what would change, and replaces only the revision that it showed.
    """
    asked = st.session_state.pop(_BROUGHT, None)
    file = st.file_uploader("Plan file (TOML)", type="toml", key="plan:file")
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
        refusal = save(asked[0], seen=asked[1])
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
        f"Replaces revision {before.revision}, saved by {words.plain(before.actor)} "
        f"on {before.saved_at:%Y-%m-%d at %H:%M} UTC."
    )
    changes = plan_difference(before.plan, plan)
    st.markdown("\n".join(f"- {words.plain(change)}" for change in changes or ["no difference"]))


def save(plan: PricePlan, *, seen: PlanRecord | None) -> CreditsError | None:
    """Keep a draft, and return why it was refused, if it was. `seen` is the draft as it was before, None for none."""
    outcome = action.perform(
        _IMPORT,
        (plan, seen),
        lambda connection, _key, now: plan_actions.save_draft(connection, plan, seen=seen, now=now, actor=action.ACTOR),
    )
    return outcome.refusal


def journal(activations: list[Activation]) -> None:
    """Every time a plan was made live, newest first."""
    rows = [
        {
            "No": activation.number,
            "Plan": activation.plan_id,
            "Live since": f"{activation.activated_at:%Y-%m-%d %H:%M} UTC" if activation.number > 1 else "the start",
            "By": words.plain(activation.actor),
            "Reason": words.plain(activation.reason),
        }
        for activation in activations
    ]
    st.table(
        pd.DataFrame(rows).style,
        border="horizontal",
        hide_index=True,
        alt="Every time a price plan was made live, newest first",
    )
