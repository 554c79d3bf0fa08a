"""Inputs that the screens about plans share, and which costs their chart shows."""

from collections.abc import Callable, Sequence

import streamlit as st

from credits_core.lab.inspector.curve import curve, telling_costs, usual_extent
from credits_core.lab.inspector.findings import FindingKind, PlanFinding
from credits_core.lab.inspector.shape import CardFee
from credits_core.pricing.plan import PricePlan
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.days import DayRange
from credits_core.values.text import format_credits
from pages.parts import charts, linked_plan, numbers, pick, words
from pages.plans import charts as plan_charts
from pages.plans.charts import Axis, Curve, Measure

CARD_FEE_BOXES = ("card", "card_fixed")
_USUAL_CARD_FEE_BPS = 290


def assumed_card_fee() -> dict[str, str]:
    """What stands in the boxes of the card fee, for a link to another page that has them."""
    return {name: st.session_state[name] for name in CARD_FEE_BOXES if st.session_state.get(name)}


def card_fee() -> CardFee | None:
    """The assumed card fee from two boxes, folded away; None as long as something else stands in one."""
    with st.popover("Card fee", icon=":material/credit_card:", type="tertiary", key="card-fee"):
        st.caption("What the card company takes of each payment. 2.9 % is usual.")
        share_bps = numbers.percentage(
            "Card fee", 0, 9_999, key=CARD_FEE_BOXES[0], usual_bps=_USUAL_CARD_FEE_BPS, says="of each payment"
        )
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


def creator_fee() -> int | None:
    """The creator fee of a typical run in credits, from `?fee=…`, 0 for none."""
    with st.container(width=240):
        return numbers.whole(
            "Creator fee, credits", 0, MAX_CREDITS, key="fee", usual=0, says=lambda fee: words.both(fee or 0)
        )


def chosen_axes() -> tuple[Measure, Axis]:
    """What the curves show, from `?measure=…`, and of which costs, from `?axis=…`."""
    measure = pick.one("What the curves show", list(Measure), key="measure", is_labelled=False)
    st.space("stretch")
    return measure, pick.one("Costs", list(Axis), key="axis", is_labelled=False)


def replay_link(stored: PricePlan, plan: PricePlan, days: DayRange) -> None:
    """A link to the replay of this plan on these days; it may be an unsaved edit of the stored one."""
    query = linked_plan.carry_to(stored, plan)
    if days.first and days.last:
        query["days"] = [days.first.isoformat(), days.last.isoformat()]
    st.page_link("replay/replay_history.py", label="Replay", icon=":material/history:", query_params=query)


def links_to_what_if(stored: PricePlan, plan: PricePlan) -> None:
    """Links to the screens that ask what this plan would do; it may be an unsaved edit of the stored one."""
    for file, label, icon in (
        ("replay/replay_history.py", "Replay all history under this plan", "history"),
        ("scenario/scenario.py", "Try this plan in a scenario", "casino"),
        ("fees/fee_designer.py", "Set a fee under this plan", "tune"),
    ):
        query = linked_plan.carry_to(stored, plan)
        st.page_link(file, label=label, icon=f":material/{icon}:", query_params=query)


def chart(
    shown: Sequence[tuple[str, PricePlan]],
    found: Sequence[PlanFinding],
    focus: PlanFinding | None,
    *,
    key: str,
    choose: Callable[[], None] | None = None,
) -> None:
    """The curves of these plans, the last one's drawn solid with its findings. Around `focus`, in a close-up."""
    with st.container(horizontal=True, gap="small"):
        measure, axis = chosen_axes()
    plans = [plan for _, plan in shown]
    extent_credits = usual_extent(*plans)
    first, last = close_up(focus, plans[-1], extent_credits) if axis is Axis.CLOSE else (0, extent_credits)
    costs = telling_costs(*plans, from_credits=first, up_to_credits=last)
    curves = [
        Curve(name, curve(plan, costs), dotted=number < len(shown) - 1) for number, (name, plan) in enumerate(shown)
    ]
    is_whole = (first, last) == (0, extent_credits)
    which = "all costs" if is_whole else f"costs of {format_credits(first)} to {format_credits(last)}"
    figure = plan_charts.shape(
        curves, found, measure=measure, logarithmic=axis is Axis.LOGARITHMIC, costs=(first, last)
    )
    charts.card(
        f"{measure.value}, {which}",
        figure,
        key=key,
        alt=f"{measure.value} of a run without a creator fee, for {which}; bars show what each finding affects",
        on_select=choose,
    )


def first_cliff(*found: Sequence[PlanFinding]) -> PlanFinding | None:
    """The first cliff of the first plan that has one."""
    return next((one for of_plan in found for one in of_plan if one.kind is FindingKind.CLIFF), None)


def close_up(focus: PlanFinding | None, plan: PricePlan, extent_credits: int) -> tuple[int, int]:
    """The first and the last cost of a close-up: around a finding, or else around the first bound of the plan."""
    bound_credits = plan.tiers[0].below_credits
    if focus is not None:
        first, last = focus.costs.first_credits, min(focus.costs.last_credits, extent_credits)
    elif bound_credits is not None and bound_credits < extent_credits:
        first, last = bound_credits - bound_credits // 10, bound_credits
    else:
        return 0, extent_credits
    width = max(last - first, 5)
    return max(0, first - width), min(extent_credits, max(last + width * 3 // 2, 10))
