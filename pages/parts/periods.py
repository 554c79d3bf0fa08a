"""The period that a screen is about: one line to choose it by a preset or by dates, kept from screen to screen.

What somebody chooses is kept for the session and stands in the address: `?period=30d`, or `?days=…&days=…` with a first
and a last day. A link opens as it was sent; what makes no sense in it counts as nothing chosen. As long as nothing is
chosen, each screen has a default of its own, which is not in the address.

Days are those on which entries were posted, by the clocks of the business; the label says so on every screen.
"""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from credits_core.values import periods
from credits_core.values.periods import Period, Preset
from pages.parts import clock, links, resources

NAMES = {
    Preset.WEEK: "7 days",
    Preset.THIRTY_DAYS: "30 days",
    Preset.THIS_MONTH: "This month",
    Preset.LAST_MONTH: "Last month",
    Preset.ALL: "All",
}
_CHOSEN = "period"
"""Under this name the session keeps what was chosen, as text."""
_HELP = "Entries count on the day they were posted. Choose a period, or days in the calendar."
_PRESET, _DATES, _IN_ADDRESS = "period:preset", "period:dates", "period:address"


def choose(
    *,
    default: Preset = Preset.ALL,
    on_change: Callable[[], None] | None = None,
    label: str = "Days of posting",
    help_text: str = _HELP,
) -> Period:
    """The period that is chosen, or the screen's default. `on_change` is called when a person chooses another one.

    `label` and `help_text` say which days these are.
    """
    _take_from_address()
    chosen = _period(st.session_state.get(_CHOSEN, "")) or _preset(default)
    st.session_state[_PRESET] = chosen.preset
    st.session_state[_DATES] = _dates(chosen)
    with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
        st.radio(
            clock.label(label),
            list(Preset),
            format_func=NAMES.__getitem__,
            key=_PRESET,
            horizontal=True,
            on_change=_take_preset,
            args=(on_change,),
            help=help_text,
        )
        st.date_input(
            "First and last day",
            value=[],
            min_value=periods.FIRST_DAY,
            max_value=periods.LAST_DAY,
            format="YYYY-MM-DD",
            key=_DATES,
            on_change=_take_dates,
            args=(on_change,),
            label_visibility="collapsed",
            width=260,
        )
    _put_into_address(chosen, default)
    return chosen


def in_link(period: Period) -> dict[str, str | list[str]]:
    """The period as a part of the query of a link to another screen."""
    if period.preset is not None:
        return {"period": period.preset.value}
    return {"days": periods.as_text(period).split(",")}


def take(query: Mapping[str, str | Sequence[str]]) -> None:
    """Choose the period that `in_link` gave. Meant for a callback."""
    period = query.get("period", "")
    st.session_state[_CHOSEN] = period if isinstance(period, str) and period else ",".join(query.get("days", ()))


def _take_from_address() -> None:
    """A link, or going back, decides; but what this screen has put into the address itself decides nothing."""
    visit, known = st.session_state.get(_IN_ADDRESS, (0, ""))
    found = _in_address()
    if found == known:
        return
    if _period(found) is not None:
        st.session_state[_CHOSEN] = found
    elif visit == links.visit():  # at another screen's first run nothing is in the address yet
        st.session_state.pop(_CHOSEN, None)


def _put_into_address(chosen: Period, default: Preset) -> None:
    wanted = "" if chosen.preset is default else periods.as_text(chosen)
    if _in_address() != wanted:
        nothing: dict[str, str | list[str]] = {"period": [], "days": []}
        st.query_params.update(nothing | in_link(chosen) if wanted else nothing)  # at once, for one step of going back
    st.session_state[_IN_ADDRESS] = (links.visit(), wanted)


def _in_address() -> str:
    return st.query_params.get("period", "") or ",".join(st.query_params.get_all("days"))


def _take_preset(on_change: Callable[[], None] | None) -> None:
    _take(st.session_state[_PRESET].value, on_change)


def _take_dates(on_change: Callable[[], None] | None) -> None:
    dates = st.session_state[_DATES]
    _take(f"{dates[0]},{dates[-1]}" if dates else Preset.ALL.value, on_change)


def _take(text: str, on_change: Callable[[], None] | None) -> None:
    st.session_state[_CHOSEN] = text
    if on_change is not None:
        on_change()


def _dates(period: Period) -> tuple[object, ...]:
    days = period.days
    if days.is_all:
        return ()
    return (days.first,) if days.first == days.last else (days.first, days.last)  # one, when a second is still to come


def _period(text: str) -> Period | None:
    return periods.of_text(text, clock.today(), resources.zone()) if text else None


def _preset(preset: Preset) -> Period:
    return periods.of_preset(preset, clock.today(), resources.zone())
