"""What a scenario opens: the made-up runs behind a day, a bar of totals, or the refused runs of a day."""

from dataclasses import dataclass

import streamlit as st

from credits_core.lab.scenario.assumptions import Scenario
from credits_core.lab.scenario.rows import MadeUpRun, Wanted
from credits_core.pricing.plan import PricePlan
from credits_core.values.text import counted
from pages.parts import charts, tables
from pages.scenario import carrying_out

_OPENED = "scenario:opened"
_MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class _Opened:
    title: str
    wanted: Wanted


def open_day() -> None:
    """Open the runs of the day that was clicked."""
    point = charts.clicked("scenario-days")
    if point is not None:
        _open(f"Day {point['x']}", Wanted(day=int(point["x"])))


def open_refused() -> None:
    """Open the refused runs of the day that was clicked."""
    point = charts.clicked("scenario-refused")
    if point is not None:
        _open(f"Day {point['x']}: refused runs", Wanted(day=int(point["x"]), charged=False))


def open_totals() -> None:
    """Open the charged runs with totals in the range that was clicked."""
    point = charts.clicked("scenario-totals")
    if point is not None:
        _, low, high = point["customdata"]
        wanted = Wanted(charged=True, from_credits=int(low), below_credits=None if high is None else int(high))
        _open(f"Runs from {int(low):,} credits", wanted)


def show_opened(scenario: Scenario, plan: PricePlan) -> None:
    """The runs that somebody asked for, in a dialog."""
    opened: _Opened | None = st.session_state.pop(_OPENED, None)
    if opened is None:
        return

    @st.dialog(opened.title, width="large", icon=":material/receipt_long:")
    def drawn() -> None:
        found = carrying_out.listing(scenario, plan, opened.wanted, limit=_MOST_ROWS)
        if found is not None:
            shown = f", showing the {_MOST_ROWS} dearest" if found.in_all > _MOST_ROWS else ""
            st.caption(f"{counted(found.in_all, 'made-up run')}{shown}. A refused run shows what it would cost.")
            _table(found.runs)

    drawn()


def _open(title: str, wanted: Wanted) -> None:
    st.session_state[_OPENED] = _Opened(title, wanted)


def _table(runs: tuple[MadeUpRun, ...]) -> None:
    if runs:
        tables.made_up_runs(runs, alt="Made-up runs, the dearest first")
