"""Design a creator's fee per run or unlock price: who gets what, and when the two ways come to the same."""

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab import fees as fee_design
from credits_core.pricing.quote import quote
from pages.fees import charts as fee_charts
from pages.fees import inputs
from pages.fees import view as fee_view
from pages.parts import charts, choose, head, links, plan_choice, resources, show, words

ABOUT = """
A creator can ask a fee for each run, or a price once for a whole flow. This screen shows what each means for the user,
the creator and us, and from how many runs on a fee earns more than an unlock.
"""

with head.line("Fees", "What users pay and creators earn with a fee.", about=ABOUT):
    pass
links.follow_link("plan", "model", "input_tokens", "output_tokens", "by", "fee", "unlock", "per_user")
grid = st.grid(2, min_column_width=360)
with grid.cell(), st.container(border=True):
    st.subheader("Choose the run")
    plan = plan_choice.choose("Price plan", key="plan")
    chosen = choose.model_and_tokens()
with grid.cell(), st.container(border=True):
    st.subheader("Set the fee or unlock price")
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
        st.subheader("Compare fees for one run")
        charts.draw(figure, alt="What the user pays and the others get in one run, at each creator fee")
    else:
        st.subheader("Compare unlock prices for all runs of a user")
        charts.draw(figure, alt="What a user pays for all runs and the others get, at each unlock price")
        st.caption("Inference cost aside, creator and platform get what the user pays.")

with st.container(border=True):
    st.subheader("Compare a fee per run with one unlock")
    st.markdown("\n".join(f"- {words.plain(sentence)}" for sentence in found.break_even_sentences))
    runs_scale = fee_design.runs_scale(found, asked.runs)
    over_runs = fee_charts.over_runs(found, runs_scale.points(), expected=asked.runs)
    charts.draw(over_runs, alt="Extra cost for the user and income of the creator, at each number of runs")
    st.caption(
        "Extra cost compared with no creator fee. Because a fee replaces our markup, a creator can gain more than the "
        "user's extra cost."
    )
    fee_view.comparison(with_fee, unlocked, asked.runs)
