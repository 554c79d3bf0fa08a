"""The AI models: what the repository's file holds, what a run of them costs, and what such a file may not say."""

import re
import tomllib
from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from credits_core.errors import DataFileInvalid
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import RunPrice
from credits_core.pricing.models_toml import load_model_registry, parse_model_registry
from credits_core.pricing.refusals import UnknownModel
from credits_core.pricing.units import UNITS
from credits_core.pricing.usage_price import TieredPrices
from tests.support.prices import by_usage, model, usage_price

MODELS = Path(__file__).resolve().parent.parent.parent / "data" / "models.toml"

# --- the file of the repository -------------------------------------------------------------------------------------

SPECIFIED = [
    ("gpt-4", 30_000, "openai", "text"),
    ("gpt-4o", 10_000, "openai", "text"),
    ("dall-e-3", 20_000, "openai", "image"),
    ("gpt-image-1", 30_000, "openai", "image"),
    ("sonar-small-online", 200, "perplexity", "text"),
    ("sonar-medium-online", 1_900, "perplexity", "text"),
    ("sonar-large-online", 8_500, "perplexity", "text"),
    ("sonar-pro-small-online", 200, "perplexity", "text"),
    ("sonar-pro-medium-online", 700, "perplexity", "text"),
    ("sonar-pro-large-online", 3_400, "perplexity", "text"),
    ("claude-3-opus", 15_000, "anthropic", "text"),
    ("claude-3-sonnet", 3_000, "anthropic", "text"),
    ("claude-3-haiku", 250, "anthropic", "text"),
    ("stable-diffusion-xl", 2_000, "stability", "image"),
]


def test_the_per_run_models_are_the_specifications_fourteen_in_its_order() -> None:
    per_run = [model for model in load_model_registry(MODELS).values() if isinstance(model.prices, RunPrice)]
    assert [(m.id, m.prices.inference_cost(None), m.provider, m.type) for m in per_run] == SPECIFIED  # type: ignore[union-attr]
    assert {model.source for model in per_run} == {"PromptFlow specification"}


def test_the_other_models_are_about_thirty_texts_and_one_or_two_of_each_other_type() -> None:
    by_usage = [model for model in load_model_registry(MODELS).values() if model.is_usage_priced]
    types = Counter(model.type for model in by_usage)
    assert 28 <= types.pop("text") <= 34
    assert types == {"audio": 2, "image": 2, "embedding": 1, "document": 1}
    assert set(Counter(model.provider for model in by_usage)) == {
        "openai", "anthropic", "google", "mistral", "deepseek", "xai", "meta", "perplexity"
    }  # fmt: skip
    # Named after its maker, or after who hosts it where the maker does not.
    hosted = {model.id for model in by_usage if not model.id.startswith(f"{model.provider}/")}
    assert hosted == {"groq/whisper-large-v3"}
    source = r"genai-prices \d+\.\d+\.\d+, .+: https://\S+(; corrected \d{4}-\d{2}-\d{2} from .+)?"
    assert all(re.fullmatch(source, model.source) for model in by_usage)


@pytest.mark.parametrize(
    ("model_id", "input_usd", "output_usd"), [("openai/gpt-4o", "2.5", "10"), ("openai/gpt-4o-mini", "0.15", "0.6")]
)
def test_a_well_known_model_has_its_well_known_price(model_id: str, input_usd: str, output_usd: str) -> None:
    price = load_model_registry(MODELS)[model_id].price_for((("input_tokens", 1),), datetime(2026, 11, 26, tzinfo=UTC))
    assert not isinstance(price, RunPrice)
    assert dict(price.usd)["input_tokens"] == Decimal(input_usd)
    assert dict(price.usd)["output_tokens"] == Decimal(output_usd)


def test_no_two_models_of_the_file_look_alike_to_people() -> None:
    assert {name: n for name, n in Counter(m.name for m in load_model_registry(MODELS).values()).items() if n > 1} == {}


