"""One entry in full: its receipt, who bore its refund or what it refunds, and the button that refunds it."""

from collections.abc import Callable, Sequence

import streamlit as st

from credits_core.access import proposals
from credits_core.ledger import accounts, entries, entry_lots, purchase_rows
from credits_core.ledger.accounts import TransactionFilter
from credits_core.ledger.receipts import in_part
from credits_core.ledger.refusals import UnknownEntry
from pages.parts import links, lots_moved, refunding, resources, show, words

_MOST_PARTS = 10


def show_in_full(entry_id: int, open_entry: Callable[[int], None]) -> None:
    """Show the entry, or that there is none with this number. `open_entry` opens another one, as a callback."""
    try:
        with resources.reading() as connection:
            posted = entries.receipt(connection, entry_id, plans=resources.book().plans)
            headline, *_ = accounts.transactions(connection, TransactionFilter(entry_id=entry_id, headline_only=True))
            refund_id = entry_id if posted.refunds_entry_id is not None else posted.refunded_by_entry_id
            user_id = entry_lots.payer_of(posted)
            moved = None if user_id is None else entry_lots.lots_of(connection, entry_id, user_id)
            purchase_id = purchase_rows.purchase_of_entry(connection, entry_id)
            proposed = proposals.that_posted(connection, entry_id, posted.idempotency_key)
            parts = entries.refunds_of(connection, entry_id) if posted.refunded_credits else []
            said, rule = refunding.outcome(connection, refund_id) if refund_id is not None else ("", "")
    except UnknownEntry as error:
        st.info(str(error), title="No such entry", icon=":material/search_off:")
        return
    with st.container(border=True):
        st.header(f"Entry {entry_id}: {words.plain(headline.description)}", anchor=False)
        if posted.refunds_entry_id is not None:
            st.success(f"{said} {rule}", icon=":material/undo:")
            st.button("Open the refunded entry", on_click=open_entry, args=(posted.refunds_entry_id,))
        if posted.refunded_by_entry_id is not None:
            st.success(f"Refunded by entry {refund_id}. {said}", icon=":material/undo:")
            st.button("Open the refund", on_click=open_entry, args=(refund_id,))
        elif posted.is_refunded_in_part:
            st.info(in_part(posted.refunded_credits, posted.left_credits), icon=":material/undo:")
        _parts([one for one in parts if one != posted.refunded_by_entry_id], open_entry)
        show.receipt(posted)
        lots_moved.draw(user_id, moved)
        if proposed is not None:
            with st.container(horizontal=True, vertical_alignment="center"):
                approved = words.by(proposed.decided_by or posted.actor)
                st.caption(f"Proposed by {words.by(proposed.proposed_by)}, approved by {approved}.", width="content")
                st.page_link(
                    "people/approvals.py",
                    label=f"Proposal {proposed.number}",
                    icon=":material/how_to_reg:",
                    query_params=links.carry_to(proposal=str(proposed.number)),
                    width="content",
                )
        show.link_to_explanation(posted)
        if purchase_id is not None:  # which is refunded as a whole, with its money
            st.page_link(
                "money/buy_credits.py",
                label=f"Purchase {purchase_id}",
                icon=":material/receipt:",
                query_params=links.carry_to(purchase=str(purchase_id)),
            )
        elif refund_id is None:
            refunding.button(entry_id, label="Refund more" if posted.is_refunded_in_part else "Refund this entry")


def _parts(refund_ids: Sequence[int], open_entry: Callable[[int], None]) -> None:
    """A button for each of the newest parts that were refunded."""
    if refund_ids:
        with st.container(horizontal=True):
            for one in refund_ids[-_MOST_PARTS:]:
                st.button(f"Part: entry {one}", key=f"part:{one}", on_click=open_entry, args=(one,), type="tertiary")
