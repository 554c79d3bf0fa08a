"""The runs that two plans are compared on: last month's of the ledger, a data set's, or made-up ones."""

import streamlit as st

from credits_core.errors import CreditsError
from pages.parts import runs_of, words
from pages.parts.runs_of import RunsOf
from pages.plans import month as plan_month
from pages.plans.month import Month


def month() -> tuple[RunsOf, Month | None]:
    """The chosen runs, and their record, or None when there are none. The page ends where something must be chosen."""
    runs = runs_of.asked()
    if runs_of.needs_sums(runs):
        runs = runs_of.with_sums(runs)
        if runs_of.needs_sums(runs):
            runs_of.ask_first(runs)
            runs_of.choose()
            st.stop()
    with st.skeleton(height=500):
        try:
            return runs, plan_month.read(runs)
        except CreditsError as refusal:
            st.warning(words.refusal_text(refusal), title="These runs cannot be priced", icon=":material/block:")
            runs_of.choose()
            st.stop()


def box(runs: RunsOf) -> None:
    """The box for whose runs; when others are chosen, the whole page begins anew with them."""
    if runs_of.choose(is_labelled=False).chosen != runs.chosen:
        st.rerun()
