"""The AI models: what the repository's file holds, what a run of them costs, and what such a file may not say."""

import re
import tomllib
from collections import Counter
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.pricing.models import Model, RunPrice, TokenPrice, load_model_registry, parse_model_registry
from credits_core.pricing.refusals import UnknownModel

MODELS = Path(__file__).resolve().parent.parent.parent / "data" / "models.toml"

usd = st.decimals(min_value="0.000000001", max_value="1000000", places=9)
tokens = st.integers(min_value=0, max_value=1_000_000_000)

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
    per_run = [model for model in load_model_registry(MODELS).values() if not model.is_token_priced]
    assert [(m.id, m.prices[0].inference_cost(None, None), m.provider, m.type) for m in per_run] == SPECIFIED
    assert {model.source for model in per_run} == {"PromptFlow specification"}


def test_the_token_priced_models_are_about_thirty_texts_named_after_their_makers() -> None:
    per_token = [model for model in load_model_registry(MODELS).values() if model.is_token_priced]
    assert 28 <= len(per_token) <= 34
    assert {model.type for model in per_token} == {"text"}
    assert all(model.id.startswith(f"{model.provider}/") for model in per_token)
    assert set(Counter(model.provider for model in per_token)) == {
        "openai", "anthropic", "google", "mistral", "deepseek", "xai", "meta", "perplexity"
    }  # fmt: skip
    assert all(re.fullmatch(r"genai-prices \d+\.\d+\.\d+, .+: https://\S+", model.source) for model in per_token)


@pytest.mark.parametrize(
    ("model_id", "input_usd", "output_usd"), [("openai/gpt-4o", "2.5", "10"), ("openai/gpt-4o-mini", "0.15", "0.6")]
)
def test_a_well_known_model_has_its_well_known_price(model_id: str, input_usd: str, output_usd: str) -> None:
    assert load_model_registry(MODELS)[model_id].prices == (TokenPrice(Decimal(input_usd), Decimal(output_usd)),)


def test_no_two_models_of_the_file_look_alike_to_people() -> None:
    assert {name: n for name, n in Counter(m.name for m in load_model_registry(MODELS).values()).items() if n > 1} == {}


def test_the_head_of_the_file_describes_every_key_and_no_other() -> None:
    text = MODELS.read_text(encoding="utf-8")
    head = text[: text.index("[[models]]\nid")]
    rows = tomllib.loads(text)["models"]
    used = {key for row in rows for key in row} | {
        key for row in rows for price in row.get("prices", []) for key in price
    }
    assert set(re.findall(r"^# {3,7}(\w+)  ", head, re.MULTILINE)) == used


# --- what a run costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("input_usd", "output_usd", "request_usd", "input_tokens", "output_tokens", "cost_credits"),
    [
        ("1", "1", "0", 1, 0, 1),  # $1 per million tokens is 1 credit per token
        ("2.5", "10", "0", 1_020, 129, 3_840),  # 2,550 + 1,290, exactly
        ("2.5", "10", "0", 1_021, 129, 3_843),  # 3,842.5
        ("0.15", "0.6", "0", 1_020, 129, 231),  # 153 + 77.4 = 230.4: rounded once, not twice
        ("0.15", "0.15", "0", 1, 1, 1),  # 0.3: two roundings would give 2
        ("0.000000001", "0.000000001", "0", 1, 0, 1),  # a billionth of a credit is charged as one
        ("0.000000001", "0.000000001", "0", 1_000_000_000, 0, 1),  # exactly one
        ("0.000000001", "0.000000001", "0", 1_000_000_000, 1, 2),
        ("3", "15", "14", 100, 10, 14_450),  # 300 + 150 + $0.014 for the request
        ("1", "1", "0.0005", 1, 1, 3),  # 2 + 0.5
        ("1", "1", "12", 0, 0, 12_000),
    ],
)
def test_a_run_costs_the_exact_sum_rounded_up_once(
    input_usd: str, output_usd: str, request_usd: str, input_tokens: int, output_tokens: int, cost_credits: int
) -> None:
    price = TokenPrice(Decimal(input_usd), Decimal(output_usd), Decimal(request_usd))
    assert price.inference_cost(input_tokens, output_tokens) == cost_credits


