"""The chosen plans as pages to print: a PDF file with their figures, a chart, and why each of them. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from credits_core.lab.finder import report
from credits_core.lab.finder.measures import Figures
from credits_core.lab.finder.search import Answer, Found
from credits_core.lab.replay.report import signed
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.values import paper
from credits_core.values.credits import div_floor
from credits_core.values.text import both, format_credits

if TYPE_CHECKING:
    from fpdf import FPDF

_WIDTH_MM, _HEIGHT_MM, _INDENT_MM = 170, 70, 8
_DOT_MM = 2
_PLAN_MM = 90
"""As much of a page as a plan takes."""
_VIOLET, _ORANGE, _GREY = (139, 92, 246), (249, 115, 22), (148, 163, 184)


def pdf(chosen: Sequence[Found], answer: Answer, today: PricePlan, *, scope: str, made_at: datetime) -> bytes:
    """A PDF file: all best plans as a chart with the live one, then each chosen plan. `scope` says on which runs."""
    page = paper.begin("Price plans that were found", made_at=made_at)
    paper.line(page, "Price plans that were found", 10)
    page.set_font("helvetica", size=9)
    paper.line(page, _plain(f"{scope} Made on {made_at:%Y-%m-%d} UTC. {report.summary(answer)}"), 5)
    paper.line(page, f"Changes are against {today.id}, which is live. Nothing was charged or changed.", 5)
    page.ln(3)
    _chart(page, chosen, answer, today)
    _table(page, [(today.id, answer.today), *((one.plan.id, one.figures) for one in chosen)], answer.today)
    for one in chosen:
        _plan(page, one, answer, today)
    return bytes(page.output())


def _chart(page: "FPDF", chosen: Sequence[Found], answer: Answer, today: PricePlan) -> None:
    left, top = int(page.l_margin) + _INDENT_MM, int(page.get_y()) + 2
    points = [(one.figures.highest_increase_bps, one.figures.income_credits) for one in answer.best]
    of_today = (answer.today.highest_increase_bps, answer.today.income_credits)
    lows, highs = (
        [min(ends) for ends in zip(of_today, *points, strict=True)],
        [max(ends) for ends in zip(of_today, *points, strict=True)],
    )

    def at(point: tuple[int, int]) -> tuple[int, int]:
        across = div_floor((point[0] - lows[0]) * _WIDTH_MM, max(highs[0] - lows[0], 1))
        up = div_floor((point[1] - lows[1]) * _HEIGHT_MM, max(highs[1] - lows[1], 1))
        return left + across, top + _HEIGHT_MM - up

    names = {one.plan.id for one in chosen}
    with page.local_context():  # else the table would have the colour of the last point
        page.set_draw_color(*_GREY)
        page.rect(left, top, _WIDTH_MM + _DOT_MM, _HEIGHT_MM + _DOT_MM)
        for one, point in zip(answer.best, points, strict=True):
            page.set_fill_color(*(_VIOLET if one.plan.id in names else _GREY))
            page.ellipse(*at(point), _DOT_MM, _DOT_MM, style="F")
        page.set_fill_color(*_ORANGE)
        page.rect(*at(of_today), _DOT_MM, _DOT_MM, style="F")
    page.set_xy(left, top + _HEIGHT_MM + 3)
    page.set_font("helvetica", size=8)
    ends = (
        f"Across: highest increase of a user, {report.change(lows[0])} to {report.change(highs[0])}. "
        f"Up: platform income, {format_credits(lows[1])} to {format_credits(highs[1])} credits. "
        f"Square: {today.id}. Violet: the plans below."
    )
    paper.line(page, _plain(ends), 4)
    page.ln(3)


def _table(page: "FPDF", rows: Sequence[tuple[str, Figures]], today: Figures) -> None:
    page.set_font("helvetica", size=8)
    heads = ("Plan", "We earn", "Change", "Users pay", "Creators get", "Highest increase", "Pay more")
    with page.table(
        borders_layout="HORIZONTAL_LINES",
        col_widths=(40, 24, 22, 26, 26, 20, 18),
        text_align=("LEFT", *["RIGHT"] * 6),
        line_height=5,
    ) as table:
        head = table.row()
        for text in heads:
            head.cell(text)
        for name, figures in rows:
            row = table.row()
            for text in (
                name,
                format_credits(figures.income_credits),
                signed(figures.income_credits - today.income_credits),
                format_credits(figures.users_paid_credits),
                format_credits(figures.creators_received_credits),
                report.change(figures.highest_increase_bps),
                f"{figures.users_paying_more:,} of {figures.users:,}",
            ):
                row.cell(_plain(text))
    page.ln(4)


def _plan(page: "FPDF", one: Found, answer: Answer, today: PricePlan) -> None:
    if page.will_page_break(_PLAN_MM):
        page.add_page()
    page.set_font("helvetica", style="B", size=12)
    paper.line(page, one.plan.id, 8)
    page.set_font("helvetica", size=9)
    for sentence in report.why(one, answer, today):
        paper.line(page, _plain(sentence), 5)
    paper.line(page, f"We earn {both(one.figures.income_credits)} in all.", 5)
    page.set_font("courier", size=8)
    paper.line(page, price_plan_toml(one.plan), 4)
    page.ln(3)


def _plain(text: str) -> str:
    """The text in the letters that the paper's font has."""
    return text.replace("−", "-")
