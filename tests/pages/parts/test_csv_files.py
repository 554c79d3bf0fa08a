import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.ledger.accounts import ListedTransaction
from credits_core.store.kinds import EntryType, TransactionType
from pages.parts import csv_files

LARGEST_CREDITS = 9_007_199_254_740_991  # 2^53 - 1
RAN_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def read(file: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline="")))


def listed(
    amount_credits: int,
    *,
    note: str = "Welcome credits",
    after_credits: int | None = 0,
    used_at: datetime | None = None,
) -> ListedTransaction:
    return ListedTransaction(
        entry_id=17,
        position=0,
        account_id="ada",
        type=TransactionType.GRANT,
        entry_type=EntryType.GRANT,
        amount_credits=amount_credits,
        balance_after_credits=after_credits,
        created_at=datetime(2026, 3, 1, 23, 59, 58, 999_999, tzinfo=UTC),
        actor="support",
        note=note,
        prompt_id=None,
        model_id=None,
        flow_id=None,
        refunds_entry_id=None,
        used_at=used_at,
    )


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("Welcome credits", "Welcome credits"),
        ("a=1", "a=1"),
        ("", ""),
        ('she said "no", twice\nand left', 'she said "no", twice\nand left'),
        ("Ærlig talt €5", "Ærlig talt €5"),
    ],
)
def test_a_text_never_runs_as_a_formula_and_is_otherwise_kept(text: str, cell: str) -> None:
    assert read(csv_files.csv_file(["note"], [[text]])) == [["note"], [cell]]


def test_numbers_stay_numbers_below_zero_too() -> None:
    file = csv_files.csv_file(["entry", "credits", "usd", "missing"], [[17, -250, Decimal("-0.000250"), None]])
    assert read(file)[1] == ["17", "-250", "-0.000250", ""]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=4))
def test_any_texts_come_back_whole_but_for_apostrophes(texts: list[str]) -> None:
    (cells,) = read(csv_files.csv_file([], [texts]))[1:]
    assert [cell.replace("'", "") for cell in cells] == [text.replace("'", "") for text in texts]
    assert [cell for cell in cells if cell.startswith(RAN_AS_FORMULA)] == []


def test_spreadsheets_are_told_that_the_file_is_utf8() -> None:
    assert csv_files.csv_file(["note"], []).startswith(b"\xef\xbb\xbfnote")


def test_a_transaction_has_exact_credits_and_all_six_decimals_of_its_dollars() -> None:
    pieces = csv_files.transactions_csv(
        [
            listed(LARGEST_CREDITS, after_credits=LARGEST_CREDITS),
            listed(-1, note="@x", after_credits=None, used_at=datetime(2026, 2, 28, 23, 59, 59, 250_000, tzinfo=UTC)),
        ]
    )
    header, largest, smallest = read(b"".join(pieces))
    assert dict(zip(header, largest, strict=True)) == {
        "entry": "17",
        "position": "0",
        "time_utc": "2026-03-01 23:59:58",
        "used_at_utc": "",
        "account": "ada",
        "type": "grant",
        "about": "Welcome credits",
        "actor": "support",
        "amount_credits": "9007199254740991",
        "amount_usd": "9007199254.740991",
        "balance_after_credits": "9007199254740991",
        "balance_after_usd": "9007199254.740991",
    }
    assert smallest[2:4] == ["2026-03-01 23:59:58", "2026-02-28 23:59:59"]
    assert smallest[6:] == ["'@x", "support", "-1", "-0.000001", "", ""]
