"""Replays history for a page: reads it once per state of the ledger, keeps what it found, and writes the files."""

from collections.abc import Iterator
from typing import Literal

import streamlit as st
from sqlalchemy import Connection

from credits_core.lab.replay import counterfactual
from credits_core.lab.replay import report as replay_report
from credits_core.lab.replay import rows as replay_rows
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.replay.result import Change, Counterfactual, Sums, compare
from credits_core.lab.replay.rows import Listing, Wanted
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.reports import recorded_runs
from credits_core.values.days import DayRange
from credits_core.values.roles import May
from pages.parts import csv_files, exporting, long_work, resources, runs_of, show, who, words
from pages.parts.runs_of import RunsOf
from pages.replay import summary


def compared(plan: PricePlan, days: DayRange, runs: RunsOf) -> Counterfactual | None:
    """The replay of these days under the plan, or None when there is nothing to price again.

    When somebody stops the reading of a long history, the page ends here and says so.

    Raises:
        InvalidRequest: an amount under the plan is too large.
        CreditsError: runs that are not of the ledger cannot be priced any more.
    """
    history, of = _record(days, runs)
    if history.is_empty:
        return None
    kept = _kept_comparison(f"{price_plan_toml(plan)} {days} {of}")
    if kept.result is None:
        kept.result = compare(history, plan, resources.book().plans)
    return kept.result


def charges(plan: PricePlan, days: DayRange, runs: RunsOf, wanted: Wanted, *, limit: int) -> Listing:
    """The wanted charges of these days, recorded and under the plan."""
    history, _ = _record(days, runs)
    return replay_rows.listing(history, counterfactual.replay(history, plan), wanted, limit=limit)


def nothing(is_all_days: bool) -> None:
    """What a page without anything to replay says, and what to do next."""
    if not is_all_days:
        st.info("Choose other days, or All.", title="Nothing ran on these days", icon=":material/event_busy:")
        return
    st.info(
        "Run a prompt or unlock a flow first. Then you can replay it under any plan.",
        title="There is no history yet",
        icon=":material/history:",
    )
    st.page_link("act/simulate_runs.py", label="Run a prompt", icon=":material/play_circle:")


def deltas(sums: Sums) -> None:
    """What each party gains (plus) or loses (minus); together that is zero."""
    changes = (sums.users, sums.creators, sums.platform, sums.inference)
    with show.metric_grid(*(change.difference_credits for change in changes)):
        _delta("Users pay", sums.users, sign=-1, colour="blue")
        _delta("Creators get", sums.creators, sign=1, colour="green")
        _delta("Platform gets", sums.platform, sign=1, colour="violet")
        _delta("Providers get", sums.inference, sign=1, colour="gray")


def limits(found: Counterfactual, runs: RunsOf) -> Iterator[str]:
    """What a reader has to know about this replay."""
    return replay_report.limits(found) if runs.is_ledger else runs.limits(resources.book().plan.id)


def check(found: Counterfactual, days: DayRange, runs: RunsOf) -> None:
    """Who would have run out, and whether every charge comes out as recorded, under this plan or else under its own.

    Of runs that the ledger does not have: what they are compared with.
    """
    if not runs.is_ledger:
        history, _ = _record(days, runs)
        st.caption(f":material/info: {words.plain(runs_of.said(runs, history, resources.book().plan.id))}")
        return
    refused = words.plain(replay_report.refusals(found))
    with st.container(width="stretch", gap="xxsmall"):
        if found.refused_users:
            st.markdown(f":material/block: {refused}")
        if found.matches_record:
            st.caption(f":material/verified: {words.plain(replay_report.against_record(found))} {refused}")
        elif found.own_plans.first_difference is None:
            nobody = "" if found.refused_users else f" {refused}"
            st.caption(f":material/verified: {words.plain(replay_report.own_plans(found))}{nobody}")
        else:
            st.error(words.plain(replay_report.own_plans(found)), icon=":material/report:")


def downloads(found: Counterfactual, plan: PricePlan, days: DayRange, runs: RunsOf) -> None:
    """Every run as CSV and a summary to print; the files are made when somebody asks for them."""
    in_words = replay_report.scope(days) if runs.is_ledger else f"{runs.chosen}, {replay_report.scope(days)}"
    told = None if runs.is_ledger else tuple(runs.limits(resources.book().plan.id))
    detail = {"days": exporting.in_words(days), "plan": plan.id, **({} if runs.is_ledger else {"runs": runs.chosen})}
    if not who.may_or_told(May.EXPORT_PEOPLE):
        return
    with st.popover("Download", icon=":material/download:", type="tertiary"):
        exporting.button(
            "The runs as CSV",
            lambda: _runs_csv(plan, days, runs),
            f"replay-{plan.id}.csv",
            "text/csv",
            icon=":material/csv:",
            detail=detail,
            width="stretch",
        )
        exporting.button(
            "A summary to print",
            lambda: summary.page(found, plan, in_words, told=told),
            f"replay-{plan.id}.html",
            "text/html",
            icon=":material/print:",
            detail=detail,
            width="stretch",
        )


def _runs_csv(plan: PricePlan, days: DayRange, runs: RunsOf) -> bytes:
    if runs.is_ledger:
        with resources.reading() as connection:
            history = recorded_runs.recorded_history(connection, days)
    else:
        history, _ = _record(days, runs)
    return csv_files.replayed_runs_csv(
        counterfactual.replayed_runs(history, counterfactual.replay(history, plan)), plan.id, days.zone
    )


def _delta(label: str, change: Change, *, sign: int, colour: Literal["gray", "blue", "green", "violet"]) -> None:
    gain_credits = sign * change.difference_credits
    percent = replay_report.per_cent(change).lstrip("+−")
    how = f"{percent} {'more' if change.difference_credits > 0 else 'less'}" if gain_credits else "the same"
    show.gain(f"{label} {how}", gain_credits, of_credits=change.recorded_credits, colour=colour, border=True)


# As resources, because a copy of a million runs for every plan would cost more than the replay. Nobody changes them.
@st.cache_resource(max_entries=16, show_spinner=False)
def _kept_comparison(key: str) -> long_work.Kept[Counterfactual]:
    return long_work.Kept(key)


@st.cache_resource(max_entries=2, show_spinner=False)
def _kept_history(key: str) -> long_work.Kept[RecordedHistory]:
    return long_work.Kept(key)


def _record(days: DayRange, runs: RunsOf) -> tuple[RecordedHistory, str]:
    """The record of the runs, and a text that is the same as long as it is the same record."""
    if not runs.is_ledger:
        book = resources.book()
        return runs_of.history(runs, days, book), runs_of.key(runs, days, book)
    with resources.reading() as connection:
        newest_entry = recorded_runs.newest_entry(connection)
        return _history(connection, days, newest_entry), str(newest_entry)


def _history(connection: Connection, days: DayRange, newest_entry: tuple[int, str, int] | None) -> RecordedHistory:
    kept = _kept_history(f"{days} {newest_entry}")
    if kept.result is None:
        kept.result = long_work.carried_out(
            "replay:history",
            kept.key,
            lambda: recorded_runs.reading_history(connection, days),
            what="Reading the ledger",
            of=f"{newest_entry[0] if newest_entry else 0:,} entries",
            undone="Nothing was replayed.",
        )
    if kept.result is None:
        st.stop()
    return kept.result
