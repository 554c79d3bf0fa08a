"""Usage data: bring in a log of another system, see what became of its rows, and what it cost there and here."""

import streamlit as st

from credits_core.errors import CreditsError
from pages.data import bringing, one_set, sets
from pages.parts import head, links, words

ABOUT = """
A data set is usage of another system: a log of LiteLLM, Langfuse, Helicone or OpenRouter, an export of OpenAI or
Anthropic, or any table. It lies beside the ledger and never in it; nobody is charged. Replay it under any plan. Every
row is used, or refused with its line and the reason.
"""

links.follow_link("data")
with head.line("Usage data", "Usage of other systems, under your plans.", about=ABOUT):
    pass
if bringing.is_under_way():
    bringing.carry_on()
    st.stop()
try:
    listed = sets.folder().data_sets()
except CreditsError as refusal:
    st.error(words.refusal_text(refusal), title="A data set cannot be read", icon=":material/report:")
    st.stop()
chosen = sets.chosen(listed)
if chosen is not None:
    one_set.draw(chosen)
    st.stop()
bringing.draw(is_first=not listed)
if listed:
    sets.table(listed)