@given(usd, usd, usd, tokens, tokens)
def test_the_cost_is_exact_for_every_price_and_length(
    input_usd: Decimal, output_usd: Decimal, request_usd: Decimal, input_tokens: int, output_tokens: int
) -> None:
    price = TokenPrice(input_usd, output_usd, request_usd)
    exact = input_tokens * Fraction(input_usd) + output_tokens * Fraction(output_usd) + 1_000 * Fraction(request_usd)
    assert Fraction(*price.exact_cost(input_tokens, output_tokens)) == exact
    assert 0 <= price.inference_cost(input_tokens, output_tokens) - exact < 1


@given(usd, usd, usd, tokens, tokens)
def test_the_explanation_ends_with_the_exact_cost_in_full(
    input_usd: Decimal, output_usd: Decimal, request_usd: Decimal, input_tokens: int, output_tokens: int
) -> None:
    price = TokenPrice(input_usd, output_usd, request_usd)
    exact, rounding = price.explain(input_tokens, output_tokens).rpartition(" = ")[2].split(" credits")
    written = Fraction(exact.replace(",", ""))
    assert written == Fraction(*price.exact_cost(input_tokens, output_tokens))
    assert rounding == ("" if written.denominator == 1 else ", rounded up")


@pytest.mark.parametrize(
    ("price", "input_tokens", "output_tokens", "explanation"),
    [
        (RunPrice(30_000), None, None, "30,000 credits per run"),
        (TokenPrice(Decimal("2.5"), Decimal(10)), 1_020, 129, "1,020 × 2.5 + 129 × 10 = 3,840 credits"),
        (
            TokenPrice(Decimal("0.15"), Decimal("0.6")),
            1_020,
            129,
            "1,020 × 0.15 + 129 × 0.6 = 230.4 credits, rounded up",
        ),
        (
            TokenPrice(Decimal(3), Decimal(15), Decimal(14)),
            100,
            10,
            "100 × 3 + 10 × 15 + 14,000 per request = 14,450 credits",
        ),
    ],
)
def test_a_price_explains_its_arithmetic(
    price: RunPrice | TokenPrice, input_tokens: int | None, output_tokens: int | None, explanation: str
) -> None:
    assert price.explain(input_tokens, output_tokens) == explanation


@pytest.mark.parametrize(
    ("input_tokens", "above_input_tokens"),
    [(0, 0), (1, 0), (200_000, 0), (200_001, 200_000), (500_000, 200_000), (500_001, 500_000), (10**9, 500_000)],
)
def test_a_long_prompt_has_another_price_from_the_first_token_above_the_bound(
    input_tokens: int, above_input_tokens: int
) -> None:
    prices = tuple(TokenPrice(Decimal(1), Decimal(1), above_input_tokens=bound) for bound in (0, 200_000, 500_000))
    chosen = Model("m", "M", "maker", "text", prices, "hand-written", date(2026, 1, 1)).price_for(input_tokens)
    assert isinstance(chosen, TokenPrice)
    assert chosen.above_input_tokens == above_input_tokens


@pytest.mark.parametrize(("input_tokens", "output_tokens"), [(None, None), (None, 1), (1, None)])
def test_a_token_price_without_both_counts_is_refused(input_tokens: int | None, output_tokens: int | None) -> None:
    with pytest.raises(InvalidRequest, match="must be given, because this model is priced per token"):
        TokenPrice(Decimal(1), Decimal(1)).inference_cost(input_tokens, output_tokens)


def test_a_price_is_recorded_as_exact_text() -> None:
    assert TokenPrice(Decimal("0.000000001"), Decimal("1E+1"), Decimal("0.0005")).as_text == (
        "0.000000001",
        "10",
        "0.0005",
    )


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
    "prices": "[{input_usd_per_mtok = 1, output_usd_per_mtok = 2}]",
}


def table(keys: dict[str, str]) -> str:
    return "\n".join(["[[models]]", *(f"{key} = {text}" for key, text in keys.items()), ""])


def problems_of(text: str) -> list[str]:
    with pytest.raises(DataFileInvalid) as caught:
        parse_model_registry(text)
    return caught.value.problems


