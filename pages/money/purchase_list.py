"""Purchases as a table; a click on a number opens that one."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from credits_core.payments.purchased import Bought
from credits_core.values.money import format_money
from pages.money import naming
from pages.parts import clock, tables

_BECAME = ("Refunded", "Taken by the bank", "Frozen", "Owed")


def draw(listed: Sequence[Bought], *, with_user: bool) -> None:
    """Draw them, the newest first. What has become of credits is left out where it is so of none of them."""
    rows = [_row(one, with_user=with_user) for one in listed]
    became = [name for name in _BECAME if any(row[name] for row in rows)]
    left_out = set(_BECAME) - set(became)
    tables.draw(
        [{name: value for name, value in row.items() if name not in left_out} for row in rows],
        dict.fromkeys(["Credits", "Bonus", *became]),
        alt="Purchases, newest first",
        key="purchases",
        opens={"Purchase": lambda row: show_one(listed[row].id)},
        if_wide=["Bonus", "Receipt", clock.label("Bought")],
        money=["Money"],
    )


def _row(one: Bought, *, with_user: bool) -> dict[str, object]:
    taken, frozen, owed = one.became
    return {
        "Purchase": one.id,
        **({"User": one.user_id} if with_user else {}),
        "State": naming.STATES[one.standing.state],
        "Pack": naming.pack_name(one.pack_id),
        "Money": format_money(one.due_minor, one.currency),
        "Credits": one.credits,
        "Bonus": one.bonus_credits or None,
        "Refunded": one.refunded_credits or None,
        "Taken by the bank": taken - one.refunded_credits or None,
        "Frozen": frozen or None,
        "Owed": owed or None,
        "Receipt": one.receipt,
        clock.label("Bought"): one.created_at,
    }


def show_one(purchase_id: int | None) -> None:
    """Open one purchase, or none. Meant for a callback."""
    st.query_params.pop("purchase", None)
    st.session_state.pop("purchase", None)
    if purchase_id is not None:
        st.query_params["purchase"] = str(purchase_id)


def back_button(label: str = "Back to the packs") -> None:
    """The button that closes the purchase that is open."""
    st.button(label, icon=":material/arrow_back:", on_click=partial(show_one, None))
