"""Price lists as TOML, in the form of `data/models.toml`: renewed, with a model more or less, and compared.

Everything that is not changed stays as it was written, comments included.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Whitespace

from credits_core.errors import CreditsError, DataFileInvalid, InvalidRequest
from credits_core.prices import catalogue, package
from credits_core.prices.refusals import NotOffered, PriceNotConfirmed
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.models_toml import PLAIN_PRICE_USD, parse_model_registry
from credits_core.pricing.price_words import price_words, prices_words
from credits_core.pricing.units import UNITS


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A model whose prices differ from those in the file."""

    model_id: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.model_id}: {self.old} -> {self.new}"


def refreshed(text: str, source: str, corrections: Path, today: date) -> tuple[str, list[PriceChange]]:
    """The text of a price list with the package's prices of today, and which prices changed.

    Raises:
        DataFileInvalid: the text is no price list, or the package has no such model or no price for it. Every model
            with a problem is listed.
    """
    registry = parse_model_registry(text, source)
    document: dict[str, Any] = tomlkit.parse(text)
    headings = [_cut_heading(table) for table in document["models"]]
    changes: list[PriceChange] = []
    problems: list[str] = []
    for table in document["models"]:
        if "genai_prices_id" not in table:
            continue
        package_id = table["genai_prices_id"]
        if package.find(package_id) is None:
            problems.append(f"model {table['id']!r}: {package.PACKAGE_VERSION} has no model {package_id!r}")
            continue
        try:
            prices, origin = catalogue.prices_of(package_id, corrections)
        except CreditsError as refusal:
            problems.append(f"model {table['id']!r}: {refusal}")
            continue
        old = registry[table["id"]].prices
        assert isinstance(old, ModelPrices), "a model with a genai_prices_id has prices"
        if old != prices:
            _write(table, prices)
            table.pop("known_since", None)
            changes.append(PriceChange(table["id"], prices_words(old), prices_words(prices)))
        elif table["checked_on"] != today and "known_since" not in table:
            _write_after(table, "checked_on", "known_since", date.fromisoformat(str(table["checked_on"])))
        table["source"] = origin
        table["checked_on"] = today
    if problems:
        raise DataFileInvalid(source, problems)
    for table, heading in zip(document["models"], headings, strict=True):
        table.value.body.extend(heading)
    new_text = tomlkit.dumps(document)
    parse_model_registry(new_text, source)
    return new_text, changes


def with_model(
    text: str, name: str, corrections: Path, today: date, *, is_price_confirmed: bool = False
) -> tuple[str, str]:
    """The text of a price list with one more model, which the package has a price for, and the model's id.

    Raises:
        UnknownModel, AmbiguousModel, NoPrice: no model has the name, several have it, or it has no price.
        InvalidRequest: the list has the model already.
        PriceNotConfirmed: a price is above 1,000 dollars, and nobody has confirmed it.
    """
    found = catalogue.find_model(name, corrections)
    registry = parse_model_registry(text)
    if found.id in registry.models or found.id in registry.ids_by_package_id:
        raise InvalidRequest("model", f"{found.id} is offered already")
    assert isinstance(found.prices, ModelPrices), "the package prices by usage"
    if needs_confirming(found.prices) and not is_price_confirmed:
        raise PriceNotConfirmed(found.id, prices_words(found.prices))
    document: dict[str, Any] = tomlkit.parse(text)
    table: dict[str, Any] = tomlkit.table()
    table["id"], table["name"], table["provider"] = found.id, found.name, found.provider
    table["type"], table["genai_prices_id"] = found.type, found.id
    _write(table, found.prices)
    table["source"], table["checked_on"] = found.source, today
    if found.context_tokens is not None:
        table["context_tokens"] = found.context_tokens
    if not text.endswith("\n\n"):
        document["models"][-1].add(tomlkit.nl())
    document["models"].append(table)
    return tomlkit.dumps(document), found.id


