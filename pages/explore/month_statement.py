"""The monthly statement of one creator: a month to choose, its lines, and the files to send."""

from calendar import month_name
from datetime import UTC, date, datetime, timedelta

import streamlit as st

from credits_core.audit import seal_proofs
from credits_core.payments import creator_months, month_file
from credits_core.payments.creator_months import CreatorMonth
from credits_core.reports import sums
from credits_core.values.days import date_at
from pages.parts import exporting, resources, tables
from pages.parts.csv_files import Cell, csv_file, dollars

_MONTHS = 24


def draw(creator_id: str) -> None:
    """Draw it for one creator; the months are those of the ledger, at most two years."""
    zone = resources.zone()
    today = date_at(datetime.now(UTC), zone)
    with resources.reading() as connection:
        first = sums.entry_days(connection, zone).first or today
    listed = _months(first, today)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header("Monthly statement", anchor=False, width="stretch")
        chosen = st.selectbox("Month", listed, format_func=_named, key=f"month:{creator_id}", width=200)
        days = creator_months.month(chosen or listed[0], zone)
        with resources.reading() as connection:
            found = creator_months.statement(connection, creator_id, days, today=today)
        name, detail = f"statement-{creator_id}-{chosen}", {"month": chosen, "creator": creator_id}
        exporting.button(
            "Month as CSV", lambda: _csv(found), f"{name}.csv", "text/csv", icon=":material/download:", detail=detail
        )
        exporting.button(
            "Month as PDF",
            lambda: month_file.pdf(found, seal=_seal(), made_at=datetime.now(UTC)),
            f"{name}.pdf",
            "application/pdf",
            icon=":material/picture_as_pdf:",
            detail=detail,
            is_told=False,
        )
    tables.draw(
        [{"Line": label, "Credits": credits} for label, credits in month_file.lines(found)],
        {"Credits": "Dollars"},
        alt=f"The statement of {creator_id}: from the opening to the closing balance",
        key="month-lines",
        opens={},
    )
    if not found.is_over:
        st.caption(f"{_named(chosen or listed[0])} is not over yet: this is up to {today:%-d %B}.")
    of = [f"{label.lower()} **{credits:,}**" for label, credits in month_file.parts(found)]
    if of:
        st.caption(f"Of that balance: {', '.join(of)}.")
    owed = [f"{label.lower()} **{credits:,}**" for label, credits in month_file.debt(found)]
    if owed:
        st.caption(f"Debt to PromptFlow: {', '.join(owed)}. Earnings pay it first.")
    for label, _ in month_file.payouts(found):
        st.caption(label.replace("$", r"\$"))


def _months(first: date, last: date) -> list[str]:
    """The months from the last day back to the first one."""
    months, one = [f"{last:%Y-%m}"], last.replace(day=1)
    while one > first:
        one = (one - timedelta(days=1)).replace(day=1)
        months.append(f"{one:%Y-%m}")
    return months[:_MONTHS]


def _named(month: str) -> str:
    return f"{month_name[int(month[5:])]} {month[:4]}"


def _csv(found: CreatorMonth) -> bytes:
    of = (found.creator_id, month_file.period(found), found.days.zone.name)
    listed: list[tuple[str, month_file.Line]] = [
        *(("statement", line) for line in month_file.lines(found)),
        *(("of that balance", line) for line in month_file.parts(found)),
        *(("owed to PromptFlow", line) for line in month_file.debt(found)),
        *(("payout", line) for line in month_file.payouts(found)),
    ]
    rows: list[tuple[Cell, ...]] = [(*of, kind, label, credits, dollars(credits)) for kind, (label, credits) in listed]
    rows.append((*of, "proof", _seal(), None, None))
    return csv_file(["creator", "period", "time_zone", "section", "line", "credits", "usd"], rows)


def _seal() -> str:
    with resources.reading() as connection:
        return seal_proofs.in_words(connection)
