"""One line that does not match: both sides beside each other, and the one action that mends it."""

import streamlit as st

from credits_core.ledger.refusals import BalanceTooLarge, CirculationTooLarge
from credits_core.payments.gateway import GatewayEvent
from credits_core.payments.reconciling import Compared, Match
from credits_core.values.roles import May
from pages.money import at_gateway, naming
from pages.parts import clock, done, links, show, who, words

_REFUSED = "mend:refused"
_MATCHES = {
    Match.MISSING_HERE: "Missing here",
    Match.MISSING_THERE: "Missing at the gateway",
    Match.DIFFERENT_AMOUNT: "Different amount",
}
_CURES = {
    Match.MISSING_HERE: "Record it here, as if the gateway had told it.",
    Match.MISSING_THERE: "Count it as nothing here; its credits are removed.",
    Match.DIFFERENT_AMOUNT: "Take over the gateway's amount; the credits follow.",
}


def card(one: Compared) -> None:
    """The line, with the button for who may move credits."""
    fact = one.fact
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{naming.HAPPENED[fact.kind]}: purchase {fact.purchase_id}**", width="content")
            st.badge(_MATCHES[one.match], color="orange")
            st.space("stretch")
            st.page_link(
                "money/buy_credits.py",
                label=f"Purchase {fact.purchase_id}",
                icon=":material/receipt:",
                query_params=links.carry_to(purchase=str(fact.purchase_id)),
                width="content",
            )
        sides = st.grid(2, min_column_width=260)
        with sides.cell():
            _side("The gateway's books", one.there)
        with sides.cell():
            _side("Ours", one.here)
        with st.container(horizontal=True, vertical_alignment="center"):
            if who.may(May.MOVE_CREDITS):
                key = f"mend:{fact.purchase_id}:{fact.kind}:{fact.about}"
                if st.button("Mend", type="primary", icon=":material/build:", key=key):
                    _mend(one)
            st.caption(_CURES[one.match], width="stretch")
        _refusal(one)


def _side(heading: str, event: GatewayEvent | None) -> None:
    st.markdown(heading)
    if event is None:
        st.markdown(":material/remove: Nothing")
        return
    fee = f", fee {naming.money(event.fee_minor, event.currency)}" if event.fee_minor else ""
    st.markdown(f"**{naming.money(event.amount_minor, event.currency)}**{fee}")
    st.caption(f"{clock.text(event.happened_at)} · {words.plain(event.about)}")


def _mend(one: Compared) -> None:
    event = one.mending
    assert event is not None, "only what does not match is shown as a card"
    refusal = at_gateway.take_in(event)
    st.session_state[_REFUSED] = event, refusal
    if refusal is not None:
        return
    query = links.carry_to(purchase=str(one.fact.purchase_id))
    done.add(
        "Payments",
        f"{naming.HAPPENED[one.fact.kind]}: {naming.money(event.amount_minor, event.currency)} recorded for purchase"
        f" {one.fact.purchase_id}, as in the gateway's books.",
        link=done.Link("money/buy_credits.py", f"Purchase {one.fact.purchase_id}", query),
    )
    st.rerun()


def _refusal(one: Compared) -> None:
    event, refusal = st.session_state.get(_REFUSED, (None, None))
    if refusal is None or event != one.mending:
        return
    undone = "Nothing was mended."
    if isinstance(refusal, BalanceTooLarge | CirculationTooLarge):
        undone = "It is recorded. No credits were moved yet; the job Payments tries again."
    show.refusal(refusal, undone=undone)