def without_model(text: str, model_id: str) -> str:
    """The text of a price list without one of its models. Comments after it stay: they are the next model's heading.

    Raises:
        NotOffered: the list does not have it.
        InvalidRequest: it is the last one.
    """
    document: dict[str, Any] = tomlkit.parse(text)
    places = [place for place, table in enumerate(document["models"]) if table["id"] == model_id]
    if not places:
        raise NotOffered(model_id)
    if len(document["models"]) == 1:
        raise InvalidRequest("model", f"{model_id} is the last model that is offered")
    (place,) = places
    heading = _comments_after(document["models"][place])
    del document["models"][place]
    if place:
        for item in heading:
            document["models"][place - 1].add(item)
        return tomlkit.dumps(document)
    # Only comments come before the first model.
    head = "".join(item.as_string() for _, item in takewhile(_is_unnamed, document.body))  # type: ignore[attr-defined]
    below = tomlkit.dumps(document).removeprefix(head)
    return f"{head}{''.join(item.as_string() for item in heading)}{below}"


def _cut_heading(table: Any) -> list[Any]:
    # To tomlkit the heading of the next model is the end of this one, and a new key would come below it.
    body = table.value.body
    heading = [*takewhile(_is_unnamed, reversed(body))][::-1]
    del body[len(body) - len(heading) :]
    return heading


def _comments_after(table: Any) -> list[Any]:
    after = [item for _, item in takewhile(_is_unnamed, reversed(table.value.body))]
    return list(dropwhile(lambda item: isinstance(item, Whitespace), reversed(after)))


def _is_unnamed(part: tuple[object, object]) -> bool:
    return part[0] is None


def _write(table: dict[str, Any], prices: ModelPrices) -> None:
    table["prices"] = tomlkit.value(_rows_toml(prices.standard))
    if prices.service_tiers:
        tiers = ", ".join(f"{name} = {_rows_toml(rows)}" for name, rows in prices.service_tiers.items())
        table["service_tiers"] = tomlkit.value(f"{{{tiers}}}")
    else:
        table.pop("service_tiers", None)


def _write_after(table: dict[str, Any], key: str, new_key: str, day: date) -> None:
    # At the end of the table it would stand below the comments that are the next model's heading.
    table.value._insert_after(key, new_key, tomlkit.item(day))  # type: ignore[attr-defined]


def _rows_toml(rows: tuple[DatedPrices, ...]) -> str:
    return f"[{', '.join(map(_row_toml, rows))}]"


def _row_toml(dated: DatedPrices) -> str:
    fields = [f"from = {dated.first_day}"] if dated.first_day else []
    if dated.hours:
        fields.append(f'utc_hours = ["{dated.hours[0]:%H:%M}", "{dated.hours[1]:%H:%M}"]')
    if dated.is_on_weekdays:
        fields.append("weekdays_only = true")
    if dated.prices.minimum_seconds:
        fields.append(f"minimum_seconds = {dated.prices.minimum_seconds}")
    if _highest(dated) > PLAIN_PRICE_USD:
        fields.append("confirmed = true")
    for key in UNITS:
        if key in dated.prices.units:
            usd, tiers = dated.prices.units[key]
            above = ", ".join(f"{bound} = {_plain(higher)}" for bound, higher in tiers)
            price = f"{{usd = {_plain(usd)}, above = {{{above}}}}}" if tiers else _plain(usd)
            fields.append(f"{key} = {price}")
    return f"{{{', '.join(fields)}}}"


def _highest(dated: DatedPrices) -> Decimal:
    return max(usd for base, tiers in dated.prices.units.values() for usd in (base, *(usd for _, usd in tiers)))


def needs_confirming(prices: ModelPrices) -> bool:
    """Whether a price is so high that it may be meant for another size, so that a person has to confirm it."""
    return any(_highest(dated) > PLAIN_PRICE_USD for dated in sum(prices.service_tiers.values(), prices.standard))


def _plain(usd: Decimal) -> str:
    text = f"{usd:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def differences(live: ModelRegistry, other: ModelRegistry) -> Iterator[str]:
    """What changes from one list to another, a line for each model, in the order of the lists."""
    for model_id, model in other.models.items():
        if model_id not in live.models:
            yield f"+ {model_id}: {price_words(model)}"
            continue
        old = live.models[model_id]
        if old.prices != model.prices:
            yield f"~ {model_id}: {price_words(old)} -> {price_words(model)}"
        if old.deployments != model.deployments:
            was, now = (", ".join(one.deployments) or "none" for one in (old, model))
            yield f"~ {model_id}: deployments {was} -> {now}"
    for model_id, model in live.models.items():
        if model_id not in other.models:
            yield f"- {model_id}: {price_words(model)}"