def test_the_head_of_the_file_describes_every_key_and_no_other() -> None:
    text = MODELS.read_text(encoding="utf-8")
    head = text[: text.index("[[models]]\nid")]
    rows = tomllib.loads(text)["models"]
    dated = [price for row in rows for price in row.get("prices", [])]
    dated += [price for row in rows for tier in row.get("service_tiers", {}).values() for price in tier]
    used = {key for row in rows for key in row} | {key for price in dated for key in price if key not in UNITS}
    # Described before the file has them: a price above $1,000, one that a refresh found unchanged, a deployment's name.
    described = used | {"confirmed", "known_since", "deployments"}
    assert set(re.findall(r"^# {3,7}(\w+) {2,}", head, re.MULTILINE)) == described


# --- what a run costs -----------------------------------------------------------------------------------------------


def test_a_price_per_run_explains_itself_and_ignores_what_was_used() -> None:
    assert RunPrice(30_000).explain(None) == "30,000 credits per run"
    assert RunPrice(30_000).inference_cost((("input_tokens", 10**9),)) == 30_000


@pytest.mark.parametrize(
    ("input_tokens", "input_usd"),
    [(0, "1"), (1, "1"), (200_000, "1"), (200_001, "2"), (500_000, "2"), (500_001, "3"), (10**9, "3")],
)
def test_a_long_prompt_has_another_price_from_the_first_token_above_the_bound(
    input_tokens: int, input_usd: str
) -> None:
    reader = model(by_usage(input_tokens=("1", {200_000: "2", 500_000: "3"}), output_tokens="1"))
    chosen = reader.price_for((("input_tokens", input_tokens), ("output_tokens", 7)), None)
    assert chosen == usage_price(input_tokens=input_usd, output_tokens="1")


def test_a_model_names_the_units_it_prices_at_any_time_in_their_order() -> None:
    text = "prices = [{web_searches = 10, input_tokens = 1}, {from = 2027-01-01, output_tokens = 2}]"
    priced = parse_model_registry(table(PER_TOKEN | {"prices": text.removeprefix("prices = ")}))["a"]
    assert priced.priced_units == ("input_tokens", "output_tokens", "web_searches")
    assert parse_model_registry(table(PER_RUN))["a"].priced_units == ()


# --- what a file may not say ----------------------------------------------------------------------------------------

PER_RUN = {
    "id": '"a"',
    "name": '"A"',
    "provider": '"maker"',
    "type": '"text"',
    "run_price_credits": "250",
    "source": '"specification"',
    "checked_on": "2026-01-01",
}
PER_TOKEN = {
    **{key: text for key, text in PER_RUN.items() if key != "run_price_credits"},
    "prices": "[{input_tokens = 1, output_tokens = 2}]",
}


def table(keys: dict[str, str]) -> str:
    return "\n".join(["[[models]]", *(f"{key} = {text}" for key, text in keys.items()), ""])


def problems_of(text: str) -> list[str]:
    with pytest.raises(DataFileInvalid) as caught:
        parse_model_registry(text)
    return caught.value.problems


def prices(input_usd: str = "1", output_usd: str = "2", more: str = "") -> dict[str, str]:
    return {"prices": f"[{{input_tokens = {input_usd}, output_tokens = {output_usd}{more}}}]"}


