"""The AI models and what they cost: a fixed number of credits per run, or dollars per million tokens.

Read only from `data/models.toml`; `cli.model_prices` writes the token prices into that file. $X per million tokens is X
credits per token, so a decimal price is an exact fraction of credits.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.pricing.refusals import UnknownModel
from credits_core.values.credits import div_ceil, require_credits
from credits_core.values.fields import require_id
from credits_core.values.text import format_fraction

MAX_TOKENS = 1_000_000_000
"""Largest token count of one run, input or output; no context window comes near it."""
MAX_PRICE_USD = 1_000_000
"""Largest price per million tokens or per thousand requests, in dollars: $1 per token."""


@dataclass(frozen=True, slots=True)
class RunPrice:
    """A fixed price: `run_price_credits` per run, whatever the tokens."""

    run_price_credits: int

    def inference_cost(self, _input_tokens: int | None, _output_tokens: int | None) -> int:
        """The inference cost in credits. Tokens are ignored.

        >>> RunPrice(30_000).inference_cost(None, None)
        30000
        """
        return self.run_price_credits

    def explain(self, _input_tokens: int | None, _output_tokens: int | None) -> str:
        """The arithmetic of the inference cost in one line."""
        return f"{self.run_price_credits:,} credits per run"


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars per million tokens, and per thousand requests where the provider charges for the request itself.

    Applies to runs with more than `above_input_tokens` input tokens (exclusive): some providers charge all tokens of a
    long prompt at another rate. The bound is not part of the price: a recorded run keeps its price without the bound,
    so two prices are equal when only their bounds differ.
    """

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    request_usd_per_thousand: Decimal = Decimal(0)
    above_input_tokens: int = field(default=0, compare=False)
    fraction: tuple[int, int, int, int] = field(init=False, repr=False, compare=False)
    """Credits per input token, per output token and per request, and the common denominator of all three."""
    as_text: tuple[str, str, str] = field(init=False, repr=False, compare=False)
    """The three prices as exact decimal text, as they are recorded with a run."""

    def __post_init__(self) -> None:
        rates = (self.input_usd_per_mtok, self.output_usd_per_mtok, self.request_usd_per_thousand)
        object.__setattr__(self, "as_text", tuple(f"{rate:f}" for rate in rates))
        # Credits per token and per request over one common denominator, so that a run is priced in integers alone.
        prices = (self.input_usd_per_mtok, self.output_usd_per_mtok, self.request_usd_per_thousand * 1000)
        denominator = 10 ** max(0, *(-int(price.normalize().as_tuple().exponent) for price in prices))
        input_, output, request = (int(price * denominator) for price in prices)
        object.__setattr__(self, "fraction", (input_, output, request, denominator))

    def exact_cost(self, input_tokens: int, output_tokens: int) -> tuple[int, int]:
        """The inference cost before rounding, as numerator and denominator in credits."""
        input_, output, request, denominator = self.fraction
        return input_tokens * input_ + output_tokens * output + request, denominator

    def inference_cost(self, input_tokens: int | None, output_tokens: int | None) -> int:
        """The inference cost in credits: the exact fraction, rounded up once.

        Raises:
            InvalidRequest: a token count is missing.

        >>> TokenPrice(Decimal("0.15"), Decimal("0.6")).inference_cost(1_020, 129)
        231
        """
        if input_tokens is None or output_tokens is None:
            raise InvalidRequest(
                "input_tokens" if input_tokens is None else "output_tokens",
                "must be given, because this model is priced per token",
            )
        return div_ceil(*self.exact_cost(input_tokens, output_tokens))

    def explain(self, input_tokens: int | None, output_tokens: int | None) -> str:
        """The arithmetic of the inference cost in one line, with the exact fraction.

        >>> TokenPrice(Decimal(1), Decimal("2.5"), request_usd_per_thousand=Decimal(12)).explain(1_000, 3)
        '1,000 × 1 + 3 × 2.5 + 12,000 per request = 13,007.5 credits, rounded up'
        """
        assert input_tokens is not None
        assert output_tokens is not None
        numerator, denominator = self.exact_cost(input_tokens, output_tokens)
        parts = [f"{input_tokens:,} × {self.input_usd_per_mtok:f}", f"{output_tokens:,} × {self.output_usd_per_mtok:f}"]
        if self.request_usd_per_thousand:
            parts.append(f"{self.request_usd_per_thousand * 1000:,f} per request")
        exact = format_fraction(numerator, denominator)
        rounding = ", rounded up" if "." in exact else ""
        return f"{' + '.join(parts)} = {exact} credits{rounding}"


