"""The test bench: a user with credits, a run or an unlock with its price, and what happened, side by side."""

import streamlit as st

from credits_core.ledger import accounts
from credits_core.values.roles import May
from pages.act import adding, bench, running, unlocking
from pages.parts import action, balance, choose, head, links, resources, show, who, window

ADD, RUN, UNLOCK = "bench:add", "bench:run", "bench:unlock"
BOXES = ("user", "doing", "prompt", "creator", "fee", "model", "tokens", "input_tokens", "output_tokens", "flow")
ABOUT = """
The whole story of one run on one screen: a user with credits, a prompt with its price, and who received what.
What you do here is charged in this ledger, by the same code as every real run. Nothing is charged twice: after a run,
choose New run for another one.
"""

links.follow_link(*BOXES, "amount", "dollars", "unit")
with head.line("Test bench", "Run a prompt, and see who pays and earns.", about=ABOUT):
    st.page_link("act/simulate_runs.py", label="Many runs", icon=":material/playlist_play:", width="content")
with resources.reading() as connection:
    known = accounts.users(connection, limit=choose.LISTED_USERS)

if window.is_narrow():  # a balance does not fit into a third of it
    whose = st.container(border=True, horizontal=True, vertical_alignment="center")
    doing_place, happened = st.columns(2)
else:
    of_who, doing_place, happened = st.columns([5, 8, 9])
    whose = of_who.container(border=True, height="stretch")
with whose:
    st.header("Who", anchor=False, width="content" if window.is_narrow() else "stretch")
    user_id = choose.user(known, help_text="Choose a user, or type a new id.")
    balance_place = st.container()
    if who.may(May.MOVE_CREDITS, May.TRY):
        with st.popover("Add credits", icon=":material/add_card:", width="stretch"):
            if adding.form(ADD, user_id, adding.amount()):
                action.forget_refusal(RUN)  # what was missing may be there now
                action.forget_refusal(UNLOCK)
                st.rerun()
    if action.has_result(ADD):
        show.carried_out(ADD, "Added", verb="added", again="Add more")

with doing_place, st.container(border=True, height="stretch"):
    st.header("Run or unlock", anchor=False)
    if not user_id:
        show.add_credits_first()
    else:
        doing = st.radio(
            "What", ["Run", "Unlock"], key="doing", bind="query-params", horizontal=True, label_visibility="collapsed"
        )
        if doing == "Run":
            run = choose.request(user_id)
            quote = running.price(run) if run else None
            beside_price = None
            if quote:
                beside_price = bench.price_bar(
                    inference_credits=quote.inference_cost_credits,
                    creator_credits=quote.creator_share_credits,
                    platform_credits=quote.platform_share_credits + quote.platform_markup_credits,
                )
            running.button(RUN, run, quote, place=beside_price)
        else:
            asked = unlocking.request(user_id)
            beside_price = None
            if asked:
                creator_credits, platform_credits = unlocking.split(asked)
                beside_price = bench.price_bar(
                    inference_credits=0, creator_credits=creator_credits, platform_credits=platform_credits
                )
            unlocking.button(UNLOCK, asked, place=beside_price)

for name in (RUN, UNLOCK):
    bench.note(name)
with happened, st.container(border=True, height="stretch"):
    shown = [name for name in (RUN, UNLOCK) if action.has_result(name)]
    for name in shown[:1]:
        posted = show.carried_out(name, "What happened", verb="charged", again="New run")
        bench.what_happened(posted)
        show.link_to_explanation(posted)
    if not shown:
        st.header("What happened", anchor=False)
        st.caption("Nothing yet. Choose what to run, then press the button.")
with balance_place:
    if user_id:
        balance.metric(user_id)
    else:
        st.caption("No users yet. Type an id here, then add credits.")

if bench.last_actions():
    st.header("Last actions", anchor=False)
    bench.list_last(RUN)