def above(table_: str) -> dict[str, str]:
    return prices(f"{{usd = 1, above = {table_}}}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "7"}, "model 7: id: must be 1 to 128 characters"),
        ({"id": '"a b"'}, "model 'a b': id: must be 1 to 128 characters"),
        ({"name": "7"}, "model 'a': name must be a text, not 7"),
        ({"provider": '" "'}, "model 'a': provider must be a text, not ' '"),
        ({"source": "[]"}, "model 'a': source must be a text, not []"),
        (
            {"type": '"smell"'},
            "model 'a': type must be one of text, image, audio, video, embedding, rerank, document, not 'smell'",
        ),
        (
            {"known_since": "2026-01-02"},
            "model 'a': known_since must be a date that is not after checked_on, not datetime.date(2026, 1, 2)",
        ),
        (
            {"known_since": '"2025-01-01"'},
            "model 'a': known_since must be a date that is not after checked_on, not '2025-01-01'",
        ),
        ({"checked_on": '"2026-01-01"'}, "model 'a': checked_on must be a date such as 2026-11-23, not '2026-01-01'"),
        (
            {"checked_on": "2026-01-01T00:00:00"},
            "model 'a': checked_on must be a date such as 2026-11-23, not datetime",
        ),
        ({"price": "1"}, "model 'a': a model has unknown keys price"),
        (prices(), "model 'a': needs exactly one of run_price_credits and prices"),
        ({"genai_prices_id": '"a/a"'}, "model 'a': has a genai_prices_id or service_tiers, but no prices"),
        (
            {"service_tiers": "{flex = [{input_tokens = 1}]}"},
            "model 'a': has a genai_prices_id or service_tiers, but no prices",
        ),
        ({"context_tokens": "0"}, "model 'a': context_tokens must be a whole number from 1, not 0"),
        ({"context_tokens": "true"}, "model 'a': context_tokens must be a whole number from 1, not True"),
        ({"run_price_credits": "0"}, "model 'a': run_price_credits: must be from 1 to"),
        ({"run_price_credits": "-5"}, "model 'a': run_price_credits: must be from 1 to"),
        ({"run_price_credits": "2.5"}, "model 'a': run_price_credits: must be a whole number of credits"),
        ({"run_price_credits": "true"}, "model 'a': run_price_credits: must be a whole number of credits, not True"),
        ({"run_price_credits": "9007199254740992"}, "model 'a': run_price_credits: must be from 1 to"),
    ],
)
def test_a_model_that_cannot_be_meant_is_refused_with_its_problem_named(change: dict[str, str], problem: str) -> None:
    [found] = problems_of(table(PER_RUN | change))
    assert found.startswith(problem)


@pytest.mark.parametrize("key", ["name", "provider", "type", "source", "checked_on"])
def test_a_model_that_lacks_a_key_is_refused(key: str) -> None:
    assert problems_of(table({k: text for k, text in PER_RUN.items() if k != key})) == [
        f"model 'a': a model lacks {key}"
    ]


def test_a_model_without_an_id_is_named_by_its_place() -> None:
    nameless = table({key: text for key, text in PER_RUN.items() if key != "id"})
    assert problems_of(table(PER_RUN) + nameless) == ["model number 2: a model lacks id"]


