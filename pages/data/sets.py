"""The data sets that are there: the list, and which one is open."""

from collections.abc import Sequence

import streamlit as st

from credits_core import settings
from credits_core.datasets.folder import DataSet, Folder
from credits_core.datasets.matching import format_title
from credits_core.values.days import day_of, from_microseconds
from credits_core.values.text import counted
from pages.parts import clock, resources, tables, words

_OPEN = "data"
_KILOBYTE, _MEGABYTE = 1_000, 1_000_000


def folder() -> Folder:
    """The folder with the data sets."""
    return Folder(settings.usage_folder())


def open_set(name: str | None) -> None:
    """Open a data set, or the list with None. For a callback."""
    if name is None:
        st.query_params.pop(_OPEN, None)
    else:
        st.query_params[_OPEN] = name


def chosen(listed: Sequence[DataSet]) -> DataSet | None:
    """The data set that the address names; None for the list. A name that is gone is said to be."""
    name = st.query_params.get(_OPEN)
    found = next((one for one in listed if one.name == name), None)
    if name and found is None:
        st.warning(f"There is no data set {words.plain(name)} any more.", icon=":material/link_off:")
        st.query_params.pop(_OPEN)
    return found


def table(listed: Sequence[DataSet]) -> None:
    """Every data set with what it has; a name opens it."""
    st.header(counted(len(listed), "data set"), anchor=False)
    newest = sorted(listed, key=lambda one: -one.imported_at_us)
    tables.draw(
        [
            {
                "Name": one.name,
                "Runs": one.runs,
                "Refused": one.refused,
                "Days": days(one),
                "Users": one.users,
                "Models": len(one.runs_by_model),
                "From": format_title(one.format),
                "Size": size(one),
                clock.label("Brought in"): from_microseconds(one.imported_at_us),
            }
            for one in newest
        ],
        {},
        alt="Every data set, the newest first",
        key="data-sets",
        opens={"Name": lambda row: open_set(newest[row].name)},
        if_wide=["Refused", "Models", "Size", clock.label("Brought in")],
    )


def days(one: DataSet) -> str:
    """The first and the last day of a data set."""
    first, last = (day_of(resources.zone().day_number(at_us)) for at_us in (one.first_at_us, one.last_at_us))
    return f"{first}" if first == last else f"{first} to {last}"


def size(one: DataSet) -> str:
    """How large the file is, for reading."""
    if one.size < _MEGABYTE:
        return f"{max(1, round(one.size / _KILOBYTE)):,} kB"
    return f"{one.size / _MEGABYTE:,.1f} MB"
