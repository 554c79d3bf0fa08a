"""CSV files for spreadsheets: exact credits, dollars with all six decimals, and no cell that runs as a formula.

The cells are separated by commas, but a spreadsheet may split the file at semicolons, tabs or bars, depending on its
language and on what the person chooses. Quotes do not help then, because they no longer stand at the start of a cell.
So a text is safe behind every character at which it could be split.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice

from credits_core.lab.replay.counterfactual import ReplayedRun
from credits_core.ledger.accounts import ListedTransaction
from credits_core.values.days import day_of
from credits_core.values.text import usd_text
from credits_core.values.time_zones import TimeZone

Cell = str | int | Decimal | None
_ROWS_IN_A_PIECE = 1_000
# The second line is full-width, which spreadsheets in East Asian languages read as the first.
_FORMULA_STARTS = (
    r"=+\-@\t\r"
    + "\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_LINE_BREAKS = r"\r\n\v\f\x1c-\x1e\x85\u2028\u2029"
# Spreadsheets take away quotes, spaces and invisible characters in front of a formula.
_IGNORED = r"\s\"\x00\u200b-\u200f\u2060\ufeff"
_BEGINS = rf"(?:^|(?<=[,;\t|{_LINE_BREAKS}]))(?=[{_IGNORED}]*[{_FORMULA_STARTS}])"
# Behind a separator at the end of a text, the cell would go on with the end of the line.
_ENDS = rf"(?<=[;\t|{_LINE_BREAKS}])(?=[{_IGNORED}]*\Z)"
_UNSAFE = re.compile(f"{_BEGINS}|{_ENDS}")


def csv_file(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A CSV file in UTF-8 with the mark by which spreadsheets know it. Numbers stay numbers, texts are `safe_text`.

    No row begins with a number below zero: split at another separator, the whole row would be one cell with that sign.

    >>> csv_file(["note", "credits", "usd"], [["=1+1", -250, Decimal("-0.000250")]]).decode("utf-8-sig")
    "note,credits,usd\\r\\n'=1+1,-250,-0.000250\\r\\n"
    """
    return b"".join(csv_pieces(header, rows))


def csv_pieces(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """The same file, some rows at a time."""
    yield codecs.BOM_UTF8
    lines = iter(chain([header], map(_row, rows)))
    while some := list(islice(lines, _ROWS_IN_A_PIECE)):
        text = io.StringIO(newline="")
        csv.writer(text).writerows(some)
        yield text.getvalue().encode()


def safe_text(text: str) -> str:
    """The text, with an apostrophe wherever a spreadsheet would begin a cell with a formula.

    That is at its start, and behind a comma, semicolon, tab, bar or line break in it.

    >>> safe_text("@SUM(A1:A9)"), safe_text("Welcome credits; 5-2"), safe_text("bonus;=2+3")
    ("'@SUM(A1:A9)", 'Welcome credits; 5-2', "bonus;'=2+3")
    """
    return _UNSAFE.sub("'", text)


def transactions_csv(listed: Iterable[ListedTransaction]) -> Iterator[bytes]:
    """One line per transaction, in the given order: when it was posted, and when its run took place, if known.

    The file comes in pieces.
    """
    header = [
        "entry",
        "position",
        "time_utc",
        "used_at_utc",
        "account",
        "type",
        "about",
        "actor",
        "amount_credits",
        "amount_usd",
        "balance_after_credits",
        "balance_after_usd",
    ]
    return csv_pieces(header, map(_transaction, listed))


def replayed_runs_csv(runs: Iterable[ReplayedRun], plan_id: str, zone: TimeZone) -> bytes:
    """One line per run: what was recorded and what the plan makes of it. A refused run has the total it would take."""
    header = [
        "entry",
        "day",
        "time_zone",
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
    return csv_file(header, (_replayed(run, plan_id, zone) for run in runs))


def _replayed(run: ReplayedRun, plan_id: str, zone: TimeZone) -> Sequence[Cell]:
    change_credits = run.plan_total_credits - run.recorded_total_credits
    return (
        run.entry_id,
        day_of(run.day_number).isoformat(),
        zone.name,
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
        dollars(change_credits),
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
        time_text(one.created_at),
        None if one.used_at is None else time_text(one.used_at),
        one.account_id,
        one.type.value,
        one.description,
        one.actor,
        one.amount_credits,
        dollars(one.amount_credits),
        after_credits,
        None if after_credits is None else dollars(after_credits),
    )


def _row(row: Sequence[Cell]) -> list[str | int | None]:
    first = row[0] if row else None
    assert first is None or isinstance(first, str) or first >= 0, "a row begins with a number below zero"
    return [_cell(cell) for cell in row]


def _cell(cell: Cell) -> str | int | None:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return safe_text(cell) if isinstance(cell, str) else cell


def time_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def dollars(credits: int) -> Decimal:
    """The exact dollar value with six decimals, for a cell."""
    return Decimal(usd_text(credits))
