"""Design a creator's fee per run or unlock price: who gets what, and when the two ways come to the same."""

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab import fees as fee_design
from credits_core.pricing.quote import quote
from pages.fees import charts as fee_charts
from pages.fees import inputs
from pages.fees import view as fee_view
from pages.parts import charts, choose, head, linked_plan, links, resources, words

ABOUT = """
A creator can ask a fee for each run, or a price once for a whole flow. This screen shows what each means for the user,
the creator and us, and from how many runs on a fee earns more than an unlock. Click a chart to take its amount.
"""
BOXES = ("model", "input_tokens", "output_tokens", "by", "fee", "unlock", "per_user", "per_month")

linked_plan.follow_link(*BOXES)
with head.line("Fees", "What users pay and creators earn.", about=ABOUT):
    chosen_plan = linked_plan.choose("Price plan")
    link_place = st.container(width="content")
linked_plan.say(chosen_plan)
plan = chosen_plan.plan
with st.grid(2, min_column_width=360):
    answer = st.container(border=True, height="stretch")
    asking = st.container(border=True)
with asking:
    by = inputs.by()
    slider_place = st.container()
    asked = inputs.asked(by)
    chosen = choose.model_and_tokens()
with link_place:
    links.copy_box()
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
    month_with_fee = found.after_runs_with_fee(asked.runs_a_month)
    users, month_unlocked = found.month_unlocked(asked.runs_a_month, runs_per_user=asked.runs)
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
    with answer:
        st.warning(words.refusal_text(refusal), title="No price yet", icon=":material/edit:")
    st.stop()
with slider_place:
    inputs.slider(asked, scale)

with answer:
    if by_fee:
        fee_view.fee_answer(found, month_with_fee, asked.runs_a_month)
    else:
        fee_view.unlock_answer(found, month_unlocked, asked.runs_a_month, users)
        fee_view.unlock_sentence(found, asked.runs, worthwhile_credits)

if by_fee:
    charts.card(
        "Compare fees for one run",
        figure,
        key="over-fees",
        alt="What the user pays and the others get in one run, at each creator fee",
        on_select=inputs.take_fee,
    )
else:
    charts.card(
        "Compare unlock prices for all runs of a user",
        figure,
        key="over-unlocks",
        alt="What a user pays for all runs and the others get, at each unlock price",
        on_select=inputs.take_unlock_price,
    )

st.header("A fee per run, or one unlock?", anchor=False)
fee_view.comparison(with_fee, unlocked, asked.runs)
runs_scale = fee_design.runs_scale(found, asked.runs)
charts.card(
    "Extra cost and income over the runs of one user",
    fee_charts.over_runs(found, runs_scale.points(), expected=asked.runs),
    key="over-runs",
    alt="Extra cost for the user and income of the creator, at each number of runs",
    on_select=inputs.take_runs,
)
st.caption("Extra cost compared with no creator fee; a fee replaces our markup.")
