"""Sets credits aside for a run whose output is not known yet, and ends the hold: charged, released or expired."""

from datetime import UTC, datetime, timedelta

import streamlit as st

from credits_core.ledger import hold_rows, holds
from credits_core.ledger.hold_rows import StoredHold
from credits_core.ledger.holds import Captured
from credits_core.ledger.requests import CaptureRequest, ChargeRequest, HoldRequest
from credits_core.pricing.quote import Quote
from credits_core.store.kinds import HoldEnd
from credits_core.values.roles import May
from pages.parts import action, clock, numbers, resources, show, undoing, who, words

_HOLD, _END = "hold", "hold:end"
_MINUTES = (15, 1, 60)
_MOST_TOKENS = 10_000_000
_HELP = "Set the price of the most output aside now, and charge what was really used later."
_ENDED = {
    HoldEnd.CAPTURED: "Charged",
    HoldEnd.RELEASED: "Released",
    HoldEnd.EXPIRED: "Expired",
}


def button(request: ChargeRequest | None, quote: Quote | None) -> None:
    """The button that holds the price of the run, whose output tokens count as the most, and how long it lasts."""
    performed = action.performed(_HOLD)
    if request is None or not quote or not quote.total_credits or not who.may_for(request.user_id, May.CHARGE):
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        clicked = st.button("Set credits aside first", icon=":material/lock_clock:", help=_HELP, key="hold:ask")
        minutes: int = st.selectbox(
            "For how long",
            _MINUTES,
            format_func=lambda minutes: f"for {minutes} min",
            key="hold:minutes",
            label_visibility="collapsed",
            width=140,
        )
    wanted = _hold_of(request, minutes)
    if clicked:
        performed = action.perform(
            _HOLD,
            wanted,
            lambda connection, key, now, actor: holds.authorise(
                connection, wanted, book=resources.book_at(connection), key=key, now=now, actor=actor
            ),
        )
    if performed is not None and performed.refusal is not None and performed.request == wanted:
        show.refusal(performed.refusal, undone="Nothing was set aside.")


def outcome() -> None:
    """The hold that was made last, with what ends it, or how it ended."""
    performed = action.performed(_HOLD)
    if performed is None or performed.result is None:
        return
    now = datetime.now(UTC)
    with resources.reading() as connection:
        hold = hold_rows.hold(connection, performed.result.hold.id)
    with st.container(border=True):
        show.start_over(_HOLD, f"Hold {hold.id}", again="Put away")
        if performed.repeated:
            show.not_again("charged", "This click was a repeat. The credits were set aside once.", again="Put away")
        if hold.state(now) == "open":
            _open(hold)
        else:
            _ended(hold, now)


def _open(hold: StoredHold) -> None:
    st.markdown(
        f"{words.both(hold.held_credits)} of {words.plain(hold.user_id)} are set aside and cannot be spent."
        f" At {clock.text(hold.expires_at, '%H:%M:%S')} they come back by themselves."
    )
    used = _used(hold)
    with st.container(horizontal=True):
        if st.button("Charge what was used", type="primary", icon=":material/check:", key="hold:capture"):
            _capture(hold, used)
        if st.button("Release", icon=":material/lock_open:", help="Nothing is charged.", key="hold:release"):
            _release(hold)
    ending = action.performed(_END)
    if ending is not None and ending.refusal is not None and ending.request[0] == hold.id:
        show.refusal(ending.refusal, undone="The hold stays as it is.")


def _used(hold: StoredHold) -> CaptureRequest | None:
    """What the run really used; None for all that was expected, as for a model with a price per run."""
    if hold.output_tokens is None:
        return None
    tokens = numbers.whole(
        "Output tokens really used",
        0,
        _MOST_TOKENS,
        key="hold:used",
        usual=hold.output_tokens,
        says=lambda count: f"{hold.output_tokens:,} were expected at most" if count is not None else "",
        in_url=False,
    )
    return CaptureRequest(input_tokens=hold.input_tokens, output_tokens=tokens or 0)


def _capture(hold: StoredHold, used: CaptureRequest | None) -> None:
    performed = action.perform(
        _END,
        (hold.id, used),
        lambda connection, key, now, actor: holds.capture(
            connection, hold.id, used, book=resources.book_at(connection), key=key, now=now, actor=actor
        ),
    )
    if performed.result is not None:
        undoing.note("Simulate runs", performed.result.receipt, "charged")
        st.rerun()


def _release(hold: StoredHold) -> None:
    performed = action.perform(
        _END,
        (hold.id, HoldEnd.RELEASED),
        lambda connection, key, now, actor: holds.release(connection, hold.id, key=key, now=now, actor=actor),
    )
    if performed.result is not None:
        st.rerun()


def _ended(hold: StoredHold, now: datetime) -> None:
    back_credits = hold.held_credits if hold.end is None else hold.released_credits
    came_back = f"{words.both(back_credits)} came back." if back_credits else "All of the hold was used."
    charged = ""
    if hold.total_credits is not None:
        charged = f"{words.plain(hold.user_id)} paid {words.both(hold.total_credits)} for the run. "
    title = _ENDED[HoldEnd(hold.state(now))]
    st.success(f"{charged}{came_back}", title=title, icon=":material/check_circle:")
    ending = action.performed(_END)
    if ending is not None and isinstance(ending.result, Captured) and ending.result.hold_id == hold.id:
        show.receipt(ending.result.receipt)
        show.link_to_explanation(ending.result.receipt)


def _hold_of(run: ChargeRequest, minutes: int) -> HoldRequest:
    return HoldRequest(
        run.user_id,
        run.prompt_id,
        run.model_id,
        run.creator_id,
        run.creator_fee_credits,
        run.input_tokens,
        run.output_tokens,
        usage=run.usage,
        service_tier=run.service_tier,
        lasts=timedelta(minutes=minutes),
    )
