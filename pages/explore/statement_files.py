"""The statement of creators as a CSV file and as a PDF file, with the creator, the days and the price plans in both."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from credits_core.ledger.accounts import ListedTransaction
from credits_core.reports.earnings import Earned
from credits_core.reports.statements import CreatorStatement, in_all
from credits_core.values import paper
from credits_core.values.days import DayRange, date_at
from credits_core.values.text import format_credits, format_usd
from pages.parts.csv_files import Cell, csv_file, dollars, time_text

if TYPE_CHECKING:
    from fpdf import FPDF

_HEADER = ("Creator", "Runs", "Unlocks", "Gross fees", "Creator share", "Refunds", "Net", "Net, dollars")
_WIDTHS = (52, 18, 20, 36, 36, 34, 36, 36)
_ROW = 7


def named(days: DayRange) -> str:
    """The days in words: from the first to the last.

    >>> named(DayRange(date(2026, 11, 1), date(2026, 11, 30))), named(DayRange())
    ('2026-11-01 to 2026-11-30', 'all days')
    """
    if days.first is None or days.last is None:
        return "all days"
    return f"{days.first}" if days.first == days.last else f"{days.first} to {days.last}"


def file_name(creator_id: str | None, days: DayRange, ending: str) -> str:
    """The name of the file: what it is, whose and of when.

    >>> file_name("noor", DayRange(date(2026, 11, 1), date(2026, 11, 30)), "pdf")
    'statement-noor-2026-11-01-to-2026-11-30.pdf'
    """
    return f"statement-{creator_id or 'all-creators'}-{named(days).replace(' ', '-')}.{ending}"


def as_csv(listed: Sequence[CreatorStatement], *, days: DayRange, plans: str) -> bytes:
    """One line for each creator, and the sum as the last one."""
    header = [
        "period",
        "time_zone",
        "plans",
        "creator",
        "runs",
        "unlocks",
        "gross_fees_credits",
        "share_credits",
        "refunds_credits",
        "net_credits",
        "net_usd",
        "became_owed_credits",
        "debt_paid_credits",
    ]
    lines: list[Sequence[Cell]] = [
        (
            named(days),
            days.zone.name,
            plans,
            one.creator_id or "All creators",
            one.runs,
            one.unlocks,
            one.gross_fees_credits,
            one.share_credits,
            one.refunds_credits,
            one.net_credits,
            dollars(one.net_credits),
            one.became_owed_credits,
            one.debt_paid_credits,
        )
        for one in (*listed, in_all(list(listed)))
    ]
    return csv_file(header, lines)


def payments_csv(
    newest_first: Iterable[ListedTransaction], total: CreatorStatement, *, creator_id: str, days: DayRange, plans: str
) -> bytes:
    """One creator's payments, a line each, the oldest first; what refunds took back is below 0. The sum is last.

    Times are in UTC, days are those of the time zone.
    """
    header = [
        "period",
        "time_zone",
        "plans",
        "creator",
        "time_utc",
        "day",
        "entry",
        "about",
        "earned_credits",
        "earned_usd",
    ]
    of = (named(days), days.zone.name, plans, creator_id)
    lines: list[Sequence[Cell]] = [
        (*of, time_text(one.created_at), _day(one, days), one.entry_id, one.description, one.amount_credits)
        for one in reversed(list(newest_first))
    ]
    lines.append((*of, None, None, None, "Sum", total.net_credits))
    return csv_file(header, ((*line, dollars(int(line[-1] or 0))) for line in lines))


def _day(one: ListedTransaction, days: DayRange) -> str:
    return date_at(one.created_at, days.zone).isoformat()


def as_pdf(
    listed: Sequence[CreatorStatement],
    by_day: Sequence[tuple[date, Earned]],
    *,
    creator_id: str | None,
    days: DayRange,
    plans: str,
    made_at: datetime,
) -> bytes:
    """One page or more in landscape: whose, of when and under which plans, and a line for each creator with the sum.

    The statement of one creator has a line for each day instead.
    """
    name = f"Statement of {creator_id or 'all creators'}, {named(days)}"
    pdf = paper.begin(name, made_at=made_at, landscape=True)
    paper.line(pdf, f"Statement of {creator_id or 'all creators'}", 10)
    pdf.set_font("helvetica", size=11)
    paper.line(pdf, f"PromptFlow credits · {named(days)}, {days.zone.name} · price plan {plans}", 8)
    paper.line(pdf, "1 credit = $0.000001. Refunds count on the day on which they were made.", 8)
    pdf.ln(3)
    pdf.set_font("helvetica", style="B", size=10)
    if creator_id is None:
        _row(pdf, _HEADER)
        pdf.set_font("helvetica", size=10)
        for one in listed:
            _row(pdf, _cells(one))
    else:
        _row(pdf, ("Day", "Runs", "Unlocks", "Gross fees", "Creator share", "Refunds", "Net", "Net, dollars"))
        pdf.set_font("helvetica", size=10)
        for day, earned in by_day:
            share_credits = earned.runs_credits + earned.unlocks_credits
            of_day = CreatorStatement(
                str(day), earned.runs, earned.unlocks, 0, share_credits, earned.taken_back_credits
            )
            _row(pdf, _cells(of_day, with_fees=False))
    pdf.set_font("helvetica", style="B", size=10)
    total = in_all(list(listed))
    _row(pdf, _cells(total))
    if total.became_owed_credits or total.debt_paid_credits:
        pdf.ln(3)
        pdf.set_font("helvetica", size=10)
        paper.line(pdf, owed_words(total), 7)
    return bytes(pdf.output())


def owed_words(total: CreatorStatement) -> str:
    """What of the refunds became owed, and what shares paid of debts, in a sentence or two."""
    became, paid = format_credits(total.became_owed_credits), format_credits(total.debt_paid_credits)
    return f"Of the refunds {became} credits were spent before, and became owed. Shares paid {paid} of what was owed."


def _cells(one: CreatorStatement, *, with_fees: bool = True) -> Sequence[str]:
    return (
        one.creator_id or "Sum",
        format_credits(one.runs),
        format_credits(one.unlocks),
        format_credits(one.gross_fees_credits) if with_fees else "",
        format_credits(one.share_credits),
        format_credits(-one.refunds_credits),
        format_credits(one.net_credits),
        format_usd(one.net_credits),
    )


def _row(pdf: "FPDF", cells: Sequence[str]) -> None:
    size_pt = pdf.font_size_pt
    for number, (text, width) in enumerate(zip(cells, _WIDTHS, strict=True)):
        fitting = _cut(pdf, text, width) if number == 0 else text
        while pdf.get_string_width(fitting) > width - 2:
            pdf.set_font_size(pdf.font_size_pt - 0.5)  # an amount is never cut
        pdf.cell(width, _ROW, fitting, border="B", align="L" if number == 0 else "R")
        pdf.set_font_size(size_pt)
    pdf.ln(_ROW)


def _cut(pdf: "FPDF", text: str, width: int) -> str:
    if pdf.get_string_width(text) <= width - 2:
        return text
    while pdf.get_string_width(f"{text}...") > width - 2:
        text = text[:-1]
    return f"{text}..."
