"""Edits the tiers of a plan: a row of two boxes for each, which are read while one types.

A markup is written as `12 %` or `500 credits`; a number alone is what the tier was before, a percentage or credits.
"""

import re
from dataclasses import dataclass, field

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.pricing.plan_toml import MAX_BPS
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.text import format_bps, format_credits
from pages.parts import numbers

_BOUND_WIDTH = 112
_MARKUP = re.compile(r"(.*?)\s*(%|credits?)?", re.DOTALL)


@dataclass(slots=True)
class TierRows:
    """What the rows began with; each row keeps its number while others are added and taken away."""

    begin_with: list[tuple[int, MarkupTier]]
    next_number: int = field(init=False)

    def __post_init__(self) -> None:
        self.next_number = len(self.begin_with)


def begin(plan: PricePlan) -> TierRows:
    """The rows of a plan's tiers."""
    return TierRows(list(enumerate(plan.tiers)))


@dataclass(frozen=True, slots=True)
class TypedTier:
    """What stands in the boxes of one tier; the last one has no bound."""

    below: str | None
    markup: str
    began_as: MarkupTier


def boxes(rows: TierRows, *, key: str) -> list[TypedTier]:
    """Draws the rows, and gives what stands in them."""
    with st.container(horizontal=True, gap="xsmall"):
        st.caption("Costs below", width=_BOUND_WIDTH)
        st.caption("Markup", width="stretch")
    typed = []
    last = len(rows.begin_with) - 1
    for position, (number, tier) in enumerate(rows.begin_with):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            below = st.text_input(
                f"Tier {position + 1}: costs below, credits",
                value="" if tier.below_credits is None else format_credits(tier.below_credits),
                placeholder="and above" if position == last else "credits",
                disabled=position == last,
                key=_bound_key(key, number) if position < last else f"{key}:last:{number}",
                label_visibility="collapsed",
                live=True,
                width=_BOUND_WIDTH,
            )
            markup = st.text_input(
                f"Tier {position + 1}: markup",
                value=_markup_text(tier),
                placeholder="12 % or 500 credits",
                key=f"{key}:markup:{number}",
                label_visibility="collapsed",
                live=True,
                width="stretch",
            )
            st.button(
                "",
                icon=":material/close:",
                type="tertiary",
                key=f"{key}:remove:{number}",
                disabled=last == 0,
                help=f"Remove tier {position + 1}",
                on_click=_remove,
                args=(rows, number),
            )
        typed.append(TypedTier(None if position == last else below or "", markup or "", tier))
    st.caption("A number alone stays what it was: per cent or credits.")
    st.button("Add a tier", icon=":material/add:", type="tertiary", key=f"{key}:add", on_click=_add, args=(rows, key))
    return typed


def read(typed: list[TypedTier]) -> tuple[MarkupTier, ...]:
    """The tiers that were typed.

    Raises:
        InvalidRequest: a box holds no bound, or no markup.
    """
    return tuple(
        MarkupTier(None if one.below is None else _bound(one.below, position), *_markup(one, position))
        for position, one in enumerate(typed, 1)
    )


def _bound_key(key: str, number: int) -> str:
    return f"{key}:below:{number}"


def _markup_text(tier: MarkupTier) -> str:
    if tier.markup_bps is not None:
        return format_bps(tier.markup_bps)
    return f"{format_credits(tier.markup_credits or 0)} credits"


def _bound(text: str, position: int) -> int:
    bound_credits = numbers.parse(text)
    if bound_credits is None or bound_credits > MAX_CREDITS:
        raise InvalidRequest("tiers", f"tier {position} needs a whole number of credits, such as 10,000, as its bound")
    return bound_credits


def _markup(typed: TypedTier, position: int) -> tuple[int | None, int | None]:
    found = _MARKUP.fullmatch(typed.markup.strip())
    assert found is not None, "matches every text"
    number, unit = found.groups()
    if unit == "%" or (unit is None and typed.began_as.markup_credits is None):
        bps = numbers.parse_bps(number)
        if bps is not None and 0 <= bps <= MAX_BPS:
            return bps, None
    else:
        markup_credits = numbers.parse(number)
        if markup_credits is not None and markup_credits <= MAX_CREDITS:
            return None, markup_credits
    raise InvalidRequest(
        "tiers",
        f"tier {position} needs a markup such as 12 % or 500 credits; a percentage has at most two decimals",
    )


def _remove(rows: TierRows, number: int) -> None:
    if len(rows.begin_with) > 1:
        rows.begin_with = [row for row in rows.begin_with if row[0] != number]


def _add(rows: TierRows, key: str) -> None:
    """A tier before the last one: with its markup, and twice the bound before it as that stands in its box."""
    *earlier, last = rows.begin_with
    bound_credits = 10_000
    if earlier:
        number, tier = earlier[-1]
        typed = numbers.parse(st.session_state.get(_bound_key(key, number), ""))
        bound_credits = 2 * (typed or tier.below_credits or 1)
    tier = MarkupTier(bound_credits, last[1].markup_bps, last[1].markup_credits)
    rows.begin_with = [*earlier, (rows.next_number, tier), last]
    rows.next_number += 1
