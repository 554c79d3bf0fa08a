"""The section that examines the installation, as the command `doctor` does, and says what to do."""

from datetime import UTC, datetime

import streamlit as st

from credits_core import settings
from credits_core.operations import doctor
from credits_core.operations.verdicts import Examined, Verdict
from credits_core.values.roles import May
from credits_core.values.text import counted
from pages.parts import clock, show, who, words

_KEY = "operations:examined"
_MARKS = {
    Verdict.OK: ":green-badge[Well]",
    Verdict.WARNING: ":orange-badge[Soon]",
    Verdict.WRONG: ":red-badge[Wrong]",
}


def draw() -> None:
    """Draw the section, for who may manage this product: it names files and addresses of this machine."""
    if not who.may(May.MANAGE):
        return
    st.header("Installation")
    if st.button("Examine now", icon=":material/stethoscope:"):
        found = doctor.examine(settings.database_url(), lambda: datetime.now(UTC))
        st.session_state[_KEY] = (datetime.now(UTC), found)
    kept: tuple[datetime, list[Examined]] | None = st.session_state.get(_KEY)
    if kept is None:
        st.caption("Looks at settings, database, disk, clock, permissions, jobs, backups and sign-in.")
        return
    at, found = kept
    amiss = sum(one.verdict is not Verdict.OK for one in found)
    said = f"{counted(amiss, 'thing')} to look after" if amiss else "Nothing to do"
    st.caption(f"{said}, {clock.text(at, '%H:%M:%S')}.")
    rows: list[show.Row] = [
        {
            "": _MARKS[one.verdict],
            "What": one.subject,
            "Found": words.plain(one.said),
            **({"To do": words.plain(one.to_do) if one.to_do else ""} if amiss else {}),
        }
        for one in sorted(found, key=lambda one: list(Verdict)[::-1].index(one.verdict))
    ]
    st.table(show.small_table(rows, {}), border="horizontal", hide_index=True, alt="What was examined, the worst first")
