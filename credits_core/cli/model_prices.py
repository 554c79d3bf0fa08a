"""Takes model prices from the genai-prices package into `data/models.toml`: `python -m credits_core models refresh`.

It uses the price data that the package carries, never the network, and runs on demand: what a run costs is read from
the file alone.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import tomlkit
import typer

from credits_core import settings
from credits_core.errors import CreditsError, DataFileInvalid
from credits_core.prices import catalogue, package
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import PLAIN_PRICE_USD, parse_model_registry
from credits_core.pricing.units import UNITS


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A model whose prices differ from those in the file."""

    model_id: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.model_id}: {self.old} -> {self.new}"


def refresh_and_print() -> None:
    """Take today's prices into `data/models.toml` and print what changed."""
    changes = refresh(settings.MODELS_FILE, datetime.now(UTC).date())
    for change in changes:
        typer.echo(change)
    typer.echo(f"{settings.MODELS_FILE.name}: {len(changes)} price(s) changed")


def refresh(path: Path, today: date) -> list[PriceChange]:
    """The prices that changed when every model with a `genai_prices_id` was given the package's, in the file's order.

    Rewrites `prices`, `service_tiers`, `source` and `checked_on` of those models and keeps everything else, comments
    included. Done again on the same day, it writes the identical file. Our corrections are applied.

    Raises:
        DataFileInvalid: the file cannot be read, used or written, or the package has no such model or no price for it.
            Every model with a problem is listed; nothing is written.
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
        package_id = table["genai_prices_id"]
        if package.found(package_id) is None:
            problems.append(f"model {table['id']!r}: {package.PACKAGE_VERSION} has no model {package_id!r}")
            continue
        try:
            prices, source = catalogue.prices_of(package_id, settings.PRICE_CORRECTIONS_FILE)
        except (CreditsError, ValueError) as error:
            problems.append(f"model {table['id']!r}: {error}")
            continue
        old = registry[table["id"]].prices
        assert isinstance(old, ModelPrices), "a model with a genai_prices_id has prices"
        if old != prices:
            _write(table, prices)
            changes.append(PriceChange(table["id"], in_words(old), in_words(prices)))
        table["source"] = source
        table["checked_on"] = today
    if problems:
        raise DataFileInvalid(str(path), problems)
    new_text = tomlkit.dumps(document)
    parse_model_registry(new_text, str(path))
    _replace(path, new_text)
    return changes


def in_words(prices: ModelPrices) -> str:
    """Every price of a model in one line: what holds now and later, and the service tiers."""
    said = [_dated_words(dated) for dated in prices.standard]
    for name, rows in prices.service_tiers.items():
        said += [f"{name} {_dated_words(dated)}" for dated in rows]
    return "; ".join(said)


def _dated_words(dated: DatedPrices) -> str:
    when = [f"from {dated.first_day}"] if dated.first_day else []
    if dated.hours:
        begin, end = dated.hours
        when.append(f"{begin:%H:%M} to {end:%H:%M} UTC")
    if dated.is_on_weekdays:
        when.append("on weekdays")
    parts = []
    for key in UNITS:
        if key in dated.prices.units:
            usd, tiers = dated.prices.units[key]
            above = "".join(f", ${_plain(higher)} above {bound:,} input tokens" for bound, higher in tiers)
            parts.append(f"${_plain(usd)}{above} {key.removesuffix('_tokens')}")
    return f"{' '.join(when)}{': ' if when else ''}{', '.join(parts)}"


def _write(table: dict[str, Any], prices: ModelPrices) -> None:
    table["prices"] = tomlkit.value(_rows_toml(prices.standard))
    if prices.service_tiers:
        tiers = ", ".join(f"{name} = {_rows_toml(rows)}" for name, rows in prices.service_tiers.items())
        table["service_tiers"] = tomlkit.value(f"{{{tiers}}}")
    else:
        table.pop("service_tiers", None)


def _rows_toml(rows: tuple[DatedPrices, ...]) -> str:
    written = [_row_toml(dated) for dated in rows]
    return f"[{written[0]}]" if len(written) == 1 else f"[{', '.join(written)}]"


def _row_toml(dated: DatedPrices) -> str:
    fields = [f"from = {dated.first_day}"] if dated.first_day else []
    if dated.hours:
        fields.append(f'utc_hours = ["{dated.hours[0]:%H:%M}", "{dated.hours[1]:%H:%M}"]')
    if dated.is_on_weekdays:
        fields.append("weekdays_only = true")
    if dated.prices.minimum_seconds:
        fields.append(f"minimum_seconds = {dated.prices.minimum_seconds}")
    every = [usd for base, tiers in dated.prices.units.values() for usd in (base, *(usd for _, usd in tiers))]
    if max(every) > PLAIN_PRICE_USD:
        fields.append("confirmed = true")
    for key in UNITS:
        if key in dated.prices.units:
            usd, tiers = dated.prices.units[key]
            above = ", ".join(f"{bound} = {_plain(higher)}" for bound, higher in tiers)
            price = f"{{usd = {_plain(usd)}, above = {{{above}}}}}" if tiers else _plain(usd)
            fields.append(f"{key} = {price}")
    return f"{{{', '.join(fields)}}}"


def _plain(usd: Decimal) -> str:
    text = f"{usd:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


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
