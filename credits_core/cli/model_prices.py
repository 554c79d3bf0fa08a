"""Writes token prices from the installed genai-prices package into `data/models.toml`.

The only module that uses that package. It reads the prices inside the package, never the network, and runs only on
demand (`python -m credits_core models refresh`). Charges read their prices only from the file.
"""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import tomlkit
import typer
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, Provider, StartDateConstraint, TieredPrices

from credits_core import settings
from credits_core.errors import DataFileInvalid
from credits_core.pricing.models import TokenPrice, parse_model_registry

_PACKAGE = f"genai-prices {genai_prices.__version__}"
_CHARGED = {"input_mtok", "output_mtok", "requests_kcount"}
# What a run with text in and text out never meets, or meets only when it asks for it: tokens read from or written to a
# cache, other media, and calls of the provider's tools. Any other charge is one we would pay without being paid for it.
_OPTIONAL = re.compile(
    r"cache_\w+_mtok|(input|output)_(audio|image|video)_mtok|(web|social|storage)_searches_kcount|code_executions_kcount"
)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A model whose price differs from the one in the file."""

    model_id: str
    old: tuple[TokenPrice, ...]
    new: tuple[TokenPrice, ...]

    def __str__(self) -> str:
        return f"{self.model_id}: {_in_words(self.old)} -> {_in_words(self.new)}"


def refresh_and_print() -> None:
    """Take today's prices into `data/models.toml` and print what changed."""
    changes = refresh(settings.MODELS_FILE, datetime.now(UTC).date())
    for change in changes:
        typer.echo(change)
    typer.echo(f"{settings.MODELS_FILE.name}: {len(changes)} price(s) changed")


def refresh(path: Path, today: date) -> list[PriceChange]:
    """Give every model with a `genai_prices_id` today's price, and return the changes in the file's order.

    Rewrites `prices`, `source` and `checked_on` of those models and keeps everything else, comments included. Done
    again on the same day, it writes the identical file. Prices are the provider's standard ones, for text in and text
    out. A price that holds from a certain date counts from midnight UTC.

    Raises:
        DataFileInvalid: the file cannot be read, used or written; or the package has no such model, no price per token
            for it, a price that depends on the time of day, long-prompt rates that begin elsewhere for input than for
            output, or a charge that the file cannot express. Every model with a problem is listed; nothing is written.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
    registry = parse_model_registry(text, str(path))
    document: dict[str, Any] = tomlkit.parse(text)
    changes: list[PriceChange] = []
    problems: list[str] = []
    for table in document["models"]:
        if "genai_prices_id" not in table:
            continue
        try:
            provider, model = _find(table["genai_prices_id"])
            prices = _standard_prices(model, today)
        except ValueError as error:
            problems.append(f"model {table['id']!r}: {error}")
            continue
        old = tuple(price for price in registry[table["id"]].prices if isinstance(price, TokenPrice))
        if _in_words(old) != _in_words(prices):  # bounds included, which the prices do not compare
            table["prices"] = tomlkit.value(_as_toml(prices))
            changes.append(PriceChange(table["id"], old, prices))
        table["source"] = ": ".join([f"{_PACKAGE}, {provider.name}", *(provider.pricing_urls or [])[:1]])
        table["checked_on"] = today
    if problems:
        raise DataFileInvalid(str(path), problems)
    new_text = tomlkit.dumps(document)
    parse_model_registry(new_text, str(path))
    _replace(path, new_text)
    return changes


def _find(genai_prices_id: str) -> tuple[Provider, ModelInfo]:
    """The provider and model of exactly this id; the package's own look-up would also take a similar name."""
    provider_id, _, model_id = genai_prices_id.partition("/")
    for provider in get_snapshot().providers:
        for model in provider.models:
            if (provider.id, model.id) == (provider_id, model_id):
                return provider, model
    raise ValueError(f"{_PACKAGE} has no model {genai_prices_id!r}")


def _standard_prices(model: ModelInfo, today: date) -> tuple[TokenPrice, ...]:
    if isinstance(model.prices, list) and any(
        not isinstance(conditional.constraint, StartDateConstraint | None) for conditional in model.prices
    ):
        raise ValueError("has a price that depends on the time of day; take it from a provider with one price")
    prices = {
        key: price
        for key, price in vars(model.get_prices(datetime.combine(today, time(), UTC))).items()
        if price is not None and not _OPTIONAL.fullmatch(key)
    }
    if inexpressible := sorted(key for key, price in prices.items() if not _is_expressible(key, price)):
        raise ValueError(f"is also charged by {', '.join(inexpressible)}, in a way that models.toml cannot express")
    input_, output = prices.get("input_mtok"), prices.get("output_mtok")
    request = prices.get("requests_kcount", Decimal(0))
    if not input_ or not output:
        raise ValueError("has no price per input token and output token")
    input_steps, output_steps = _steps(input_), _steps(output)
    if input_steps.keys() != output_steps.keys():
        raise ValueError(
            f"has long-prompt rates above {[*input_steps]} tokens for input, but above {[*output_steps]} for output"
        )
    return tuple(
        TokenPrice(input_steps[start], output_steps[start], request, above_input_tokens=start) for start in input_steps
    )


def _is_expressible(key: str, price: Decimal | TieredPrices) -> bool:
    return key in _CHARGED and (key != "requests_kcount" or isinstance(price, Decimal))


def _steps(price: Decimal | TieredPrices) -> dict[int, Decimal]:
    """The price by the number of input tokens above which it holds (exclusive), for the whole request, ascending."""
    if isinstance(price, TieredPrices):
        return {0: price.base} | {tier.start: tier.price for tier in price.tiers}
    return {0: price}


def _as_toml(prices: tuple[TokenPrice, ...]) -> str:
    rows = []
    for price in prices:
        input_usd, output_usd, request_usd = (_plain(text) for text in price.as_text)
        above = f"above_input_tokens = {price.above_input_tokens:_}, " if price.above_input_tokens else ""
        request = f", request_usd_per_thousand = {request_usd}" if price.request_usd_per_thousand else ""
        rows.append(f"{{{above}input_usd_per_mtok = {input_usd}, output_usd_per_mtok = {output_usd}{request}}}")
    return f"[{rows[0]}]" if len(rows) == 1 else "[\n" + "".join(f"    {row},\n" for row in rows) + "]"


def _in_words(prices: tuple[TokenPrice, ...]) -> str:
    parts = []
    for price in prices:
        input_usd, output_usd, request_usd = (_plain(text) for text in price.as_text)
        above = f"above {price.above_input_tokens:,} input tokens " if price.above_input_tokens else ""
        request = f" + ${request_usd} per 1,000 requests" if price.request_usd_per_thousand else ""
        parts.append(f"{above}${input_usd} in, ${output_usd} out{request}")
    return "; ".join(parts)


def _plain(decimal_text: str) -> str:
    return decimal_text.rstrip("0").rstrip(".") if "." in decimal_text else decimal_text


def _replace(path: Path, text: str) -> None:
    """Write the file in one step, so that nobody reads half of it and a full disk leaves the old one."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, temporary)
        temporary.replace(path)
    except OSError as error:
        raise DataFileInvalid(str(path), [f"cannot be written: {error}"]) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
