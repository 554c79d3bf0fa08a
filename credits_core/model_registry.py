"""The AI models and what they cost: a fixed number of credits per run, or dollars per million tokens.

Read from `data/models.toml` and nothing else; `credits_core.price_source` writes the token prices into that file. $X per
million tokens is X credits per token, so a decimal price is an exact fraction of credits.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from credits_core.errors import DataFileInvalid, InvalidRequest, UnknownModel
from credits_core.money import MAX_CREDITS, div_ceil, require_credits, require_id

MAX_TOKENS = 1_000_000_000
"""Largest token count of one run, input or output; no context window comes near it."""


@dataclass(frozen=True, slots=True)
class RunPrice:
    """A fixed price: `run_price_credits` per run, whatever the tokens."""

    run_price_credits: int

    def inference_cost(self, input_tokens: int | None, output_tokens: int | None) -> int:
        """The inference cost in credits. Tokens are ignored.

        >>> RunPrice(30_000).inference_cost(None, None)
        30000
        """
        return self.run_price_credits

    def explain(self, input_tokens: int | None, output_tokens: int | None) -> str:
        """The arithmetic of the inference cost in one line."""
        return f"{self.run_price_credits:,} credits per run"


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars per million tokens, and per thousand requests where the provider charges for the request itself.

    Applies to runs with more than `above_input_tokens` input tokens (exclusive bound): some providers charge a long
    prompt, as a whole, at another rate.
    """

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    request_usd_per_thousand: Decimal = Decimal(0)
    above_input_tokens: int = 0
    _numerators: tuple[int, int, int, int] = field(init=False, repr=False, compare=False)
    as_text: tuple[str, str, str] = field(init=False, repr=False, compare=False)
    """The three prices as exact decimal text, as a run keeps them."""

    def __post_init__(self) -> None:
        rates = (self.input_usd_per_mtok, self.output_usd_per_mtok, self.request_usd_per_thousand)
        object.__setattr__(self, "as_text", tuple(f"{rate:f}" for rate in rates))
        # Credits per token and per request over one common denominator, so that a run is priced in integers alone.
        prices = (self.input_usd_per_mtok, self.output_usd_per_mtok, self.request_usd_per_thousand * 1000)
        denominator = 10 ** max(0, *(-int(price.normalize().as_tuple().exponent) for price in prices))
        input_, output, request = (int(price * denominator) for price in prices)
        object.__setattr__(self, "_numerators", (input_, output, request, denominator))

    def exact_cost(self, input_tokens: int, output_tokens: int) -> tuple[int, int]:
        """The inference cost before rounding, as numerator and denominator in credits."""
        input_, output, request, denominator = self._numerators
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
                "is needed, because this model is priced per token",
            )
        return div_ceil(*self.exact_cost(input_tokens, output_tokens))

    def explain(self, input_tokens: int | None, output_tokens: int | None) -> str:
        """The arithmetic of the inference cost in one line, with the exact fraction."""
        assert input_tokens is not None and output_tokens is not None
        numerator, denominator = self.exact_cost(input_tokens, output_tokens)
        whole, rest = divmod(numerator, denominator)
        digits = len(str(denominator)) - 1
        exact = f"{whole:,}.{rest:0{digits}d}" if rest else f"{whole:,}"
        parts = [f"{input_tokens:,} × {self.input_usd_per_mtok:f}", f"{output_tokens:,} × {self.output_usd_per_mtok:f}"]
        if self.request_usd_per_thousand:
            parts.append(f"{self.request_usd_per_thousand * 1000:,f} per request")
        rounding = ", rounded up" if rest else ""
        return f"{' + '.join(parts)} = {exact} credits{rounding}"


Price = RunPrice | TokenPrice


@dataclass(frozen=True, slots=True)
class Model:
    """One AI model: id, provider, type (text or image) and price, with where the price is from and when it was read.

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
    """The models by id, in the order of the file. Unknown ids are refused, never guessed."""

    models: dict[str, Model]

    def __getitem__(self, model_id: str) -> Model:
        """The model of this id.

        Raises:
            UnknownModel: the registry does not have it.
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
    """The registry written as TOML `[[models]]` tables (the file's head describes the keys).

    Raises:
        DataFileInvalid: not TOML, a missing or unknown key, an id twice, a price that is missing, negative or zero, or
            bounds that do not rise. Every problem is listed with its model.
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise DataFileInvalid(source, [f"is not TOML: {error}"]) from None
    models: dict[str, Model] = {}
    problems: list[str] = []
    for row in document.get("models", []):
        try:
            model = _parse_model(row)
        except (InvalidRequest, KeyError, TypeError, ValueError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            problems.append(f"model {row.get('id', '(no id)')!r}: {what}")
            continue
        if model.id in models:
            problems.append(f"model {model.id!r} is listed twice")
        models[model.id] = model
    if not models and not problems:
        problems.append("lists no [[models]]")
    if problems:
        raise DataFileInvalid(source, problems)
    return ModelRegistry(models)


def load_model_registry(path: Path) -> ModelRegistry:
    """The registry of a file.

    Raises:
        DataFileInvalid: as `parse_model_registry`, or the file is missing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error.strerror}"]) from None
    return parse_model_registry(text, str(path))


def _parse_model(row: dict[str, Any]) -> Model:
    known = {"id", "name", "provider", "type", "run_price_credits", "prices", "genai_prices_id", "source", "checked_on"}
    if unknown := row.keys() - known:
        raise ValueError(f"has unknown keys {sorted(unknown)}")
    if row["type"] not in ("text", "image"):
        raise ValueError(f"type must be text or image, not {row['type']!r}")
    if ("run_price_credits" in row) == ("prices" in row):
        raise ValueError("needs exactly one of run_price_credits and prices")
    prices: tuple[RunPrice] | tuple[TokenPrice, ...]
    if "prices" in row:
        prices = tuple(_parse_token_price(price) for price in row["prices"])
        bounds = [price.above_input_tokens for price in prices]
        if not bounds or bounds[0] != 0 or bounds != sorted(set(bounds)):
            raise ValueError(f"above_input_tokens must start at 0 and rise, not {bounds}")
    else:
        prices = (RunPrice(require_credits("run_price_credits", row["run_price_credits"])),)
    return Model(
        id=require_id("id", row["id"]),
        name=row["name"],
        provider=row["provider"],
        type=row["type"],
        prices=prices,
        source=row["source"],
        checked_on=row["checked_on"],
    )


def _parse_token_price(row: dict[str, Any]) -> TokenPrice:
    known = {"above_input_tokens", "input_usd_per_mtok", "output_usd_per_mtok", "request_usd_per_thousand"}
    if unknown := row.keys() - known:
        raise ValueError(f"a price has unknown keys {sorted(unknown)}")
    price = TokenPrice(
        input_usd_per_mtok=Decimal(row["input_usd_per_mtok"]),
        output_usd_per_mtok=Decimal(row["output_usd_per_mtok"]),
        request_usd_per_thousand=Decimal(row.get("request_usd_per_thousand", 0)),
        above_input_tokens=row.get("above_input_tokens", 0),
    )
    rates = (price.input_usd_per_mtok, price.output_usd_per_mtok, price.request_usd_per_thousand)
    if not all(rate.is_finite() and 0 <= rate <= MAX_CREDITS for rate in rates):
        raise ValueError("a price must be a number of dollars, 0 or more")
    if not (price.input_usd_per_mtok and price.output_usd_per_mtok):
        raise ValueError("a price per million tokens must be above 0; a free model cannot be charged for")
    return price
