"""Shows credits with their dollars, receipts, refusals, empty states and table columns."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger.receipts import PostedTransaction, Receipt
from credits_core.ledger.refusals import AccountLooksAlike, AddedCreditsSpent, InsufficientCredits
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.quote import Quote
from credits_core.pricing.units import UNITS, unit_name
from credits_core.store.kinds import REFUNDS, EntryType
from credits_core.values.text import format_change, format_credits, format_fraction, format_usd
from pages.parts import action, amounts, clock, links, window
from pages.parts.words import (
    account_name,
    aligned_dollars,
    both,
    by,
    credits_and_dollars,
    exact_dollars,
    may_have_happened,
    plain,
    refusal_text,
    type_name,
)

_PIXELS_OF_A_QUARTER = {12: 170, 15: 205}
"""How wide a part of a row has to be for amounts with at most so many characters."""
_REPEATED = {
    "charged": "This click was a repeat and was not charged",
    "added": "This click was a repeat and nothing was added",
}
_AGAIN = {"charged": "run", "added": "add credits"}
Row = dict[str, str | int | None]
Formats = dict[Any, str | Callable[[Any], str] | None]


def metric_grid(*credits: int, columns: int = 4) -> Any:
    """A grid for metrics: in a row, or two by two in a narrow window or when an amount is too long for its part."""
    longest = max(len(format_credits(amount)) for amount in credits)
    pixels = next((pixels for digits, pixels in _PIXELS_OF_A_QUARTER.items() if longest <= digits), None)
    if pixels is None or (window.is_narrow() and columns == 4):
        return st.grid(2, min_column_width=300)
    return st.grid(columns, min_column_width=pixels)


def metric(
    label: str,
    credits: int,
    *,
    before_credits: int | None = None,
    chart: list[int] | None = None,
    help_text: str | None = None,
    colour: Literal["gray", "blue", "green", "violet"] = "gray",
) -> None:
    """A bordered metric with its amount in credits and dollars and a sparkline, in the colour of its party.

    With `before_credits`, what it was in the period before, it also says by how much it changed.
    """
    other_unit = amounts.second(credits).replace("$", r"\$")
    change = None if before_credits is None else format_change(credits, before_credits)
    st.metric(
        label,
        amounts.first(credits).replace("$", r"\$"),
        delta=other_unit if change is None else change,
        delta_color=colour,
        delta_arrow="off" if change is None else "auto",
        delta_description=None if change is None else other_unit,
        border=True,
        chart_data=chart,
        chart_type="area",
        help=help_text,
    )


def gain(
    label: str,
    gain_credits: int,
    *,
    of_credits: int,
    colour: Literal["gray", "blue", "green", "violet"],
    border: bool = False,
) -> None:
    """A metric that says what a party gains (plus) or loses (minus), in both units, and of how much."""
    st.metric(
        label,
        amounts.signed(gain_credits).replace("$", r"\$"),
        delta=amounts.signed_second(gain_credits).replace("$", r"\$"),
        delta_color=colour,
        delta_arrow="off",
        delta_description=f"of {amounts.first(of_credits)}".replace("$", r"\$"),
        border=border,
    )


def refusal(error: CreditsError, *, undone: str = "Nothing was charged.") -> None:
    """A refusal, beside the form it answers: the reason, and `undone`, which says that nothing was done.

    A missing reason is asked for; missing credits are one click away.
    """
    if isinstance(error, InvalidRequest) and error.field == "reason":
        st.warning("Enter a reason, at most 500 printable characters.", icon=":material/edit:")
        return
    if isinstance(error, AccountLooksAlike):
        said = f"There is no user {plain(error.user_id)}, but there is {plain(error.known_user_id)}. {undone}"
        st.error(said, title="Almost the same id is in use", icon=":material/block:")
        return
    if may_have_happened(error):  # then nobody may say that nothing was done
        reason, _, rest = refusal_text(error).partition(". ")
        st.warning(rest, title=reason, icon=":material/hourglass_disabled:")
        return
    reason, says_it, rest = refusal_text(error).partition(" Nothing was ")
    st.error(f"Nothing was {rest}" if says_it else undone, title=reason, icon=":material/block:")
    if isinstance(error, InsufficientCredits) and not isinstance(error, AddedCreditsSpent):
        link_to_add_credits(error.user_id)


def link_to_add_credits(user_id: str) -> None:
    """A link to the page where this user gets credits."""
    st.page_link(
        "act/add_credits.py",
        label=f"Add credits to {plain(user_id)}",
        icon=":material/add_card:",
        query_params=links.carry_to(user=user_id),
    )


def model_prices(models: Iterable[Model]) -> None:
    """All models with their base prices, to be sorted and searched; a long prompt can cost more."""
    rows: list[dict[str, object]] = []
    now = datetime.now(UTC)
    for model in models:
        row = {"Model": model.id, "Type": model.type}
        if isinstance(model.prices, RunPrice):
            credits = model.prices.run_price_credits
            rows.append({**row, "Credits per run": credits, "Dollars per run": format_usd(credits)})
        else:
            _, price = next(model.prices.at(now).levels())
            usd = dict(price.usd)
            dollars = {"$ per million in": usd.get("input_tokens"), "$ per million out": usd.get("output_tokens")}
            rows.append({**row, **dollars})
    config = {
        "Credits per run": credits_column("Credits per run"),
        "Dollars per run": st.column_config.TextColumn(alignment="right"),
    }
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, column_config=config, placeholder="–", alt="All models with their prices"
    )


def price_steps(quote: Quote) -> None:
    """Every step of a price as a small table, ending with the total."""
    rows: list[Row] = [
        {
            "Step": f"**{step.label}**" if step.label == "Total" else step.label,
            "How": step.arithmetic,
            "Credits": step.credits,
            "Dollars": step.credits,
        }
        for step in quote.steps
    ]
    table = small_table(rows, {"Credits": format_credits, "Dollars": aligned_dollars})
    total = pd.IndexSlice[[len(rows) - 1], ["Credits"]]
    table.format(lambda amount: f"**{amount:,}**", subset=total)
    st.table(table, border="horizontal", hide_index=True, alt="Every step of the price")


def price_units(quote: Quote) -> None:
    """What the inference cost is made of: each unit with its count, its price and its exact credits."""
    rows: list[Row] = [
        {
            "Unit": unit_name(line.key),
            "Count": line.count,
            "Price": f"\\${line.usd:f} per {UNITS[line.key].per:,}",
            "Credits": format_fraction(line.exact_credits.numerator, line.exact_credits.denominator),
        }
        for line in quote.lines
    ]
    if rows:
        table = small_table(rows, {"Count": "{:,}"})
        st.table(table, border="horizontal", hide_index=True, alt="What the inference cost is made of")


def movements(transactions: Iterable[PostedTransaction]) -> None:
    """The transactions of one entry side by side: account, amount, balance before and after. They sum to zero."""
    rows: list[Row] = [
        {
            "Account": plain(account_name(transaction.account_id)),
            "Type": type_name(transaction.type),
            "Credits": transaction.amount_credits,
            "Balance before": transaction.balance_before_credits,
            "Balance after": transaction.balance_after_credits,
        }
        for transaction in transactions
    ]
    formats: Formats = {
        "Credits": lambda amount: f"{amount:+,} ({exact_dollars(amount)})",
        "Balance before": credits_and_dollars,
        "Balance after": credits_and_dollars,
    }
    st.table(small_table(rows, formats), border="horizontal", hide_index=True, alt="The entry's transactions")


def receipt(posted: Receipt) -> None:
    """A receipt: the steps of the price when it is a run, and each account before and after."""
    if posted.quote is not None:
        price_steps(posted.quote)
    movements(posted.transactions)
    used = "" if posted.used_at is None else f" · used {clock.text(posted.used_at)}"
    st.caption(
        f"Entry {posted.entry_id} · posted {clock.text(posted.created_at)}{used} · by {by(posted.actor)}"
        f" · {'sums to zero' if posted.is_balanced else 'does not sum to zero: run the audit'}"
    )


def link_to_explanation(posted: Receipt) -> None:
    """A link to the page that explains the charge or refund, where the entry is one."""
    if posted.type in (EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK, *REFUNDS):
        st.page_link(
            "explain/explain_charge.py",
            label=f"Explain this {'refund' if posted.type in REFUNDS else 'charge'}",
            icon=":material/account_tree:",
            query_params=links.carry_to(entry=str(posted.entry_id)),
        )


def outcome(name: str, *, verb: str, again: str) -> None:
    """The receipt of an action that was carried out, and the button with which another one begins.

    `verb` says what was done: charged, added.
    """
    if action.has_result(name):
        with st.container(border=True):
            posted = carried_out(name, "Receipt", verb=verb, again=again)
            receipt(posted)
            with st.container(horizontal=True):
                link_to_explanation(posted)
                st.page_link(
                    "explore/history.py",
                    label=f"Entry {posted.entry_id} in the history",
                    icon=":material/receipt_long:",
                    query_params=links.link_to(entry=str(posted.entry_id)),
                )


def carried_out(name: str, heading: str, *, verb: str, again: str) -> Receipt:
    """What was done, or that it was not done again, under a heading with the button for another one."""
    performed = action.performed(name)
    assert performed is not None
    assert isinstance(performed.result, Receipt), "called after an action that gives a receipt"
    posted = performed.result
    said = paid_or_added(posted, verb)
    start_over(name, heading, again=again)
    if performed.repeated:
        not_again(verb, f"{said} once, by entry {posted.entry_id}.", again=again)
    else:
        st.success(f"{said}, by entry {posted.entry_id}.", icon=":material/check_circle:")
    return posted


def paid_or_added(posted: Receipt, verb: str) -> str:
    """What an entry did to the user of its first transaction, for Markdown: `verb` is charged or added."""
    user, amount = plain(posted.transactions[0].account_id), both(abs(posted.transactions[0].amount_credits))
    return f"{user} paid {amount}" if verb == "charged" else f"Added {amount} to {user}"


def start_over(name: str, heading: str, *, again: str) -> None:
    """The heading of an outcome, with the button that puts it away, so that the next click is a new action."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(heading)
        st.button(again, icon=":material/restart_alt:", key=f"{name}:again", on_click=action.start_over, args=(name,))


def not_again(verb: str, said: str, *, again: str) -> None:
    """What a person reads who asked for the same thing twice."""
    st.info(
        f"{said} To {_AGAIN[verb]} again, choose {again}.",
        title=_REPEATED[verb],
        icon=":material/content_copy:",
    )


def add_credits_first() -> None:
    """What a page shows that needs a user, as long as there is none."""
    st.info(
        "Only a user with credits can run a prompt. Adding credits creates the user.",
        title="Add credits first",
        icon=":material/person_add:",
    )
    st.page_link("act/add_credits.py", label="Add credits", icon=":material/add_card:")


def credits_column(label: str, *, help_text: str | None = None, width: int | None = None) -> Any:
    """A right-aligned column of whole credits, grouped by thousands as everywhere else on the page."""
    return st.column_config.NumberColumn(label, format="%,d", help=help_text, width=width)


def small_table(rows: list[Row], formats: Formats) -> Styler:
    """Rows for `st.table`. The columns with a format hold whole numbers, which the browser draws to the right."""
    columns = {
        name: pd.Series([row[name] for row in rows], dtype="Int64" if name in formats else None) for name in rows[0]
    }
    return pd.DataFrame(columns).style.format(formats, na_rep="–")
