"""Notes what a person charged or added in the list of this visit, with the question that refunds it."""

from functools import partial

from credits_core.ledger.receipts import Receipt
from pages.parts import done, refunding, resources, show


def note(screen: str, posted: Receipt, verb: str) -> None:
    """List the entry as done on this screen: `verb` is charged or added."""
    with resources.reading() as connection:
        would_be = refunding.would_be(connection, posted.entry_id)
    done.add(
        screen,
        show.paid_or_added(posted, verb),
        link=done.link_to_entry(posted.entry_id),
        asks=partial(refunding.ask, posted.entry_id),
        undo_label="Refund",
        undo_help=would_be,
        is_shown=False,
        name=refunding.name_of(posted.entry_id),
    )
