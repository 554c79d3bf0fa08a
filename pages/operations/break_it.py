"""The section Break it: damage a scratch copy of the ledger, and see which check finds it. Drawn below the proof."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.worlds import breaking
from credits_core.worlds.breaking import Tried
from credits_core.worlds.damages import DAMAGES, Damage
from pages.operations import alone
from pages.parts import resources, who, words

_SHOWN = 3


def draw() -> None:
    """Draw the section: the choice of damages, the button, and what became of the last one."""
    st.header("Break it")
    st.caption("Damage a copy. See which check finds it. Your ledger stays untouched.")
    if not who.more_than_viewer_or_told("damage a copy"):
        return
    with st.form("break_it", border=True):
        chosen = st.radio(
            "Damage",
            list(DAMAGES),
            format_func=lambda one: DAMAGES[one].title,
            captions=[damage.meaning for damage in DAMAGES.values()],
        )
        asked = st.form_submit_button("Damage a copy", icon=":material/build:")
    if asked:
        with alone.one_at_a_time() as may_begin:
            if may_begin:
                st.session_state["break_it_tried"] = _tried(DAMAGES[chosen])
    if "break_it_tried" in st.session_state:
        _show(st.session_state["break_it_tried"])


def _tried(damage: Damage) -> Tried:
    with st.spinner("Copying, damaging and checking…"):
        return breaking.try_damage(
            resources.engine(), resources.books(), damage, zone=resources.zone(), now=datetime.now(UTC)
        )


def _show(tried: Tried) -> None:
    with st.container(border=True):
        st.markdown(f"**{tried.damage.title}.** {words.plain(tried.done)}")
        if tried.found:
            one = "One check" if len(tried.found) == 1 else f"{len(tried.found)} checks"
            st.success(f"{one} of {tried.checks} found it.", icon=":material/gpp_good:")
            for finding in tried.found:
                said = "".join(f"\n- {words.plain(sentence)}" for sentence in finding.violations[:_SHOWN])
                more = f"\n- and {len(finding.violations) - _SHOWN:,} more" if len(finding.violations) > _SHOWN else ""
                st.markdown(f"It no longer holds that {words.plain(finding.invariant)}:{said}{more}")
        else:
            st.error("No check found it. Please report this.", icon=":material/gpp_bad:")
        for invariant in tried.was_wrong:
            st.caption(f"Broken before: {words.plain(invariant)}.")
        st.caption(tried.ledger)
