"""What the command about refunds does."""

import uuid
from datetime import UTC, datetime

import typer
from sqlalchemy import Connection

from credits_core.cli.opened import actor, price_books, print_json, written
from credits_core.ledger import actions, refunds
from credits_core.ledger.bearing import sentence
from credits_core.values.text import counted


def refund(
    entry_id: int,
    reason: str,
    amount_credits: int | None,
    key: str | None,
    *,
    provider_refunded: bool,
    as_json: bool,
) -> None:
    """Refund so much of an entry, or all that is left, and print who bore what."""
    books = price_books()

    def action(connection: Connection) -> tuple[int, str, int, int]:
        receipt = actions.refund(
            connection,
            entry_id,
            reason=reason,
            provider_refunded=provider_refunded,
            amount_credits=amount_credits,
            book=books.at(connection),
            key=key or uuid.uuid4().hex,
            now=datetime.now(UTC),
            actor=actor(),
        )
        borne = refunds.borne(connection, receipt)
        return (receipt.entry_id, sentence(borne, done=True), *refunds.after(connection, receipt))

    refund_id, said, refunded_credits, left_credits = written(action)
    if as_json:
        print_json(
            {
                "entry_id": refund_id,
                "refunded_entry_id": entry_id,
                "refunded_credits": refunded_credits,
                "left_credits": left_credits,
                "summary": said,
            }
        )
        return
    typer.echo(f"Entry {refund_id}: {said}")
    left = f"{counted(left_credits, 'credit')} can still be refunded" if left_credits else "nothing is left to refund"
    typer.echo(f"Of entry {entry_id}, {counted(refunded_credits, 'credit')} are refunded; {left}.")
