"""Inputs of the fee designer, by slider, by a click into a chart, or typed: a fee, an unlock price, numbers of runs.

The boxes are kept in the URL as `fee`, `unlock`, `per_user` and `per_month`; `by` says which of the first two the
slider moves. The slider has no state of its own: it shows what stands in the box, and moving it writes into the box.
"""

from dataclasses import dataclass

import streamlit as st

from credits_core.lab.fees import MAX_FEE_CREDITS, MAX_RUNS, Scale
from pages.parts import charts, numbers, pick, words

FEE, UNLOCK = "Fee per run", "Unlock price"
_KEYS = {FEE: "fee", UNLOCK: "unlock"}
_USUAL_FEE_CREDITS, _USUAL_UNLOCK_CREDITS, _USUAL_RUNS, _USUAL_RUNS_A_MONTH = 5_000, 100_000, 20, 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is being designed: by `FEE` or `UNLOCK`, both amounts in credits, and how often the prompt is run.

    `runs` is how often one user runs it, `runs_a_month` how often all users together do in a month.
    """

    by: str
    fee_credits: int
    unlock_fee_credits: int
    runs: int
    runs_a_month: int


def by() -> str:
    """Which way to be paid is being designed: `FEE` or `UNLOCK`."""
    return pick.one("Paid by", list(_KEYS), key="by", is_labelled=False)


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
        with st.container():
            runs_a_month = numbers.whole(
                "Runs a month", 0, MAX_RUNS, key="per_month", usual=_USUAL_RUNS_A_MONTH, says=lambda _: "by all users"
            )
        with st.container():
            runs = numbers.whole(
                "Runs per user", 0, MAX_RUNS, key="per_user", usual=_USUAL_RUNS, says=lambda _: "after one unlock"
            )
    if fee_credits is None or unlock_fee_credits is None or runs is None or runs_a_month is None:
        return None
    return Asked(by, fee_credits, unlock_fee_credits, runs, runs_a_month)


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
        label_visibility="collapsed",
    )


def take_fee() -> None:
    """Take the fee that was clicked in the chart over fees."""
    _take("over-fees", "fee", MAX_FEE_CREDITS)


def take_unlock_price() -> None:
    """Take the price that was clicked in the chart over unlock prices."""
    _take("over-unlocks", "unlock", MAX_FEE_CREDITS)


def take_runs() -> None:
    """Take the number of runs that was clicked in the chart over runs."""
    _take("over-runs", "per_user", MAX_RUNS)


def _take(chart: str, key: str, largest: int) -> None:
    point = charts.selected(chart)
    if point is not None:
        st.session_state[key] = str(min(int(point["x"]), largest))


def _write(key: str) -> None:
    st.session_state[key] = str(st.session_state[f"{key}:slid"])


def _amount(credits: int | None) -> str:
    return words.both(credits) if credits else "No fee: our markup applies."
