"""Unlocks a flow for a user: the inputs that make the request, and the button that charges it."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from credits_core.ledger import actions, flows
from credits_core.ledger.receipts import Receipt, Unlock
from credits_core.ledger.refusals import UnknownUser
from credits_core.ledger.requests import UnlockRequest
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.roles import May
from pages.parts import action, numbers, resources, show, undoing, who, words

FREE_FORM = "free-form"


def request(user_id: str) -> UnlockRequest | None:
    """The unlock of a demo flow, or of one whose creator and fee are typed. None as long as something is missing."""
    world = resources.demo()
    known = {flow.id: flow for flow in world.flows} if world else {}
    flow_id = st.selectbox("Flow", [*known, FREE_FORM], key="flow", bind="query-params", filter_mode="contains")
    if flow_id in known:
        flow = known[flow_id]
        st.caption(
            f"{words.plain(flow.title)} by {words.plain(flow.creator_id)} · {words.both(flow.unlock_fee_credits)}"
        )
        return UnlockRequest(user_id, flow.id, flow.creator_id, flow.unlock_fee_credits)
    typed_flow = st.text_input("Flow id", key="flow_id")
    creator = st.text_input("Creator of the flow", key="flow_creator")
    fee_credits = numbers.whole(
        "Unlock fee (credits)", 1, MAX_CREDITS, key="flow_fee", placeholder="250,000", says=_fee, in_url=False
    )
    if not typed_flow or not creator or fee_credits is None:
        return None
    return UnlockRequest(user_id, typed_flow.strip(), creator.strip(), fee_credits)


def split(asked: UnlockRequest) -> tuple[int, int]:
    """What the creator and the platform get of the fee under the live plan, in credits."""
    return resources.book().plan.split_fee(asked.unlock_fee_credits)


def button(name: str, asked: UnlockRequest | None, *, place: DeltaGenerator | None = None) -> None:
    """The button that unlocks the flow, here or in `place`, or says why it does not; the receipt stays under `name`."""
    action.performed(name)  # makes the key before the button is shown
    has_it = asked is not None and _has(asked)
    if has_it and asked is not None:
        st.caption(f":material/lock_open: {words.plain(asked.user_id)} has this flow already.")
    is_disabled, key = asked is None or has_it, f"{name}:unlock"
    with place or st.container():
        if not who.may_for_or_told(asked.user_id if asked else "", May.CHARGE):
            return
        clicked = st.button("Unlock", type="primary", icon=":material/lock_open:", disabled=is_disabled, key=key)
    if asked is None:
        return
    if clicked:
        performed = action.perform(
            name,
            asked,
            lambda connection, key, now, actor: _paid(
                actions.unlock_flow(
                    connection, asked, book=resources.book_at(connection), key=key, now=now, actor=actor
                )
            ),
        )
        if performed.result is not None and not performed.repeated:
            undoing.note("Test bench", performed.result, "charged")
    known = action.performed(name)
    if known is not None and known.refusal is not None and known.request == asked:
        show.refusal(known.refusal)


def _paid(unlock: Unlock) -> Receipt | None:
    return unlock.receipt


def _has(asked: UnlockRequest) -> bool:
    try:
        with resources.reading() as connection:
            return flows.access_now(connection, asked.user_id, asked.flow_id).has_access
    except UnknownUser:
        return False


def _fee(fee_credits: int | None) -> str:
    return words.both(fee_credits) if fee_credits else "What the user pays once."
