"""Compares the gateway's books with what it told us, day by day, and mends what does not match."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.payments import reconciling
from credits_core.payments.gateway import Gateway
from credits_core.payments.reconciling import Compared, DaySums, Match
from credits_core.store.kinds import Happened
from credits_core.values.days import EARLIEST, DayRange, from_microseconds, to_microseconds
from credits_core.values.money import format_money
from credits_core.values.periods import Preset
from credits_core.values.text import counted
from pages.money import at_gateway, mending, reconciled_file
from pages.parts import exporting, periods, resources, show, tables, window

_MOST_CARDS = 20
_HELP = "A payment counts on the day it happened at the gateway. Choose a period, or days in the calendar."


def draw() -> None:
    """Choose the days, and show sums by day and what does not match."""
    days = periods.choose(default=Preset.THIS_MONTH, label="Days at the gateway", help_text=_HELP).days
    try:
        gateway = at_gateway.gateway()
        earliest = gateway.earliest()
        some = reconciling.comparable(days, earliest)
        if earliest is not None and some != days:
            _left_out(gateway.name, days, some)
        if some is None:
            return
        days = some
        compared = [one for one in _compared(gateway, days) if _is_within(one.happened_at, days)]
    except CreditsError as refusal:
        show.refusal(refusal, undone="Nothing was compared.")
        return
    if not compared:
        st.info(
            "Choose other days, or buy credits and pay them.",
            title="No payment on these days",
            icon=":material/event_busy:",
        )
        st.page_link("money/buy_credits.py", label="Buy credits", icon=":material/shopping_cart:")
        return
    wrong = [one for one in compared if one.match is not Match.MATCHED]
    if wrong:
        said = f"{len(wrong):,} of {counted(len(compared), 'line')} {'does' if len(wrong) == 1 else 'do'} not match."
        st.warning(said, title="The gateway's books differ from ours", icon=":material/rule:")
        for one in wrong[:_MOST_CARDS]:
            mending.card(one)
        if len(wrong) > _MOST_CARDS:
            st.caption(f"The first {_MOST_CARDS} are shown. Mend them to see the others.")
    else:
        same = f"The gateway's books and ours agree to the cent: {counted(len(compared), 'line')} compared."
        st.success(same, title="Everything matches", icon=":material/task_alt:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Day by day", anchor=False, width="content")
        st.space("stretch")
        exporting.button(
            "Download every line as CSV",
            lambda: reconciled_file.csv(compared, resources.zone()),
            "reconciliation.csv",
            "text/csv",
            icon=":material/download:",
            detail={"gateway": gateway.name, "days": exporting.in_words(days)},
        )
    _days(reconciling.by_day(compared, resources.zone()))


def _left_out(name: str, days: DayRange, some: DayRange | None) -> None:
    """Say which of the days that were chosen the gateway does not list any more."""
    keeps = f"{name.capitalize()} lists its books of the last 30 days only."
    if some is None:
        st.info(f"{keeps} Choose later days.", title="These days cannot be compared", icon=":material/event_busy:")
    elif days.first is not None:
        st.caption(f":material/info: {keeps} Days before {some.first} are left out.")
    else:
        st.caption(f":material/info: {keeps} The comparison begins on {some.first}.")


def _compared(gateway: Gateway, days: DayRange) -> Sequence[Compared]:
    since = EARLIEST if days.begin_us is None else from_microseconds(days.begin_us)
    with resources.reading() as connection:  # ours first: what is told meanwhile is missing here, and never there
        ours = reconciling.told_here(connection, gateway.name, since)
    return reconciling.compare(ours, gateway.events(since))


def _is_within(moment: datetime, days: DayRange) -> bool:
    return days.end_us is None or to_microseconds(moment) < days.end_us


def _days(days: Sequence[DaySums]) -> None:
    tables.draw(
        [
            {
                "Day": one.day.isoformat(),
                **_matches(one),
                "Paid, gateway": _sum(one.there_minor, one, Happened.PAID),
                "Paid, ours": _sum(one.here_minor, one, Happened.PAID),
                "Back, gateway": _sum(one.there_minor, one, Happened.REFUNDED, Happened.LOST),
                "Back, ours": _sum(one.here_minor, one, Happened.REFUNDED, Happened.LOST),
                "Fees": format_money(one.fees_minor, one.currency),
            }
            for one in days
        ],
        {},
        alt="Payments by day, in the gateway's books and in ours",
        key="reconciled_days",
        opens={},
        if_wide=["Fees"],
        money=["Paid, gateway", "Paid, ours", "Back, gateway", "Back, ours", "Fees"],
    )


def _matches(of: DaySums) -> dict[str, int | None]:
    """How many lines match and which differences there are; in a narrow window only how many."""
    differences = {
        "Missing here": of.matches[Match.MISSING_HERE],
        "Missing at the gateway": of.matches[Match.MISSING_THERE],
        "Different amount": of.matches[Match.DIFFERENT_AMOUNT],
    }
    if window.is_narrow():
        return {"Differences": sum(differences.values()) or None}
    return {"Match": of.matches[Match.MATCHED] or None, **{name: many or None for name, many in differences.items()}}


def _sum(by_kind: dict[Happened, int], of: DaySums, *kinds: Happened) -> str:
    return format_money(sum(by_kind.get(kind, 0) for kind in kinds), of.currency)
