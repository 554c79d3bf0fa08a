"""The command that explains one charge: `python -m credits_core explain ENTRY`."""

import json
from typing import Annotated, Any

import typer

from credits_core import settings
from credits_core.audit.explanation import ExplainedTransaction, Explanation, explain
from credits_core.plans.book import PriceBooks
from credits_core.store import database
from credits_core.values.text import format_usd


def explain_command(
    entry: Annotated[int, typer.Argument(metavar="ENTRY", help="Number of a prompt run or flow unlock.", min=1)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain a charge, recalculated from its stored inputs. Exit 0 when everything matches, else 1."""
    books = PriceBooks(settings.load_models())
    with database.opened_ledger(settings.database_url()) as engine, database.read(engine) as connection:
        explained = explain(connection, entry, plans=books.at(connection).plans)
    if as_json:
        typer.echo(json.dumps(_as_json(explained), indent=2))
    else:
        for line in _lines(explained):
            typer.echo(line)
    if not explained.is_proved:
        raise typer.Exit(1)


def _lines(explained: Explanation) -> list[str]:
    lines = [f"Entry {explained.entry_id}: {explained.about}, charged to {explained.user_id}", explained.verdict]
    lines += [f"  {difference}" for difference in explained.differences]
    if explained.refunded_by_entry_id is not None:
        lines.append(f"Refunded by entry {explained.refunded_by_entry_id}.")
    lines += ["", *(f"{label}: {text}" for label, text in explained.inputs), ""]
    lines += [f"{step.number}. {step.label}: {step.arithmetic} → {step.result}" for step in explained.steps]
    return [*lines, "", *map(_transaction_line, explained.transactions)]


def _transaction_line(one: ExplainedTransaction) -> str:
    if one.recorded_credits is None:
        return f"{one.account_id}  {one.type}  missing"
    line = f"{one.account_id}  {one.type}  {one.recorded_credits:+,} credits ({format_usd(one.recorded_credits)})"
    if one.balance_after_credits is None:
        return line
    return f"{line}  balance {one.balance_before_credits:,} → {one.balance_after_credits:,}"


def _as_json(explained: Explanation) -> dict[str, Any]:
    return {
        "entry_id": explained.entry_id,
        "type": explained.type.value,
        "about": explained.about,
        "user_id": explained.user_id,
        "is_proved": explained.is_proved,
        "differences": list(explained.differences),
        "refunded_by_entry_id": explained.refunded_by_entry_id,
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
