"""What a replay opens: the charges behind a bar, a name or a day, and the tables of models, creators and users."""

from dataclasses import dataclass
from datetime import date

import streamlit as st

from credits_core.lab.replay.counterfactual import ReplayedRun
from credits_core.lab.replay.result import Group, Groups
from credits_core.lab.replay.rows import Wanted
from credits_core.pricing.plan import PricePlan
from credits_core.values.days import DayRange, number_of_day
from credits_core.values.text import counted
from pages.parts import charts, filters, links, tables, words
from pages.parts.runs_of import RunsOf
from pages.replay import view as replay_view

_OPENED = "replay:opened"
_MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class _Opened:
    title: str
    wanted: Wanted


def table(noun: str, of: Groups, *, wanted: object, limit: int) -> None:
    """One page of the models, creators or users, with what each of them gains or loses; a name opens its charges."""
    if not len(of):
        st.caption(f"No {noun.lower()} was charged or paid on these days.")
        return
    who = "creators" if noun == "Creator" else "users"
    st.caption(f"What {who} gain (plus) or lose (minus). Refused charges are no gain.")
    start = filters.page_start(f"replay:{noun}", wanted, 0)
    tables.replayed(
        of.page(start, limit),
        noun=noun,
        key=f"replayed-{noun.lower()}",
        opens=lambda one: _open_group(noun, one),
        alt=f"{noun}s, recorded and under plan B",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        filters.page_buttons(f"replay:{noun}", start + limit if len(of) > start + limit else None)


def open_standing() -> None:
    """Open the charges of the user or creator whose bar was clicked."""
    point = charts.clicked("standings")
    if point is not None:
        role, name, _ = point["customdata"]
        _open(f"{name} ({role})", _charges_of(role, name))


def open_day() -> None:
    """Open the charges of the day whose bar was clicked."""
    point = charts.clicked("recorded-and-plan-b")
    if point is not None:
        day = str(point["x"])[:10]
        _open(day, Wanted(day=number_of_day(date.fromisoformat(day))))


def open_model() -> None:
    """Open the charges of the model whose bar was clicked."""
    point = charts.clicked("recorded-and-plan-b")
    if point is not None:
        _open(str(point["x"]), Wanted(model=str(point["x"])))


def open_changes() -> None:
    """Open the runs whose total changes as much as those of the bar that was clicked."""
    point = charts.clicked("changes-of-runs")
    if point is not None:
        least, largest = point["customdata"][:2]
        _open(f"Change: {point['x']}", Wanted(change_credits=(int(least), int(largest))))


def show_opened(plan: PricePlan, days: DayRange, runs: RunsOf) -> None:
    """The charges that somebody asked for, in a drawer."""
    opened: _Opened | None = st.session_state.pop(_OPENED, None)
    if opened is not None:
        _drawer(opened, plan, days, runs)


def _open_group(noun: str, one: Group) -> None:
    _open(one.name, _charges_of(noun.lower(), one.name))


def _charges_of(kind: str, name: str) -> Wanted:
    return {"user": Wanted(user=name), "creator": Wanted(creator=name), "model": Wanted(model=name)}[kind]


def _open(title: str, wanted: Wanted) -> None:
    st.session_state[_OPENED] = _Opened(title, wanted)


def _drawer(opened: _Opened, plan: PricePlan, days: DayRange, runs: RunsOf) -> None:
    @st.dialog(words.plain(opened.title), width="large", icon=":material/receipt_long:")
    def drawn() -> None:
        found = replay_view.charges(plan, days, runs, opened.wanted, limit=_MOST_ROWS)
        shown = f", showing the {_MOST_ROWS} with the largest changes" if found.in_all > _MOST_ROWS else ""
        st.caption(f"{counted(found.in_all, 'charge')} under {words.plain(plan.id)}{shown}.")
        if found.charges:
            tables.replayed_charges(
                found.charges,
                for_creator=opened.wanted.creator is not None,
                key="replayed-charges",
                opens=_open_entry if runs.is_ledger else None,
                alt="The charges, recorded and under plan B",
            )

    drawn()


def _open_entry(one: ReplayedRun) -> None:
    st.switch_page("explore/history.py", query_params=links.link_to(entry=str(one.entry_id)))
