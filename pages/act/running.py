"""Runs prompts: shows the price first, charges one run or a batch, and sums up the batch. A large batch asks first."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from credits_core.bulk.batch import Batch, Summary, batch_total, charge_piece, large_percent
from credits_core.bulk.refusals import ShownPriceChanged
from credits_core.errors import CreditsError
from credits_core.ledger import accounts, actions
from credits_core.ledger.refusals import InsufficientCredits, UnknownUser
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.pricing.quote import PriceBook, Quote, Terms
from credits_core.values.roles import May
from pages.act import taking_back
from pages.parts import action, charts, resources, show, undoing, who, words

_Party = tuple[str, str, Literal["gray", "green", "violet"], int]
"""A party's name, its colour in charts and as a badge, and its credits."""
_ASKED = "batch:asked"


@dataclass(frozen=True, slots=True)
class _LargeBatch:
    """A batch that takes so much of the balance that it is charged only after a question."""

    batch: Batch
    terms: Terms
    total_credits: int
    percent: int


def price(request: ChargeRequest) -> Quote | None:
    """The price that the run would have now. None when it has none; the reason is shown."""
    try:
        return actions.quote_prompt(request, resources.book(), now=datetime.now(UTC))
    except CreditsError as error:
        st.warning(words.refusal_text(error), title="No price yet", icon=":material/edit:")
        return None


def terms() -> Terms:
    """The plan and the price list that are live. Ask before a price is drawn: then no later price passes for theirs."""
    return resources.book().terms


def total(batch: Batch) -> int:
    """What a batch that has a price would cost now, in credits."""
    book = resources.book()
    # By what they say and not by their names: a demo that was started over can have others of the same names.
    kept_under = price_plan_toml(book.plan), repr(book.models[batch.request.model_id])
    return _total(batch, book, kept_under, resources.this_hour())


@st.cache_data(max_entries=50, show_spinner="Pricing the batch…")
def _total(batch: Batch, _book: PriceBook, plan_and_model: tuple[str, str], at: datetime) -> int:
    assert all(plan_and_model), "the key under which the total is kept"
    return batch_total(batch, _book, now=at)


def button(
    name: str, request: ChargeRequest | None, quote: Quote | None, *, place: DeltaGenerator | None = None
) -> None:
    """The button that charges one run, at the price that was shown when it was clicked, or refuses to.

    It stands here or in `place`. A refusal shows here; a receipt stays under `name` for the page to show.
    """
    action.performed(name)  # makes the key before the button is shown
    seen_request, seen_credits = st.session_state.get(f"{name}:seen", (None, None))
    st.session_state[f"{name}:seen"] = (request, quote.total_credits if quote else None)
    with place or st.container():
        if not who.may_for_or_told(request.user_id if request else "", May.CHARGE):
            return
        clicked = st.button(
            "Run", type="primary", icon=":material/play_arrow:", disabled=quote is None, key=f"{name}:run"
        )
    if request is None:
        return
    if clicked:
        # Another plan may have been made live since the price was drawn.
        at_that_price = replace(request, expected_total_credits=seen_credits) if seen_request == request else request
        performed = action.perform(
            name,
            request,
            lambda connection, key, now, actor: actions.charge_prompt(
                connection, at_that_price, book=resources.book_at(connection), key=key, now=now, actor=actor
            ),
        )
        if performed.result is not None and not performed.repeated:
            undoing.note("Test bench", performed.result, "charged")
    _refusal(name, request)


def batch_button(name: str, batch: Batch, total_credits: int | None, terms: Terms) -> None:
    """The button that charges a batch under the plan and price list that were shown when it was clicked, or refuses to.

    `total_credits` and `terms` are those of the price that is drawn now. When the total is more than a tenth of the
    balance, a dialog asks first. The summary stays under `name` for the page to show.
    """
    if not who.may_for_or_told(batch.request.user_id, May.CHARGE):
        return
    shown = _shown(f"{name}:terms", terms)
    known = action.performed(name)
    is_begun = known is not None and known.request == batch and known.result is not None
    is_stopped = known is not None and is_begun and not known.is_whole
    if st.button(
        f"Run {batch.runs:,} times",
        type="primary",
        icon=":material/play_arrow:",
        disabled=total_credits is None or is_stopped,
        help="This batch stopped half way. Continue it below, or choose New run." if is_stopped else None,
        key=f"{name}:run",
    ):
        # A price that changed since it was shown is refused, and a repeated click charges nothing: neither asks.
        large = _large(batch, total_credits or 0, terms) if shown == terms and not is_begun else None
        if large is None:
            _run_batch(name, batch, shown)
        else:
            st.session_state[_ASKED] = large
    asked: _LargeBatch | None = st.session_state.get(_ASKED)
    if asked is not None and asked.batch == batch:
        _ask(name, asked)
    _refusal(name, batch)


def _large(batch: Batch, total_credits: int, terms: Terms) -> _LargeBatch | None:
    try:
        with resources.reading() as connection:
            balance_credits = accounts.user(connection, batch.request.user_id).balance_credits
    except UnknownUser:  # every run will be refused
        return None
    percent = large_percent(total_credits, balance_credits)
    return None if percent is None else _LargeBatch(batch, terms, total_credits, percent)


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Large batch", icon=":material/price_check:", on_dismiss=_stop_asking)
def _ask(name: str, asked: _LargeBatch) -> None:
    user = words.plain(asked.batch.request.user_id)
    st.markdown(f"This takes {words.both(asked.total_credits)}, {asked.percent:,} % of {user}'s balance. Run it?")
    if st.button("Run it", type="primary", icon=":material/play_arrow:", key="batch:run-it"):
        _stop_asking()
        _run_batch(name, asked.batch, asked.terms)
        st.rerun()


