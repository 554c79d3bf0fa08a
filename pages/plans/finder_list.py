"""The best plans as a table, which of them is shown below, and a page of the chosen few to print."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.lab.finder import paper as finder_paper
from credits_core.lab.finder import report
from credits_core.lab.finder.search import Answer, Found
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import to_line
from pages.parts import tables, words
from pages.plans.month import Month

_CHOSEN, _ALL = "finder:chosen", "finder:all"
_FIRST, _MOST_ON_PAPER, _USUALLY_ON_PAPER = 8, 12, 3


def choose(line: str) -> None:
    """Show the plan with these rules below. Meant for callbacks."""
    st.session_state[_CHOSEN] = line


def chosen(answer: Answer) -> Found:
    """The plan that is shown below; until somebody chooses one, the best in what counts first."""
    line = st.session_state.get(_CHOSEN)
    return next((one for one in answer.best if to_line(one.plan) == line), answer.best[0])


def draw(answer: Answer, today: PricePlan, month: Month) -> None:
    """The plans, the best first, each with what it changes; a click on a name shows the plan below, or prints some."""
    is_whole = st.session_state.get(_ALL, False)
    shown = answer.best if is_whole else answer.best[:_FIRST]
    rows = [
        {
            "Plan": one.plan.id,
            "We earn": one.figures.income_credits - answer.today.income_credits,
            "Users pay": one.figures.users_paid_credits - answer.today.users_paid_credits,
            "Creators get": one.figures.creators_received_credits - answer.today.creators_received_credits,
            "Highest increase": report.more_or_less(one.figures.highest_increase_bps),
            "Pay more": f"{one.figures.users_paying_more:,} of {one.figures.users:,}",
            "Tiers": len(one.plan.tiers),
        }
        for one in shown
    ]
    tables.draw(
        rows,
        {"We earn": "Dollars", "Users pay": None, "Creators get": None},
        alt=f"The best plans, each beside {today.id}",
        key="found-plans-table",
        opens={"Plan": lambda row: choose(to_line(shown[row].plan))},
        if_wide=["Creators get", "Tiers"],
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Changes against {words.plain(today.id)}, which is live.", width="stretch")
        if len(shown) < len(answer.best):
            st.button(f"Show all {len(answer.best):,}", type="tertiary", on_click=_show_all)
        _paper(answer, today, month)


def _paper(answer: Answer, today: PricePlan, month: Month) -> None:
    names = {one.plan.id: one for one in answer.best}
    with st.popover("Print", icon=":material/print:", type="tertiary", key="finder-print"):
        usual = list(dict.fromkeys([chosen(answer).plan.id, *names]))[:_USUALLY_ON_PAPER]
        on_paper = st.multiselect(
            "Plans on the page", list(names), usual, max_selections=_MOST_ON_PAPER, key="finder:paper"
        )
        if not on_paper:
            st.caption("Choose at least one plan.")
            return
        st.download_button(
            "Download PDF",
            lambda: finder_paper.pdf(
                [names[one] for one in on_paper], answer, today, scope=month.scope, made_at=datetime.now(UTC)
            ),
            "price-plans.pdf",
            "application/pdf",
            icon=":material/picture_as_pdf:",
            on_click="ignore",
        )


def _show_all() -> None:
    st.session_state[_ALL] = True
