"""Shows the findings in a plan and the cures that fix them."""

from collections import Counter

import streamlit as st

from credits_core.lab.inspector import cures as plan_cures
from credits_core.lab.inspector.cures import Cure
from credits_core.lab.inspector.findings import FindingKind, PlanFinding, findings
from credits_core.lab.inspector.shape import CardFee
from credits_core.plans import actions as plan_actions
from credits_core.plans import records as plan_records
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.text import counted
from pages.parts import action, links, numbers, plan_choice, show, words
from pages.plans import charts as plan_charts
from pages.plans.charts import Measure

_BADGES = {
    FindingKind.CLIFF: ("red", "trending_down"),
    FindingKind.INVERSION: ("orange", "swap_vert"),
    FindingKind.LOSS: ("yellow", "money_off"),
    FindingKind.UNMARKED: ("gray", "remove"),
    FindingKind.UNSEEN: ("gray", "visibility_off"),
}
_METRICS = {
    FindingKind.CLIFF: ("Cliffs", "Costs at which the total drops, so cheaper runs pay more than dearer ones."),
    FindingKind.INVERSION: ("Fee inversions", "Cost ranges where adding a creator fee makes a run cheaper."),
    FindingKind.LOSS: ("Loss zones", "Cost ranges where the card fee exceeds our markup."),
    FindingKind.UNMARKED: ("Without markup", "Cost ranges where we take no markup."),
}
_NOUNS = {FindingKind.CLIFF: "cliff", FindingKind.INVERSION: "fee inversion", FindingKind.LOSS: "loss zone"}
CARD_FEE_BOXES = ("card", "card_fixed")
_USUAL_CARD_FEE_BPS = 290


def assumed_card_fee() -> dict[str, str]:
    """What stands in the boxes of the card fee, for a link to another page that has them."""
    return {name: st.session_state[name] for name in CARD_FEE_BOXES if st.session_state.get(name)}


def card_fee() -> CardFee | None:
    """The assumed card fee from two boxes, folded away; None as long as something else stands in one."""
    with st.expander("Assumed card fee", icon=":material/credit_card:"):
        st.caption("What the card company takes of each payment. 2.9 % is usual.")
        with st.grid(2, min_column_width=240):
            with st.container():
                share_bps = numbers.percentage(
                    "Card fee", 0, 9_999, key=CARD_FEE_BOXES[0], usual_bps=_USUAL_CARD_FEE_BPS, says="of each payment"
                )
            with st.container():
                fixed_credits = numbers.whole(
                    "Card fee per run, credits",
                    0,
                    10**9,
                    key=CARD_FEE_BOXES[1],
                    usual=0,
                    says=lambda fee: words.both(fee or 0),
                )
    if share_bps is None or fixed_credits is None:
        return None
    return CardFee(share_bps, fixed_credits)


def chosen_axes() -> tuple[Measure, bool]:
    """What the curves show, from `?measure=…`, and whether the axes are logarithmic, from `?axis=…`."""
    measure = st.segmented_control(
        "What the curves show",
        [measure.value for measure in Measure],
        default=Measure.MARKUP.value,
        required=True,
        key="measure",
        bind="query-params",
        label_visibility="collapsed",
    )
    axis = st.segmented_control(
        "Axes",
        ["Logarithmic", "Linear"],
        default="Logarithmic",
        required=True,
        key="axis",
        bind="query-params",
        label_visibility="collapsed",
    )
    return Measure(measure), axis == "Logarithmic"


def creator_fee() -> int | None:
    """The creator fee of a typical run in credits, from `?fee=…`, 0 for none."""
    return numbers.whole(
        "Creator fee, credits", 0, MAX_CREDITS, key="fee", usual=0, says=lambda fee: words.both(fee or 0)
    )


def counts(found: tuple[PlanFinding, ...]) -> None:
    """How many findings of each kind there are, the ones to worry about first."""
    by_kind = Counter(finding.kind for finding in found)
    with st.grid(4, min_column_width=170):
        for kind, (label, help_text) in _METRICS.items():
            st.metric(label, by_kind[kind], border=True, help=help_text)


def sentences(found: tuple[PlanFinding, ...]) -> None:
    """Each finding with its kind as a badge."""
    for finding in found:
        colour, icon = _BADGES[finding.kind]
        name = plan_charts.FINDING_NAMES[finding.kind]
        st.markdown(f":{colour}-badge[:material/{icon}: {name}] {words.plain(finding.sentence)}")


def cures(
    offered: tuple[Cure, ...],
    found: tuple[PlanFinding, ...],
    stored: dict[str, plan_records.PlanRecord],
    fee: CardFee,
) -> None:
    """Each cure with the findings it fixes and those that remain, and the button that saves it, or the link to it."""
    with st.grid(len(offered), min_column_width=240):
        for cure in offered:
            with st.container(border=True, height="stretch"):
                st.markdown(f"**{cure.name}**")
                st.write(cure.sentence)
                st.caption(_fixed(cure, found, findings(cure.plan, fee)))
                st.space("stretch")
                same = next(
                    (id_ for id_, record in stored.items() if plan_cures.same_rules(record.plan, cure.plan)), None
                )
                if same is None:
                    _draft_button(cure)
                else:
                    link_to_plan(same, f"Open {same}")


def link_to_plan(plan_id: str, label: str) -> None:
    """A link to this plan in the pricing lab."""
    st.page_link(
        "plans/pricing_lab.py", label=label, icon=":material/biotech:", query_params=links.link_to(plan=plan_id)
    )


def _fixed(cure: Cure, before: tuple[PlanFinding, ...], after: tuple[PlanFinding, ...]) -> str:
    was, left = (Counter(finding.kind for finding in found) for found in (before, after))
    fixed = was[cure.against] - left[cure.against]
    which = {1: f"the {_NOUNS[cure.against]}", 2: f"both {_NOUNS[cure.against]}s"}
    remaining = ", ".join(counted(left[kind], noun) for kind, noun in _NOUNS.items() if left[kind])
    said = f"Fixes {which.get(fixed, f'{fixed} {_NOUNS[cure.against]}s')}."
    return f"{said} Remaining: {remaining or 'none'}."


def _draft_button(cure: Cure) -> None:
    name = f"cure:{cure.plan.id}"
    action.performed(name)
    if st.button("Save as draft", icon=":material/healing:", key=f"{name}:button"):
        outcome = action.perform(
            name,
            cure.plan,
            lambda connection, _key, now: plan_actions.save_draft(
                connection, cure.plan, seen=None, now=now, actor=action.ACTOR
            ),
        )
        if outcome.refusal is not None:
            show.refusal(outcome.refusal, undone="Nothing was saved.")
            return
        plan_choice.show(cure.plan.id, key="plan")
