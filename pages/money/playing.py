"""Plays payments on the sandbox: the endings of a checkout, and what may follow a payment."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import streamlit as st

from credits_core.payments import sandbox
from credits_core.payments.purchased import Bought
from credits_core.payments.sandbox import BookLine, Ending
from credits_core.payments.standing import State
from credits_core.store.kinds import Happened
from credits_core.values.roles import May
from pages.money import at_gateway, naming, pack_cards
from pages.parts import action, clock, done, links, resources, show, who, words

_ACTION = "play"
_CONFIRMING = "play:confirming"


class _Ending(NamedTuple):
    label: str
    icon: str
    says: str


_ENDINGS = {
    Ending.DECLINED: _Ending("Card declined", "credit_card_off", "The bank said no. The user may try again."),
    Ending.BANK_TRANSFER: _Ending("Bank transfer", "account_balance", "The money arrives in three days."),
    Ending.PAID_TWICE: _Ending("Paid twice", "content_copy", "The payer is charged two times."),
    Ending.EVENT_LOST: _Ending("Event is lost", "cloud_off", "It is paid, but nobody tells us."),
}
_ENDS_DISPUTE = (
    ("Win the dispute", "gavel", Ending.WON),
    ("Lose the dispute", "money_off", Ending.LOST),
)
_PLAYS = "Plays it on the sandbox. No money moves."
_PLAYED = {
    Ending.PAID: "The card was charged.",
    Ending.DECLINED: "The card was declined. Nothing was paid.",
    Ending.NOT_CONFIRMED: "The payment was not confirmed. Nothing was paid.",
    Ending.BANK_TRANSFER: "The bank transfer is on its way.",
    Ending.PAID_TWICE: "The card was charged two times.",
    Ending.EVENT_LOST: "The card was charged, and its event was lost on the way.",
    Ending.DISPUTED: "The payer's bank disputes the payment.",
    Ending.WON: "The dispute is won: the money stays.",
    Ending.LOST: "The dispute is lost: the bank took the money.",
}


_NO_SUCCESS = frozenset(
    {Ending.DECLINED, Ending.NOT_CONFIRMED, Ending.PAID_TWICE, Ending.EVENT_LOST, Ending.DISPUTED, Ending.LOST}
)


def order_and_endings(bought: Bought) -> None:
    """The order as the payer sees it, beside a button for every ending.

    It has ended when the sandbox has a payment of it in its books. Then what is still to come stands beside it, if any.
    """
    with resources.reading() as connection:
        books = sandbox.books(connection, bought.id)
    has_ended = any(line.event.kind is Happened.PAID for line in books)
    is_lost = any(line.is_lost for line in books) and not bought.standing.is_paid
    is_to_come = is_lost or any(line.told_at is None and not line.is_lost for line in books)
    has_second_card = is_to_come or not has_ended
    with st.grid(2 if has_second_card else 1, min_column_width=340):
        with st.container(border=True, height="stretch"):
            _order(bought, has_ended=has_ended)
        if has_second_card:
            with st.container(border=True, height="stretch"):
                if has_ended:
                    _to_come(bought, books, is_lost=is_lost)
                else:
                    _endings(bought)
    refusal(bought)


def _order(bought: Bought, *, has_ended: bool) -> None:
    name = words.plain(naming.pack_name(bought.pack_id))
    st.header(f"Purchase {bought.id}: {name}", anchor=False)
    with st.container(horizontal=True, gap="large"):
        label = "Paid" if bought.standing.is_paid else "Price" if has_ended else "To pay"
        st.metric(label, naming.money(bought.due_minor, bought.currency), width="content")
        st.metric("Credits", f"{bought.credits:,}", width="content")
    st.markdown(naming.bonus(bought) or "No bonus")
    if bought.fee_minor:
        price, fee = (naming.money(part, bought.currency) for part in (bought.price_minor, bought.fee_minor))
        st.caption(f"Price {price}, surcharge {fee}.")
    st.caption(f"For {words.plain(bought.user_id)}, bought {clock.text(bought.created_at, '%Y-%m-%d %H:%M')}.")


def _endings(bought: Bought) -> None:
    st.header("How does the payment end?", anchor=False)
    if not who.may_for_or_told(bought.user_id, May.MOVE_CREDITS):
        return
    if st.session_state.get(_CONFIRMING) == bought.id:
        _confirm(bought)
    else:
        _choose(bought)


def _to_come(bought: Bought, books: Sequence[BookLine], *, is_lost: bool) -> None:
    st.header("This checkout has ended", anchor=False)
    if is_lost:
        st.markdown("The event of the payment was lost on its way to us.")
        st.page_link(
            "money/payments.py",
            label="Find it in Reconciliation",
            icon=":material/rule:",
            query_params=links.link_to(view="Reconciliation"),
        )
    _coming(bought, books)


def _choose(bought: Bought) -> None:
    owing = naming.money(bought.due_minor, bought.currency)
    with st.container(horizontal=True):
        if st.button(f"Pay {owing}", type="primary", icon=":material/credit_card:", key="play:paid"):
            _play(bought, Ending.PAID)
        st.button("Pay with 3-D Secure", icon=":material/verified_user:", on_click=_ask_to_confirm, args=(bought.id,))
    for ending, (label, icon, says) in _ENDINGS.items():
        of_button, of_words = st.columns(2, vertical_alignment="center")
        if of_button.button(label, icon=f":material/{icon}:", key=f"play:{ending}", width="stretch"):
            _play(bought, ending)
        of_words.caption(says)


def _confirm(bought: Bought) -> None:
    st.markdown("The payer's bank asks for a second step: is it really you?")
    with st.container(horizontal=True):
        if st.button("Confirm", type="primary", icon=":material/check:"):
            _ask_to_confirm(None)
            _play(bought, Ending.PAID)
        if st.button("Do not confirm", icon=":material/close:"):
            _ask_to_confirm(None)
            _play(bought, Ending.NOT_CONFIRMED)
        st.button("Back", icon=":material/arrow_back:", type="tertiary", on_click=_ask_to_confirm, args=(None,))


def _ask_to_confirm(purchase_id: int | None) -> None:
    st.session_state[_CONFIRMING] = purchase_id


def _coming(bought: Bought, books: Sequence[BookLine]) -> None:
    now = datetime.now(UTC)
    untold = [line for line in books if line.told_at is None and not line.is_lost]
    for line in untold:
        if line.event.happened_at > now:
            when = clock.text(line.event.happened_at, "%Y-%m-%d %H:%M")
            st.info(f"The money arrives on {when}.", icon=":material/schedule:")
    if any(line.event.happened_at <= now for line in untold) and st.button("Ask the gateway again"):
        unheard = at_gateway.hear(bought)
        if unheard is None:
            st.rerun()
        show.refusal(unheard, undone="The ledger does not know it yet.")


def what_is_known(bought: Bought) -> None:
    """What the ledger knows, which alone counts, and the ways on."""
    state, amount = bought.standing.state, naming.money(bought.due_minor, bought.currency)
    st.header("What the ledger knows", anchor=False)
    if bought.standing.is_paid:
        went_back = "" if state is State.PAID else f" Since then: {naming.STATES[state].lower()}."
        show_it = st.success if state is State.PAID else st.warning
        show_it(f"Paid, with receipt {bought.receipt}. {_granted(bought)}{went_back}", icon=":material/check_circle:")
    elif state is State.PENDING:
        st.info("The gateway says that the money is on its way. No credits yet.", icon=":material/schedule:")
    elif state in (State.DECLINED, State.EXPIRED):
        st.warning(f"{naming.STATES[state]}. Nothing was paid, no credits came.", icon=":material/credit_card_off:")
    else:
        st.info(
            f"The gateway has not said that {amount} is paid. No credits yet.",
            title="Waiting for the gateway",
            icon=":material/hourglass_empty:",
        )
    with st.container(horizontal=True):
        link = pack_cards.link_to(bought)
        st.page_link(link.page, label=link.label, icon=":material/arrow_back:", query_params=dict(link.query))
        st.page_link("money/buy_credits.py", label="Buy credits", icon=":material/shopping_cart:")


def _granted(bought: Bought) -> str:
    stands = bought.standing
    if not stands.overpaid_minor:
        return f"{words.plain(bought.user_id)} got {words.both(bought.credits + bought.bonus_credits)}."
    too_much = naming.money(stands.overpaid_minor, bought.currency)
    return f"{too_much} was paid too much and should go back."


def after_payment(bought: Bought) -> None:
    """For a row: buttons for what may follow a payment of the sandbox, for who may move credits."""
    if bought.gateway != sandbox.NAME or not who.may_for(bought.user_id, May.MOVE_CREDITS):
        return
    with resources.reading() as connection:
        books = sandbox.books(connection, bought.id)
    if sandbox.open_disputes(line.event for line in books):
        for label, icon, ending in _ENDS_DISPUTE:
            if st.button(label, icon=f":material/{icon}:", help=_PLAYS):
                _play(bought, ending)
    elif bought.standing.refundable_minor and st.button("Dispute the payment", icon=":material/report:", help=_PLAYS):
        _play(bought, Ending.DISPUTED)


def _play(bought: Bought, ending: Ending) -> None:
    outcome = action.perform(
        _ACTION,
        (bought.id, ending),
        lambda connection, _key, now, actor: sandbox.play(connection, bought.id, ending, now=now, actor=actor),
    )
    if outcome.refusal is not None:
        return
    unheard = at_gateway.hear(bought)
    said = _PLAYED[ending]
    if unheard is not None:
        said += f" The ledger does not know it yet: {words.refusal_text(unheard)}"
    after_checkout = ending not in sandbox.ENDS_CHECKOUT
    icon = done.NEUTRAL if ending in _NO_SUCCESS else done.TICK
    done.add("Payments" if after_checkout else "Checkout", f"Purchase {bought.id}: {said}", icon=icon)
    action.start_over(_ACTION)
    st.rerun()


def refusal(bought: Bought) -> None:
    """Why the last click on this purchase played nothing, if it did not."""
    outcome = action.performed(_ACTION)
    if outcome is not None and outcome.refusal is not None and outcome.request[0] == bought.id:
        show.refusal(outcome.refusal, undone="Nothing was played.")
