"""The screen Scenario: every number on it against a plain program, or worked by hand."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core import settings
from credits_core.lab.scenario.assumptions import load_scenarios
from credits_core.lab.scenario.workload import load_workloads
from credits_core.prices.list_toml import without_model
from credits_core.pricing.plan import MarkupTier, PricePlan
from pages.parts import long_work
from tests.support import page_driver, world
from tests.support.page_driver import captions, charts, choose, metrics, open_page, small_tables
from tests.support.scenarios import plain_simulation

# One user with 1,000 credits, ten runs of 300 credits, two a day: three are charged.
BY_HAND = {
    "scenario_runs": "10",
    "models": "claude-3-haiku",
    "with_fee": "0",
    "users": "1",
    "creator_count": "1",
    "horizon": "5",
    "growth": "0",
    "starting": "1000",
    "top_up": "500",
    "refill": "0",
    "regular": "0",
    "card_fixed": "10",
}
HALF = PricePlan("half", 8_000, (MarkupTier(None, 5_000, None),))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("scenario"), demo=False) as engine:
        yield engine


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Engine]:
    """The hand-written prices, and a second plan with a markup of half the cost."""
    with page_driver.small_dashboard(tmp_path) as engine:
        world.save_draft(engine, HALF)
        yield engine


def page_for(**query: str | list[str]) -> AppTest:
    return open_page("scenario/scenario.py", **query)


def figures(page: AppTest) -> dict[str, tuple[str, str, str]]:
    """Each figure's value, what stands under it, and the note beside that."""
    return {one.label: (one.value, one.delta, one.proto.delta_description) for one in page.metric}


def test_it_opens_with_ten_thousand_runs_that_come_to_what_a_plain_program_says(real: Engine) -> None:
    book = settings.load_price_book()
    scenario = load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))["conversation"]
    plain = plain_simulation(scenario, book.plan, book.models)
    days = plain["days"]
    summed = {name: sum(day[name] for day in days) for name in ("charged", "paid", "inference", "creators", "top_ups")}
    kept = summed["paid"] - summed["inference"] - summed["creators"]
    page = page_for()
    shown = {label: value for label, (value, _) in metrics(page).items()}
    assert shown == {
        "Users paid": f"{summed['paid']:,}",
        "Creators earned": f"{summed['creators']:,}",
        "Platform kept": f"{kept:,}",
        # 2.9 % of 5,000,000 and 300,000 for each purchase
        "Margin after card fees": f"{kept - summed['top_ups'] * 445_000:,}",
        "Inference": f"{summed['inference']:,}",
        "Card fees": f"{summed['top_ups'] * 445_000:,}",
        "Refused runs": f"{10_000 - summed['charged']:,}",
        "Users who ran out": f"{sum(day['users_run_dry'] for day in days)}",
    }
    area, sankey, columns, lorenz, dry, refused = charts(page)[1:]
    assert [(part["name"], sum(part["y"])) for part in area["data"]] == [
        ("Inference", summed["inference"]),
        ("Creators", summed["creators"]),
        ("Platform", kept),
    ]
    assert area["data"][1]["y"] == [day["creators"] for day in days]
    assert sum(sankey["data"][0]["link"]["value"]) == summed["paid"]
    assert sankey["data"][0]["node"]["customdata"][-3:] == ["Inference", "Creators", "Platform"]
    assert sum(columns["data"][0]["y"]) == summed["charged"]
    assert columns["data"][0]["y"][columns["data"][0]["x"].index("1,000")] == sum(
        runs for total, runs in plain["totals"].items() if 1_000 <= total < 2_000
    )
    # 50 creators, so each point of the curve is one more of them
    assert lorenz["data"][1]["x"][:3] == [0, 2, 4]
    assert lorenz["data"][1]["y"] == pytest.approx(
        [100 * earned / summed["creators"] for earned in (0, *accumulate(plain["incomes"]))]
    )
    assert dry["data"][0]["y"] == [0, *accumulate(day["users_run_dry"] for day in days)]
    assert refused["data"][0]["y"] == [day["runs"] - day["charged"] for day in days]
    p50, p95, p99, largest = (f"{total:,} credits" for total in plain["quantiles"])
    for total in (p50, p95, p99, largest):
        assert total in captions(page)


