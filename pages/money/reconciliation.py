"""Compares the gateway's books with what it told us, day by day, and mends what does not match."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.payments import reconciling
from credits_core.payments.reconciling import Compared, DaySums, Match
from credits_core.store.kinds import Happened
from credits_core.values.days import EARLIEST, DayRange, from_microseconds, to_microseconds
from credits_core.values.money import format_money
from credits_core.values.periods import Preset
from credits_core.values.text import counted
from pages.money import at_gateway, mending
from pages.parts import periods, resources, show, tables

_MOST_CARDS = 20
_HELP = "A payment counts on the day it happened at the gateway. Choose a period, or days in the calendar."


def draw() -> None:
    """Choose the days, and show sums by day and what does not match."""
    days = periods.choose(default=Preset.THIS_MONTH, label="Days at the gateway", help_text=_HELP).days
    try:
        compared = [one for one in _compared(days) if _is_within(one.happened_at, days)]
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
    st.header("Day by day", anchor=False)
    _days(reconciling.by_day(compared, resources.zone()))


def _compared(days: DayRange) -> Sequence[Compared]:
    gateway = at_gateway.gateway()
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
                "Match": one.matches[Match.MATCHED],
                "Missing here": one.matches[Match.MISSING_HERE] or None,
                "Missing at the gateway": one.matches[Match.MISSING_THERE] or None,
                "Different amount": one.matches[Match.DIFFERENT_AMOUNT] or None,
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
        if_wide=["Match", "Fees"],
    )


def _sum(by_kind: dict[Happened, int], of: DaySums, *kinds: Happened) -> str:
    return format_money(sum(by_kind.get(kind, 0) for kind in kinds), of.currency)
