"""Gives money of a purchase back: a button, and a question that asks how much and does it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.payments import buying, sandbox
from credits_core.payments.purchased import Bought
from credits_core.payments.refusals import RefundedInPart
from credits_core.values.money import money_from_text
from credits_core.values.roles import May
from pages.money import at_gateway, naming, purchase_list
from pages.parts import done, links, resources, show, who, words

_ASKED = "give_back:asked"


def button(bought: Bought) -> None:
    """A button that asks before it gives money back, for who may do that."""
    if bought.standing.refundable_minor and who.may_for(bought.user_id, May.MOVE_CREDITS):
        st.button("Refund", icon=":material/undo:", on_click=_ask, args=(bought.id,))


def _ask(purchase_id: int) -> None:
    # The key is made now, so that two clicks on the button of the question give back once.
    st.session_state[_ASKED] = (purchase_id, uuid4().hex, {})


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


def question(bought: Bought) -> None:
    """Draw the question as long as it is asked about this purchase."""
    purchase_id, key, left = st.session_state.get(_ASKED, (None, "", {}))
    if purchase_id == bought.id:
        _dialog(bought, key, left)


@st.dialog("Refund this purchase?", icon=":material/undo:", on_dismiss=_stop_asking)
def _dialog(bought: Bought, key: str, left: Mapping[str, int]) -> None:
    amount = _rest(bought, left) if left else _amount(bought)
    if amount is None:
        return
    try:
        amount_minor = amount if isinstance(amount, int) else money_from_text(amount, bought.currency)
        buying.give_back(
            resources.engine(),
            at_gateway.gateway(),
            bought.id,
            amount_minor,
            key=key,
            now=datetime.now(UTC),
            actor=who.actor(),
            left=left or None,
        )
    except RefundedInPart as refusal:
        at_gateway.hear(bought)
        st.session_state[_ASKED] = (bought.id, key, refusal.left)
        st.rerun()
    except CreditsError as refusal:
        show.refusal(refusal, undone="Nothing more was refunded." if left else "Nothing was refunded.")
        return
    _done(bought, amount_minor)


def _amount(bought: Bought) -> int | str | None:
    """Ask how much: all of it, in minor units, or what was typed; None until it is confirmed."""
    at_most = naming.money(bought.standing.refundable_minor, bought.currency)
    st.markdown(
        f"At most {at_most} can go back. The same share of the credits is removed. What the user has spent of it is"
        " owed, and what the user buys next pays it."
    )
    if bought.standing.overpaid_minor:
        too_much = naming.money(bought.standing.overpaid_minor, bought.currency)
        st.markdown(f"{too_much} was paid too much. It goes back first and takes no credits.")
    with st.form("give_back", border=False):
        text = st.text_input(
            "Amount, empty for all of it", placeholder=at_most.replace("\\", ""), key="give_back:amount"
        )
        confirmed = st.form_submit_button("Refund", type="primary", icon=":material/undo:", key="give_back:now")
    return (text.strip() or bought.standing.refundable_minor) if confirmed else None


def _rest(bought: Bought, left: Mapping[str, int]) -> int | None:
    """Say that only a part was refunded, and ask for the rest, in minor units; None until it is confirmed."""
    rest_minor = sum(left.values())
    rest = naming.money(rest_minor, bought.currency)
    st.warning(
        f"The gateway did not confirm {rest} of what you asked for. Ask again: it is refunded once.",
        title="Not all of it is refunded",
        icon=":material/warning:",
    )
    wants = st.button(f"Refund the other {rest}", type="primary", icon=":material/undo:", key="give_back:rest")
    return rest_minor if wants else None


def _done(bought: Bought, amount_minor: int) -> None:
    refusal_of_news = at_gateway.hear(bought)
    _stop_asking()
    back = naming.money(amount_minor, bought.currency)
    said = f"Refunded {back} of purchase {bought.id}."
    if bought.gateway != sandbox.NAME:
        said = (
            f"{bought.gateway.capitalize()} refunds {back} of purchase {bought.id}. The credits follow when it says so."
        )
    if refusal_of_news is not None:
        said += f" The ledger does not know it yet: {words.refusal_text(refusal_of_news)}"
    query = links.carry_to(purchase=str(bought.id))
    done.add("Buy credits", said, link=done.Link("money/buy_credits.py", f"Purchase {bought.id}", query))
    purchase_list.show_one(bought.id)
    st.rerun()
