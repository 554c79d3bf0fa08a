"""Refunds one entry: a button, and a question that says who would bear what, asks for the reason and does it.

Also says who bore the refunds of some days.
"""

from collections.abc import Iterable, Iterator

import streamlit as st
from sqlalchemy import Connection

from credits_core.access.proposed import RefundEntry
from credits_core.errors import CreditsError
from credits_core.ledger import actions, bearing, entries, refunds
from credits_core.ledger.refusals import AlreadyRefunded
from credits_core.reports.sums import Spending
from credits_core.store.kinds import TransactionType
from credits_core.values.roles import May
from pages.parts import action, done, proposing, resources, show, who, words

_ACTION = "refund"
_ASKED = "refund:asked"


def would_be(connection: Connection, entry_id: int) -> str:
    """Who would bear what of a refund, as a sentence for Markdown. Raises as `refunds.preview`."""
    return _said(refunds.preview(connection, entry_id), done=False)


def outcome(connection: Connection, refund_id: int) -> tuple[str, str]:
    """Who bore what of a refund, and the rule that it was made under, each as a sentence for Markdown."""
    borne = refunds.borne(connection, entries.receipt(connection, refund_id, plans={}))
    return _said(borne, done=True), bearing.rule_sentence(borne)


def outcomes_of(connection: Connection, entry_ids: Iterable[int]) -> dict[int, str]:
    """Who bore what of the refund of each entry that is refunded, as a sentence for Markdown, by the entry."""
    refund_ids = ((entry_id, entries.refund_of(connection, entry_id)) for entry_id in entry_ids)
    return {entry_id: outcome(connection, one)[0] for entry_id, one in refund_ids if one is not None}


def borne_in_all(spent: Spending) -> Iterator[str]:
    """Who bore the refunds of some days, one short sentence each, for Markdown."""
    if spent.refunded_credits:
        creators, platform = spent.refunds_creators_credits, spent.refunds_platform_credits
        yield f"Creators gave back {words.both(creators)}, PromptFlow bore {words.both(platform)}."
    if spent.refunded_inference_credits:
        yield f"PromptFlow's part includes inference costs of {words.both(spent.refunded_inference_credits)}."
    if spent.provider_refunds_credits:
        yield f"Providers gave back {words.both(spent.provider_refunds_credits)}."
    if spent.booked_back_credits:
        yield f"Earlier rule: inference costs of {words.both(spent.booked_back_credits)} were booked back."


def button(entry_id: int, *, label: str = "Refund this entry", key: str | None = None) -> None:
    """A button that asks before it refunds the entry, for who may do that."""
    if not _may_refund(entry_id):
        return
    st.button(label, icon=":material/undo:", key=key, on_click=ask, args=(entry_id,))


def _may_refund(entry_id: int) -> bool:
    if who.may(May.MOVE_CREDITS):
        return True
    if not who.may(May.TRY):  # without asking who paid
        return False
    with resources.reading() as connection:
        payer = entries.receipt(connection, entry_id, plans={}).transactions[0].account_id
    return who.may_for(payer, May.MOVE_CREDITS)


def name_of(entry_id: int) -> str:
    """The name under which an entry is in the list of this visit."""
    return f"entry:{entry_id}"


def ask(entry_id: int) -> None:
    """Ask whether to refund the entry, on whatever screen. Meant for a callback.

    The key of the refund is made now, so that two clicks on the button of the question refund once.
    """
    action.start_over(_ACTION)
    st.session_state[_ASKED] = entry_id


def question() -> None:
    """Draw the question as long as one is asked, so that it outlives reruns. For the navigation, on every screen."""
    entry_id: int | None = st.session_state.get(_ASKED)
    if entry_id is not None:
        _dialog(entry_id)


def _said(borne: bearing.Bearing, *, done: bool) -> str:
    return bearing.sentence(borne, done=done, name=words.plain, amount=words.both)


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Refund this entry?", icon=":material/undo:", on_dismiss=_stop_asking)
def _dialog(entry_id: int) -> None:
    who_bears_what = st.container()
    with resources.reading() as connection:
        posted = entries.receipt(connection, entry_id, plans={})
    has_cost = any(moved.type is TransactionType.INFERENCE_COST for moved in posted.transactions)
    provider_refunded = has_cost and st.checkbox("The provider gave the cost back", key="refund:provider")
    try:
        with resources.reading() as connection:
            asked = refunds.preview(connection, entry_id, provider_refunded=provider_refunded)
    except AlreadyRefunded:  # just now, by this button or by somebody else: the page says by which entry
        _stop_asking()
        st.rerun()
    except CreditsError as refused:
        show.refusal(refused, undone="Nothing was refunded.")
        return
    who_bears_what.markdown(
        f"{_said(asked, done=False)} A new entry does this; nothing is deleted. An entry can be refunded only once."
    )
    second = who.actor().needs_second(abs(asked.user_credits))
    with st.form("refund", border=False):
        reason = st.text_input("Reason", max_chars=500, placeholder="Kept in the history", key="refund:reason")
        if second:
            proposing.note()
        confirmed = st.form_submit_button("Propose" if second else "Refund", type="primary", icon=":material/undo:")
    if confirmed and second:
        change = RefundEntry(entry_id, provider_refunded)
        refusal = proposing.propose(
            "refund:propose", "History", change, reason=reason, said=f"to refund entry {entry_id}"
        )
        if refusal is None:
            _stop_asking()
            st.rerun()
        show.refusal(refusal, undone="Nothing was proposed.")
    elif confirmed:
        performed = action.perform(
            _ACTION,
            (entry_id, reason, provider_refunded),
            lambda connection, key, now, actor: actions.refund(
                connection,
                entry_id,
                reason=reason,
                provider_refunded=provider_refunded,
                book=resources.book_at(connection),
                key=key,
                now=now,
                actor=actor,
            ),
        )
        if performed.refusal is None:
            assert performed.result is not None, "what is not refused has a result"
            with resources.reading() as connection:
                said, _ = outcome(connection, performed.result.entry_id)
            refund_id = performed.result.entry_id
            # Each screen that refunds shows it in its place.
            if not done.undone(name_of(entry_id), f"Refunded by entry {refund_id}. {said}"):
                done.add("Refund", said, link=done.link_to_entry(refund_id), is_shown=False)
            _stop_asking()
            st.rerun()
        show.refusal(performed.refusal, undone="Nothing was refunded.")
