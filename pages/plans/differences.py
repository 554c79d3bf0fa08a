"""What compares two plans: rules that differ, how many findings each has, and what typical runs cost."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.comparison import compared_runs
from credits_core.lab.inspector.findings import PlanFinding
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_difference import plan_difference
from pages.parts import links, resources, tables, words
from pages.plans import charts as plan_charts
from pages.plans import view as plan_view


def rules(plan_a: PricePlan, plan_b: PricePlan) -> None:
    """In which rules the plans differ, also those that price no run, such as how far one may pass its hold."""
    changes = plan_difference(plan_a, plan_b)
    if changes:
        with st.expander(f"Read the rules that differ ({len(changes)})", icon=":material/rule:"):
            st.markdown("\n".join(f"- {words.plain(change)}" for change in changes))


def finding_counts(a: Sequence[PlanFinding], b: Sequence[PlanFinding]) -> None:
    """How many findings of each kind the plans have, and whether as many are about other costs."""
    rows = []
    for kind, name in plan_charts.FINDING_NAMES.items():
        of_a, of_b = ([finding.costs for finding in found if finding.kind is kind] for found in (a, b))
        moved = "different costs" if len(of_a) == len(of_b) and of_a != of_b else _signed(len(of_b) - len(of_a))
        rows.append({"Finding": name, "Plan A": len(of_a), "Plan B": len(of_b), "Change": moved})
    table = pd.DataFrame(rows).style
    st.table(table, border="horizontal", hide_index=True, alt="How many findings of each kind each plan has")


def typical_runs(plan_a: PricePlan, plan_b: PricePlan) -> None:
    """One run of each model under both plans: what the user pays, and what each party gains; minus is worse off."""
    conversation = resources.workloads()["conversation"]
    fee_credits = plan_view.creator_fee()
    if fee_credits is None:
        return
    try:
        compared = compared_runs(
            plan_a,
            plan_b,
            resources.models().values(),
            creator_fee_credits=fee_credits,
            input_tokens=conversation.input_tokens.p50,
            output_tokens=conversation.output_tokens.p50,
            at=resources.this_hour(),
        )
    except InvalidRequest as refusal:
        st.warning(words.refusal_text(refusal), title="A typical run cannot be priced", icon=":material/edit:")
        return
    rows = [
        {
            "Model": run.model_id,
            "Inference": run.inference_cost_credits,
            "Plan A": run.user.a_credits,
            "Plan B": run.user.b_credits,
            "User gains": -run.user.difference_credits,
            "Creator gains": run.creator.difference_credits,
            "Platform gains": run.platform.difference_credits,
        }
        for run in compared
    ]
    if not rows:
        st.caption("No model is offered that is priced by tokens or per run.")
        return
    tables.draw(
        rows,
        dict.fromkeys([name for name in rows[0] if name != "Model"]),
        alt="A typical run of each model under both plans",
        key="typical-runs",
        opens={"Model": lambda row: _open_model(rows[row]["Model"])},
    )
    st.caption(
        f"One run of each model. Models priced per token run with {conversation.input_tokens.p50:,} input and "
        f"{conversation.output_tokens.p50:,} output tokens, the medians of an hour of real conversations. "
        "Minus is worse off under plan B."
    )


def _open_model(model_id: object) -> None:
    st.switch_page("models/models.py", query_params=links.link_to(search=str(model_id)))


def _signed(number: object) -> str:
    return f"{number:+,d}" if number else "0"
