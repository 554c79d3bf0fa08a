"""The section of backups: each one with what a drill said of it, and buttons to make one and to try the newest."""

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.operations import backup_jobs, runs
from credits_core.operations.backups import listing
from credits_core.operations.backups.listing import Listed, State
from credits_core.values.roles import May
from credits_core.values.text import counted
from pages.operations import running
from pages.parts import clock, resources, tables, who, words

_STATES = {State.GOOD: "Good", State.UNPROVED: "Not tried yet", State.BAD: "Bad"}
_MEGABYTE = 1_000_000


def draw() -> None:
    """Draw the section."""
    st.header("Backups")
    try:
        where = backup_jobs.place()
        found = listing.listed(where, resources.engine())
    except (CreditsError, OSError) as error:
        st.error(words.plain(str(error)), title="The place of backups cannot be read", icon=":material/cloud_off:")
        return
    st.caption(f"{counted(len(found), 'backup')}.", help=words.plain(where.address))
    if who.may_or_told(May.MANAGE):
        with st.container(horizontal=True):
            st.button("Create backup", icon=":material/backup:", on_click=running.ask, args=("backup",))
            if any(one.is_own for one in found):
                st.button("Try the newest", icon=":material/fact_check:", on_click=running.ask, args=("drill",))
    if not found and _was_made():
        st.warning(
            "The job made one before. Look whether the place has its files, and its disk is mounted.",
            title="No backup is here any more",
            icon=":material/cloud_off:",
        )
        return
    if not found:
        st.info(
            "One is made every night. *Create backup* makes one now, while charges go on.",
            title="No backup yet",
            icon=":material/backup:",
        )
        return
    _say_what_is_wrong([one for one in found if one.is_own])
    tables.draw(
        [
            {
                clock.label("Made"): one.backup.made_at,
                "State": [_STATES[one.state], *([] if one.is_own else ["Another ledger's"])],
                "Entries": f"{one.backup.figures.entries:,}",
                "Size": f"{one.backup.stored_bytes / _MEGABYTE:,.1f} MB",
                clock.label("Tried"): None if one.drilled is None else one.drilled.at,
                "Said": "" if one.drilled is None else one.drilled.message,
                "Name": one.backup.name,
            }
            for one in found
        ],
        {},
        alt="Every backup, the newest first",
        key="backups",
        opens={},
        if_wide=["Entries", "Size", "Said", "Name"],
    )


def _was_made() -> bool:
    with resources.reading() as connection:
        return runs.last_ended(connection, "backup", is_ok=True) is not None


def _say_what_is_wrong(found: list[Listed]) -> None:
    bad = listing.bad_at_last(found)
    if bad is not None and bad.drilled is not None:
        is_newest = bad is found[0]
        st.error(
            words.plain(bad.drilled.message if is_newest else f"{bad.backup.name}: {bad.drilled.message}"),
            title="The newest backup is bad: create another one"
            if is_newest
            else "The last drill failed: try the newest backup",
            icon=":material/error:",
        )
    elif not any(one.state is State.GOOD for one in found):
        st.warning(
            "*Try the newest* restores it into a scratch place and proves it there.",
            title="No backup is proved yet",
            icon=":material/help:",
        )