def test_a_link_brings_every_assumption(small: Engine) -> None:
    page = page_for(**BY_HAND)
    assert figures(page) == {
        "Users paid": ("900", "\\$0.0009", "3 runs"),
        "Creators earned": ("0", "\\$0.00", "0 %"),
        "Platform kept": ("150", "\\$0.00015", "16.67 %"),
        "Margin after card fees": ("150", "\\$0.00015", "16.67 %"),
        "Inference": ("750", "\\$0.00075", "83.33 %"),
        "Card fees": ("0", "\\$0.00", "0 purchases"),
        "Refused runs": ("7", "70 % of all runs", ""),
        "Users who ran out": ("1", "100 % of 1", ""),
    }
    assert "Mix: claude\\-3\\-haiku 100 %" in captions(page)
    assert "By day 2, at least half of the users have run out of credits." in captions(page)


def test_what_is_typed_changes_the_result(small: Engine) -> None:
    page = choose(page_for(**BY_HAND), refill="100")
    # Ten runs of 300; four top-ups of 500, each with 14.5 rounded up and 10.
    assert figures(page)["Users paid"] == ("3,000", "\\$0.003", "10 runs")
    assert figures(page)["Card fees"] == ("100", "\\$0.0001", "4 purchases")
    assert figures(page)["Margin after card fees"] == ("400", "\\$0.0004", "13.33 %")
    choose(page, card_share="0.5")  # 2.5 of a top-up, rounded up, and 10
    assert figures(page)["Card fees"] == ("52", "\\$0.000052", "4 purchases")
    choose(page, card_share="", card_fixed="1,000")
    assert figures(page)["Margin after card fees"] == ("-3,560", "-\\$0.00356", "-118.67 %")
    choose(page, with_fee="100", starting="1,000,000")
    assert metrics(page)["Platform kept"][0] != "500"
    assert metrics(page)["Refused runs"][0] == "0"


def test_two_plans_stand_side_by_side_on_the_same_runs(small: Engine) -> None:
    page = page_for(**BY_HAND, against="half")
    # 375 a run: two of them, then 250 are left.
    assert small_tables(page)["The same runs under both plans"] == [
        ("Users paid", "900 (\\$0.0009)", "750 (\\$0.00075)", "-150 (-\\$0.00015)", "-16.67 %"),
        ("Inference", "750 (\\$0.00075)", "500 (\\$0.0005)", "-250 (-\\$0.00025)", "-33.33 %"),
        ("Creators earned", "0 (\\$0.00)", "0 (\\$0.00)", "0 (\\$0.00)", "–"),
        ("Platform kept", "150 (\\$0.00015)", "250 (\\$0.00025)", "+100 (\\$0.0001)", "+66.67 %"),
        ("Margin after card fees", "150 (\\$0.00015)", "250 (\\$0.00025)", "+100 (\\$0.0001)", "+66.67 %"),
        ("Median run", "300 (\\$0.0003)", "375 (\\$0.000375)", "+75 (\\$0.000075)", "+25 %"),
        ("95 % of runs cost at most", "300 (\\$0.0003)", "375 (\\$0.000375)", "+75 (\\$0.000075)", "+25 %"),
        ("Runs charged", "3", "2", "-1", "-33.33 %"),
        ("Runs refused", "7", "8", "+1", "+14.29 %"),
        ("Users who ran out", "1", "1", "0", "0 %"),
        ("Top-ups", "0", "0", "0", "–"),
    ]
    assert metrics(page)["Users paid"][0] == "900"
    swapped = page_for(**BY_HAND, plan="half", against="plan-1")
    assert metrics(swapped)["Users paid"][0] == "750"


