"""What a run used on Simulate runs: a pasted response, or units as JSON, understood, priced and charged."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core import settings
from credits_core.audit import invariants
from credits_core.pricing.plan_toml import load_price_plan
from pages.parts import resources
from tests.support import page_driver, plain_sql, world
from tests.support.page_driver import button_labels, captions, choose, click, metrics, open_page, small_tables

GPT_4O = "openai/gpt-4o"
RESPONSE = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920},
    },
}
UNDERSTOOD = [("Input tokens", "2,006"), ("Output tokens", "300"), ("Cache read tokens", "1,920")]
STEPS, LINES = "Every step of the price", "What the inference cost is made of"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine
        assert plain_sql.contradictions(engine) == []
        plan = load_price_plan(settings.FIRST_PLAN_FILE)
        assert [one for one in invariants.check(engine, {plan.id: plan}) if not one.ok] == []


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """For tests that only look."""
    with page_driver.dashboard(tmp_path_factory.mktemp("usage"), demo=False) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine
        assert plain_sql.scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == 0


def pasted(response: object, *, model: str = GPT_4O, **query: str) -> AppTest:
    """The page with this response pasted; a text is pasted as it is."""
    text = response if isinstance(response, str) else json.dumps(response)
    page = open_page("act/simulate_runs.py", user="ada", model=model, **query)
    return choose(page, **{"given:3": "response", "response:text": text})


def typed(units: object, *, model: str = GPT_4O, **query: str) -> AppTest:
    """The page with these units typed; a text is typed as it is."""
    text = units if isinstance(units, str) else json.dumps(units)
    page = open_page("act/simulate_runs.py", user="ada", model=model, **query)
    return choose(page, **{"given:3": "units", f"units:{model}": text})


def in_red(page: AppTest) -> list[str]:
    """What is said in red, without the escapes of Markdown."""
    found = [one.value for one in page.caption if one.value.startswith(":red[")]
    return [text.removeprefix(":red[").removesuffix("]").replace("\\", "") for text in found]


def cannot_run(page: AppTest) -> bool:
    return bool(page.button(key="simulate:run").disabled) and STEPS not in small_tables(page) and not metrics(page)


# --- a pasted response ----------------------------------------------------------------------------------------------


def test_a_pasted_response_is_understood_priced_and_charged(ledger: Engine) -> None:
    page = pasted(RESPONSE)
    assert page.selectbox(key="response:provider").value == "openai"
    assert small_tables(page)["How the response was understood"] == UNDERSTOOD
    assert "Read as openai chat\nThe response names openai/gpt\\-4o\\-2024\\-08\\-06." in captions(page)
    assert small_tables(page)[STEPS][0] == (
        "Inference cost",
        "86 input × 2.5 + 300 output × 10 + 1,920 cache read × 1.25 = 5,615 credits",
        "5,615",
        "\\$0.005615",
    )
    assert small_tables(page)[LINES] == [
        ("Input tokens", "86", "\\$2.5 per 1,000,000", "215"),
        ("Output tokens", "300", "\\$10 per 1,000,000", "3,000"),
        ("Cache read tokens", "1,920", "\\$1.25 per 1,000,000", "2,400"),
    ]
    assert metrics(page)["Total"] == ("6,738", "$0.006738")  # 5,615 and 1,123 markup of 20 %
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM prompt_runs") == 0

    click(page, "Run")
    ((model_id, usage, unit_prices, price_list, inference, total),) = plain_sql.rows(
        ledger,
        "SELECT model_id, usage, unit_prices, price_list_id, inference_cost_credits, total_credits FROM prompt_runs",
    )
    assert (model_id, price_list, inference, total) == (GPT_4O, 1, 5_615, 6_738)
    assert json.loads(str(usage)) == {"input_tokens": 2_006, "output_tokens": 300, "cache_read_tokens": 1_920}
    assert json.loads(str(unit_prices)) == {
        "input_tokens": "2.5",
        "output_tokens": "10",
        "cache_read_tokens": "1.25",
        "web_searches": "10",
        "storage_searches": "2.5",
    }
    assert plain_sql.balance(ledger, "ada") == 1_000_000 - 6_738


def test_the_events_of_a_stream_and_the_usage_alone_are_read_as_well(untouched: Engine) -> None:
    events = [{"model": "gpt-4o", "usage": None, "choices": [{}]}, {"model": "gpt-4o", "usage": RESPONSE["usage"]}]
    for response in (events, RESPONSE["usage"]):
        page = pasted(response)
        assert small_tables(page)["How the response was understood"] == UNDERSTOOD
        assert metrics(page)["Total"][0] == "6,738"


def test_a_response_of_another_provider_is_read_by_that_providers_rules(untouched: Engine) -> None:
    usage = {
        "input_tokens": 86,
        "output_tokens": 300,
        "cache_read_input_tokens": 1920,
        "cache_creation_input_tokens": 0,
    }
    page = pasted({"model": "claude-haiku-4-5", "usage": usage}, model="anthropic/claude-haiku-4-5")
    assert page.selectbox(key="response:provider").value == "anthropic"
    # 86 × 1 + 300 × 5 + 1,920 × 0.1 = 1,778 and 355 markup.
    assert metrics(page)["Total"][0] == "2,133"
    page = choose(page, **{"response:provider": "mistral"})
    assert cannot_run(page)
    assert len(in_red(page)) == 1


def test_a_service_tier_that_the_response_names_is_priced_and_kept(ledger: Engine) -> None:
    page = pasted({**RESPONSE, "service_tier": "priority"})
    assert "Read as openai chat · service tier priority" in captions(page)
    # 86 × 4.25 + 300 × 17 + 1,920 × 2.125 = 9,545.5, so 9,546, and 1,909 markup.
    assert metrics(page)["Total"][0] == "11,455"
    click(page, "Run")
    assert plain_sql.rows(ledger, "SELECT service_tier, inference_cost_credits FROM prompt_runs") == [
        ("priority", 9_546)
    ]


def test_a_service_tier_without_a_price_cannot_be_run(untouched: Engine) -> None:
    page = pasted({**RESPONSE, "service_tier": "scale"})
    assert cannot_run(page)
    assert [warning.proto.title for warning in page.warning] == ["No price yet"]


def test_counts_that_nobody_prices_are_named(untouched: Engine) -> None:
    usage = {**RESPONSE["usage"], "completion_tokens_details": {"accepted_prediction_tokens": 7}}  # type: ignore[dict-item]
    page = pasted({**RESPONSE, "usage": usage})
    assert [one.value.replace("\\", "") for one in page.caption if one.value.startswith(":orange[")] == [
        ":orange[Not charged: we do not know what these counts mean: "
        "completion_tokens_details.accepted_prediction_tokens]"
    ]
    assert metrics(page)["Total"][0] == "6,738"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Text is not JSON: "),
        ("not json", "Text is not JSON: "),
        ("[" * 100_000, "Text is not JSON: "),
        ("7", "response: must be the provider's JSON object, or the list of a stream's events"),
        ("[1]", "response: must be the provider's JSON object, or the list of a stream's events"),
        ("{}", "response: has no prompt_tokens, which every response of this API has"),
        ('{"model": "gpt-4o", "usage": null}', "response: has no counts yet. "),
        (
            '{"usage": {"prompt_tokens": -3, "completion_tokens": 1}}',
            "response: prompt_tokens must be a whole number, 0 or more, not -3",
        ),
        (
            '{"usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}}}',
            "Usage.cache read tokens is 2 and must not be above input tokens, 1, which counts it too.",
        ),
    ],
)
def test_a_response_that_cannot_be_read_is_said_in_red_and_cannot_be_run(
    untouched: Engine, text: str, said: str
) -> None:
    page = pasted(text)
    (red,) = in_red(page)
    assert red.startswith(said)
    assert cannot_run(page)


def test_without_a_response_there_is_nothing_to_run(untouched: Engine) -> None:
    page = pasted("")
    assert "Paste what the provider answered." in captions(page)
    assert in_red(page) == []
    assert cannot_run(page)


def test_a_response_of_another_model_offers_to_use_that_model(untouched: Engine) -> None:
    page = pasted({**RESPONSE, "model": "gpt-4o-mini-2024-07-18"})
    assert ":orange[The response is from openai/gpt\\-4o\\-mini.]" in captions(page)
    assert metrics(page)["Total"][0] == "6,738"  # as the chosen model, until somebody takes the other one
    page = click(page, "Use openai/gpt-4o-mini")
    assert page.selectbox(key="model").value == "openai/gpt-4o-mini"
    assert small_tables(page)["How the response was understood"] == UNDERSTOOD
    # 86 × 0.15 + 300 × 0.6 + 1,920 × 0.075 = 336.9, so 337, and 67 markup.
    assert metrics(page)["Total"][0] == "404"
    assert "Use openai/gpt-4o-mini" not in button_labels(page)


def test_a_response_of_a_model_that_is_not_offered_is_priced_as_the_chosen_one_and_says_so(untouched: Engine) -> None:
    page = pasted({**RESPONSE, "model": "o1"})
    assert "The response names openai/o1, which is not offered. Priced as openai/gpt\\-4o." in captions(page)
    assert [label for label in button_labels(page) if label.startswith("Use ")] == []


def test_a_response_is_charged_as_often_as_asked(ledger: Engine) -> None:
    page = pasted(RESPONSE, runs="3")
    assert metrics(page)["Total of 3 runs"][0] == "20,214"
    click(page, "Run 3 times")
    assert plain_sql.rows(ledger, "SELECT COUNT(*), SUM(total_credits) FROM prompt_runs") == [(3, 20_214)]


COHERE = {
    "usage": {
        "billed_units": {"input_tokens": 5, "output_tokens": 50},
        "tokens": {"input_tokens": 70, "output_tokens": 52},
    }
}


def test_where_two_apis_could_be_meant_the_page_asks_which(ledger: Engine) -> None:
    page = choose(pasted(COHERE), **{"response:provider": "cohere"})
    (api,) = [one for one in page.selectbox if one.label == "API of cohere"]
    assert (api.options, api.value) == (["default", "tokens"], None)
    assert in_red(page) == []
    assert cannot_run(page)
    assert api.key is not None
    page = choose(page, **{api.key: "default"})
    assert "Read as cohere default" in captions(page)
    assert small_tables(page)["How the response was understood"] == [("Input tokens", "5"), ("Output tokens", "50")]
    assert metrics(page)["Total"][0] == "615"  # 5 × 2.5 + 50 × 10 = 512.5, so 513, and 102 markup
    page = choose(page, **{api.key: "tokens"})
    assert metrics(page)["Total"][0] == "834"  # 70 × 2.5 + 52 × 10 = 695, and 139 markup
    click(page, "Run")
    assert plain_sql.rows(ledger, "SELECT usage FROM prompt_runs") == [('{"input_tokens":70,"output_tokens":52}',)]


def test_an_api_is_asked_for_only_where_two_could_be_meant(untouched: Engine) -> None:
    assert [one.label for one in pasted(RESPONSE).selectbox if one.label.startswith("API of")] == []


def test_a_response_of_a_model_that_is_offered_twice_names_both(
    untouched: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = resources.models
    twice = {"openai/gpt-4o": ("openai/gpt-4o", "ours/gpt-4o")}  # as lists of earlier versions may have it
    monkeypatch.setattr(resources, "models", lambda: replace(offered(), ids_by_package_id=twice))
    page = pasted(RESPONSE)
    assert (
        "The response names openai/gpt\\-4o\\-2024\\-08\\-06, which could be openai/gpt\\-4o or ours/gpt\\-4o. "
        "Priced as openai/gpt\\-4o."
    ) in captions(page)


# --- units as JSON --------------------------------------------------------------------------------------------------


def test_typed_units_are_priced_and_charged(ledger: Engine) -> None:
    page = typed({"web_searches": 2, "input_tokens": 1_000})
    assert small_tables(page)[LINES] == [
        ("Input tokens", "1,000", "\\$2.5 per 1,000,000", "2,500"),
        ("Web searches", "2", "\\$10 per 1,000", "20,000"),
    ]
    assert metrics(page)["Total"][0] == "24,750"  # 22,500 and 10 % markup
    click(page, "Run")
    assert plain_sql.rows(ledger, "SELECT usage, total_credits FROM prompt_runs") == [
        ('{"input_tokens":1000,"web_searches":2}', 24_750)
    ]


def test_units_begin_with_an_example_that_has_a_price(untouched: Engine) -> None:
    page = choose(open_page("act/simulate_runs.py", user="ada", model=GPT_4O), **{"given:3": "units"})
    example = page.text_area(key=f"units:{GPT_4O}").value
    assert json.loads(example) == {"input_tokens": 2_006, "output_tokens": 300, "cache_read_tokens": 1_920}
    assert metrics(page)["Total"][0] == "6,738"


def test_a_model_without_output_tokens_asks_for_units(untouched: Engine) -> None:
    page = open_page("act/simulate_runs.py", user="ada", model="openai/text-embedding-3-small")
    assert page.text_area(key="units:openai/text-embedding-3-small").value == '{"input_tokens":2006}'
    assert metrics(page)["Total"][0] == "49"  # 2,006 × 0.02 = 40.12, so 41, and 8 markup


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ("{", "Text is not JSON: Expecting property name"),
        ("", "Text is not JSON: Expecting value"),
        ("[]", 'Usage must be a JSON object such as {"input_tokens": 2006}.'),
        ('{"tokens": 1}', "Usage 'tokens' is not a unit that models are priced by; the nearest is input_tokens."),
        (
            '{"input_tokens": 1.5}',
            "Usage.input_tokens must be a whole number from 0 to 1,000,000,000, not 1.5.",
        ),
        (
            '{"input_tokens": 1, "cache_read_tokens": 2}',
            "Usage.cache_read_tokens is 2 and must not be above input_tokens, 1, which counts it too.",
        ),
        ('{"requests": 2}', "Usage.requests must be 1 or left out, because a run is one request, not 2."),
    ],
)
def test_units_that_cannot_be_accepted_are_said_in_red_and_cannot_be_run(
    untouched: Engine, units: str, said: str
) -> None:
    page = typed(units)
    (red,) = in_red(page)
    assert red.startswith(said)
    assert cannot_run(page)


@pytest.mark.parametrize("units", ["{}", '{"input_tokens": 0}', '{"audio_seconds": 7}'])
def test_units_that_have_no_price_cannot_be_run(untouched: Engine, units: str) -> None:
    page = typed(units)
    assert [warning.proto.title for warning in page.warning] == ["No price yet"]
    assert cannot_run(page)
