"""Checks the record for a page, with progress and a button to stop, and seals what is new."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.audit import invariants, seal_keys, seals
from credits_core.audit import log as audit_log
from credits_core.audit.finding import Finding, Since
from credits_core.errors import CreditsError
from credits_core.values.text import counted
from pages.operations import alone
from pages.parts import done, long_work, resources, words

_ASKED, _NOT_SEALED = "proof:asked", "proof:not_sealed"
_SEALS_BY_A_CLICK = 50


def ask() -> None:
    """Let the record be checked, as a callback. Each click is a check of its own."""
    st.session_state[_ASKED] = datetime.now(UTC)


def seal_now() -> None:
    """Seal what is new, as a callback; only a part when there is very much of it."""
    st.session_state.pop(_NOT_SEALED, None)
    try:
        made = seals.catch_up(
            resources.engine(), now=datetime.now(UTC), key=seal_keys.configured(), most_seals=_SEALS_BY_A_CLICK
        )
    except CreditsError as refusal:
        st.session_state[_NOT_SEALED] = words.refusal_text(refusal)
        return
    if made:
        done.add("Proof", f"{counted(made, 'seal')} made.")
    else:
        st.session_state[_NOT_SEALED] = "Another process is sealing, or somebody is writing. Try again in a minute."


def show_why_not_sealed(obstacle: CreditsError | None) -> None:
    """Why nothing new is sealed: what stands in the way, or why the last click sealed nothing, if it did not."""
    if obstacle is not None:
        said = f"{words.refusal_text(obstacle)} Tell whoever runs the server."
        st.warning(said, title="New entries are not sealed", icon=":material/lock_open:")
    elif _NOT_SEALED in st.session_state:
        st.warning(st.session_state[_NOT_SEALED], title="Nothing was sealed", icon=":material/lock_open:")


def carry_out() -> None:
    """Check the record if somebody asked for it, keep the result, and show the page anew."""
    asked = st.session_state.get(_ASKED)
    if asked is None:
        return
    with alone.one_at_a_time() as may_begin:
        result = _checked(asked) if may_begin else None
    if not may_begin:
        st.session_state.pop(_ASKED)
    if result is None:
        return
    findings, leaves = result
    now = datetime.now(UTC)
    resources.writing(lambda connection: audit_log.record(connection, findings, now=now, leaves=leaves))
    st.session_state.pop(_ASKED)
    broken = sum(not finding.ok for finding in findings)
    said = f"{broken} of {len(findings)} checks failed." if broken else "The record was checked: everything holds."
    done.add("Proof", said, is_shown=False)  # the screen says it
    st.rerun()


def _checked(asked: datetime) -> tuple[list[Finding], Since | None] | None:
    engine = resources.engine()
    seals.catch_up_quietly(engine, now=asked, most_seals=5)
    return long_work.carried_out(
        "proof",
        asked,
        lambda: invariants.auditing(engine, resources.book().plans),
        what="Checking",
        of=f"{len(invariants.INVARIANTS)} invariants",
        undone="Nothing was recorded. The last result is shown.",
    )