def _shown(slot: str, terms: Terms) -> Terms:
    """The terms that the page had when it was drawn last, which is what a click now answers."""
    shown: Terms = st.session_state.get(slot, terms)
    st.session_state[slot] = terms
    return shown


def _run_batch(name: str, batch: Batch, shown: Terms) -> None:
    """Charge a batch, or the rest of it, with a progress bar; the outcome stays under `name`."""
    progress = st.progress(0.0, "Running…")
    for outcome in action.perform_in_pieces(
        name,
        batch,
        lambda connection, key, now, actor, before: charge_piece(
            connection,
            batch,
            before=before or Summary(),
            book=resources.book_at(connection),
            key=key,
            now=now,
            actor=actor,
            shown=shown,
        ),
        is_whole=lambda summary: summary.runs == batch.runs,
    ):
        if outcome.result is not None:
            done = outcome.result.runs
            progress.progress(done / batch.runs, f"{done:,} of {batch.runs:,} runs")
        if not outcome.repeated:  # after each piece, because the run may end before the next one
            taking_back.note("Simulate runs", outcome)
    progress.empty()
    if isinstance(outcome.refusal, ShownPriceChanged):
        st.rerun()  # the price that is drawn above may be the old one


def _refusal(name: str, request: ChargeRequest | Batch) -> None:
    """Why nothing was charged, as long as what was asked for is on the page."""
    performed = action.performed(name)
    if performed is None or performed.refusal is None or performed.request != request:
        return
    if performed.result is None:  # else the summary says it
        show.refusal(performed.refusal)


def outcome(name: str, terms: Terms) -> None:
    """The receipt of one run, or the summary of a batch, and the button with which the next one begins.

    A batch that stopped half way is continued under the plan and price list of the page, `terms`.
    """
    shown = _shown(f"{name}:terms to continue", terms)
    performed = action.performed(name)
    if performed is None or performed.result is None:
        return
    if isinstance(performed.request, ChargeRequest):
        show.outcome(name, verb="charged", again="New run")
        return
    with st.container(border=True):
        show.start_over(name, "Summary", again="New run")
        if not performed.is_whole and st.button("Continue the batch", type="primary", icon=":material/resume:"):
            _run_batch(name, performed.request, shown)
            st.rerun()
        _summary(performed)
        if performed.is_whole and performed.result.charged:
            taking_back.offer(performed)


def _summary(performed: action.Performed[Summary]) -> None:
    batch, summary = performed.request, performed.result or Summary()
    charged = f"Charged {summary.charged:,} of {batch.runs:,} runs to {words.plain(batch.request.user_id)}"
    if not performed.is_whole:
        st.warning(f"{charged} so far.", title="Stopped half way", icon=":material/pause_circle:")
        if performed.refusal is not None:
            show.refusal(performed.refusal, undone="The rest of the batch was not charged.")
    elif performed.repeated:
        show.not_again("charged", f"{charged} once.", again="New run")
    elif summary.refused_count:
        st.warning(f"{charged}.", icon=":material/warning:")
    elif summary.charged:
        st.success(f"{charged}.", icon=":material/check_circle:")
    for refusals in summary.refused.values():
        refused = f"{refusals.count:,} {'run was' if refusals.count == 1 else 'runs were'} refused"
        st.error(f"First reason: {words.refusal_text(refusals.first)}", title=refused, icon=":material/block:")
        if isinstance(refusals.first, InsufficientCredits):
            show.link_to_add_credits(refusals.first.user_id)
    if summary.charged:
        _sums(summary)


def _sums(summary: Summary) -> None:
    before_credits, after_credits = summary.balance_before_credits or 0, summary.balance_after_credits or 0
    with show.metric_grid(summary.total_credits, before_credits, after_credits, columns=3):
        show.metric("Total charged", summary.total_credits)
        show.metric("Balance before", before_credits, colour="blue")
        show.metric("Balance after", after_credits, colour="blue")
    parties: list[_Party] = [
        ("Inference", charts.INFERENCE, "gray", summary.inference_credits),
        ("Creators", charts.CREATOR, "green", summary.creators_credits),
        ("Platform", charts.PLATFORM, "violet", summary.platform_credits),
    ]
    charts.draw(_split(parties), alt="How the total was split between inference, creators and platform")
    with st.container(horizontal=True, gap="small"):
        for party, _, badge_colour, credits in parties:
            st.badge(f"{party}: {words.both(credits)}", color=badge_colour)
    if summary.cheapest_credits != summary.dearest_credits:
        cheapest, dearest = summary.cheapest_credits or 0, summary.dearest_credits or 0
        st.caption(f"Cheapest run: {words.both(cheapest)}. Dearest run: {words.both(dearest)}.")


def _split(parties: list[_Party]) -> go.Figure:
    figure = charts.one_bar((party, colour, credits) for party, colour, _, credits in parties)
    figure.update_layout(height=120, margin={"l": 12, "r": 8, "t": 8, "b": 8}, showlegend=False)
    figure.update_xaxes(title="credits", separatethousands=True)
    return figure
