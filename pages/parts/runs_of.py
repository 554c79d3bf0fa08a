"""Whose runs a screen of the lab is about: the ledger's, a data set's, or made-up ones. Kept as `?runs=…`.

Only the ledger's runs were really charged. All others are compared with what the live plan charges for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import streamlit as st

from credits_core import settings
from credits_core.datasets.folder import DataSet, Folder
from credits_core.datasets.made_up import history_of_scenario
from credits_core.datasets.record import history_of, require_said
from credits_core.datasets.sums import Sums
from credits_core.datasets.wording import OfData, rows_of_sums
from credits_core.errors import CreditsError
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.scenario.assumptions import with_offered
from credits_core.pricing.quote import PriceBook
from credits_core.values.days import DayRange
from credits_core.values.text import counted
from pages.parts import clock, pick, resources, words

LEDGER = "the ledger"
_KEY = "runs"
_DATA, _SCENARIO = "data set ", "scenario "
_SUMS = {Sums.ONE_RUN: "one run", Sums.EQUAL_RUNS: "equal runs"}


@dataclass(frozen=True, slots=True)
class RunsOf:
    """The chosen runs: of the ledger, of a data set with what its rows of sums are taken as, or of a scenario."""

    chosen: str = LEDGER
    data_set: DataSet | None = None
    sums: Sums | None = None

    @property
    def is_ledger(self) -> bool:
        """Whether these runs were really charged."""
        return self.chosen == LEDGER

    def of_data(self, live_plan_id: str) -> OfData | None:
        """What there is to say about a data set; None for other runs."""
        return None if self.data_set is None else OfData(self.data_set, live_plan_id, self.sums)

    def limits(self, live_plan_id: str) -> Iterator[str]:
        """What a reader has to know about runs that the ledger does not have."""
        of_data = self.of_data(live_plan_id)
        if of_data is not None:
            yield from of_data.limits()
            return
        yield "The runs are made up, with the usual assumptions of the screen *Scenario*, and nobody was charged."
        yield f"They are compared with what {words.plain(live_plan_id)}, the live plan, charges for the same runs."
        yield "Nobody runs out of credits here; *Scenario* follows balances."


LEDGERS = RunsOf()
"""The runs of the ledger."""


def in_link(data_set: str) -> dict[str, str]:
    """The part of a link's query that chooses a data set."""
    return {"runs": f"{_DATA}{data_set}"}


def choose(*, is_labelled: bool = True) -> RunsOf:
    """A box for whose runs. Draw `with_sums` below it."""
    options = _options()
    chosen = st.selectbox(
        "Runs of",
        list(options),
        key=_KEY,
        bind="query-params",
        filter_mode="contains",
        label_visibility="visible" if is_labelled else "collapsed",
        width=230 if is_labelled else 200,
    )
    return options.get(chosen, LEDGERS)


def asked() -> RunsOf:
    """The runs that `choose` will give, for a screen that needs them before it draws the box."""
    return _options().get(st.session_state.get(_KEY) or st.query_params.get(_KEY, ""), LEDGERS)


def _options() -> dict[str, RunsOf]:
    try:
        data_sets = _folder().data_sets()
    except CreditsError:  # the screen of the data sets says which
        data_sets = []
    chosen = [(f"{_DATA}{one.name}", one) for one in data_sets]
    made_up = [f"{_SCENARIO}{name}" for name in resources.scenarios()]
    return {
        LEDGER: LEDGERS,
        **{name: RunsOf(name, one) for name, one in chosen},
        **{name: RunsOf(name) for name in made_up},
    }


def with_sums(runs: RunsOf) -> RunsOf:
    """The runs with what rows of several requests are taken as, which is asked where there are any."""
    data_set = runs.data_set
    if data_set is None or not data_set.has_sums:
        return runs
    if data_set.uncounted_rows:
        st.caption(f"{rows_of_sums(data_set)} that nobody counted. Assumed: each row is one run.")
        return replace(runs, sums=Sums.ONE_RUN)
    said = pick.one(
        "A row of several requests is",
        ["not chosen", *_SUMS.values()],
        key="sums",
        help_text=f"{rows_of_sums(data_set)}. The price of a run depends on its size.",
    )
    return replace(runs, sums=next((sums for sums, name in _SUMS.items() if name == said), None))


def needs_sums(runs: RunsOf) -> bool:
    """Whether somebody has to say what rows of several requests are taken as."""
    return runs.data_set is not None and runs.data_set.has_sums and runs.sums is None


def ask_first(runs: RunsOf) -> bool:
    """Say what has to be chosen before these runs can be replayed; whether there is something."""
    if runs.data_set is None:
        return False
    try:
        require_said(runs.data_set, runs.sums)
    except CreditsError:
        st.info(
            "As one run, a row is priced by the sum. As equal runs, each request is priced by its share. Choose above.",
            title=f"{rows_of_sums(runs.data_set)}: what runs are they?",
            icon=":material/functions:",
        )
        return True
    return False


def key(runs: RunsOf, days: DayRange, book: PriceBook) -> str:
    """The same text for the same history."""
    at = runs.data_set.imported_at_us if runs.data_set else clock.today()
    return f"{runs.chosen} {at} {runs.sums} {days} {book.terms}"


def history(runs: RunsOf, days: DayRange, book: PriceBook) -> RecordedHistory:
    """The record of runs that the ledger does not have.

    Raises:
        CreditsError: a run cannot be priced any more, or the data set is gone.
    """
    return _history(key(runs, days, book), runs, days, book)


@st.cache_resource(max_entries=4, show_spinner="Pricing every run…")
def _history(key: str, _runs: RunsOf, _days: DayRange, _book: PriceBook) -> RecordedHistory:
    assert key, "under which it is kept"
    if _runs.data_set is not None:
        return history_of(_folder(), _runs.data_set.name, book=_book, days=_days, sums=_runs.sums)
    scenario, _ = with_offered(resources.scenarios()[_runs.chosen.removeprefix(_SCENARIO)], [*_book.models])
    first = clock.today() - timedelta(days=scenario.days)
    return history_of_scenario(
        scenario, _book.models, book=_book, at=resources.this_hour(), first_day=first, days=_days
    )


def said(runs: RunsOf, history: RecordedHistory, live_plan_id: str) -> str:
    """One line under the figures: what these runs are compared with, and what was assumed."""
    runs_in_all = counted(len(history.charges.entry_id), "run")
    of_data = runs.of_data(live_plan_id)
    assumed = f" {of_data.assumed}" if of_data and of_data.assumed else ""
    return f"{runs_in_all} of {runs.chosen}, compared with {live_plan_id}, the live plan. Nobody was charged.{assumed}"


def _folder() -> Folder:
    return Folder(settings.usage_folder())
