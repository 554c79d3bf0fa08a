"""What a cycle of today would say, and how creators are said in a table."""

from collections.abc import Sequence
from datetime import date
from itertools import islice

import streamlit as st

from credits_core.payments import payout_words, payouts
from credits_core.payments.payout_rules import PayoutRules
from credits_core.payments.payouts import Explained
from credits_core.store.kinds import Verdict
from credits_core.values.text import counted
from pages.parts import links, resources, show, tables

_MOST = 2_000


def draw(rules: PayoutRules, today: date) -> None:
    """Draw the sums and the table; of a very large platform the first creators only."""
    with st.skeleton(height=300), resources.reading() as connection:
        found = list(islice(payouts.preview(connection, rules, today=today, zone=resources.zone()), _MOST + 1))
    if not found:
        st.info(
            "Creators earn when somebody runs a prompt that has a creator fee, or unlocks a flow.",
            title="Nothing that was earned is left",
            icon=":material/payments:",
        )
        return
    shown = found[:_MOST]
    payable = sum(one.amount_credits for one in shown)
    waiting = sum(one.standing.waiting_credits for one in shown)
    with show.metric_grid(payable, waiting, columns=3):
        show.metric("Would be paid", payable, help_text="Whole cents, to those whom no rule keeps back.")
        show.metric("Waiting", waiting, help_text="Earned in the last days. A run could still be refunded.")
        paid = sum(1 for one in shown if one.amount_credits)
        st.metric("Creators to pay", f"{paid:,} of {len(shown):,}", border=True, height="stretch")
    without_account = sum(1 for one in shown if one.verdict is Verdict.NO_DESTINATION)
    if without_account:
        st.info(
            f"{counted(without_account, 'creator')} could be paid and {'has' if without_account == 1 else 'have'} no "
            "account yet. Click a creator, and fill in **Where to pay**.",
            icon=":material/account_balance:",
        )
    if len(found) > _MOST:
        st.caption(f"The first {counted(_MOST, 'creator')} are shown. A cycle has all of them.")
    table(
        sorted(shown, key=lambda one: (one.verdict is not Verdict.PAID_OUT, -one.standing.payable_credits)),
        key="preview",
    )


def table(listed: Sequence[Explained], *, key: str) -> None:
    """A row for each creator, with the rule that says no in words."""
    tables.draw(
        [
            {
                "Creator": one.creator_id,
                **({"Payout": one.payout_id} if one.payout_id is not None else {}),
                "Result": payout_words.result(one),
                "Earned and left": one.standing.left_credits,
                "Waiting": one.standing.waiting_credits or None,
                "Amount": one.amount_credits or None,
                "Why": payout_words.in_short(one),
            }
            for one in listed
        ],
        {"Earned and left": None, "Waiting": None, "Amount": "Dollars"},
        alt="What is said of each creator",
        key=key,
        opens={"Creator": lambda row: _open(listed[row].creator_id)},
        if_wide=["Waiting", "Payout"],
    )


def _open(creator_id: str) -> None:
    st.switch_page("explore/creator_earnings.py", query_params=links.link_to(creator=creator_id))
