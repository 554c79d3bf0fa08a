"""The monthly statement of a creator as a PDF file, and its lines, which CSV file and screen show as well."""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from credits_core.payments.creator_months import CreatorMonth
from credits_core.store.kinds import Part, PayoutNews
from credits_core.values import paper
from credits_core.values.days import date_at
from credits_core.values.text import format_credits, usd_text

if TYPE_CHECKING:
    from fpdf import FPDF

_LABEL, _AMOUNT, _ROW = 90, 45, 8
_PARTS: dict[Part | None, str] = {
    None: "Can be spent",
    Part.HELD: "Held for runs that go on",
    Part.FROZEN: "Frozen by a dispute",
    Part.IN_PAYOUT: "On the way to the bank",
}
_NEWS = {PayoutNews.PAID: "arrived", PayoutNews.FAILED: "failed, and came back"}


class Line(NamedTuple):
    """One line: what it is, and how much, in credits; what leaves is below 0."""

    label: str
    credits: int


def lines(found: CreatorMonth) -> list[Line]:
    """From the opening to the closing balance. All lines but the last add up to the last one.

    Lines of nothing are left out, but for both balances, runs, unlocks and payouts.
    """
    always = {"Shares of runs", "Shares of unlocks", "Paid out"}
    between = [
        Line("Shares of runs", found.runs_credits),
        Line("Shares of unlocks", found.unlocks_credits),
        Line("Refunds", found.refunds_credits),
        Line("Became owed", found.became_owed_credits),
        Line("Debt paid", found.debt_paid_credits),
        Line("Paid out", found.paid_out_credits),
        Line("Spent on own runs and unlocks", found.spent_credits),
        Line("Bought, granted or expired", found.other_credits),
    ]
    return [
        Line("Opening balance", found.opening_credits),
        *(line for line in between if line.credits or line.label in always),
        Line("Closing balance" if found.is_over else "Balance now", found.closing_credits),
    ]


def parts(found: CreatorMonth) -> list[Line]:
    """What the closing balance consists of."""
    return [Line(_PARTS.get(part, str(part)), credits) for part, credits in found.parts.items()]


def debt(found: CreatorMonth) -> list[Line]:
    """What is owed to the platform: at the beginning, what became owed, what was paid of it, and at the end.

    Nothing where nothing was owed. All lines but the last add up to the last one.
    """
    moved = (found.owed_before_credits, found.became_owed_credits, found.debt_paid_credits, found.owed_after_credits)
    if not any(moved):
        return []
    labels = ("Owed at the beginning", "Became owed", "Paid of it", "Owed at the end" if found.is_over else "Owed now")
    return [Line(label, credits) for label, credits in zip(labels, moved, strict=True)]


def period(found: CreatorMonth) -> str:
    """The days, and that they are not over, where they are not."""
    return f"{found.days.first} to {found.days.last}{'' if found.is_over else ', not over yet'}"


def payouts(found: CreatorMonth) -> list[Line]:
    """What became known of payouts in the month, a line each."""
    zone = found.days.zone
    return [
        Line(
            f"Payout {one.payout_id} to {one.to} {_NEWS[one.news]} on {date_at(one.told_at, zone)}"
            f"{f', {one.reference}' if one.reference else ''}",
            one.amount_credits,
        )
        for one in found.payouts
    ]


def pdf(found: CreatorMonth, *, seal: str, made_at: datetime) -> bytes:
    """The statement as PDF. `seal` says which head of the seals it belongs to, or that nothing is sealed yet."""
    name = f"Statement of {found.creator_id}, {found.days.first} to {found.days.last}"
    file = paper.begin(name, made_at=made_at)
    paper.line(file, f"Statement of {found.creator_id}", 10)
    file.set_font("helvetica", size=11)
    paper.line(file, f"PromptFlow credits, {period(found)} ({found.days.zone.name})", 7)
    paper.line(file, "1 credit = $0.000001. Refunds count on the day on which they were made.", 7)
    file.ln(3)
    _table(file, lines(found), has_balances=True)
    _section(file, f"Of the {'closing balance' if found.is_over else 'balance now'}", parts(found))
    _section(file, "Owed to PromptFlow", debt(found))
    _section(file, "Payouts", payouts(found))
    file.set_font("helvetica", size=8)
    file.ln(5)
    paper.line(file, f"Made on {date_at(made_at, found.days.zone)}. {seal}", 5)
    return bytes(file.output())


def _section(file: "FPDF", title: str, listed: list[Line]) -> None:
    if listed:
        file.ln(4)
        file.set_font("helvetica", style="B", size=12)
        paper.line(file, title, 9)
        _table(file, listed)


def _table(file: "FPDF", listed: list[Line], *, has_balances: bool = False) -> None:
    for number, line in enumerate(listed):
        is_balance = has_balances and number in (0, len(listed) - 1)
        file.set_font("helvetica", style="B" if is_balance else "", size=10)
        top = file.get_y()
        file.multi_cell(_LABEL, _ROW, _printable(line.label), border="B", align="L", new_x="RIGHT", new_y="TOP")
        height = max(file.get_y() - top, _ROW)
        for text in (format_credits(line.credits), f"${usd_text(line.credits)}".replace("$-", "-$")):
            file.cell(_AMOUNT, height, text, border="B", align="R")
        file.ln(height)


def _printable(text: str) -> str:
    # The font has the letters of Western Europe alone; a bank's reference may have others.
    return text.replace("…", "...").encode("latin-1", "replace").decode("latin-1")
