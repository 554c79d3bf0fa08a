"""How things look: credits with their dollars, receipts, refusals, empty states and table columns."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
import streamlit as st

from credits_core.errors import CreditsError
from credits_core.ledger import PostedTransaction, Receipt
from credits_core.money import format_credits, format_usd, format_usd_rounded
from credits_core.postings import TransactionType
from credits_core.pricing import Quote

ACCOUNT_NAMES = {
    "platform:revenue": "Platform revenue",
    "platform:inference": "Inference costs",
    "platform:payments_in": "Payments in",
    "platform:grants": "Grants",
    "platform:adjustments": "Adjustments",
}


def account_name(account_id: str) -> str:
    """A platform account by its name, a user by the id."""
    return ACCOUNT_NAMES.get(account_id, account_id)


def type_name(type_: TransactionType) -> str:
    """A transaction type in words.

    >>> type_name(TransactionType.CREATOR_PAYMENT)
    'Creator payment'
    """
    return type_.value.replace("_", " ").capitalize()


def both(credits: int) -> str:
    """Credits with their exact dollar value.

    >>> both(12_345)
    '12,345 credits ($0.012345)'
    """
    dollars = format_usd(credits).replace("$", r"\$")
    return f"{format_credits(credits)} credits ({dollars})"


def metric(label: str, credits: int, *, chart: list[int] | None = None, help_text: str | None = None) -> None:
    """A bordered metric in credits with the dollar value under it and a sparkline."""
    st.metric(
        label,
        format_credits(credits),
        delta=format_usd_rounded(credits),
        delta_color="off",
        delta_arrow="off",
        border=True,
        chart_data=chart,
        chart_type="area",
        help=help_text,
    )


def refusal(error: CreditsError) -> None:
    """A refusal, beside the form it answers."""
    st.error(str(error), title="Nothing was charged or changed", icon=":material/block:")


def price_steps(quote: Quote) -> None:
    """Every step of a price as a small table, ending with the total."""
    rows = [
        {
            "Step": f"**{step.label}**" if step.label == "Total" else step.label,
            "How": step.arithmetic,
            "Credits": f"**{format_credits(step.credits)}**" if step.label == "Total" else format_credits(step.credits),
            "Dollars": format_usd(step.credits).replace("$", r"\$"),
        }
        for step in quote.steps
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True, alt="Every step of the price")


def movements(transactions: Iterable[PostedTransaction]) -> None:
    """The transactions of one entry side by side: account, amount, balance before and after. They sum to zero."""
    rows = [
        {
            "Account": account_name(transaction.account_id),
            "Type": type_name(transaction.type),
            "Amount": f"{transaction.amount_credits:+,}",
            "Before": _balance(transaction.balance_before_credits),
            "After": _balance(transaction.balance_after_credits),
        }
        for transaction in transactions
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True, alt="The entry's transactions")


def receipt(posted: Receipt) -> None:
    """A receipt: the steps of the price when it is a run, and each account before and after."""
    if posted.quote is not None:
        price_steps(posted.quote)
    movements(posted.transactions)
    st.caption(
        f"Entry {posted.entry_id} · {posted.created_at:%Y-%m-%d %H:%M:%S} UTC · by {posted.actor} · sums to zero"
    )


def credits_column(label: str, *, help_text: str | None = None) -> Any:
    """A right-aligned column of whole credits, grouped by thousands."""
    return st.column_config.NumberColumn(label, format="localized", help=help_text)


def _balance(credits: int | None) -> str:
    return "–" if credits is None else format_credits(credits)
