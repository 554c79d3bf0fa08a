"""Replays history for a page: reads it once per state of the ledger, caches it, and writes the files."""

from typing import Any, Literal

import streamlit as st
from sqlalchemy import Connection

from credits_core.lab.replay import counterfactual
from credits_core.lab.replay import report as replay_report
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.replay.result import Change, Counterfactual, compare
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.reports import recorded_runs
from credits_core.values.days import DayRange
from credits_core.values.text import format_credits, format_usd_rounded
from pages.parts import csv_files, resources
from pages.replay import summary

_MOST_LISTED = 10
Standing = tuple[str, str, int, int]
"""A name, user or creator, what they gain (or lose) in credits, and how many of their charges are refused."""


def compared(plan: PricePlan, days: DayRange) -> Counterfactual | None:
    """The replay of these days under the plan, or None when there is nothing to price again.

    Raises:
        InvalidRequest: an amount under the plan is too large.
    """
    with resources.reading() as connection:
        newest_entry = recorded_runs.newest_entry(connection)
        return _compared(connection, plan, price_plan_toml(plan), days.first, days.last, newest_entry)


def downloads(found: Counterfactual, plan: PricePlan, days: DayRange) -> None:
    """Buttons for every run as CSV and for a summary to print; the files are made when somebody asks for them."""
    in_words = replay_report.scope(days)
    with st.container(horizontal=True):
        st.download_button(
            "Download the runs as CSV",
            lambda: _runs_csv(plan, days),
            f"replay-{plan.id}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Download a summary to print",
            lambda: summary.page(found, plan, in_words),
            f"replay-{plan.id}.html",
            "text/html",
            icon=":material/print:",
            on_click="ignore",
        )


def _runs_csv(plan: PricePlan, days: DayRange) -> bytes:
    with resources.reading() as connection:
        history = _history(connection, days.first, days.last, recorded_runs.newest_entry(connection))
    return csv_files.replayed_runs_csv(
        counterfactual.replayed_runs(history, counterfactual.replay(history, plan)), plan.id, days.zone
    )


def standings(found: Counterfactual) -> tuple[list[Standing], list[Standing]]:
    """Who gains most and who loses most: users by what they pay for the same charges, creators by what they receive."""
    cheaper, dearer = found.by_user.ends("dearer credits", _MOST_LISTED)
    less, more = found.by_creator.ends("creators more", _MOST_LISTED)
    users = [(one.name, "User", -one.dearer_credits, one.refused) for one in (*cheaper, *dearer)]
    creators = [(one.name, "Creator", one.creators.difference_credits, one.refused) for one in (*less, *more)]
    ranked = sorted([*users, *creators], key=lambda one: (one[2], one[0]))
    winners = [one for one in reversed(ranked) if one[2] > 0]
    return winners[:_MOST_LISTED], [one for one in ranked if one[2] < 0][:_MOST_LISTED]


def refused_users(found: Counterfactual) -> list[Standing]:
    """The users of whose charges most is refused, with the credits that were recorded for these charges."""
    _, most = found.by_user.ends("refused credits", _MOST_LISTED)
    return [(one.name, "User", one.refused_credits, one.refused) for one in most]


def metric(label: str, change: Change, *, colour: Literal["gray", "blue", "green", "violet"]) -> None:
    """An amount under plan B, and how much that is more or less than recorded."""
    difference_credits = change.difference_credits
    shown_credits = difference_credits or change.plan_credits
    # Streamlit points the arrow down at a hyphen, and not at a minus sign.
    amount = replay_report.per_cent(change).replace("−", "-") or f"{difference_credits:+,}"
    st.metric(
        label,
        format_credits(change.plan_credits),
        delta=f"{amount if difference_credits else 'as recorded'} ({format_usd_rounded(shown_credits)})",
        delta_color=colour,
        delta_arrow="auto" if difference_credits else "off",
        border=True,
        help=f"Plan B: {_both(change.plan_credits)}. Recorded: {_both(change.recorded_credits)}. "
        f"Difference: {replay_report.signed(difference_credits)} credits.",
    )


def _both(credits: int) -> str:
    return replay_report.both(credits).replace("$", r"\$")


@st.cache_data(max_entries=16, show_spinner="Replaying history…")
def _compared(
    _connection: Connection, _plan: PricePlan, plan_content: str, first: Any, last: Any, newest_entry: Any
) -> Counterfactual | None:
    assert plan_content, "the key under which the result is kept"
    history = _history(_connection, first, last, newest_entry)
    return None if history.is_empty else compare(history, _plan, resources.book().plans)


# As a resource, because a copy of a million runs for every plan would cost more than the replay. Nobody changes it.
@st.cache_resource(max_entries=2, show_spinner="Reading the ledger…")
def _history(_connection: Connection, first: Any, last: Any, newest_entry: Any) -> RecordedHistory:
    assert newest_entry is None or len(newest_entry) > 1, "the key under which the history is kept"
    return recorded_runs.recorded_history(_connection, DayRange(first, last, resources.zone()))
