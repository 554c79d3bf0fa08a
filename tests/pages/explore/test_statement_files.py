"""The statement of creators as files: what stands in the CSV and, read back, in the PDF."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from pypdf import PdfReader

from credits_core.ledger.accounts import ListedTransaction
from credits_core.reports.earnings import Earned
from credits_core.reports.statements import CreatorStatement, in_all
from credits_core.store.kinds import EntryType, TransactionType
from credits_core.values.days import DayRange
from credits_core.values.time_zones import zone_named
from pages.explore import statement_files

NOOR = CreatorStatement("noor", 1_200, 3, 1_500_000, 1_200_000, 0)
ROSA = CreatorStatement("rosa", 2, 0, 2_002, 1_600, 2_400)
OWES = replace(ROSA, became_owed_credits=900, debt_paid_credits=50)
BOTH = in_all([NOOR, ROSA])
NOVEMBER, PLANS = DayRange(date(2026, 11, 1), date(2026, 11, 30)), "promptflow-v1, promptflow-v2"
MADE_AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
LONG_ID = "a-creator-with-a-very-long-name@" + "department." * 8 + "example.org"


def read(file: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline="")))


def pdf(listed: list[CreatorStatement], *, creator_id: str | None = None) -> PdfReader:
    by_day = [(date(2026, 11, 3), Earned(1_000, 600, 0, 2, 1)), (date(2026, 11, 9), Earned(0, 0, 2_400, 0, 0))]
    file = statement_files.as_pdf(listed, by_day, creator_id=creator_id, days=NOVEMBER, plans=PLANS, made_at=MADE_AT)
    return PdfReader(io.BytesIO(file))


def lines(reader: PdfReader) -> list[str]:
    return [line for page in reader.pages for line in page.extract_text(extraction_mode="layout").splitlines() if line]


def cells(line: str) -> list[str]:
    """The cells of a line, between which stand at least two blanks."""
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def payment(entry_id: int, earned_credits: int, note: str) -> ListedTransaction:
    return ListedTransaction(
        entry_id=entry_id,
        position=1,
        account_id="rosa",
        type=TransactionType.CREATOR_PAYMENT,
        entry_type=EntryType.PROMPT_RUN,
        amount_credits=earned_credits,
        balance_after_credits=0,
        created_at=datetime(2026, 11, 3, 23, 59, 58, tzinfo=UTC),
        actor="support",
        note=note,
        prompt_id=None,
        model_id=None,
        flow_id=None,
        refunds_entry_id=None,
    )


def test_a_statement_of_one_creator_is_oldest_first_and_ends_with_its_sum() -> None:
    newest_first = [payment(9, -2_400, "Taken back"), payment(8, 800, "Second"), payment(7, 800, "First")]
    header, *payments, total = read(
        statement_files.payments_csv(newest_first, ROSA, creator_id="rosa", days=NOVEMBER, plans=PLANS)
    )
    assert header == [
        *("period", "time_zone", "plans", "creator"),
        *("time_utc", "day", "entry", "about", "earned_credits", "earned_usd"),
    ]
    assert [line[4:] for line in payments] == [
        ["2026-11-03 23:59:58", "2026-11-03", "7", "First", "800", "0.000800"],
        ["2026-11-03 23:59:58", "2026-11-03", "8", "Second", "800", "0.000800"],
        ["2026-11-03 23:59:58", "2026-11-03", "9", "Taken back", "-2400", "-0.002400"],
    ]
    assert total[4:] == ["", "", "", "Sum", "-800", "-0.000800"]
    assert {tuple(line[:4]) for line in (*payments, total)} == {("2026-11-01 to 2026-11-30", "UTC", PLANS, "rosa")}


def test_days_say_their_time_zone_and_times_stay_in_utc() -> None:
    berlin = DayRange(date(2026, 11, 1), date(2026, 11, 30), zone_named("Europe/Berlin"))
    line = read(
        statement_files.payments_csv([payment(7, 800, "First")], ROSA, creator_id="rosa", days=berlin, plans=PLANS)
    )[1]
    assert (line[1], line[4], line[5]) == ("Europe/Berlin", "2026-11-03 23:59:58", "2026-11-04")


def test_a_page_says_what_became_owed_and_what_was_paid_of_it_where_there_is_any() -> None:
    said = "Of the refunds 900 credits were spent before, and became owed. Shares paid 50 of what was owed."
    assert said in [line.strip() for line in lines(pdf([NOOR, OWES]))]
    assert not any("owed" in line for line in lines(pdf([NOOR, ROSA])))


def test_a_statement_of_all_creators_has_exact_amounts_in_every_line() -> None:
    header, *creators = read(statement_files.as_csv([NOOR, OWES], days=NOVEMBER, plans=PLANS))
    assert header[3:] == [
        "creator", "runs", "unlocks", "gross_fees_credits", "share_credits", "refunds_credits",
        "net_credits", "net_usd", "became_owed_credits", "debt_paid_credits",
    ]  # fmt: skip
    assert [line[3:] for line in creators] == [
        ["noor", "1200", "3", "1500000", "1200000", "0", "1200000", "1.200000", "0", "0"],
        ["rosa", "2", "0", "2002", "1600", "2400", "-800", "-0.000800", "900", "50"],
        ["All creators", "1202", "3", "1502002", "1201600", "2400", "1199200", "1.199200", "900", "50"],
    ]
    assert {tuple(line[:3]) for line in creators} == {("2026-11-01 to 2026-11-30", "UTC", PLANS)}


def test_the_pdf_says_whose_of_when_and_under_which_plans() -> None:
    reader = pdf([NOOR, ROSA])
    assert lines(reader)[0].strip() == "Statement of all creators"
    assert f"2026-11-01 to 2026-11-30, UTC · price plan {PLANS}" in lines(reader)[1]
    assert "Refunds count on the day on which they were made." in lines(reader)[2]
    assert reader.metadata is not None
    assert reader.metadata.title == "Statement of all creators, 2026-11-01 to 2026-11-30"


def test_the_pdf_has_each_creators_amounts_and_the_sum() -> None:
    table = [cells(line) for line in lines(pdf([NOOR, ROSA]))[3:]]
    assert table == [
        ["Creator", "Runs", "Unlocks", "Gross fees", "Creator share", "Refunds", "Net", "Net, dollars"],
        ["noor", "1,200", "3", "1,500,000", "1,200,000", "0", "1,200,000", "$1.20"],
        ["rosa", "2", "0", "2,002", "1,600", "-2,400", "-800", "-$0.0008"],
        ["Sum", "1,202", "3", "1,502,002", "1,201,600", "-2,400", "1,199,200", "$1.1992"],
    ]


def test_the_pdf_of_one_creator_has_a_line_for_each_day_and_the_sum() -> None:
    found = lines(pdf([ROSA], creator_id="rosa"))
    assert found[0].strip() == "Statement of rosa"
    assert [cells(line) for line in found[4:]] == [
        ["2026-11-03", "2", "1", "1,600", "0", "1,600", "$0.0016"],
        ["2026-11-09", "0", "0", "0", "-2,400", "-2,400", "-$0.0024"],
        ["Sum", "2", "0", "2,002", "1,600", "-2,400", "-800", "-$0.0008"],
    ]


def test_a_long_id_is_cut_with_dots_and_leaves_the_next_cell_alone() -> None:
    reader = pdf([CreatorStatement(LONG_ID, 7, 0, 100, 80, 0)])
    creator, runs, *_ = cells(lines(reader)[4])
    assert runs == "7"
    assert creator.endswith("...")
    assert LONG_ID.startswith(creator.removesuffix("..."))
    assert len(creator) > 15
    assert LONG_ID not in "".join(lines(reader))


def test_the_largest_amounts_stand_whole_beside_each_other() -> None:
    largest = 9_007_199_254_740_991  # 2^53 - 1
    found = cells(lines(pdf([CreatorStatement("noor", 1, 0, largest, largest, 0)]))[4])
    in_credits = "9,007,199,254,740,991"
    assert found[3:] == [in_credits, in_credits, "0", in_credits, "$9,007,199,254.740991"]


def test_many_plans_and_a_long_id_go_on_on_the_next_line() -> None:
    plans = ", ".join(f"promptflow-v{number}" for number in range(1, 21))
    file = statement_files.as_pdf([], [], creator_id=LONG_ID, days=NOVEMBER, plans=plans, made_at=MADE_AT)
    found = " ".join(" ".join(lines(PdfReader(io.BytesIO(file)))).split())
    assert f"price plan {plans}" in found
    assert LONG_ID in found.replace(" ", "")


@pytest.mark.parametrize(("creators", "pages"), [(1, 1), (60, 3)])
def test_many_creators_go_on_on_the_next_page(creators: int, pages: int) -> None:
    listed = [CreatorStatement(f"creator-{number}", 1, 0, 100, 80, 0) for number in range(creators)]
    reader = pdf(listed)
    assert len(reader.pages) == pages
    named = [cells(line)[0] for line in lines(reader) if line.strip().startswith("creator-")]
    assert named == [f"creator-{number}" for number in range(creators)]
