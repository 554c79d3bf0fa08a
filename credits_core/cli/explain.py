"""What `explain ENTRY` prints, as text or as JSON."""

from typing import Any

import typer

from credits_core.audit.explanation import ExplainedTransaction, Explanation, explain
from credits_core.cli.opened import opened_ledger, price_books, print_json
from credits_core.ledger import bearing, entry_lots
from credits_core.ledger.bearing import Bearing
from credits_core.ledger.entry_lots import LotPart
from credits_core.ledger.receipts import in_part
from credits_core.store import database
from credits_core.store.kinds import REFUNDS
from credits_core.values.text import format_usd


def explain_entry(entry_id: int, *, as_json: bool) -> None:
    """Print why an entry charged or refunded what it did; exit 1 when the stored inputs give another amount."""
    books = price_books()
    with opened_ledger() as engine, database.read(engine) as connection:
        explained = explain(connection, entry_id, plans=books.at(connection).plans)
        lots = entry_lots.lots_of(connection, entry_id, explained.user_id)
    if as_json:
        print_json(_as_json(explained, lots))
    else:
        for line in _lines(explained, lots):
            typer.echo(line)
    if not explained.is_proved:
        raise typer.Exit(1)


def _lines(explained: Explanation, lots: list[LotPart] | None) -> list[str]:
    verb = "refunded" if explained.type in REFUNDS else "charged"
    lines = [f"Entry {explained.entry_id}: {explained.about}, {verb} to {explained.user_id}", explained.verdict]
    lines += [f"  {difference}" for difference in explained.differences]
    if explained.borne is not None:
        lines.append(bearing.sentence(explained.borne, done=True))
    if explained.refunded_by_entry_id is not None:
        lines.append(f"Refunded by entry {explained.refunded_by_entry_id}.")
    elif explained.refunded_credits:
        lines.append(in_part(explained.refunded_credits, explained.left_credits))
    lines += ["", *(f"{label}: {text}" for label, text in explained.inputs), ""]
    lines += [f"{step.number}. {step.label}: {step.arithmetic} → {step.result}" for step in explained.steps]
    return [*lines, "", *map(_transaction_line, explained.transactions), *map(_lot_line, lots or ())]


def _transaction_line(one: ExplainedTransaction) -> str:
    if one.recorded_credits is None:
        return f"{one.account_id}  {one.type}  missing"
    line = f"{one.account_id}  {one.type}  {one.recorded_credits:+,} credits ({format_usd(one.recorded_credits)})"
    if one.balance_after_credits is None:
        return line
    return f"{line}  balance {one.balance_before_credits:,} → {one.balance_after_credits:,}"


def _lot_line(one: LotPart) -> str:
    added = "" if one.entry_id is None else f" of entry {one.entry_id}"
    purchase = "" if one.purchase_id is None else f", purchase {one.purchase_id}"
    expiry = "never expire" if one.expires_at is None else f"expire {one.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{one.source.value}{added}{purchase}  {one.amount_credits:+,} credits, which {expiry}"


def _borne_as_json(borne: Bearing) -> dict[str, Any]:
    return {
        "sentence": bearing.sentence(borne, done=True),
        "rule": borne.terms.rule.value,
        "provider_refunded": borne.terms.provider_refunded,
        "creator_credits": borne.creator_credits,
        "owed_credits": borne.owed_credits,
        "platform_credits": borne.platform_credits,
        "provider_credits": borne.returned_cost_credits,
    }


def _as_json(explained: Explanation, lots: list[LotPart] | None) -> dict[str, Any]:
    return {
        "entry_id": explained.entry_id,
        "type": explained.type.value,
        "about": explained.about,
        "user_id": explained.user_id,
        "is_proved": explained.is_proved,
        "differences": list(explained.differences),
        "refunds_entry_id": explained.refunds_entry_id,
        "refunded_by_entry_id": explained.refunded_by_entry_id,
        "refunded_credits": explained.refunded_credits,
        "borne": None if explained.borne is None else _borne_as_json(explained.borne),
        "inputs": dict(explained.inputs),
        "steps": [
            {
                "label": step.label,
                "arithmetic": step.arithmetic,
                "result": step.result,
                "recomputed_credits": step.recomputed_credits,
                "recorded_credits": step.recorded_credits,
                "is_equal": step.is_equal,
            }
            for step in explained.steps
        ],
        "lots": None
        if lots is None
        else [
            {
                "entry_id": one.entry_id,
                "source": one.source.value,
                "purchase_id": one.purchase_id,
                "expires_at": None if one.expires_at is None else one.expires_at.isoformat(),
                "amount_credits": one.amount_credits,
            }
            for one in lots
        ],
        "transactions": [
            {
                "account_id": one.account_id,
                "type": one.type.value,
                "recorded_credits": one.recorded_credits,
                "recomputed_credits": one.recomputed_credits,
                "balance_before_credits": one.balance_before_credits,
                "balance_after_credits": one.balance_after_credits,
            }
            for one in explained.transactions
        ],
    }
