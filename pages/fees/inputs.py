"""Inputs of the fee designer, by slider or typed exactly: a fee per run, an unlock price, and runs per user.

The boxes are kept in the URL as `fee`, `unlock` and `per_user`; `by` says which of the two the slider moves. The slider
has no state of its own: it shows what stands in the box, and moving it writes into the box.
"""

from dataclasses import dataclass

import streamlit as st

from credits_core.lab.fees import MAX_FEE_CREDITS, MAX_RUNS, Scale
from pages.parts import numbers, words

FEE, UNLOCK = "Fee per run", "Unlock price"
_KEYS = {FEE: "fee", UNLOCK: "unlock"}
_USUAL_FEE_CREDITS, _USUAL_UNLOCK_CREDITS, _USUAL_RUNS = 5_000, 100_000, 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What is being designed: by `FEE` or `UNLOCK`, both amounts in credits, and how often one user runs the prompt."""

    by: str
    fee_credits: int
    unlock_fee_credits: int
    runs: int


def by() -> str:
    """Which way to be paid is being designed: `FEE` or `UNLOCK`."""
    chosen: str = st.segmented_control(
        "Paid by", list(_KEYS), default=FEE, key="by", bind="query-params", required=True, width="stretch"
    )
    return chosen


def asked(by: str) -> Asked | None:
    """What the creator asks. None as long as something is typed that cannot be accepted, which is shown."""
    with st.grid(2, min_column_width=150):
        with st.container():
            fee_credits = numbers.whole(
                "Fee per run (credits)", 0, MAX_FEE_CREDITS, key="fee", usual=_USUAL_FEE_CREDITS, says=_amount
            )
        with st.container():
            unlock_fee_credits = numbers.whole(
                "Unlock price (credits)", 1, MAX_FEE_CREDITS, key="unlock", usual=_USUAL_UNLOCK_CREDITS, says=_amount
            )
    runs = numbers.whole(
        "Runs per user", 0, MAX_RUNS, key="per_user", usual=_USUAL_RUNS, says=lambda _: f"0 to {MAX_RUNS:,}"
    )
    if fee_credits is None or unlock_fee_credits is None or runs is None:
        return None
    return Asked(by, fee_credits, unlock_fee_credits, runs)


def slider(asked: Asked, scale: Scale) -> None:
    """A slider for what the creator asks, which writes into its box; an amount between its steps stays as typed."""
    key = _KEYS[asked.by]
    amount_credits = asked.fee_credits if asked.by == FEE else asked.unlock_fee_credits
    scale = scale.to_ask
    least = 0 if asked.by == FEE else scale.step
    slot, shown = f"{key}:slid", min(max(amount_credits, least), scale.last)
    if st.session_state.get(slot) != shown:
        st.session_state[slot] = shown
    st.slider(
        asked.by,
        min_value=least,
        max_value=scale.last,
        step=scale.step,
        format="%,d",
        key=slot,
        on_change=_write,
        args=(key,),
    )


def _write(key: str) -> None:
    st.session_state[key] = str(st.session_state[f"{key}:slid"])


def _amount(credits: int | None) -> str:
    return words.both(credits) if credits else "No fee: our markup applies."
