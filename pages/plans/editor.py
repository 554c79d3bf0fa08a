"""Edits a price plan: a table of its tiers, and its other rules. The edited plan is kept in the URL.

The editor reads exactly what is in the boxes: when that is no valid plan, it lists the problems and returns none.
"""

from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas as pd
import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.cures import same_rules
from credits_core.plans.records import PlanRecord
from credits_core.pricing.plan import MarkupTier, PricePlan, Rounding, TierMode
from credits_core.pricing.plan_link import from_line, to_line
from credits_core.pricing.plan_toml import MAX_BPS, checked
from credits_core.values.credits import BPS_PER_WHOLE, MAX_CREDITS
from pages.parts import numbers, words

_LINE = "edit"
_SLOT = "plan:editor"
_BELOW, _PERCENT, _FLAT = "Cost below, credits", "Markup, %", "or flat markup, credits"
_HEADINGS = {"below_credits": "Cost below", "markup_bps": "Markup", "markup_credits": "flat markup"}


@dataclass(slots=True)
class _Editor:
    """What the boxes began with, and the plan as it was stored then.

    Each time they begin anew they get other keys, so that nothing typed before stays.
    """

    plan_id: str
    begin_with: PricePlan
    seen: PlanRecord
    number: int = 0
    edited: PricePlan | None = None


def edit(record: PlanRecord) -> PricePlan | None:
    """The plan as it stands in the boxes, which begin with the stored one or with what the URL says.

    None as long as the boxes hold no plan; the reasons are shown.
    """
    editor = _editor(record)
    number = editor.number
    try:
        tiers = _tiers(editor.begin_with, f"editor:tiers:{number}")
        edited = checked(_rules(editor.begin_with, tiers, number))
    except InvalidRequest as error:
        problem = error.problem
        for field, heading in _HEADINGS.items():
            problem = problem.replace(field, heading)
        st.error(
            words.plain(f"{problem[:1].upper()}{problem[1:]}."), title="Correct the plan first", icon=":material/edit:"
        )
        return None
    editor.edited = edited
    if same_rules(edited, record.plan):
        st.query_params.pop(_LINE, None)
        return record.plan
    st.query_params[_LINE] = to_line(edited)
    return edited


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
    is_shown = editor is not None and f"editor:tiers:{editor.number}" in st.session_state
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
    editor = _Editor(plan.id, begin_with, record, number=editor.number + 1 if editor else 0)
    st.session_state[_SLOT] = editor
    return editor


def _tiers(plan: PricePlan, key: str) -> tuple[MarkupTier, ...]:
    rows = pd.DataFrame(
        {
            _BELOW: pd.Series([tier.below_credits for tier in plan.tiers], dtype="Int64"),
            _PERCENT: pd.Series(
                [None if t.markup_bps is None else t.markup_bps / 100 for t in plan.tiers], dtype="Float64"
            ),
            _FLAT: pd.Series([tier.markup_credits for tier in plan.tiers], dtype="Int64"),
        }
    )
    edited = st.data_editor(
        rows,
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        key=key,
        column_config={
            _BELOW: _whole_column("The tier covers inference costs below this. Leave it empty in the last tier."),
            _PERCENT: st.column_config.NumberColumn(
                help="Percentage of the inference cost.", min_value=0, max_value=10_000, step=0.01, format="%.2f"
            ),
            _FLAT: _whole_column("A fixed markup instead of a percentage."),
        },
        alt="Editable table of the tiers of plan B",
    )
    if edited.empty:
        raise InvalidRequest("tiers", "a plan needs at least one tier: add a row with a markup")
    return tuple(
        MarkupTier(_whole(row[_BELOW]), _bps(row[_PERCENT]), _whole(row[_FLAT])) for _, row in edited.iterrows()
    )


def _whole_column(help_text: str) -> Any:
    return st.column_config.NumberColumn(help=help_text, min_value=0, max_value=MAX_CREDITS, step=1, format="%,d")


def _whole(cell: Any) -> int | None:
    return None if pd.isna(cell) else int(cell)


def _bps(cell: Any) -> int | None:
    if pd.isna(cell):
        return None
    try:
        bps = Decimal(str(cell)) * 100
    except InvalidOperation:
        raise InvalidRequest("tiers", f"a markup must be a percentage, not {cell!r}") from None
    if bps != int(bps):
        raise InvalidRequest("tiers", f"a markup has at most two decimals, not {cell}")
    return int(bps)


def _rules(plan: PricePlan, tiers: tuple[MarkupTier, ...], number: int) -> PricePlan:
    with st.grid(3, min_column_width=200):
        with st.container():
            share_bps = numbers.percentage(
                "Creator share",
                0,
                BPS_PER_WHOLE,
                key=f"editor:share:{number}",
                usual_bps=plan.creator_share_bps,
                says="of the fee",
                in_url=False,
            )
        with st.container():
            minimum_credits = numbers.whole(
                "Minimum platform income per run with a fee",
                0,
                MAX_CREDITS,
                key=f"editor:minimum:{number}",
                usual=plan.minimum_platform_income_credits,
                says=lambda least: words.both(least or 0),
                in_url=False,
            )
        with st.container():
            purchase_bps = numbers.percentage(
                "Surcharge on buying credits",
                0,
                MAX_BPS,
                key=f"editor:purchase:{number}",
                usual_bps=plan.purchase_fee_bps,
                says="on top of the price",
                in_url=False,
            )
    with st.grid(2, min_column_width=300):
        graduated = st.toggle(
            "Graduated tiers (like income tax)",
            plan.tier_mode is TierMode.GRADUATED,
            key=f"editor:graduated:{number}",
        )
        markup_up = st.toggle("Round markups up", plan.markup_rounding is Rounding.UP, key=f"editor:up:{number}")
        cap_down = st.toggle(
            "Cap down: a run never costs more than a dearer run", plan.cap_down, key=f"editor:cap:{number}"
        )
        share_up = st.toggle(
            "Round the creator share up",
            plan.creator_share_rounding is Rounding.UP,
            key=f"editor:share-up:{number}",
        )
        minimum_is_markup = st.toggle(
            "With a fee, we still earn at least our normal markup",
            plan.minimum_platform_income_is_markup,
            key=f"editor:minimum-markup:{number}",
        )
    if share_bps is None or minimum_credits is None or purchase_bps is None:
        raise InvalidRequest("plan", "correct the number marked in red")
    return replace(
        plan,
        tiers=tiers,
        creator_share_bps=share_bps,
        tier_mode=TierMode.GRADUATED if graduated else TierMode.VOLUME,
        cap_down=cap_down,
        markup_rounding=Rounding.UP if markup_up else Rounding.DOWN,
        creator_share_rounding=Rounding.UP if share_up else Rounding.DOWN,
        minimum_platform_income_credits=minimum_credits,
        minimum_platform_income_is_markup=minimum_is_markup,
        purchase_fee_bps=purchase_bps,
    )
