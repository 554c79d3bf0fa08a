"""No export runs in a spreadsheet, whichever character the spreadsheet splits it at, and numbers stay numbers."""

import csv
import io
import re
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core import settings
from credits_core.lab.replay.counterfactual import ReplayedRun
from credits_core.lab.scenario.assumptions import load_scenarios, with_runs
from credits_core.lab.scenario.simulation import simulate
from credits_core.lab.scenario.workload import load_workloads
from credits_core.ledger.accounts import ListedTransaction
from credits_core.reports.statements import CreatorStatement
from credits_core.store.kinds import EntryType, TransactionType
from credits_core.values.days import DayRange
from credits_core.values.time_zones import UTC_ZONE
from pages.explore import statement_files
from pages.parts import csv_files
from pages.scenario import view as scenario_view
from tests.support.plans import SPECIFICATION

SEPARATORS = (",", ";", "\t", "|")
BREAKS = (*SEPARATORS, "\n", "\r", "\r\n", "\u2028")
STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
FRONTS = ("", " ", '"', ' "', "\u00a0", "\u200b", "\ufeff")
HOSTILE = [
    f"{before}{front}{start}2+3{after}"
    for before in ("", *(f"bonus{one}" for one in BREAKS), 'a "quoted";', "two;;", 'odd";', "x,'y;")
    for front in FRONTS
    for start in STARTS
    for after in ("", ";", '"')
]
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def cells(file: bytes, separator: str) -> set[str]:
    """What a spreadsheet could find in the file: split with regard to quotes, and by one that knows no quotes."""
    text = file.decode("utf-8-sig")
    read = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    found = {cell for row in read for cell in row}
    for line in text.splitlines():
        found.update(line.split(separator))
    return found


def runs(cell: str) -> bool:
    """Whether a spreadsheet would take the cell for a formula: it is no number, and the first sign says so."""
    bare = re.sub(r'^[ "\u00a0\u200b\ufeff]+', "", cell)
    return not NUMBER.fullmatch(cell) and (bare.startswith(STARTS) or cell.startswith(STARTS))


def running_cells(file: bytes) -> list[tuple[str, str]]:
    return [(separator, cell) for separator in SEPARATORS for cell in cells(file, separator) if runs(cell)]


def transaction(text: str) -> ListedTransaction:
    return ListedTransaction(
        entry_id=17,
        position=0,
        account_id=text,
        type=TransactionType.GRANT,
        entry_type=EntryType.GRANT,
        amount_credits=-250,
        balance_after_credits=0,
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        actor=text,
        note=text,
        prompt_id=None,
        model_id=None,
        flow_id=None,
        refunds_entry_id=None,
    )


def replayed(text: str) -> ReplayedRun:
    counts = {field.name: 400 for field in fields(ReplayedRun) if field.type in {int, "int"}}
    texts = dict.fromkeys(("user_id", "creator_id", "model_id", "recorded_plan_id"), text)
    return ReplayedRun(**counts | texts | {"plan_total_credits": 150, "refused": False, "refunded": True})  # type: ignore[arg-type]


def days_of_a_scenario() -> bytes:
    scenario = with_runs(load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))["code"], 100)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return scenario_view.days_csv(simulate(scenario, SPECIFICATION, settings.load_models(), at=at))


EXPORTS = {
    "transactions": b"".join(csv_files.transactions_csv(map(transaction, HOSTILE))),
    "statement of all creators": statement_files.as_csv(
        [CreatorStatement(text, 1, 0, 400, 320, 570) for text in HOSTILE],
        days=DayRange(),
        plans="=2+3, a\t=1",
    ),
    "statement of one creator": statement_files.payments_csv(
        map(transaction, HOSTILE),
        CreatorStatement("ada", 0, 0, 0, 0, 250),
        creator_id="=2+3",
        days=DayRange(),
        plans="a;=1",
    ),
    "replayed runs": csv_files.replayed_runs_csv(map(replayed, HOSTILE), "promptflow-v1", UTC_ZONE),
    "replay under a hostile plan": csv_files.replayed_runs_csv([replayed("ada")], "bonus;=2+3", UTC_ZONE),
    "days of a scenario": days_of_a_scenario(),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_no_cell_of_an_export_runs_whatever_it_is_split_at(name: str) -> None:
    assert running_cells(EXPORTS[name]) == []


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("bonus;=2+3", "bonus;'=2+3"),
        ("bonus\t=2+3", "bonus\t'=2+3"),
        ("bonus|@SUM(A1)", "bonus|'@SUM(A1)"),
        ('bonus; "=2+3"', 'bonus;\' "=2+3"'),
        ("ada|-b", "ada|'-b"),
        ("one\n+1", "one\n'+1"),
        ("＝2+3", "'＝2+3"),
        # A sign inside a cell is no formula, so these are kept as they are.
        ("Card payment 4711; thanks, see a=1", "Card payment 4711; thanks, see a=1"),
        ("3-1, 2+2 | 5@6", "3-1, 2+2 | 5@6"),
        ("ada@example.org", "ada@example.org"),
    ],
)
def test_a_text_is_safe_behind_every_separator_and_otherwise_kept(text: str, cell: str) -> None:
    assert csv_files.safe_text(text) == cell
    assert csv_files.safe_text(cell) == cell


def test_numbers_stay_numbers_beside_hostile_texts() -> None:
    rows = list(csv.reader(io.StringIO(EXPORTS["transactions"].decode("utf-8-sig"), newline="")))
    assert {(row[0], row[1], *row[8:]) for row in rows[1:]} == {("17", "0", "-250", "-0.000250", "0", "0.000000")}
    assert len(rows) == 1 + len(HOSTILE)
    rows = list(csv.reader(io.StringIO(EXPORTS["replayed runs"].decode("utf-8-sig"), newline="")))
    assert {tuple(row[12:14]) for row in rows[1:]} == {("-250", "-0.000250")}


def test_no_row_begins_with_a_number_below_zero() -> None:
    with pytest.raises(AssertionError, match="begins with a number below zero"):
        csv_files.csv_file(["change", "note"], [[Decimal(-1), "x"]])


PIECES = st.sampled_from([*BREAKS, *STARTS, *FRONTS, "'", "ab", "2"])


@given(st.lists(st.lists(st.lists(PIECES, max_size=8).map("".join), min_size=3, max_size=3), min_size=1, max_size=3))
def test_no_mixture_of_signs_separators_and_quotes_runs(texts: list[list[str]]) -> None:
    file = csv_files.csv_file(["about", "credits", "by", "note"], [[a, -250, b, c] for a, b, c in texts])
    assert running_cells(file) == []
    read = list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline="")))[1:]
    assert [[cell.replace("'", "") for cell in row] for row in read] == [
        [a.replace("'", ""), "-250", b.replace("'", ""), c.replace("'", "")] for a, b, c in texts
    ]
