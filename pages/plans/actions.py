"""What can be done with a stored plan: make it live, discard it, download it; and when each was made live."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from credits_core.access.proposed import MakePlanLive
from credits_core.errors import InvalidRequest
from credits_core.plans import actions as plan_actions
from credits_core.plans.records import Activation, PlanRecord, PlanStatus
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.values.roles import May
from pages.parts import action, clock, done, links, plan_choice, proposing, resources, show, tables, who, words
from pages.plans import drafts, effects, undo
from pages.plans import month as plan_month
from pages.plans.month import Month

_ACTIVATE, _DISCARD = "plan:activate", "plan:discard"
_ASKED = "plan:asked"
_SCREEN = "Plans"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a button asked: of which plan, and which one was live then."""

    what: Literal["activate", "discard"]
    record: PlanRecord
    live: PlanRecord


def row(record: PlanRecord, stored: dict[str, PlanRecord]) -> None:
    """The buttons for what can be done with the plan, for the head line; what is rare is folded away."""
    live = next(iter(stored.values()))
    if record.status is not PlanStatus.IN_FORCE:
        make_live_button(record, live)
    with st.popover(
        "", icon=":material/more_vert:", type="tertiary", help="Download, discard, import", key="plan-more"
    ):
        st.download_button(
            "Download as TOML",
            price_plan_toml(record.plan),
            f"{record.plan.id}.toml",
            "application/toml",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
        )
        if record.status is PlanStatus.DRAFT and who.may(May.DRAFT_PLANS):
            st.button(
                "Discard draft",
                icon=":material/delete:",
                width="stretch",
                on_click=_ask,
                args=("discard", record, live),
            )
        if who.may(May.DRAFT_PLANS):
            drafts.bring_in(stored)


def make_live_button(record: PlanRecord, live: PlanRecord) -> None:
    """A button that asks whether to make the plan live in place of another; `open_asked` draws the question."""
    if not who.may(May.PROPOSE_PLANS):
        return
    st.button(
        "Propose to make live" if who.actor().needs_second() else "Make live",
        icon=":material/bolt:",
        key=f"make-live:{record.plan.id}",
        on_click=_ask,
        args=("activate", record, live),
    )


def open_asked(stored: dict[str, PlanRecord], month: Month | None) -> None:
    """The question that a button asked, as long as the plan is as it was then; else that somebody changed it."""
    asked: _Asked | None = st.session_state.get(_ASKED)
    if asked is None:
        return
    record, live = stored.get(asked.record.plan.id), next(iter(stored.values()))
    if record == asked.record and live.plan == asked.live.plan:
        if asked.what == "activate":
            _activation(record, live, month)
        else:
            _discarding(record)
        return
    _stop_asking()
    if record == asked.record:
        st.warning(
            f"Now {words.plain(live.plan.id)} is live. Nothing was changed.",
            title="Somebody made another plan live meanwhile",
            icon=":material/sync_problem:",
        )
    elif record is not None:
        st.warning(
            f"Now you see revision {record.revision}, saved by {words.by(record.actor)}. Nothing was changed.",
            title="Somebody saved this draft meanwhile",
            icon=":material/sync_problem:",
        )


def _ask(what: Literal["activate", "discard"], record: PlanRecord, live: PlanRecord) -> None:
    action.start_over(_ACTIVATE)
    action.start_over(_DISCARD)
    st.session_state[_ASKED] = _Asked(what, record, live)


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Make this plan live?", icon=":material/bolt:", on_dismiss=_stop_asking)
def _activation(record: PlanRecord, live: PlanRecord, month: Month | None) -> None:
    which = f", revision {record.revision}," if record.status is PlanStatus.DRAFT else ""
    st.markdown(
        f"**{words.plain(record.plan.id)}**{which} will price all new runs and unlocks, in place of "
        f"**{words.plain(live.plan.id)}**. Past charges do not change."
    )
    _effect(record, live, month)
    reason = st.text_input(
        "Reason", max_chars=500, placeholder="Why? Kept in the journal.", key="activate:reason", live=True
    )
    second = who.actor().needs_second()
    if second:
        proposing.note()
    confirmed = st.button(
        "Propose" if second else "Make live",
        type="primary",
        icon=":material/bolt:",
        key="activate:confirm",
        disabled=not (reason or "").strip(),
        help="Enter a reason first." if not (reason or "").strip() else None,
    )
    if confirmed and second:
        change = MakePlanLive(record.plan.id, record.revision)
        said = f"to make **{words.plain(record.plan.id)}** live"
        refusal = proposing.propose("plan:propose", _SCREEN, change, reason=reason, said=said)
        if refusal is None:
            _stop_asking()
            st.rerun()
        show.refusal(refusal, undone="Nothing was proposed.")
    elif confirmed:
        outcome = action.perform(
            _ACTIVATE,
            (record, reason),
            lambda connection, _key, now, actor: plan_actions.activate(
                connection, record, reason=reason, now=now, actor=actor, in_place_of=live.plan.id
            ),
        )
        if outcome.refusal is None:
            _stop_asking()
            done.add(
                _SCREEN,
                f"**{words.plain(record.plan.id)}** is live. It prices every new run and unlock.",
                link=done.Link("plans/pricing_lab.py", "Open it", links.carry_to(plan=record.plan.id)),
                undo=undo.made_live(record.plan.id, before_id=live.plan.id),
                undo_label=f"Make {live.plan.id} live again",
            )
            st.rerun()
        show.refusal(outcome.refusal, undone="The live plan has not changed.")


def _effect(record: PlanRecord, live: PlanRecord, month: Month | None) -> None:
    if month is None:
        st.caption("No run was recorded yet, so there is nothing to price again.")
        return
    try:
        effect = plan_month.between(month, live.plan, record.plan)
    except InvalidRequest:
        st.caption("Last month cannot be priced under this plan.")
        return
    effects.table(effect, alt="What this plan would have changed last month")
    st.caption(words.plain(f"{month.scope} Plus is better off."))


@st.dialog("Discard this draft?", icon=":material/delete:", on_dismiss=_stop_asking)
def _discarding(record: PlanRecord) -> None:
    st.markdown(f"This discards the draft **{words.plain(record.plan.id)}**. No run was ever priced with it.")
    if st.button("Discard draft", type="primary", icon=":material/delete:", key="discard:confirm"):
        outcome = action.perform(
            _DISCARD,
            record,
            lambda connection, _key, now, actor: plan_actions.discard_draft(connection, record, now=now, actor=actor),
        )
        if outcome.refusal is None:
            _stop_asking()
            done.add(
                _SCREEN,
                f"Discarded the draft **{words.plain(record.plan.id)}**.",
                undo=undo.discarded(record.plan),
                undo_label="Save it again",
            )
            plan_choice.show(resources.book().plan.id, key="plan")
        show.refusal(outcome.refusal, undone="Nothing was deleted.")


def journal(activations: list[Activation]) -> None:
    """Every time a plan was made live, newest first. A click on a plan opens it."""
    rows = [
        {
            "Plan": activation.plan_id,
            "No": activation.number,
            clock.label("Live since"): f"{clock.shown(activation.activated_at):%Y-%m-%d %H:%M}"
            if activation.number > 1
            else "the start",
            "By": words.actor_name(activation.actor),
            "Reason": activation.reason,
        }
        for activation in activations
    ]
    tables.draw(
        rows,
        {},
        alt="Every time a price plan was made live, newest first",
        key="journal",
        opens={"Plan": lambda row: st.session_state.update({"plan:following": rows[row]["Plan"]})},
    )