def test_a_plan_that_changes_under_its_id_is_carried_out_anew(small: Engine) -> None:
    assert metrics(page_for(**BY_HAND, plan="half"))["Users paid"][0] == "750"
    world.save_draft(small, replace(HALF, tiers=(MarkupTier(None, 0, None),)), revision=1)
    assert metrics(page_for(**BY_HAND, plan="half"))["Users paid"][0] == "1,000"


def test_the_result_can_be_taken_away(small: Engine) -> None:
    with page_driver.downloads() as caught:
        page_for(**BY_HAND)
    rows = list(csv.DictReader(io.StringIO(caught.files["scenario-conversation-1-plan-1.csv"]().decode("utf-8-sig"))))
    assert [(row["day"], row["charged"], row["refused"], row["paid_credits"]) for row in rows] == [
        *(("1", "2", "0", "600"), ("2", "1", "1", "300"), ("3", "0", "2", "0"), ("4", "0", "2", "0")),
        ("5", "0", "2", "0"),
    ]
    result = json.loads(caught.files["scenario-conversation-1-plan-1.json"]())
    assert (result["paid_credits"], result["left_credits"], result["scenario"]["users"]) == (900, 100, 1)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"scenario_runs": "5000001"}, ":red[Enter a whole number from 1 to 5,000,000.]"),
        ({"growth": "-50.01"}, ":red[Enter a percentage from -50 to 100 %, with at most two decimals.]"),
        ({"card_share": "2.905"}, ":red[Enter a percentage from 0 to 100 %, with at most two decimals.]"),
        ({"users": "none"}, ":red[Enter a whole number from 1 to 100,000.]"),
        (
            {"refill": "60", "regular": "41"},
            ":red[Regular users and refilling users add up to more than all users\\.",
        ),
    ],
)
def test_a_number_that_cannot_be_accepted_is_said_in_red(small: Engine, query: dict[str, str], message: str) -> None:
    page = page_for(**BY_HAND | query)
    assert message in captions(page)
    assert [warning.value for warning in page.warning] == [
        "Correct the number marked in red, above or under Assumptions."
    ]
    assert metrics(page) == {}


MIX = [
    *("openai/gpt-4o-mini", "google/gemini-2.5-flash", "anthropic/claude-haiku-4-5", "openai/gpt-4o"),
    *("anthropic/claude-sonnet-5-5", "gpt-4"),
]
CHOOSE = "Choose models under Assumptions."


def warnings(page: AppTest) -> list[str]:
    return [warning.value.replace("\\", "") for warning in page.warning]


def withdraw(engine: Engine, *model_ids: str) -> None:
    toml = settings.MODELS_FILE.read_text(encoding="utf-8")
    for model_id in model_ids:
        toml = without_model(toml, model_id)
    world.make_prices_live(engine, toml)


def test_a_model_of_the_usual_mix_that_was_withdrawn_is_named_and_left_out(shipped: Engine) -> None:
    withdraw(shipped, "gpt-4", "openai/gpt-4o")
    said = f"openai/gpt-4o and gpt-4 are not offered any more. The other models of the mix take all runs. {CHOOSE}"
    page = page_for()
    assert warnings(page) == [said]
    # 30, 20, 20 and 10 of 80
    assert (
        "Mix: openai/gpt-4o-mini 37.5 %, google/gemini-2.5-flash 25 %, anthropic/claude-haiku-4-5 25 %, "
        "anthropic/claude-sonnet-5-5 12.5 %"
    ) in captions(page).replace("\\", "")
    assert "Users paid" in metrics(page)
    choose(page, models=["claude-3-haiku"])
    assert warnings(page) == []
    assert "Mix: claude\\-3\\-haiku 100 %" in captions(page)
    choose(page, models=[])
    assert warnings(page) == [said]


def test_when_the_whole_mix_was_withdrawn_the_first_offered_model_runs_instead(shipped: Engine) -> None:
    withdraw(shipped, *MIX)
    page = page_for()
    assert warnings(page) == [
        "openai/gpt-4o-mini and google/gemini-2.5-flash and anthropic/claude-haiku-4-5 and openai/gpt-4o and "
        f"anthropic/claude-sonnet-5-5 and gpt-4 are not offered any more. gpt-4o takes all runs instead. {CHOOSE}"
    ]
    assert "Mix: gpt\\-4o 100 %" in captions(page)
    assert "Users paid" in metrics(page)


