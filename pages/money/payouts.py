"""Proposes what creators are paid, follows each payout, and explains why somebody was not paid."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.payments import configured
from credits_core.values.days import date_at
from credits_core.values.text import both
from pages.money import one_cycle, payout_cycles, payout_preview
from pages.parts import head, links, pick, resources, show

ABOUT = """
What creators earn waits for some days, because a run can be refunded. After that it can be paid out. A *cycle* says of
every creator whether it pays and why not; a second person approves it. *Preview* shows what a cycle of today would say.
"""
CYCLES, PREVIEW = "Cycles", "Preview"

with head.line("Payouts", "Pay creators what they earned.", about=ABOUT):
    pass
links.follow_link("cycle", "view")
try:
    rules = configured.payout_rules()
except CreditsError as refusal:
    show.refusal(refusal, undone="Nothing can be paid out until this is mended.")
    st.stop()
asked = st.query_params.get("cycle", "")
if asked.isdecimal() and len(asked) < 16:
    one_cycle.draw(int(asked))
    st.stop()
today = date_at(datetime.now(UTC), resources.zone())
st.markdown(
    f"Earnings wait **{rules.waiting_days} days**. A payout needs **{both(rules.threshold_credits)}**. "
    f"Next payday: **{rules.next_payday(today):%-d %B %Y}**.".replace("$", r"\$")
)
view = pick.one("View", (CYCLES, PREVIEW), key="view", is_labelled=False)
payout_cycles.propose_button(rules)
if view == PREVIEW:
    payout_preview.draw(rules, today)
else:
    payout_cycles.draw()
