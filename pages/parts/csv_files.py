"""CSV files for spreadsheets: exact credits, dollars with all six decimals, and no cell that runs as a formula."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from credits_core.lab.replay.counterfactual import ReplayedRun
from credits_core.ledger.accounts import ListedTransaction
from credits_core.values.days import day_of
from credits_core.values.text import usd_text

Cell = str | int | Decimal | None
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_file(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A CSV file in UTF-8 with the mark by which spreadsheets know it. Numbers stay numbers, texts are `safe_text`.

    >>> csv_file(["note", "credits", "usd"], [["=1+1", -250, Decimal("-0.000250")]]).decode("utf-8-sig")
    "note,credits,usd\\r\\n'=1+1,-250,-0.000250\\r\\n"
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def safe_text(text: str) -> str:
    """The text, with an apostrophe in front when a spreadsheet would take it for a formula.

    >>> safe_text("@SUM(A1:A9)"), safe_text("Welcome credits")
    ("'@SUM(A1:A9)", 'Welcome credits')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def transactions_csv(listed: Iterable[ListedTransaction]) -> bytes:
    """One line per transaction, in the given order."""
    header = [
        "entry",
        "position",
        "time_utc",
        "account",
        "type",
        "about",
        "actor",
        "amount_credits",
        "amount_usd",
        "balance_after_credits",
        "balance_after_usd",
    ]
    return csv_file(header, map(_transaction, listed))


def statement_csv(listed: Iterable[ListedTransaction], earned_credits: int) -> bytes:
    """A creator's statement: one line per payment or taking back, oldest first, and the total as the last line."""
    header = ["time_utc", "entry", "about", "earned_credits", "earned_usd"]
    lines: list[Sequence[Cell]] = [
        (_time(one), one.entry_id, one.description, one.amount_credits, _usd(one.amount_credits))
        for one in reversed(list(listed))
    ]
    return csv_file(header, [*lines, (None, None, "Total", earned_credits, _usd(earned_credits))])


def replayed_runs_csv(runs: Iterable[ReplayedRun], plan_id: str) -> bytes:
    """One line per run: what was recorded and what the plan makes of it. A refused run has the total it would take."""
    header = [
        "entry",
        "day_utc",
        "user",
        "creator",
        "model",
        "recorded_plan",
        "plan_b",
        "inference_cost_credits",
        "creator_fee_credits",
        "recorded_total_credits",
        "plan_b_total_credits",
        "change_credits",
        "change_usd",
        "recorded_creator_credits",
        "plan_b_creator_credits",
        "plan_b_outcome",
        "refunded",
    ]
    return csv_file(header, (_replayed(run, plan_id) for run in runs))


def _replayed(run: ReplayedRun, plan_id: str) -> Sequence[Cell]:
    change_credits = run.plan_total_credits - run.recorded_total_credits
    return (
        run.entry_id,
        day_of(run.day_number).isoformat(),
        run.user_id,
        run.creator_id,
        run.model_id,
        run.recorded_plan_id,
        plan_id,
        run.inference_cost_credits,
        run.creator_fee_credits,
        run.recorded_total_credits,
        run.plan_total_credits,
        change_credits,
        _usd(change_credits),
        run.recorded_share_credits,
        run.plan_share_credits,
        "refused" if run.refused else "charged",
        "yes" if run.refunded else "",
    )


def _transaction(one: ListedTransaction) -> Sequence[Cell]:
    after_credits = one.balance_after_credits
    return (
        one.entry_id,
        one.position,
        _time(one),
        one.account_id,
        one.type.value,
        one.description,
        one.actor,
        one.amount_credits,
        _usd(one.amount_credits),
        after_credits,
        None if after_credits is None else _usd(after_credits),
    )


def _cell(cell: Cell) -> str | int | None:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return safe_text(cell) if isinstance(cell, str) else cell


def _time(one: ListedTransaction) -> str:
    return f"{one.created_at:%Y-%m-%d %H:%M:%S}"


def _usd(credits: int) -> Decimal:
    return Decimal(usd_text(credits))
