"""What changes which models can run and what they cost: offer, withdraw, and make a price list live."""

from collections.abc import Callable, Sequence
from datetime import datetime

import streamlit as st
from sqlalchemy import Connection

from credits_core import settings
from credits_core.access import proposals
from credits_core.access.proposed import MakePricesLive
from credits_core.errors import CreditsError, DataFileInvalid
from credits_core.prices import lists, offers, package
from credits_core.prices.list_toml import differences, needs_confirming
from credits_core.prices.offers import Compared
from credits_core.prices.refusals import LiveListChanged
from credits_core.pricing.dated_prices import ModelPrices
from credits_core.pricing.models import Model
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.price_words import prices_words
from credits_core.pricing.quote import PriceBook
from credits_core.values.roles import Actor, May
from credits_core.values.text import counted
from pages.parts import action, clock, done, proposing, resources, show, who, words

_OFFER, _ACTIVATE, _SAVE = "models:offer", "models:activate", "models:save"
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
        f"{words.plain(refusal.actor)} made price list {refusal.live} live: {words.plain(refusal.source)}. "
        "Nothing was changed. Close this window to see what would change now.",
        title="Somebody changed the live list meanwhile",
        icon=":material/sync_problem:",
    )


def price_lists(book: PriceBook) -> None:
    """Every version of the price list, new prices from the package or a file, and making one live."""
    with st.expander("Price lists", icon=":material/history:"):
        with resources.reading() as connection:
            known = lists.lists(connection)
            journal = lists.activations(connection)
        rows: list[show.Row] = [
            {
                "No": one.number,
                "State": "Live" if one.is_live else "",
                "Saved": clock.text(one.saved_at, "%Y-%m-%d %H:%M") if one.number > 1 else "came with the software",
                "By": words.plain(one.actor),
                "From": words.plain(one.source),
                "Reason": words.plain(next((line.reason for line in journal if line.price_list == one.number), "–")),
            }
            for one in known
        ]
        st.table(show.small_table(rows, {}), border="horizontal", hide_index=True, alt="Every price list, newest first")
        with st.container(horizontal=True):
            if who.may(May.DRAFT_PLANS) and st.button("Check for new prices", icon=":material/refresh:"):
                _refresh()
            _download(book)
        if who.may_or_told(May.DRAFT_PLANS):
            _bring_in(book)
        others = [one.number for one in known if not one.is_live]
        if others:
            _compare(others)


def _refresh() -> None:
    today, corrections = resources.this_hour().date(), settings.PRICE_CORRECTIONS_FILE
    try:
        with resources.reading() as connection:
            text = offers.refreshed_text(connection, corrections=corrections, today=today)
    except DataFileInvalid as error:
        st.error("\n".join(f"- {words.plain(one)}" for one in error.problems), title="The prices cannot be renewed")
        return
    if text is None:
        st.success(f"All prices match {package.PACKAGE_VERSION}.", icon=":material/check_circle:")
        return
    _save(text, package.PACKAGE_VERSION)


def _download(book: PriceBook) -> None:
    assert book.price_list is not None, "the database began with a price list"
    with resources.reading() as connection:
        text = lists.text_of(connection, book.price_list)
    st.download_button(
        "Download live list (TOML)", text, "models.toml", "application/toml", icon=":material/download:",
        on_click="ignore",
    )  # fmt: skip


def _bring_in(book: PriceBook) -> None:
    file = st.file_uploader("Import a price list (TOML)", type="toml", key="models:file")
    if file is None:
        return
    try:
        text = file.getvalue().decode("utf-8")
        new = parse_model_registry(text, file.name)
    except UnicodeDecodeError:
        st.error("Nothing was imported.", title="The file is not UTF-8 text", icon=":material/block:")
        return
    except DataFileInvalid as error:
        st.error("\n".join(f"- {words.plain(one)}" for one in error.problems), title="The price list is not valid")
        return
    _differences(list(differences(book.models, new)))
    if st.button("Save as new price list", icon=":material/save:"):
        _save(text, file.name)


def _save(text: str, source: str) -> None:
    action.start_over(_SAVE)
    outcome = action.perform(
        _SAVE,
        (text, source),
        lambda connection, _key, now, actor: lists.save(connection, text, source=source, now=now, actor=actor),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nothing was saved.")
        return
    st.session_state["models:other"] = outcome.result
    st.rerun()


def _compare(others: list[int]) -> None:
    number = st.selectbox("Price list", others, key="models:other", format_func="No {}".format)
    with resources.reading() as connection:
        try:
            compared = offers.compare(connection, number)
        except CreditsError as refusal:
            show.refusal(refusal, undone="It cannot be made live.")
            return
    _differences(compared.differences)
    if not who.may_or_told(May.PROPOSE_PLANS):
        return
    st.button("Make live", icon=":material/bolt:", on_click=_ask, args=(compared,), key="models:activate:ask")
    asked = st.session_state.get(_ASKED)
    if isinstance(asked, Compared) and asked.number == number:
        _activation(asked)


def _differences(lines: Sequence[str]) -> None:
    if not lines:
        st.caption("No price differs from the live list.")
        return
    st.caption(f"{counted(len(lines), 'change')} from the live list")
    st.code("\n".join(lines), language=None, wrap_lines=True, height=200 if len(lines) > 6 else "content")


@st.dialog("Make this price list live?", icon=":material/bolt:", on_dismiss=_stop_asking)
def _activation(compared: Compared) -> None:
    number, live = compared.number, compared.live
    st.markdown(f"Price list **{number}** will price all new runs, in every process. Past runs keep their price.")
    _differences(compared.differences)

    def change(connection: Connection, now: datetime, actor: Actor, reason: str) -> int:
        # The live list is the one that the person saw the differences from, not the one of this moment.
        if not actor.needs_second():
            offers.make_live(connection, number, expected_live=live, reason=reason, now=now, actor=actor)
        return number

    _confirm("Make live", _ACTIVATE, (number, live), change)
