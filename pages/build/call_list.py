"""The last calls: filters, and the list, which is drawn anew every two seconds. A click on a call opens it."""

import re

import pandas as pd
import streamlit as st

from credits_core import settings
from credits_core.access import calls
from credits_core.access.calls import CallFilter, ListedCall, Outcome
from pages.build import refusals
from pages.parts import clock, csv_files, filters, resources
from pages.parts.words import plain

FILTERS = ("outcome", "caller", "path", "look")
_SHOWN = 100
_NO_KEY = "no valid key"
_API = "/api"
_CLICKED = "calls:clicked"
_REQUEST_ID = re.compile("[0-9a-f]{32}")


def draw() -> None:
    """The filters, and under them the calls that pass."""
    with resources.reading() as connection:
        found = calls.choices(connection)
    with st.grid(4, min_column_width=170):
        outcome = st.selectbox(
            "Outcome",
            [*Outcome, *found.codes],
            index=None,
            placeholder="Any outcome",
            format_func=lambda one: one.capitalize() if one in set(Outcome) else one,
            key="outcome",
            bind="query-params",
        )
        caller = filters.one_of("Caller", [*found.key_names, _NO_KEY], key="caller", anyone="Every caller")
        path = filters.one_of("Path", [f"{_API}{path}" for path in found.paths], key="path", anyone="Every path")
        look = filters.typed(
            st.text_input(
                "Find",
                type="search",
                placeholder="Request id or entry no.",
                key="look",
                bind="query-params",
            )
        )
    is_entry = filters.is_entry_number(look)
    if look and not is_entry and not _REQUEST_ID.fullmatch(look):
        st.warning(
            "A request id has 32 digits and letters a to f, as in the header X-Request-Id. An entry has a number.",
            title=f"{plain(look)} is neither a request id nor an entry",
            icon=":material/edit:",
        )
        return
    _live(
        CallFilter(
            outcome=Outcome(outcome) if outcome in set(Outcome) else None,
            code=outcome if outcome is not None and outcome not in set(Outcome) else None,
            key_name="" if caller == _NO_KEY else caller,
            path=None if path is None else path.removeprefix(_API),
            request_id=look if look and not is_entry else None,
            entry_id=int(look) if is_entry else None,
        )
    )


@st.fragment(run_every="2s")
def _live(wanted: CallFilter) -> None:
    if "call" in st.query_params:  # opened by a click in this list
        st.rerun()
    with resources.reading() as connection:
        listed = calls.last_calls(connection, wanted, limit=_SHOWN)
        matching = calls.count(connection, wanted)
        in_all = calls.count(connection, CallFilter())
    if not listed:
        _nothing(in_all)
        return
    most = f"The newest {_SHOWN} are listed. " if matching > _SHOWN else ""
    st.caption(f"{matching:,} of {in_all:,} calls. {most}Updates every two seconds.")
    _table(listed)


def _nothing(in_all: int) -> None:
    if in_all:
        st.info(
            f"None of the {in_all:,} kept calls matches. Clear the filters.",
            title="Nothing found",
            icon=":material/filter_alt_off:",
        )
    elif settings.kept_calls():
        st.info("Send one above. It shows up here.", title="No call yet", icon=":material/hourglass_empty:")
    else:
        st.info(
            "`CREDITS_KEPT_CALLS` is 0, so this server keeps no calls.",
            title="No call is kept",
            icon=":material/visibility_off:",
        )


def _table(listed: list[ListedCall]) -> None:
    rows = [
        {
            # With its number, by which the click is understood when the list has moved on since.
            "Call": csv_files.safe_text(f"{call.number} · {call.method} {_API}{call.path}"),
            "Status": [str(call.status)],
            "Code": call.code or None,
            "Caller": csv_files.safe_text(call.key_name) or None,
            "Entry": None if call.entry_id is None else str(call.entry_id),
            clock.label("When"): call.at,
            "Took": call.latency_ms,
            "Request id": call.request_id,
        }
        for call in listed
    ]
    statuses = sorted({call.status for call in listed})
    st.dataframe(
        pd.DataFrame(rows),
        width="stretch",
        hide_index=True,
        column_config={
            "Call": st.column_config.ButtonColumn(
                type="tertiary", alignment="left", key=_CLICKED, on_click=_open_clicked, width=270
            ),
            "Status": st.column_config.MultiselectColumn(
                options=list(map(str, statuses)), color=[refusals.colour(status) for status in statuses], width=70
            ),
            # The browser sizes columns by the first rows it sees, which may have no code and no key.
            "Code": st.column_config.TextColumn(width=150),
            "Caller": st.column_config.TextColumn(width=110),
            "Entry": st.column_config.TextColumn(width=70, alignment="right"),
            clock.label("When"): st.column_config.DatetimeColumn(
                format="MM-DD HH:mm:ss", timezone=resources.zone().name
            ),
            "Took": st.column_config.NumberColumn(format="%.1f ms", width=80),
        },
        placeholder="–",
        key="calls",
        alt="The last calls of the API, newest first",
    )


def _open_clicked() -> None:
    number = int(st.session_state[_CLICKED].label.partition(" ")[0])
    with resources.reading() as connection:
        found = calls.find(connection, number=number)
    if found is not None:
        st.query_params["call"] = found.request_id