def test_a_model_without_a_price_is_refused_and_not_free() -> None:
    assert problems_of(table({key: text for key, text in PER_RUN.items() if key != "run_price_credits"})) == [
        "model 'a': needs exactly one of run_price_credits and prices"
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"prices": "[]"}, "prices must be a list of at least one table"),
        ({"prices": "2.5"}, "prices must be a list of at least one table"),
        ({"prices": "[2.5]"}, "a price must be a table, not Decimal('2.5')"),
        ({"prices": "[{}]"}, "a price must be for at least one unit, such as input_tokens"),
        ({"prices": "[{from = 2026-12-01}]"}, "a price must be for at least one unit, such as input_tokens"),
        (prices(more=", cached_tokens = 1"), "a price has unknown keys cached_tokens"),
        (prices('"2.5"'), "input_tokens must be a number of dollars, not '2.5'"),
        (prices("true"), "input_tokens must be a number of dollars, not True"),
        (prices("-1"), "input_tokens must be from 0 to 1,000,000 dollars, not -1"),
        (prices("-0.000001"), "input_tokens must be from 0 to 1,000,000 dollars, not -0.000001"),
        (prices("nan"), "input_tokens must be from 0 to 1,000,000 dollars, not NaN"),
        (prices(output_usd="inf"), "output_tokens must be from 0 to 1,000,000 dollars, not Infinity"),
        (prices("1000000.1"), "input_tokens must be from 0 to 1,000,000 dollars, not 1000000.1"),
        (prices("0.1234567891234"), "input_tokens must have at most twelve decimals, not 0.1234567891234"),
        (prices("1e-400"), "input_tokens must have at most twelve decimals, not 1E-400"),
        (
            prices("1000.01"),
            "input_tokens is 1000.01 dollars per 1,000,000, which looks like a price per 1,000. Divide it, or write "
            "confirmed = true beside it",
        ),
        (
            prices(more=", requests = 1001"),
            "requests is 1001 dollars per 1,000, which looks like a price per 1. Divide it, or write confirmed = true "
            "beside it",
        ),
        (
            above("{10 = 1001}"),
            "input_tokens.above.10 is 1001 dollars per 1,000,000, which looks like a price per 1,000. Divide it, or "
            "write confirmed = true beside it",
        ),
        (prices(more=", confirmed = 1"), "confirmed must be true or false, not 1"),
        (prices(more=", requests = -1"), "requests must be from 0 to 1,000,000 dollars, not -1"),
        (prices("{usd = 1}"), "input_tokens lacks above"),
        (prices("{above = {1 = 1}}"), "input_tokens lacks usd"),
        (prices("{usd = 1, above = {1 = 1}, below = 1}"), "input_tokens has unknown keys below"),
        (above("1"), "input_tokens.above must be a table, not 1"),
        (above("{}"), "input_tokens.above must name numbers of input tokens, not nothing"),
        (above("{many = 2}"), "input_tokens.above must name numbers of input tokens, not many"),
        (above("{-1 = 2}"), "input_tokens.above must name numbers of input tokens, not -1"),
        (above('{"1.5" = 2}'), "input_tokens.above must name numbers of input tokens, not 1.5"),
        (above("{2 = 2, 1 = 2}"), "input_tokens.above must rise, not 2, 1"),
        (above("{2 = 2, 02 = 3}"), "input_tokens.above must rise, not 2, 02"),
        (above("{2 = -1}"), "input_tokens.above.2 must be from 0 to 1,000,000 dollars, not -1"),
        (prices(more=", minimum_seconds = -1"), "minimum_seconds must be a whole number from 0 to 86,400, not -1"),
        (
            prices(more=", minimum_seconds = 86401"),
            "minimum_seconds must be a whole number from 0 to 86,400, not 86401",
        ),
        (prices(more=", minimum_seconds = true"), "minimum_seconds must be a whole number from 0 to 86,400, not True"),
        (prices(more=', from = "2026-12-01"'), "from must be a date such as 2026-12-01, not '2026-12-01'"),
        (
            prices(more=", from = 2026-12-01T00:00:00Z"),
            "from must be a date such as 2026-12-01, not datetime.datetime(2026, 12, 1, 0, 0, "
            "tzinfo=datetime.timezone.utc)",
        ),
        (prices(more=", weekdays_only = 1"), "weekdays_only must be true or false, not 1"),
        (prices(more=", utc_hours = 1"), 'utc_hours must be such as ["01:00", "04:00"], not 1'),
        (prices(more=', utc_hours = ["01:00"]'), """utc_hours must be such as ["01:00", "04:00"], not ['01:00']"""),
        (
            prices(more=', utc_hours = ["01:00", "25:00"]'),
            """utc_hours must be such as ["01:00", "04:00"], not ['01:00', '25:00']""",
        ),
        (
            prices(more=', utc_hours = ["01:00", "01:00"]'),
            "utc_hours must be two different times without a zone, not ['01:00', '01:00']",
        ),
        (
            prices(more=', utc_hours = ["01:00", "02:00Z"]'),
            "utc_hours must be two different times without a zone, not ['01:00', '02:00Z']",
        ),
        ({"service_tiers": "1"}, "service_tiers must be a table, not 1"),
        ({"service_tiers": "{flex = []}"}, "prices must be a list of at least one table"),
        (
            {"service_tiers": "{flex = [{input_tokens = -1}]}"},
            "input_tokens must be from 0 to 1,000,000 dollars, not -1",
        ),
        (
            {"service_tiers": "{default = [{input_tokens = 1}]}"},
            "service_tiers must not name default, which means the standard prices",
        ),
        (
            {"service_tiers": "{flex = [{audio_seconds = 1, minimum_seconds = 10}]}"},
            "minimum_seconds is one for all service tiers, so it belongs to the standard prices",
        ),
    ],
)
def test_a_price_that_cannot_be_meant_is_refused_with_its_problem_named(change: dict[str, str], problem: str) -> None:
    assert problems_of(table(PER_TOKEN | change)) == [f"model 'a': {problem}"]


@pytest.mark.parametrize("condition", ["from = 2026-12-01", 'utc_hours = ["01:00", "04:00"]', "weekdays_only = true"])
def test_the_first_price_of_a_model_holds_always(condition: str) -> None:
    assert problems_of(table(PER_TOKEN | {"prices": f"[{{{condition}, input_tokens = 1}}, {{input_tokens = 2}}]"})) == [
        "model 'a': the first of its prices holds whenever no other does, so it has no condition"
    ]


