"""What is left for the platform after models, creators and card fees, and who loses money for it."""

import streamlit as st

from credits_core.reports import margin as margins
from credits_core.reports.margin import By
from credits_core.values.periods import Preset
from pages.parts import charts, exporting, head, links, periods, pick, resources
from pages.plans import margin_view
from pages.plans import view as plan_view

ABOUT = """
What users paid in these days, and who has it: the models' providers, the creators, the card company, and us.
A refund counts on the day on which it is made. What loses most comes first, with the markup that would mend it.
The card fee is an assumption: change it under *Card fee*.
"""

links.follow_link("by", *plan_view.CARD_FEE_BOXES)
with head.line("Margin", "What is left for us, and who loses.", about=ABOUT):
    card_fee = plan_view.card_fee()
with st.container(horizontal=True, vertical_alignment="bottom"):
    by = pick.one("By", list(By), key="by", says=str.capitalize)
    days = periods.choose(default=Preset.THIRTY_DAYS).days
if card_fee is None:
    st.stop()
with st.skeleton(height=400), resources.reading() as connection:
    listed = margins.margins(connection, days, by, card_fee)
if not listed:
    st.info("Choose other days, or run a prompt.", title="Nothing was paid on these days", icon=":material/event_busy:")
    st.page_link("test_credits.py", label="Run a prompt", icon=":material/play_circle:")
    st.stop()
margin_view.in_all(margins.in_all(listed))
margin_view.losers(listed, by)
charts.card(
    margin_view.heading(listed, by),
    margin_view.chart(listed, by),
    key=f"margin-by-{by}",
    alt=f"What is left of each {by}",
)
with st.container(horizontal=True, vertical_alignment="center"):
    st.header(f"Every {by}", anchor=False, width="stretch")
    exporting.button(
        "CSV",
        lambda: margin_view.as_csv(listed, by),
        f"margin-by-{by}.csv",
        "text/csv",
        icon=":material/download:",
        detail={"days": exporting.in_words(days), "by": str(by)},
        help_text="Download every row as CSV.",
    )
margin_view.table(listed, by)
