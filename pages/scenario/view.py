"""Shows the result of a scenario: metrics, sentences, two plans side by side, and files to download."""

from collections.abc import Callable
from typing import Any, Literal

import pandas as pd
import streamlit as st

from credits_core.lab.scenario.result import ScenarioResult, differences, share_bps
from credits_core.values.text import counted, format_bps, format_credits, format_usd
from pages.parts import amounts, csv_files, show, words

_Colour = Literal["gray", "blue", "green", "violet", "red"]


def headline(result: ScenarioResult) -> None:
    """What matters first: what users paid, who has it, and what is left after card fees."""
    sums, paid_credits = result.sums, result.sums.paid_credits
    with st.grid(2, min_column_width=170):
        _credits("Users paid", paid_credits, counted(sums.charged, "run"), colour="blue")
        _credits("Creators earned", sums.creators_credits, _share(sums.creators_credits, paid_credits), colour="green")
        _credits("Platform kept", sums.platform_credits, _share(sums.platform_credits, paid_credits), colour="violet")
        _credits(
            "Margin after card fees",
            result.margin_credits,
            _share(result.margin_credits, paid_credits),
            colour="violet" if result.margin_credits >= 0 else "red",
            help_text="What the platform kept plus the plan's surcharge on purchases, minus card fees. Card fees "
            "include purchases of credits that are not spent yet. The percentage is of what users paid.",
        )


def more_figures(result: ScenarioResult) -> None:
    """What the models and the cards cost, and who was refused."""
    sums, users = result.sums, result.scenario.users
    with show.metric_grid(sums.inference_credits, result.card_fee_credits):
        _credits("Inference", sums.inference_credits, _share(sums.inference_credits, sums.paid_credits))
        _credits("Card fees", result.card_fee_credits, counted(result.top_ups, "purchase"))
        _count("Refused runs", sums.refused, f"{_share(sums.refused, sums.runs)} of all runs")
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


def _credits(label: str, credits: int, note: str, *, colour: _Colour = "gray", help_text: str | None = None) -> None:
    st.metric(
        label,
        amounts.first(credits).replace("$", r"\$"),
        delta=amounts.second(credits).replace("$", r"\$"),
        delta_color=colour,
        delta_arrow="off",
        delta_description=note,
        border=True,
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