Price = RunPrice | TokenPrice


@dataclass(frozen=True, slots=True)
class Model:
    """One AI model: id, provider, type (text or image), price, the source of the price and the day it was read.

    A token-priced model has one price or several, in ascending order of `above_input_tokens`.
    """

    id: str
    name: str
    provider: str
    type: str
    prices: tuple[RunPrice] | tuple[TokenPrice, ...]
    source: str
    checked_on: date

    @property
    def is_token_priced(self) -> bool:
        """Whether a run needs token counts."""
        return isinstance(self.prices[0], TokenPrice)

    def price_for(self, input_tokens: int | None) -> Price:
        """The price that applies to a run with this many input tokens."""
        chosen: Price = self.prices[0]
        for price in self.prices[1:]:
            if input_tokens is not None and input_tokens > price.above_input_tokens:
                chosen = price
        return chosen


@dataclass(frozen=True, slots=True)
class ModelRegistry(Mapping[str, Model]):
    """The models by id, in the order of the file. An unknown id is refused, never guessed, also by `get`."""

    models: dict[str, Model]

    def __getitem__(self, model_id: str) -> Model:
        """The model with this id.

        Raises:
            UnknownModel: the registry has no such model.
        """
        try:
            return self.models[model_id]
        except (KeyError, TypeError):
            raise UnknownModel(model_id) from None

    def __contains__(self, model_id: object) -> bool:
        return model_id in self.models

    def __iter__(self) -> Iterator[str]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)


def parse_model_registry(text: str, source: str = "models.toml") -> ModelRegistry:
    """The registry written as TOML `[[models]]` tables (the head of `data/models.toml` describes the keys).

    Raises:
        DataFileInvalid: not TOML, a missing or unknown key, an id twice, a price that is not a number of dollars from 0
            to 1,000,000 with at most nine decimals, a free token, or bounds that do not rise from 0. Lists every model
            with a problem, each with its first problem.

    >>> parse_model_registry('''[[models]]
    ... id = "claude-3-haiku"
    ... name = "Claude 3 Haiku"
    ... provider = "anthropic"
    ... type = "text"
    ... run_price_credits = 250
    ... source = "PromptFlow specification"
    ... checked_on = 2026-11-23''')["claude-3-haiku"].prices
    (RunPrice(run_price_credits=250),)
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise DataFileInvalid(source, [f"is not TOML: {error}"]) from None
    problems = [f"has an unknown key {key!r}; the only key is models" for key in sorted(document.keys() - {"models"})]
    rows = document.get("models")
    if not isinstance(rows, list) or not rows:
        raise DataFileInvalid(source, [*problems, "lists no [[models]]"])
    models: dict[str, Model] = {}
    for number, row in enumerate(rows, 1):
        try:
            model = _parse_model(row)
        except (InvalidRequest, ValueError) as error:
            name = repr(row["id"]) if isinstance(row, dict) and "id" in row else f"number {number}"
            problems.append(f"model {name}: {error}")
            continue
        if model.id in models:
            problems.append(f"model {model.id!r} is listed twice")
        models[model.id] = model
    if problems:
        raise DataFileInvalid(source, problems)
    return ModelRegistry(models)


def load_model_registry(path: Path) -> ModelRegistry:
    """The registry of a file.

    Raises:
        DataFileInvalid: as `parse_model_registry`, or the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
    return parse_model_registry(text, str(path))


