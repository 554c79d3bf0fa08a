"""Designing what a creator asks: a fee per run or an unlock price, who gets what, and where the two break even."""

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab import fees as fee_design
from credits_core.pricing.quote import quote
from pages.fees import charts as fee_charts
from pages.fees import inputs
from pages.fees import view as fee_view
from pages.parts import charts, choose, links, plan_choice, resources, show, words

st.caption("What a creator's fee means for the user, the creator and the platform, and when unlocking once is cheaper.")
links.follow_link("plan", "model", "input_tokens", "output_tokens", "by", "fee", "unlock", "per_user")
grid = st.grid(2, min_column_width=360)
with grid.cell(), st.container(border=True):
    st.subheader("The run")
    plan = plan_choice.choose("Price plan", key="plan")
    chosen = choose.model_and_tokens()
with grid.cell(), st.container(border=True):
    st.subheader("What the creator asks")
    by = inputs.by()
    slider_place = st.container()
    asked = inputs.asked(by)
if chosen is None or asked is None:
    st.stop()
model, input_tokens, output_tokens = chosen
try:
    cost_credits = quote(
        model, plan, input_tokens=input_tokens, output_tokens=output_tokens, at=resources.this_hour()
    ).inference_cost_credits
    found = fee_design.design(
        plan, cost_credits, fee_credits=asked.fee_credits, unlock_fee_credits=asked.unlock_fee_credits
    )
    with_fee, unlocked = found.after_runs_with_fee(asked.runs), found.after_runs_unlocked(asked.runs)
    by_fee = by == inputs.FEE
    scale = fee_design.fee_scale(found) if by_fee else fee_design.unlock_scale(found, asked.runs)
    worthwhile_credits = found.worthwhile_unlock_credits(asked.runs)
    if by_fee:
        points = scale.points(*found.telling_fees)
        figure = fee_charts.over_fees(found, points, fee_design.over_fees(plan, cost_credits, points))
    else:
        points = scale.points(1, worthwhile_credits, found.unlock_fee_credits)[1:]
        after = fee_design.over_unlock_prices(found, asked.runs, points)
        figure = fee_charts.over_unlock_prices(
            found, points, after, with_fee=with_fee, worthwhile_credits=worthwhile_credits
        )
except InvalidRequest as refusal:
    st.warning(words.refusal_text(refusal), title="No price yet", icon=":material/edit:")
    st.stop()
with slider_place:
    inputs.slider(asked, scale)

parties = found.run_with_fee if by_fee else found.unlock
with show.metric_grid(parties.user_credits, parties.creator_credits, parties.platform_credits, columns=3):
    show.metric("User pays per run" if by_fee else "User pays once", parties.user_credits, colour="blue")
    show.metric("Creator gets", parties.creator_credits, colour="green")
    show.metric("Platform gets", parties.platform_credits, colour="violet")
if by_fee:
    fee_view.run_sentences(found)
else:
    fee_view.unlock_sentence(found, asked.runs, worthwhile_credits)

with st.container(border=True):
    if by_fee:
        st.subheader("One run over the fee")
        charts.draw(figure, alt="What the user pays and creator and platform get in one run, over the creator's fee")
    else:
        st.subheader("All runs of a user over the unlock price")
        charts.draw(figure, alt="What a user's runs cost and bring to creator and platform, over the unlock price")
        st.caption("Without the inference cost of the runs, what the user pays is what creator and platform get.")

with st.container(border=True):
    st.subheader("Fee per run or unlock once")
    st.markdown("\n".join(f"- {words.plain(sentence)}" for sentence in found.break_even_sentences))
    runs_scale = fee_design.runs_scale(found, asked.runs)
    over_runs = fee_charts.over_runs(found, runs_scale.points(), expected=asked.runs)
    charts.draw(over_runs, alt="What fees and the unlock cost the user and bring the creator, over the number of runs")
    st.caption(
        "More than the same runs cost without a creator fee, which is what they cost after unlocking. A fee takes the "
        "place of the platform's markup, so a creator can receive more by fees than the user pays more."
    )
    fee_view.comparison(with_fee, unlocked, asked.runs)
