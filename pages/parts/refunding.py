"""Refunds one entry: a button, and a question that says who would bear what, asks for the reason and does it.

Also says who bore the refunds of some days.
"""

from collections.abc import Iterable, Iterator

import streamlit as st
from sqlalchemy import Connection

from credits_core.access.proposed import RefundEntry
from credits_core.errors import CreditsError
from credits_core.ledger import actions, bearing, entries, refunds
from credits_core.ledger.receipts import Receipt, in_part
from credits_core.ledger.refusals import AlreadyRefunded
from credits_core.reports.sums import Spending
from credits_core.store.kinds import EntryType, TransactionType
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


def parts_of(connection: Connection, entry_ids: Iterable[int]) -> dict[int, str]:
    """How much was refunded of each entry that is refunded in part, and what is left, by the entry."""
    found = (entries.receipt(connection, entry_id, plans={}) for entry_id in entry_ids)
    return {one.entry_id: in_part(one.refunded_credits, one.left_credits) for one in found if one.is_refunded_in_part}


def borne_in_all(spent: Spending) -> Iterator[str]:
    """Who bore the refunds of some days, one short sentence each, for Markdown."""
    if spent.refunded_credits:
        owed_credits, platform = spent.refunds_owed_credits, spent.refunds_platform_credits
        creators = spent.refunds_creators_credits - owed_credits
        owed = f" and owe {words.both(owed_credits)}" if owed_credits else ""
        yield f"Creators gave back {words.both(creators)}{owed}, PromptFlow bore {words.both(platform)}."
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
    amount_credits = _amount(posted)
    has_cost = any(moved.type is TransactionType.INFERENCE_COST for moved in posted.transactions)
    provider_refunded = has_cost and st.checkbox("The provider gave the cost back", key="refund:provider")
    try:
        with resources.reading() as connection:
            asked = refunds.preview(
                connection, entry_id, provider_refunded=provider_refunded, amount_credits=amount_credits
            )
    except AlreadyRefunded:  # just now, by this button or by somebody else: the page says by which entry
        _stop_asking()
        st.rerun()
    except CreditsError as refused:
        show.refusal(refused, undone="Nothing was refunded.")
        return
    left_credits = 0 if amount_credits is None else posted.left_credits - amount_credits
    afterwards = (
        f"{words.both(left_credits)} can be refunded later." if left_credits else "Then nothing is left to refund."
    )
    who_bears_what.markdown(f"{_said(asked, done=False)} A new entry does this; nothing is deleted. {afterwards}")
    second = who.actor().needs_second(posted.refunded_credits + abs(asked.user_credits))
    with st.form("refund", border=False):
        reason = st.text_input("Reason", max_chars=500, placeholder="Kept in the history", key="refund:reason")
        if second:
            proposing.note()
        confirmed = st.form_submit_button("Propose" if second else "Refund", type="primary", icon=":material/undo:")
    if confirmed and second:
        change = RefundEntry(entry_id, provider_refunded, amount_credits)
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
            (entry_id, reason, provider_refunded, amount_credits),
            lambda connection, key, now, actor: actions.refund(
                connection,
                entry_id,
                reason=reason,
                provider_refunded=provider_refunded,
                amount_credits=amount_credits,
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
            # Each screen that refunds shows it in its place. What is refunded in part can be refunded again.
            if left_credits or not done.undone(name_of(entry_id), f"Refunded by entry {refund_id}. {said}"):
                done.add("Refund", said, link=done.link_to_entry(refund_id), is_shown=False)
            _stop_asking()
            st.rerun()
        show.refusal(performed.refusal, undone="Nothing was refunded.")


def _amount(posted: Receipt) -> int | None:
    """How much of a run or unlock to refund; None for all that is left, and for anything else."""
    left_credits = posted.left_credits
    if posted.type not in (EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK) or left_credits < 2:
        return None
    said = in_part(posted.refunded_credits, left_credits) if posted.is_refunded_in_part else None
    credits = st.number_input(
        "Credits to refund", 1, left_credits, left_credits, key="refund:credits", help=said or "All of it, or a part."
    )
    if said:
        st.caption(said)
    return None if credits == left_credits else int(credits)