def _parse_model(row: object) -> Model:
    table = _require_table(
        "a model",
        row,
        required={"id", "name", "provider", "type", "source", "checked_on"},
        optional={"run_price_credits", "prices", "genai_prices_id"},
    )
    for key in ("name", "provider", "source", "genai_prices_id"):
        if key in table and (not isinstance(table[key], str) or not table[key].strip()):
            raise ValueError(f"{key} must be a text, not {table[key]!r}")
    if table["type"] not in ("text", "image"):
        raise ValueError(f"type must be text or image, not {table['type']!r}")
    if type(table["checked_on"]) is not date:
        raise ValueError(f"checked_on must be a date such as 2026-11-23, not {table['checked_on']!r}")
    if ("run_price_credits" in table) == ("prices" in table):
        raise ValueError("needs exactly one of run_price_credits and prices")
    if "genai_prices_id" in table and "prices" not in table:
        raise ValueError("has a genai_prices_id, but no prices that it could renew")
    prices: tuple[RunPrice] | tuple[TokenPrice, ...]
    if "prices" in table:
        prices = _parse_token_prices(table["prices"])
    else:
        prices = (RunPrice(require_credits("run_price_credits", table["run_price_credits"])),)
    return Model(
        id=require_id("id", table["id"]),
        name=table["name"],
        provider=table["provider"],
        type=table["type"],
        prices=prices,
        source=table["source"],
        checked_on=table["checked_on"],
    )


def _parse_token_prices(rows: object) -> tuple[TokenPrice, ...]:
    if not isinstance(rows, list) or not rows:
        raise ValueError("prices must be a list of at least one table")
    prices = tuple(_parse_token_price(row) for row in rows)
    bounds = [price.above_input_tokens for price in prices]
    if bounds[0] != 0 or bounds != sorted(set(bounds)):
        raise ValueError(f"above_input_tokens must start at 0 and rise, not {bounds}")
    return prices


def _parse_token_price(row: object) -> TokenPrice:
    table = _require_table(
        "a price",
        row,
        required={"input_usd_per_mtok", "output_usd_per_mtok"},
        optional={"above_input_tokens", "request_usd_per_thousand"},
    )
    above_input_tokens = table.get("above_input_tokens", 0)
    if type(above_input_tokens) is not int or not 0 <= above_input_tokens <= MAX_TOKENS:
        raise ValueError(f"above_input_tokens must be a whole number, 0 or more, not {above_input_tokens!r}")
    price = TokenPrice(
        input_usd_per_mtok=_require_dollars(table, "input_usd_per_mtok"),
        output_usd_per_mtok=_require_dollars(table, "output_usd_per_mtok"),
        request_usd_per_thousand=_require_dollars(table, "request_usd_per_thousand"),
        above_input_tokens=above_input_tokens,
    )
    if not (price.input_usd_per_mtok and price.output_usd_per_mtok):
        raise ValueError("a price per million tokens must be above 0; a free model cannot be charged for")
    return price


def _require_table(what: str, row: object, *, required: set[str], optional: set[str]) -> dict[str, Any]:
    if type(row) is not dict:
        raise ValueError(f"{what} must be a table, not {row!r}")
    if missing := required - row.keys():
        raise ValueError(f"{what} lacks {', '.join(sorted(missing))}")
    if unknown := row.keys() - required - optional:
        raise ValueError(f"{what} has unknown keys {', '.join(sorted(unknown))}")
    return row


def _require_dollars(table: dict[str, Any], key: str) -> Decimal:
    number = table.get(key, 0)
    if type(number) is not int and not isinstance(number, Decimal):
        raise ValueError(f"{key} must be a number of dollars, not {number!r}")
    price_usd = Decimal(number)
    if not price_usd.is_finite() or not 0 <= price_usd <= MAX_PRICE_USD:
        raise ValueError(f"{key} must be from 0 to {MAX_PRICE_USD:,} dollars, not {number}")
    # Within these bounds no product of a price reaches 28 digits, where Decimal would round.
    if price_usd != price_usd.quantize(Decimal("1e-9")):
        raise ValueError(f"{key} must have at most nine decimals, not {number}")
    return price_usd