@pytest.mark.parametrize(
    ("models", "said", "mix"),
    [
        (["gpt-4", "claude-3-haiku"], "gpt-4 is not offered. The other chosen models take all runs.", "claude-3-haiku"),
        (["gpt-4"], "gpt-4 is not offered. The mix of the workload runs instead.", "anthropic/claude-sonnet-5-5"),
        (
            ["x", "*", "x"],
            "x and * are not offered. The mix of the workload runs instead.",
            "anthropic/claude-sonnet-5-5",
        ),
    ],
)
def test_a_link_to_a_withdrawn_model_says_what_runs_instead_until_somebody_chooses(
    shipped: Engine, models: list[str], said: str, mix: str
) -> None:
    withdraw(shipped, "gpt-4")
    page = page_for(workload="Code", models=models)
    for _ in range(2):
        assert warnings(page) == [f"{said} {CHOOSE}"]
        assert f"Mix: {mix}" in captions(page).replace("\\", "")
        assert "Users paid" in metrics(page)
        page_driver.run(page)
    choose(page, models=["gpt-4o"])
    assert warnings(page) == []
    assert "Mix: gpt\\-4o 100 %" in captions(page)


def test_a_chosen_model_that_is_withdrawn_while_the_page_is_open_is_named(shipped: Engine) -> None:
    page = choose(page_for(workload="Code"), models=["gpt-4", "gpt-4o"])
    withdraw(shipped, "gpt-4")
    for _ in range(2):
        page_driver.run(page)
        assert warnings(page) == [f"gpt-4 is not offered. The other chosen models take all runs. {CHOOSE}"]
        assert "Mix: gpt\\-4o 100 %" in captions(page)


def test_when_no_run_is_charged_the_page_still_opens(small: Engine) -> None:
    page = page_for(**BY_HAND | {"starting": "0"})
    assert figures(page)["Users paid"] == ("0", "\\$0.00", "0 runs")
    assert metrics(page)["Refused runs"] == ("10", "100 % of all runs")


@pytest.mark.parametrize(
    "query",
    [{"workload": "Poetry"}, {"plan": "none", "against": "none"}, {"models": "none"}, {"against": "promptflow-v1"}],
)
def test_a_link_that_makes_no_sense_opens_the_page(real: Engine, query: dict[str, str]) -> None:
    assert "Users paid" in metrics(page_for(**query))


def test_without_credits_nothing_is_charged_and_no_chart_is_drawn(small: Engine) -> None:
    page = page_for(**BY_HAND | {"starting": "0"})
    assert [box.value for box in page.info] == ["No user had enough credits for a run."]
    assert metrics(page)["Refused runs"] == ("10", "100 % of all runs")
    assert len(charts(page)) == 1  # the seeds


def test_what_is_assumed_in_a_link_is_seen(small: Engine) -> None:
    assert [box.proto.expanded for box in page_for().expander] == [False]
    assert [box.proto.expanded for box in page_for(top_up="5").expander] == [True]
    assert [box.proto.expanded for box in page_for(growth="5", seed="7").expander] == [False]  # these are in sight


# --- presets ---------------------------------------------------------------------------------------------------------


def test_a_preset_brings_its_numbers_and_says_why(real: Engine) -> None:
    page = page_for(preset="Launch month")
    assert "250 newcomers with \\$0\\.20 each; 20 % refill; growth 5 % a day\\." in captions(page)
    boxes = {
        key: page.get_by_key(key).placeholder for key in ("scenario_runs", "growth", "users", "starting", "refill")
    }
    assert boxes == {
        "scenario_runs": "10,000",
        "growth": "5",
        "users": "250",
        "starting": "200,000",
        "refill": "20",
    }
    scenario = load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))["conversation"]
    launched = replace(scenario, users=250, starting_credits=200_000, refilling_users_bps=2_000, growth_bps_per_day=500)
    book = settings.load_price_book()
    plain = plain_simulation(launched, book.plan, book.models)
    assert metrics(page)["Users paid"][0] == f"{sum(day['paid'] for day in plain['days']):,}"
    assert metrics(page)["Users who ran out"][0] == f"{sum(day['users_run_dry'] for day in plain['days'])}"


