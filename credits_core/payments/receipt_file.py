"""The receipt of a purchase as a PDF file of one page."""

from datetime import datetime

from credits_core.payments.purchased import Bought
from credits_core.payments.refusals import NotPaidYet
from credits_core.values import paper
from credits_core.values.days import date_at
from credits_core.values.money import format_money
from credits_core.values.text import format_credits
from credits_core.values.time_zones import TimeZone

_LABEL, _ROW = 60, 8


def receipt_pdf(bought: Bought, zone: TimeZone, *, made_at: datetime) -> bytes:
    """The receipt: its number, who paid how much for what and when, and what went back up to now.

    Raises:
        NotPaidYet: it was not paid, so it has no receipt.
    """
    if bought.receipt is None or bought.receipt_at is None:
        raise NotPaidYet(bought.id)
    stands = bought.standing
    rows = {
        "Date": f"{date_at(bought.receipt_at, zone)} ({zone.name})",
        "User": bought.user_id,
        "Purchase": str(bought.id),
        "Pack": bought.pack_id,
        "Credits": format_credits(bought.credits),
        "Bonus credits": format_credits(bought.bonus_credits) if bought.bonus_credits else "",
        "Price": _money(bought.price_minor, bought.currency),
        "Fee": _money(bought.fee_minor, bought.currency) if bought.fee_minor else "",
        "Total": _money(bought.due_minor, bought.currency),
        "Paid": f"{_money(stands.paid_minor, bought.currency)}, by {bought.gateway}",
        "Refunded": _money(stands.refunded_minor, bought.currency) if stands.refunded_minor else "",
        "Taken by the bank": _money(stands.lost_minor, bought.currency) if stands.lost_minor else "",
    }
    pdf = paper.begin(f"Receipt {bought.receipt}", made_at=made_at)
    paper.line(pdf, f"Receipt {bought.receipt}", 12)
    pdf.set_font("helvetica", size=11)
    paper.line(pdf, "PromptFlow credits. 1 credit = $0.000001.", 10)
    for label, text in rows.items():
        if text:
            pdf.set_font("helvetica", style="B" if label == "Total" else "", size=11)
            pdf.cell(_LABEL, _ROW, label, border="B")
            pdf.cell(0, _ROW, text, border="B", align="R", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("helvetica", size=9)
    pdf.ln(4)
    paper.line(pdf, f"As of {date_at(made_at, zone)}. Credits that were bought do not expire.", 6)
    return bytes(pdf.output())


def _money(amount_minor: int, currency: str) -> str:
    return format_money(amount_minor, currency).replace("€", "EUR ")  # the font has no such sign
