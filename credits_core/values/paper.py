"""How every paper that the product makes begins, and a line of text on it: PDF files of A4 pages in one font."""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpdf import FPDF

_MARGIN_MM = 16


def begin(name: str, *, made_at: datetime, landscape: bool = False) -> "FPDF":
    """A file of this name with an empty page, in the font of a title."""
    from fpdf import FPDF  # it takes a third of a second to load, and few processes make a paper

    pdf = FPDF(orientation="landscape" if landscape else "portrait", unit="mm", format="A4")
    pdf.set_title(name)
    pdf.set_creation_date(made_at)
    pdf.set_auto_page_break(auto=True, margin=_MARGIN_MM)
    pdf.add_page()
    pdf.set_font("helvetica", style="B", size=18)
    return pdf


def line(pdf: "FPDF", text: str, height_mm: int) -> None:
    """A line of text from the left, or more of them where the page is too narrow for one."""
    pdf.multi_cell(0, height_mm, text, align="L", new_x="LMARGIN", new_y="NEXT")
