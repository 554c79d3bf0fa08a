"""Asks how to begin while the database is empty; then leads everybody to what they came for."""

import streamlit as st

from credits_core import settings
from credits_core.bulk.first_start import Beginning
from pages.parts import head, resources
from pages.start import choices, importing, roles

CAPTIONS = {
    Beginning.UNDECIDED: "Nothing is in here yet. How do you want to begin?",
    Beginning.CLEAN: "You began with an empty ledger. This comes next.",
    Beginning.DEMO: "Choose your card: three steps, some three minutes.",
    Beginning.OWN: "Choose your card: three steps, some three minutes.",
}
ABOUT = """
As long as nothing is recorded, this page asks how to begin. Afterwards it has three steps for each kind of visitor.
Every link opens a screen that is filled in already; nothing is charged before you press a button there.
"""

began = resources.beginning()
if began is Beginning.UNDECIDED and not settings.demo_enabled():
    began = Beginning.CLEAN  # nobody is asked where the demo is off

with head.line("Start", CAPTIONS[began], about=ABOUT):
    pass
if choices.is_demo_asked():
    choices.build_demo()
if importing.is_under_way():
    importing.carry_on()
    st.stop()
sent = None
if began is Beginning.UNDECIDED:
    sent = choices.cards()
elif began is Beginning.CLEAN:
    sent = choices.after_a_clean_start()
else:
    roles.cards()
    if began is Beginning.OWN:
        sent = choices.import_later()
if sent is not None:
    importing.offer(sent)
