"""The parts of the test bench: the price as a bar, what happened to the balances, and the last actions."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from credits_core.ledger.receipts import PostedTransaction, Receipt
from credits_core.ledger.requests import ChargeRequest, UnlockRequest
from credits_core.store.kinds import TransactionType
from pages.parts import action, amounts, charts, links, refunding, resources, show, words

KEPT = 10
_LAST = "bench:last"


@dataclass(frozen=True, slots=True)
class Happened:
    """One run or unlock of this visit: what was asked and the receipt that came."""

    asked: ChargeRequest | UnlockRequest
    receipt: Receipt


def price_bar(*, inference_credits: int, creator_credits: int, platform_credits: int) -> DeltaGenerator:
    """The price, and who would get how much of it, as one bar that follows the inputs.

    Returns the place beside the price, for the button: on a small screen the bar is out of sight, and it should not be.
    """
    total_credits = inference_credits + creator_credits + platform_credits
    said = f"**Total {amounts.first(total_credits)}** ({amounts.second(total_credits)})".replace("$", r"\$")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(said, width="stretch")
        beside = st.container(width="content")
    parties = (
        ("Inference", charts.INFERENCE, "gray", inference_credits),
        ("Creator", charts.CREATOR, "green", creator_credits),
        ("Platform", charts.PLATFORM, "violet", platform_credits),
    )
    figure = charts.one_bar((name, colour, credits) for name, colour, _, credits in parties if credits)
    figure.update_layout(bargap=0, showlegend=False, height=28, margin=dict.fromkeys("lrtb", 0))
    figure.update_xaxes(visible=False, range=[0, total_credits])
    figure.update_yaxes(visible=False)
    charts.draw(figure, alt="Who would get how much of the price", with_camera=False)
    parts = [f":{colour}[{name}] {amounts.first(credits)}" for name, _, colour, credits in parties]
    st.caption(" · ".join(parts).replace("$", r"\$"))
    return beside


def what_happened(receipt: Receipt) -> None:
    """Who paid and who received, each with the balance before and after; the creator's new payment is marked."""
    rows: list[show.Row] = [
        {
            "Account": f"**{_name(one)}**" if one.type is TransactionType.CREATOR_PAYMENT else _name(one),
            "Credits": one.amount_credits,
            "Before": one.balance_before_credits,
            "After": one.balance_after_credits,
        }
        for one in receipt.transactions
    ]
    table = show.small_table(rows, {"Credits": "{:+,}", "Before": "{:,}", "After": "{:,}"})
    st.table(table, border="horizontal", hide_index=True, alt="Who paid and who received")
    paid = [one for one in receipt.transactions if one.type is TransactionType.CREATOR_PAYMENT]
    for one in paid:
        st.badge(
            f"{words.plain(one.account_id)} earned {words.both(one.amount_credits)}",
            icon=":material/payments:",
            color="green",
        )


def note(name: str) -> None:
    """Remember the receipt of the action under this name, once, among the last ones."""
    performed = action.performed(name)
    if performed is None or performed.result is None:
        return
    kept = last_actions()
    if all(one.receipt.entry_id != performed.result.entry_id for one in kept):
        st.session_state[_LAST] = [Happened(performed.request, performed.result), *kept][:KEPT]


def last_actions() -> list[Happened]:
    """The last runs and unlocks of this visit, the newest first."""
    kept: list[Happened] = st.session_state.get(_LAST, [])
    return kept


def list_last(run: str) -> None:
    """A line for each of the last actions, with its entry, the same again, and a refund."""
    kept = last_actions()
    with resources.reading() as connection:
        refunded = refunding.outcomes_of(connection, [one.receipt.entry_id for one in kept])
        in_part = refunding.parts_of(connection, [one.receipt.entry_id for one in kept])
    for one in kept:
        payer, entry_id = one.receipt.transactions[0], one.receipt.entry_id
        if isinstance(one.asked, ChargeRequest):
            what = f"{one.asked.prompt_id} on {one.asked.model_id}"
        else:
            what = f"unlock of {one.asked.flow_id}"
        with st.container(horizontal=True, vertical_alignment="center", key=f"bench:line:{entry_id}"):
            st.markdown(
                f"{words.plain(payer.account_id)} paid {words.both(-payer.amount_credits)}: {words.plain(what)}",
                width="stretch",
            )
            st.page_link(
                "explore/history.py",
                label=f"Entry {entry_id}",
                query_params=links.link_to(entry=str(entry_id)),
                width="content",
            )
            if isinstance(one.asked, ChargeRequest):
                st.button("Again", icon=":material/replay:", key=f"again:{entry_id}", on_click=_again, args=(run, one))
            if entry_id not in refunded:
                refunding.button(entry_id, label="Refund", key=f"refund:{entry_id}")
        if entry_id in refunded:
            st.caption(f":material/undo: {refunded[entry_id]}")
        elif entry_id in in_part:
            st.caption(f":material/undo: {in_part[entry_id]}")


def _again(name: str, one: Happened) -> None:
    """Fill in the inputs with what was asked, so that a click on Run, or another model, is a new run."""
    assert isinstance(one.asked, ChargeRequest)
    action.start_over(name)
    st.session_state["user"], st.session_state["model"] = one.asked.user_id, one.asked.model_id
    st.session_state["prompt"] = one.asked.prompt_id
    if one.asked.input_tokens is not None:
        st.session_state["input_tokens"] = str(one.asked.input_tokens)
        st.session_state["output_tokens"] = str(one.asked.output_tokens or 0)


def _name(one: PostedTransaction) -> str:
    return words.plain(words.account_name(one.account_id))
