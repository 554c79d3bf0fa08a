"""Every version of the price list: new prices from the package or a file, what would change, and making one live."""

import streamlit as st

from credits_core import settings
from credits_core.errors import CreditsError, DataFileInvalid
from credits_core.prices import lists, offers, package
from credits_core.prices.list_toml import differences
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.quote import PriceBook
from credits_core.values.roles import May
from pages.models import changing
from pages.parts import action, clock, resources, show, who, words

_SAVE = "models:save"


def show_all(book: PriceBook) -> None:
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
                "By": words.by(one.actor),
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
    changing.show_differences(list(differences(book.models, new)))
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
    changing.show_differences(compared.differences)
    if not who.may_or_told(May.PROPOSE_PLANS):
        return
    changing.make_live(compared)