def test_what_is_typed_counts_more_than_the_preset(real: Engine) -> None:
    page = page_for(preset="Large users leave", users="7", growth="0")
    assert metrics(page)["Users who ran out"][1].endswith("of 7")
    assert "0 % more runs each day" in captions(page)
    twice = page_for(preset="Large users leave", scenario_runs="10000")
    assert twice.get_by_key("users").placeholder == "40"  # 20 for 5,000 runs


# --- seeds -----------------------------------------------------------------------------------------------------------


def test_low_middle_and_high_are_those_of_five_seeds(real: Engine) -> None:
    book = settings.load_price_book()
    scenario = load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))["conversation"]
    paid = []
    for seed in (7, 8, 9, 10, 11):
        plain = plain_simulation(replace(scenario, seed=seed), book.plan, book.models)
        paid.append(sum(day["paid"] for day in plain["days"]))
    low, _, middle, _, high = sorted(paid)
    page = page_for(seed="7")
    assert page.header[0].value == "5 seeds: low, middle, high"
    bars, shown = charts(page)[0]["data"]
    assert bars["y"][0] == f"Users paid<br>{low:,} to {high:,}"
    assert bars["customdata"][0] == f"{middle:,}"
    assert bars["base"][0] == pytest.approx(100 * (low - middle) / middle)
    assert bars["base"][0] + bars["x"][0] == pytest.approx(100 * (high - middle) / middle)
    assert shown["x"][0] == pytest.approx(100 * (paid[0] - middle) / middle)
    assert metrics(page)["Users paid"][0] == f"{paid[0]:,}" == shown["customdata"][0]
    page.get_by_key("seeds:table").set_value(True)
    page_driver.run(page)
    assert small_tables(page)["Headline figures over several seeds"][0] == (
        "Users paid",
        f"{low:,}",
        f"{middle:,}",
        f"{high:,}",
    )


# --- the plan in the link --------------------------------------------------------------------------------------------


def test_the_link_names_the_plan_also_when_it_is_the_live_one(small: Engine) -> None:
    page = page_for(**BY_HAND)
    assert page.query_params["plan"] == "plan-1"
    link = page.code[0].value
    assert "&plan=plan-1" in link
    world.put_in_force(small, replace(HALF, id="later"))
    later = page_for(**{name: values[0] for name, values in parse_qs(link.partition("?")[2]).items()})
    assert metrics(later) == metrics(page)
    assert later.get_by_key("plan:box").label == "Price plan: previously live"


def test_a_link_to_compare_with_a_plan_that_is_gone_says_so(small: Engine) -> None:
    page = page_for(**BY_HAND, against="gone")
    assert [box.value for box in page.warning] == ["There is no price plan gone to compare with."]
    assert small_tables(page) == {}
    assert page_for(**BY_HAND, against="half").warning == []


# --- work that takes long ---------------------------------------------------------------------------------------------


def test_long_work_says_how_far_it_is_and_ends_without_a_trace(small: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(long_work, "_QUIET_SECONDS", 0.0)
    monkeypatch.setattr(st, "progress", lambda share, text: said.append(f"{share:.2f} {text}") or st.empty())
    page = page_for(**BY_HAND)
    # Pricing ten runs is the first half; the five days of two runs each are the second.
    assert said[0] == "0.50 Pricing and charging: 50% of 10 runs"
    assert said[1].startswith("0.30 Drawing 5 seeds: 30% of 50 runs")  # one is there; of the next one half is done
    assert metrics(page)["Users paid"][0] == "900"
    assert "Stop" not in page_driver.button_labels(page)
