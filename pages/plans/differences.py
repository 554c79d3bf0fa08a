"""Tables that compare two plans: how many findings each has, and what typical runs cost."""

from collections.abc import Hashable, Sequence

import pandas as pd
import streamlit as st

from credits_core.lab.inspector.comparison import Change, ComparedRun
from credits_core.lab.inspector.findings import PlanFinding
from credits_core.values.text import format_bps
from pages.plans import charts as plan_charts


def finding_counts(a: Sequence[PlanFinding], b: Sequence[PlanFinding]) -> None:
    """How many findings of each kind the plans have, and whether as many are about other costs."""
    rows = []
    for kind, name in plan_charts.FINDING_NAMES.items():
        of_a, of_b = ([finding.costs for finding in found if finding.kind is kind] for found in (a, b))
        moved = "different costs" if len(of_a) == len(of_b) and of_a != of_b else _signed(len(of_b) - len(of_a))
        rows.append({"Finding": name, "Plan A": len(of_a), "Plan B": len(of_b), "Change": moved})
    table = pd.DataFrame(rows).style.set_properties(subset=["Change"], **{"text-align": "right"})
    st.table(table, border="horizontal", hide_index=True, alt="How many findings of each kind each plan has")


def runs(compared: Sequence[ComparedRun]) -> None:
    """Each model's typical run under both plans, in credits and per cent, for user, creator and platform."""
    rows: list[dict[tuple[str, str], object]] = [
        {
            ("", "Model"): run.model_id,
            ("", "Inference"): run.inference_cost_credits,
            ("User", "A"): run.user.a_credits,
            ("User", "B"): run.user.b_credits,
            **_difference("User", run.user),
            ("Creator", "A"): run.creator.a_credits,
            **_difference("Creator", run.creator),
            ("Platform", "A"): run.platform.a_credits,
            **_difference("Platform", run.platform),
        }
        for run in compared
    ]
    frame = pd.DataFrame(rows)
    frame.columns = pd.MultiIndex.from_tuples(rows[0])
    differences: list[Hashable] = [name for name in frame.columns if name[1] == "±"]
    amounts: list[Hashable] = [name for name in frame.columns if name[1] in {"Inference", "A", "B"}]
    st.dataframe(
        frame.style.format("{:,d}", subset=amounts).format(_signed, subset=differences),
        hide_index=True,
        width="stretch",
        column_config={
            "Model": st.column_config.TextColumn(pinned=True),
            "%": st.column_config.TextColumn(alignment="right"),
        },
        alt="A typical run of each model under both plans",
    )


def per_cent(change: Change) -> str:
    """The difference in per cent with its sign.

    >>> per_cent(Change(11_998, 11_000)), per_cent(Change(0, 0)), per_cent(Change(0, 5))
    ('-8.32 %', '0 %', 'from 0')
    """
    bps = change.difference_bps
    if bps is None:
        return "from 0"
    return f"{'+' if bps > 0 else ''}{format_bps(bps)}"


def _difference(party: str, change: Change) -> dict[tuple[str, str], object]:
    return {(party, "±"): change.difference_credits, (party, "%"): per_cent(change)}


def _signed(number: object) -> str:
    return f"{number:+,d}" if number else "0"
