"""What changes which models can run and what they cost: offer, withdraw, and make a price list live."""

from collections.abc import Callable, Sequence
from datetime import datetime

import streamlit as st
from sqlalchemy import Connection

from credits_core import settings
from credits_core.access import proposals
from credits_core.access.proposed import MakePricesLive
from credits_core.prices import offers
from credits_core.prices.list_toml import needs_confirming
from credits_core.prices.offers import Compared
from credits_core.prices.refusals import LiveListChanged
from credits_core.pricing.dated_prices import ModelPrices
from credits_core.pricing.models import Model
from credits_core.pricing.price_words import prices_words
from credits_core.pricing.quote import PriceBook
from credits_core.values.roles import Actor, May
from credits_core.values.text import counted
from pages.parts import action, done, proposing, show, who, words

_OFFER, _ACTIVATE = "models:offer", "models:activate"
_ASKED = "models:asked"


def offering(model: Model, book: PriceBook) -> None:
    """The button that offers the model, or offers it no more, and its dialog."""
    if not who.may_or_told(May.PROPOSE_PLANS):
        return
    is_offered = model.id in book.models
    label, icon = ("Withdraw model", ":material/block:") if is_offered else ("Offer model", ":material/add_circle:")
    st.button(label, icon=icon, on_click=_ask, args=(model.id,), key="models:offer:ask")
    if st.session_state.get(_ASKED) == model.id:
        _offer(model, is_offered)


def _ask(what: object) -> None:
    action.start_over(_OFFER)
    action.start_over(_ACTIVATE)
    st.session_state[_ASKED] = what


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Change which models can run", on_dismiss=_stop_asking)
def _offer(model: Model, is_offered: bool) -> None:
    model_id, is_price_confirmed = model.id, False
    if is_offered:
        st.markdown(f"**{words.plain(model_id)}** cannot be run any more. Past runs keep their price.")
    else:
        st.markdown(f"**{words.plain(model_id)}** can be run from the next charge on.")
        if isinstance(model.prices, ModelPrices) and needs_confirming(model.prices):
            st.markdown(words.plain(prices_words(model.prices)))
            is_price_confirmed = st.checkbox("This high price is right", key="models:offer:price")

    def change(connection: Connection, now: datetime, actor: Actor, reason: str) -> int:
        if is_offered:
            return offers.withdraw(connection, model_id, reason=reason, now=now, actor=actor)
        corrections = settings.PRICE_CORRECTIONS_FILE
        number, _ = offers.offer(
            connection,
            model_id,
            is_price_confirmed=is_price_confirmed,
            corrections=corrections,
            reason=reason,
            now=now,
            actor=actor,
        )
        return number

    _confirm("Withdraw" if is_offered else "Offer", _OFFER, (model_id, is_offered, is_price_confirmed), change)


def _confirm(label: str, name: str, request: object, change: Callable[[Connection, datetime, Actor, str], int]) -> None:
    with st.form(f"{name}:form", border=False):
        reason = st.text_input("Reason", max_chars=500, placeholder="Kept in the journal", key=f"{name}:reason")
        second = who.actor().needs_second()
        if second:
            proposing.note()
        confirmed = st.form_submit_button("Propose" if second else label, type="primary")
    if confirmed:
        outcome = action.perform(name, (request, reason), lambda *given: _change(change, reason, *given))
        if outcome.refusal is None and second:
            assert outcome.result is not None, "what was not refused was proposed"
            _stop_asking()
            proposing.say("Models", outcome.result, "to make other model prices live")
            st.rerun()
        if outcome.refusal is None:
            _stop_asking()
            done.add("Models", f"Price list {outcome.result} is live. To go back, make an earlier list live on Models.")
            st.rerun()
        if isinstance(outcome.refusal, LiveListChanged):
            _changed_meanwhile(outcome.refusal)
            return
        show.refusal(outcome.refusal, undone="Nothing was changed.")


def _change(
    change: Callable[[Connection, datetime, Actor, str], int],
    reason: str,
    connection: Connection,
    _key: str,
    now: datetime,
    actor: Actor,
) -> int:
    """The price list that is live now or, where another person must approve it, the number of the proposal."""
    number = change(connection, now, actor, reason)
    if not actor.needs_second():
        return number
    made = proposals.propose(connection, MakePricesLive(number), reason=reason, actor=actor, now=now)
    return made.number


def _changed_meanwhile(refusal: LiveListChanged) -> None:
    st.warning(
        f"{words.by(refusal.actor)} made price list {refusal.live} live: {words.plain(refusal.source)}. "
        "Nothing was changed. Close this window to see what would change now.",
        title="Somebody changed the live list meanwhile",
        icon=":material/sync_problem:",
    )


@st.dialog("Make this price list live?", icon=":material/bolt:", on_dismiss=_stop_asking)
def _activation(compared: Compared) -> None:
    number, live = compared.number, compared.live
    st.markdown(f"Price list **{number}** will price all new runs, in every process. Past runs keep their price.")
    show_differences(compared.differences)

    def change(connection: Connection, now: datetime, actor: Actor, reason: str) -> int:
        # The live list is the one that the person saw the differences from, not the one of this moment.
        if not actor.needs_second():
            offers.make_live(connection, number, expected_live=live, reason=reason, now=now, actor=actor)
        return number

    _confirm("Make live", _ACTIVATE, (number, live), change)


def show_differences(lines: Sequence[str]) -> None:
    """What would change from the live price list, a line each."""
    if not lines:
        st.caption("No price differs from the live list.")
        return
    st.caption(f"{counted(len(lines), 'change')} from the live list")
    st.code("\n".join(lines), language=None, wrap_lines=True, height=200 if len(lines) > 6 else "content")


def make_live(compared: Compared) -> None:
    """The button that makes the compared list live, and its dialog."""
    st.button("Make live", icon=":material/bolt:", on_click=_ask, args=(compared,), key="models:activate:ask")
    asked = st.session_state.get(_ASKED)
    if isinstance(asked, Compared) and asked.number == compared.number:
        _activation(asked)
