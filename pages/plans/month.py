"""Last month's runs and unlocks: read once per state of the ledger, and priced again under any plan."""

from dataclasses import dataclass

import streamlit as st
from sqlalchemy import Connection

from credits_core.datasets.record import newest_runs
from credits_core.lab.inspector.findings import PlanFinding
from credits_core.lab.inspector.shape import CardFee
from credits_core.lab.replay import between as lab_between
from credits_core.lab.replay import counterfactual, hits, report
from credits_core.lab.replay.between import Between, PairedCharge, Role
from credits_core.lab.replay.counterfactual import Outcome
from credits_core.lab.replay.hits import Hits
from credits_core.lab.replay.record import RecordedHistory
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import to_line
from credits_core.reports import recent_days, recorded_runs
from credits_core.reports.recent_days import RecentDays
from credits_core.values.days import DayRange
from credits_core.values.text import counted
from pages.parts import resources, runs_of
from pages.parts.runs_of import RunsOf

DAYS = 30
MOST_RUNS = 200_000
"""As many runs are priced again in a moment while one types; of a month with more, the newest days are taken."""
Newest = tuple[int, str, int] | None
"""The newest entry that was read, as `recorded_runs.newest_entry` names it."""


@dataclass(frozen=True, slots=True)
class Month:
    """The record of the days that are replayed, and up to which entry it was read."""

    recent: RecentDays
    newest_entry: Newest
    history: RecordedHistory
    runs_of: RunsOf = runs_of.LEDGERS

    @property
    def scope(self) -> str:
        """Which days and runs these are, in words."""
        if not self.runs_of.is_ledger:
            runs = counted(self.recent.runs, "run")
            newest = "" if self.recent.runs == self.recent.runs_of_period else ", the newest"
            return f"{self.runs_of.chosen.capitalize()}: {runs}{newest}. Nobody was charged."
        days, runs = report.scope(self.recent.days), counted(self.recent.runs, "run")
        if self.recent.runs == self.recent.runs_of_period:
            return f"Last month is {days}: {runs}."
        return f"Of last month's {self.recent.runs_of_period:,} runs these are the newest {self.recent.runs:,}: {days}."


def read(runs: RunsOf | None = None) -> Month | None:
    """The 30 days that end with the newest run or unlock; None before there is one.

    Of runs that the ledger does not have, all, or as many of the newest as are priced in a moment.

    Raises:
        CreditsError: such runs cannot be priced any more.
    """
    if runs is not None and not runs.is_ledger:
        return _of_others(runs)
    resources.keep_totals_quick()
    with resources.reading() as connection:
        return _month(connection, recorded_runs.newest_entry(connection))


def between(month: Month, a: PricePlan, b: PricePlan) -> Between:
    """What would have changed from plan A to plan B.

    Raises:
        InvalidRequest: an amount under one of the plans is too large.
    """
    return _between(month, a, b, (month.newest_entry, to_line(a), to_line(b)))


def charges(
    month: Month, a: PricePlan, b: PricePlan, role: Role, name: str, *, limit: int
) -> tuple[int, list[PairedCharge]]:
    """How many charges a user, creator or model has, and those that change most from plan A to plan B."""
    of_a, of_b = (_outcome(month, plan, (month.newest_entry, to_line(plan))) for plan in (a, b))
    return lab_between.paired_charges(month.history, of_a, of_b, role, name, limit=limit)


def hits_of(month: Month, plan: PricePlan, found: tuple[PlanFinding, ...], card_fee: CardFee) -> tuple[Hits, ...]:
    """The runs that each finding of the plan hits.

    Raises:
        InvalidRequest: an amount under the plan is too large.
    """
    key = (month.newest_entry, to_line(plan), card_fee.share_bps, card_fee.fixed_credits)
    return _hits(month, plan, found, card_fee, key)


def _of_others(runs: RunsOf) -> Month | None:
    days, book = DayRange(zone=resources.zone()), resources.book()
    history = runs_of.history(runs, days, book)
    if history.is_empty:
        return None
    shown = newest_runs(history, MOST_RUNS)
    recent = RecentDays(days, days, len(shown.charges.entry_id), len(history.charges.entry_id))
    return Month(recent, (0, runs_of.key(runs, days, book), 0), shown, runs)


# As resources, because copies of so many runs would cost more than replaying them. Nobody changes them. The key names
# what an underscore hides: up to which entry the ledger was read, and the rules of the plans.


@st.cache_resource(max_entries=2, show_spinner=False)
def _month(_connection: Connection, newest_entry: Newest) -> Month | None:
    recent = recent_days.recent_days(_connection, days=DAYS, most_runs=MOST_RUNS, zone=resources.zone())
    if recent is None:
        return None
    return Month(recent, newest_entry, recorded_runs.recorded_history(_connection, recent.days))


@st.cache_resource(max_entries=8, show_spinner=False)
def _outcome(_read: Month, _plan: PricePlan, key: tuple[Newest, str]) -> Outcome:
    assert key, "under which the outcome is kept"
    return counterfactual.replay(_read.history, _plan)


@st.cache_resource(max_entries=32, show_spinner=False)
def _between(_read: Month, _a: PricePlan, _b: PricePlan, key: tuple[Newest, str, str]) -> Between:
    newest, a, b = key
    return lab_between.between(_read.history, _outcome(_read, _a, (newest, a)), _outcome(_read, _b, (newest, b)))


@st.cache_resource(max_entries=8, show_spinner=False)
def _hits(
    _read: Month,
    _plan: PricePlan,
    _found: tuple[PlanFinding, ...],
    _card_fee: CardFee,
    key: tuple[Newest, str, int, int],
) -> tuple[Hits, ...]:
    assert key, "under which the hits are kept"
    return hits.hits(_read.history, _plan, _found, _card_fee)