@pytest.mark.parametrize("number", ["1000000", "0.000000000001", "2.500000000000", "0", "1_0", "1e1"])
def test_a_price_within_the_bounds_is_kept_exactly(number: str) -> None:
    found = parse_model_registry(table(PER_TOKEN | prices(number, more=", confirmed = true")))["a"]
    assert found.prices == by_usage(input_tokens=str(Decimal(number)), output_tokens="2")


def test_a_price_of_a_thousand_dollars_needs_no_confirmation() -> None:
    found = parse_model_registry(table(PER_TOKEN | prices("1000", "0")))["a"]
    assert found.prices == by_usage(input_tokens="1000", output_tokens="0")


def test_every_condition_and_tier_of_a_price_is_read() -> None:
    text = """[
        {minimum_seconds = 9, input_tokens = 1, output_tokens = {usd = 2, above = {100 = 3, 2000 = 4}}},
        {from = 2026-12-01, utc_hours = ["22:00", "04:30"], weekdays_only = true, audio_seconds = 0.5},
    ]"""
    row = PER_TOKEN | {"prices": text, "service_tiers": "{flex = [{input_tokens = 0}], batch = [{requests = 1}]}"}
    assert parse_model_registry(table(row))["a"].prices == ModelPrices(
        (
            DatedPrices(
                TieredPrices(
                    {
                        "input_tokens": (Decimal(1), ()),
                        "output_tokens": (Decimal(2), ((100, Decimal(3)), (2_000, Decimal(4)))),
                    },
                    minimum_seconds=9,
                )
            ),
            DatedPrices(
                TieredPrices({"audio_seconds": (Decimal("0.5"), ())}),
                first_day=date(2026, 12, 1),
                hours=(time(22), time(4, 30)),
                is_on_weekdays=True,
            ),
        ),
        {
            "flex": (DatedPrices(TieredPrices({"input_tokens": (Decimal(0), ())})),),
            "batch": (DatedPrices(TieredPrices({"requests": (Decimal(1), ())})),),
        },
    )


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["lists no [[models]]"]),
        ("models = 3", ["lists no [[models]]"]),
        ("[[model]]", ["has an unknown key 'model'; the only key is models", "lists no [[models]]"]),
        ("models = [3]", ["model number 1: a model must be a table, not 3"]),
        (table(PER_RUN) * 2, ["model 'a' is listed twice"]),
        (f"[[modles]]\n{table(PER_RUN)}", ["has an unknown key 'modles'; the only key is models"]),
        (
            table(PER_RUN | {"id": '"b"', "name": "1"}) + table(PER_RUN) * 2 + table(PER_TOKEN | prices("-1")),
            [
                "model 'b': name must be a text, not 1",
                "model 'a' is listed twice",
                "model 'a': input_tokens must be from 0 to 1,000,000 dollars, not -1",
            ],
        ),
    ],
)
def test_every_model_with_a_problem_is_listed(text: str, problems: list[str]) -> None:
    assert problems_of(text) == problems


def test_text_that_is_not_toml_is_refused() -> None:
    with pytest.raises(DataFileInvalid, match=r"^mine\.toml: is not TOML: "):
        parse_model_registry("[[models", "mine.toml")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileInvalid, match=r"cannot be read: .*No such file"):
        load_model_registry(tmp_path / "models.toml")
    (tmp_path / "models.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(DataFileInvalid, match="cannot be read: 'utf-8' codec"):
        load_model_registry(tmp_path / "models.toml")


# --- looking a model up ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model_id", ["", "A", "a ", "gpt", None, 7, ["a"]])
def test_a_model_that_is_not_there_is_refused_however_it_is_asked_for(model_id: object) -> None:
    registry = parse_model_registry(table(PER_RUN))
    with pytest.raises(UnknownModel):
        registry[model_id]  # type: ignore[index]
    with pytest.raises(UnknownModel):
        registry.get(model_id)  # type: ignore[call-overload]


def test_the_models_come_in_the_order_of_the_file() -> None:
    registry = parse_model_registry("".join(table(PER_RUN | {"id": f'"{name}"'}) for name in "cab"))
    assert [*registry] == ["c", "a", "b"]
    assert len(registry) == 3
    assert "a" in registry
    assert "d" not in registry
