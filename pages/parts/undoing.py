"""Notes what a person charged or added in the list of this visit, with the refund that takes it back."""

from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt
from credits_core.store import database
from pages.parts import action, done, refunding, resources, words

_REASON = "Taken back on the dashboard"


def note(screen: str, posted: Receipt, verb: str) -> None:
    """List the entry as done on this screen: `verb` is what happened to its first account, such as charged."""
    payer = posted.transactions[0]
    with resources.reading() as connection:
        would_be = refunding.would_be(connection, posted.entry_id)
    done.add(
        screen,
        f"{verb.capitalize()} {words.both(abs(payer.amount_credits))} to {words.plain(payer.account_id)}",
        link=done.link_to_entry(posted.entry_id),
        undo=partial(_refund, posted.entry_id, uuid4().hex),
        undo_label="Refund",
        undo_help=would_be,
        is_shown=False,
    )


def _refund(entry_id: int, key: str) -> str:
    refund = database.write(
        resources.engine(),
        lambda connection: actions.refund(
            connection,
            entry_id,
            reason=_REASON,
            book=resources.book_at(connection),
            key=f"dashboard:{key}",
            now=datetime.now(UTC),
            actor=action.ACTOR,
        ),
    )
    with resources.reading() as connection:
        said, _ = refunding.outcome(connection, refund.entry_id)
    return f"Refunded by entry {refund.entry_id}. {said}"