def prices(input_usd: str = "1", output_usd: str = "2", more: str = "") -> dict[str, str]:
    return {"prices": f"[{{input_usd_per_mtok = {input_usd}, output_usd_per_mtok = {output_usd}{more}}}]"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "7"}, "model 7: id: must be 1 to 128 characters"),
        ({"id": '"a b"'}, "model 'a b': id: must be 1 to 128 characters"),
        ({"name": "7"}, "model 'a': name must be a text, not 7"),
        ({"provider": '" "'}, "model 'a': provider must be a text, not ' '"),
        ({"source": "[]"}, "model 'a': source must be a text, not []"),
        ({"type": '"video"'}, "model 'a': type must be text or image, not 'video'"),
        ({"checked_on": '"2026-01-01"'}, "model 'a': checked_on must be a date such as 2026-11-23, not '2026-01-01'"),
        (
            {"checked_on": "2026-01-01T00:00:00"},
            "model 'a': checked_on must be a date such as 2026-11-23, not datetime",
        ),
        ({"price": "1"}, "model 'a': a model has unknown keys price"),
        (prices(), "model 'a': needs exactly one of run_price_credits and prices"),
        ({"genai_prices_id": '"a/a"'}, "model 'a': has a genai_prices_id, but no prices that it could renew"),
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
        ({"prices": "[{input_usd_per_mtok = 1}]"}, "a price lacks output_usd_per_mtok"),
        (prices(more=", cached_usd_per_mtok = 1"), "a price has unknown keys cached_usd_per_mtok"),
        (prices('"2.5"'), "input_usd_per_mtok must be a number of dollars, not '2.5'"),
        (prices("true"), "input_usd_per_mtok must be a number of dollars, not True"),
        (prices("-1"), "input_usd_per_mtok must be from 0 to 1,000,000 dollars, not -1"),
        (prices("nan"), "input_usd_per_mtok must be from 0 to 1,000,000 dollars, not NaN"),
        (prices(output_usd="inf"), "output_usd_per_mtok must be from 0 to 1,000,000 dollars, not Infinity"),
        (prices("1000000.1"), "input_usd_per_mtok must be from 0 to 1,000,000 dollars, not 1000000.1"),
        (prices("0.1234567891"), "input_usd_per_mtok must have at most nine decimals, not 0.1234567891"),
        (prices("1e-400"), "input_usd_per_mtok must have at most nine decimals, not 1E-400"),
        (prices("0"), "a price per million tokens must be above 0; a free model cannot be charged for"),
        (prices(output_usd="0.0"), "a price per million tokens must be above 0; a free model cannot be charged for"),
        (
            prices(more=", request_usd_per_thousand = -1"),
            "request_usd_per_thousand must be from 0 to 1,000,000 dollars, not -1",
        ),
        (prices(more=", above_input_tokens = 1"), "above_input_tokens must start at 0 and rise, not [1]"),
        (prices(more=", above_input_tokens = -1"), "above_input_tokens must be a whole number, 0 or more, not -1"),
        (prices(more=", above_input_tokens = true"), "above_input_tokens must be a whole number, 0 or more, not True"),
    ],
)
def test_a_token_price_that_cannot_be_meant_is_refused_with_its_problem_named(
    change: dict[str, str], problem: str
) -> None:
    assert problems_of(table(PER_TOKEN | change)) == [f"model 'a': {problem}"]


@pytest.mark.parametrize("bounds", [(0, 0), (0, 2, 1), (0, 2, 2)])
def test_long_prompt_bounds_that_do_not_rise_are_refused(bounds: tuple[int, ...]) -> None:
    rows = [f"{{input_usd_per_mtok = 1, output_usd_per_mtok = 1, above_input_tokens = {bound}}}" for bound in bounds]
    assert problems_of(table(PER_TOKEN | {"prices": f"[{', '.join(rows)}]"})) == [
        f"model 'a': above_input_tokens must start at 0 and rise, not {[*bounds]}"
    ]


@pytest.mark.parametrize("number", ["1000000", "0.000000001", "2.500000000000", "1_0", "1e1"])
def test_a_price_within_the_bounds_is_kept_exactly(number: str) -> None:
    model = parse_model_registry(table(PER_TOKEN | prices(number)))["a"]
    assert model.prices == (TokenPrice(Decimal(number), Decimal(2)),)


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
            table(PER_RUN | {"id": '"b"', "type": '"video"'}) + table(PER_RUN) * 2 + table(PER_TOKEN | prices("0")),
            [
                "model 'b': type must be text or image, not 'video'",
                "model 'a' is listed twice",
                "model 'a': a price per million tokens must be above 0; a free model cannot be charged for",
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
