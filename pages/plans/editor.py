"""Edits a price plan: its tiers and, folded away, its other rules. The edited plan is kept in the URL.

The editor reads exactly what is in the boxes: when that is no valid plan, it lists the problems and returns none.
"""

from dataclasses import dataclass, replace

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.cures import same_rules
from credits_core.plans.records import PlanRecord
from credits_core.pricing.plan import PricePlan, Rounding, TierMode
from credits_core.pricing.plan_link import from_line, to_line
from credits_core.pricing.plan_toml import MAX_BPS, checked
from credits_core.values.credits import BPS_PER_WHOLE, MAX_CREDITS
from pages.parts import numbers, words
from pages.plans import tiers
from pages.plans.tiers import TierRows

_LINE = "edit"
_SLOT = "plan:editor"
_HEADINGS = {"below_credits": "its bound", "markup_bps": "its markup", "markup_credits": "its markup"}


@dataclass(slots=True)
class _Editor:
    """What the boxes began with, and the plan as it was stored then.

    Each time they begin anew they get other keys, so that nothing typed before stays.
    """

    plan_id: str
    begin_with: PricePlan
    seen: PlanRecord
    rows: TierRows
    number: int = 0
    edited: PricePlan | None = None


def edit(record: PlanRecord) -> PricePlan | None:
    """The plan as it stands in the boxes, which begin with the stored one or with what the URL says.

    None as long as the boxes hold no plan; the reasons are shown.
    """
    editor = _editor(record)
    # All boxes are drawn before any is found wrong: what stands in a box that is not drawn would be lost.
    typed = tiers.boxes(editor.rows, key=f"editor:tiers:{editor.number}")
    rules = _rules(editor.begin_with, editor.number)
    if rules is None:
        _say_wrong("Correct the number marked in red.")
        return None
    try:
        edited = checked(replace(rules, tiers=tiers.read(typed)))
    except InvalidRequest as error:
        problem = error.problem
        for field, heading in _HEADINGS.items():
            problem = problem.replace(field, heading)
        _say_wrong(f"{problem[:1].upper()}{problem[1:]}.")
        return None
    editor.edited = edited
    if same_rules(edited, record.plan):
        st.query_params.pop(_LINE, None)
        return record.plan
    st.query_params[_LINE] = to_line(edited)
    return edited


def _say_wrong(said: str) -> None:
    st.error(words.plain(said), title="Correct the plan first", icon=":material/edit:")


def begin_anew() -> None:
    """Forget what was edited: the boxes begin with the stored plan again. Meant as a callback."""
    st.query_params.pop(_LINE, None)
    if _SLOT in st.session_state:
        st.session_state[_SLOT].plan_id = ""


def seen() -> PlanRecord:
    """The stored plan with which the boxes began: whoever saves says that this is what was changed."""
    editor: _Editor = st.session_state[_SLOT]
    return editor.seen


def _editor(record: PlanRecord) -> _Editor:
    plan = record.plan
    editor: _Editor | None = st.session_state.get(_SLOT)
    is_shown = editor is not None and f"editor:share:{editor.number}" in st.session_state
    if editor is not None and editor.plan_id == plan.id and is_shown:
        return editor
    begin_with, line = plan, st.query_params.get(_LINE)
    if line is not None:
        try:
            begin_with = from_line(line, plan.id)
        except InvalidRequest as error:
            st.warning(words.plain(error.problem), title="The link holds no valid plan", icon=":material/link_off:")
    elif editor is not None and editor.plan_id == plan.id and editor.edited is not None:
        begin_with = editor.edited  # the page was left and is opened again
    number = editor.number + 1 if editor else 0
    editor = _Editor(plan.id, begin_with, record, tiers.begin(begin_with), number)
    st.session_state[_SLOT] = editor
    return editor


def _rules(plan: PricePlan, number: int) -> PricePlan | None:
    with st.expander("Creator share, caps, rounding and holds"):
        share_bps = numbers.percentage(
            "Creator share",
            0,
            BPS_PER_WHOLE,
            key=f"editor:share:{number}",
            usual_bps=plan.creator_share_bps,
            says="of the fee",
            in_url=False,
            live=True,
        )
        graduated = st.toggle(
            "Graduated tiers (like income tax)",
            plan.tier_mode is TierMode.GRADUATED,
            key=f"editor:graduated:{number}",
        )
        cap_down = st.toggle(
            "Cap down: a run never costs more than a dearer run", plan.cap_down, key=f"editor:cap:{number}"
        )
        minimum_is_markup = st.toggle(
            "With a fee, we still earn at least our normal markup",
            plan.minimum_platform_income_is_markup,
            key=f"editor:minimum-markup:{number}",
        )
        markup_up = st.toggle("Round markups up", plan.markup_rounding is Rounding.UP, key=f"editor:up:{number}")
        share_up = st.toggle(
            "Round the creator share up",
            plan.creator_share_rounding is Rounding.UP,
            key=f"editor:share-up:{number}",
        )
        minimum_credits = numbers.whole(
            "Minimum platform income per run with a fee",
            0,
            MAX_CREDITS,
            key=f"editor:minimum:{number}",
            usual=plan.minimum_platform_income_credits,
            says=lambda least: words.both(least or 0),
            in_url=False,
            live=True,
        )
        purchase_bps = numbers.percentage(
            "Surcharge on buying credits",
            0,
            MAX_BPS,
            key=f"editor:purchase:{number}",
            usual_bps=plan.purchase_fee_bps,
            says="on top of the price",
            in_url=False,
            live=True,
        )
        overrun_bps = numbers.percentage(
            "A run may cost more than its hold by",
            0,
            BPS_PER_WHOLE,
            key=f"editor:overrun:{number}",
            usual_bps=plan.hold_overrun_bps,
            says="more than was set aside",
            in_url=False,
            live=True,
        )
    if share_bps is None or minimum_credits is None or purchase_bps is None or overrun_bps is None:
        return None
    return replace(
        plan,
        creator_share_bps=share_bps,
        tier_mode=TierMode.GRADUATED if graduated else TierMode.VOLUME,
        cap_down=cap_down,
        markup_rounding=Rounding.UP if markup_up else Rounding.DOWN,
        creator_share_rounding=Rounding.UP if share_up else Rounding.DOWN,
        minimum_platform_income_credits=minimum_credits,
        minimum_platform_income_is_markup=minimum_is_markup,
        purchase_fee_bps=purchase_bps,
        hold_overrun_bps=overrun_bps,
    )
