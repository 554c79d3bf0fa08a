"""Shows the result of a scenario: metrics, sentences, two plans side by side, and files to download."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import pandas as pd
import streamlit as st

from credits_core.lab.scenario.assumptions import Scenario
from credits_core.lab.scenario.result import ScenarioResult, differences, share_bps
from credits_core.lab.scenario.simulation import simulate
from credits_core.pricing.models import Model
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.values.text import counted, format_bps, format_credits, format_usd, format_usd_rounded
from pages.parts import csv_files, resources, show, words

_MOST_RESULTS = 64
_Colour = Literal["gray", "blue", "green", "violet", "red"]


def carried_out(scenario: Scenario, plan: PricePlan) -> ScenarioResult:
    """The result of the scenario under the plan, computed once for all who ask for it.

    Raises:
        UnknownModel: a model of the scenario has no price any more.
        InvalidRequest: the runs are too dear to be added up.
    """
    models = resources.book().models
    used = {one.model_id: models[one.model_id] for one in scenario.models}
    return _carried_out(scenario, plan, used, resources.this_hour())


# A plan and a model are known by all they say: a draft can change and keep its id.
@st.cache_data(
    max_entries=_MOST_RESULTS,
    show_spinner="Pricing and charging every run…",
    hash_funcs={Scenario: repr, PricePlan: price_plan_toml, Model: repr},
)
def _carried_out(scenario: Scenario, plan: PricePlan, models: dict[str, Model], at: datetime) -> ScenarioResult:
    return simulate(scenario, plan, models, at=at)


def metrics(result: ScenarioResult) -> None:
    """What matters first: what users paid and who has it, what is left after card fees, and who was refused."""
    sums, days = result.sums, result.days
    paid_credits = sums.paid_credits
    with show.metric_grid(paid_credits, result.margin_credits):
        parts: list[tuple[str, int, str, _Colour, list[int]]] = [
            ("Users paid", paid_credits, counted(sums.charged, "run"), "blue", [one.paid_credits for one in days]),
            ("Inference", sums.inference_credits, "", "gray", [one.inference_credits for one in days]),
            ("Creators earned", sums.creators_credits, "", "green", [one.creators_credits for one in days]),
            ("Platform kept", sums.platform_credits, "", "violet", [one.platform_credits for one in days]),
        ]
        for label, credits, note, colour, each_day in parts:
            _credits(label, credits, note or _share(credits, paid_credits), colour=colour, chart=each_day)
    with show.metric_grid(paid_credits, result.margin_credits):
        _credits(
            "Margin after card fees",
            result.margin_credits,
            _share(result.margin_credits, paid_credits),
            colour="violet" if result.margin_credits >= 0 else "red",
            help_text="What the platform kept plus the plan's surcharge on purchases, minus card fees. Card fees "
            "include purchases of credits that are not spent yet. The percentage is of what users paid.",
        )
        _credits("Card fees", result.card_fee_credits, counted(result.top_ups, "purchase"))
        _count("Refused runs", sums.refused, f"{_share(sums.refused, sums.runs)} of all runs")
        users = result.scenario.users
        _count(
            "Users who ran out",
            result.users_run_dry,
            f"{_share(result.users_run_dry, users)} of {users:,}",
            help_text="A run cost more than their balance. Users who refill buy credits then and are not refused.",
        )


def comparison(first: ScenarioResult, second: ScenarioResult) -> None:
    """The measures of both plans and the differences, in credits and per cent."""
    measured = differences(first, second)
    st.caption(f"Change: from {words.plain(first.plan_id)} to {words.plain(second.plan_id)}.")
    amounts = {
        words.plain(first.plan_id): [one.first for one in measured],
        words.plain(second.plan_id): [one.second for one in measured],
        "Change": [one.change for one in measured],
        "Per cent": [one.change_bps if one.first else None for one in measured],
    }
    # Whole numbers, because the browser draws columns of them to the right, and formatted for reading.
    columns = {name: pd.Series(column, dtype="Int64") for name, column in amounts.items()}
    table = pd.DataFrame({"Measure": [one.name for one in measured], **columns}).style
    in_credits = [row for row, one in enumerate(measured) if one.is_credits]
    *both_plans, change, percent = amounts
    table.format(_number, subset=pd.IndexSlice[:, both_plans])
    table.format(_both, subset=pd.IndexSlice[in_credits, both_plans])
    table.format(_signed(_number), subset=[change])
    table.format(_signed(_both), subset=pd.IndexSlice[in_credits, [change]])
    table.format(_signed(format_bps), subset=[percent], na_rep="–")
    st.table(table, border="horizontal", hide_index=True, alt="The same runs under both plans")


def downloads(result: ScenarioResult) -> None:
    """Buttons for the days as CSV and for the whole result as JSON."""
    name = f"scenario-{result.scenario.workload.id}-{result.scenario.seed}-{result.plan_id}"
    with st.container(horizontal=True):
        st.download_button(
            "Days as CSV",
            lambda: days_csv(result),
            f"{name}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Result as JSON",
            lambda: result.to_json().encode(),
            f"{name}.json",
            "application/json",
            icon=":material/data_object:",
            on_click="ignore",
        )


def days_csv(result: ScenarioResult) -> bytes:
    """One line per day."""
    header = [
        "day",
        "runs",
        "charged",
        "refused",
        "paid_credits",
        "inference_credits",
        "creators_credits",
        "platform_markup_credits",
        "platform_share_credits",
        "top_ups",
        "users_run_dry",
    ]
    return csv_files.csv_file(header, [[getattr(day, name) for name in header] for day in result.days])


def run_totals(result: ScenarioResult) -> str:
    """How the totals are distributed, as a sentence for Markdown."""
    totals = result.run_totals
    return (
        f"Half of the charged runs cost at most {words.both(totals.p50_credits)}, 95 % at most "
        f"{words.both(totals.p95_credits)}, 99 % at most {words.both(totals.p99_credits)}, and the dearest "
        f"{words.both(totals.max_credits)}."
    )


def dry_users(result: ScenarioResult) -> str:
    """When users run out of credits, as a sentence for Markdown."""
    users = result.scenario.users
    if result.median_dry_day:
        return f"By day {result.median_dry_day}, at least half of the users have run out of credits."
    return f"{users - result.users_run_dry:,} of {users:,} users never ran out."


def incomes(result: ScenarioResult) -> str:
    """How unevenly creators earn, as a sentence for Markdown."""
    creators, part_bps = result.scenario.creators, share_bps(result.top_fifth_credits, result.sums.creators_credits)
    part = format_bps(round(part_bps, -2))
    return f"The top {result.top_fifth:,} of {creators:,} creators earn {part} of all creator income."


def _credits(
    label: str,
    credits: int,
    note: str,
    *,
    colour: _Colour = "gray",
    chart: list[int] | None = None,
    help_text: str | None = None,
) -> None:
    st.metric(
        label,
        format_credits(credits),
        delta=f"{format_usd_rounded(credits)} · {note}",
        delta_color=colour,
        delta_arrow="off",
        border=True,
        chart_data=chart,
        chart_type="area",
        help=help_text,
    )


def _count(label: str, count: int, note: str, *, help_text: str | None = None) -> None:
    st.metric(label, f"{count:,}", delta=note, delta_color="gray", delta_arrow="off", border=True, help=help_text)


def _signed(text_of: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda number: f"{'+' if number > 0 else ''}{text_of(number)}"


def _share(part: int, whole: int) -> str:
    return format_bps(share_bps(part, whole))


def _number(count: Any) -> str:
    return f"{count:,}"


def _both(credits: Any) -> str:
    return f"{format_credits(credits)} ({format_usd(credits)})".replace("$", r"\$")
