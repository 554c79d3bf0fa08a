"""Price lists as TOML: those of the database, and `data/models.toml`, which a new database begins with."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.pricing.dated_prices import STANDARD_TIERS, DatedPrices, ModelPrices
from credits_core.pricing.models import MODEL_TYPES, Model, ModelRegistry, RunPrice
from credits_core.pricing.units import UNITS
from credits_core.pricing.usage_price import TieredPrices
from credits_core.values.credits import require_credits
from credits_core.values.fields import require_model_id

MAX_PRICE_USD = 1_000_000
"""Largest price of a unit's `per`, in dollars: a dollar for each token."""
PLAIN_PRICE_USD = 1_000
"""Above this a price is more likely one per thousand tokens than one per million, and has to be confirmed."""


def parse_model_registry(text: str, source: str = "models.toml", *, is_kept: bool = False) -> ModelRegistry:
    """The registry written as TOML `[[models]]` tables (the head of `data/models.toml` describes the keys).

    A list that `is_kept` already may have two models under one `genai_prices_id`, as earlier versions let it: such a
    list stays usable, and only a name that could mean either is refused.

    Raises:
        DataFileInvalid: not TOML, a missing or unknown key, an id twice, two models under one `genai_prices_id`, a
            price that is no number of dollars from 0 to 1,000,000 with at most twelve decimals, or a condition that
            makes no sense. Every model with a problem is listed, with its first one.

    >>> parse_model_registry('''[[models]]
    ... id = "claude-3-haiku"
    ... name = "Claude 3 Haiku"
    ... provider = "anthropic"
    ... type = "text"
    ... run_price_credits = 250
    ... source = "PromptFlow specification"
    ... checked_on = 2026-11-23''')["claude-3-haiku"].prices
    RunPrice(run_price_credits=250)
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
    ids_by_package_id: dict[str, tuple[str, ...]] = {}
    ids_by_deployment: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        try:
            model = _parse_model(row)
        except (InvalidRequest, ValueError) as error:
            name = repr(row["id"]) if isinstance(row, dict) and "id" in row else f"number {number}"
            problems.append(f"model {name}: {error}")
            continue
        if model.id in models:
            problems.append(f"model {model.id!r} is listed twice")
            continue
        models[model.id] = model
        for name in model.deployments:
            if name in ids_by_deployment:
                problems.append(f"model {model.id!r}: {name!r} is a deployment of {ids_by_deployment[name]!r} already")
            ids_by_deployment[name] = model.id
        if "genai_prices_id" in row:
            package_id = row["genai_prices_id"]
            ids_by_package_id[package_id] = (*ids_by_package_id.get(package_id, ()), model.id)
    for package_id, ids in ids_by_package_id.items():
        if package_id in models and package_id not in ids:
            ids_by_package_id[package_id] = (*ids, package_id)
    problems += [
        f"model {name!r} is also a deployment of {ids_by_deployment[name]!r}"
        for name in models
        if name in ids_by_deployment
    ]
    if not is_kept:
        problems += _shared(ids_by_package_id)
    if problems:
        raise DataFileInvalid(source, problems)
    return ModelRegistry(models, ids_by_package_id, ids_by_deployment)


def _shared(ids_by_package_id: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for package_id, ids in ids_by_package_id.items():
        if len(ids) > 1:
            named = " and ".join(map(repr, ids))
            yield f"models {named} are both {package_id}, so its names could mean either; keep one"


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
        optional={
            "run_price_credits",
            "prices",
            "service_tiers",
            "genai_prices_id",
            "context_tokens",
            "known_since",
            "deployments",
        },
    )
    for key in ("name", "provider", "source", "genai_prices_id"):
        if key in table and (not isinstance(table[key], str) or not table[key].strip()):
            raise ValueError(f"{key} must be a text, not {table[key]!r}")
    if table["type"] not in MODEL_TYPES:
        raise ValueError(f"type must be one of {', '.join(MODEL_TYPES)}, not {table['type']!r}")
    if type(table["checked_on"]) is not date:
        raise ValueError(f"checked_on must be a date such as 2026-11-23, not {table['checked_on']!r}")
    known_since = table.get("known_since", table["checked_on"])
    if type(known_since) is not date or known_since > table["checked_on"]:
        raise ValueError(f"known_since must be a date that is not after checked_on, not {known_since!r}")
    if ("run_price_credits" in table) == ("prices" in table):
        raise ValueError("needs exactly one of run_price_credits and prices")
    if "prices" not in table and table.keys() & {"genai_prices_id", "service_tiers"}:
        raise ValueError("has a genai_prices_id or service_tiers, but no prices")
    context_tokens = table.get("context_tokens")
    if context_tokens is not None and (type(context_tokens) is not int or context_tokens < 1):
        raise ValueError(f"context_tokens must be a whole number from 1, not {context_tokens!r}")
    deployments = table.get("deployments", [])
    if type(deployments) is not list:
        raise ValueError(f"deployments must be a list of names, not {deployments!r}")
    prices: RunPrice | ModelPrices
    if "prices" in table:
        tiers = _require_table("service_tiers", table.get("service_tiers", {}), required=set(), optional=None)
        prices = ModelPrices(_parse_dated(table["prices"]), {name: _parse_dated(rows) for name, rows in tiers.items()})
        _require_sense(prices)
    else:
        prices = RunPrice(require_credits("run_price_credits", table["run_price_credits"]))
    return Model(
        id=require_model_id("id", table["id"]),
        name=table["name"],
        provider=table["provider"],
        type=table["type"],
        prices=prices,
        source=table["source"],
        checked_on=table["checked_on"],
        context_tokens=context_tokens,
        known_since=known_since,
        deployments=tuple(require_model_id("deployments", name) for name in deployments),
    )


def _require_sense(prices: ModelPrices) -> None:
    if not prices.standard[0].is_always:
        raise ValueError("the first of its prices holds whenever no other does, so it has no condition")
    for name, rows in prices.service_tiers.items():
        if name in STANDARD_TIERS:
            raise ValueError(f"service_tiers must not name {name}, which means the standard prices")
        if any(dated.prices.minimum_seconds for dated in rows):
            raise ValueError("minimum_seconds is one for all service tiers, so it belongs to the standard prices")


_CONDITIONS = {"from", "utc_hours", "weekdays_only", "minimum_seconds", "confirmed"}


def _parse_dated(rows: object) -> tuple[DatedPrices, ...]:
    if not isinstance(rows, list) or not rows:
        raise ValueError("prices must be a list of at least one table")
    return tuple(map(_parse_prices, rows))


def _parse_prices(row: object) -> DatedPrices:
    table = _require_table("a price", row, required=set(), optional={*UNITS, *_CONDITIONS})
    priced = [key for key in UNITS if key in table]
    if not priced:
        raise ValueError("a price must be for at least one unit, such as input_tokens")
    is_confirmed, on_weekdays = table.get("confirmed", False), table.get("weekdays_only", False)
    for key, flag in (("confirmed", is_confirmed), ("weekdays_only", on_weekdays)):
        if type(flag) is not bool:
            raise ValueError(f"{key} must be true or false, not {flag!r}")
    minimum_seconds = table.get("minimum_seconds", 0)
    if type(minimum_seconds) is not int or not 0 <= minimum_seconds <= 86_400:
        raise ValueError(f"minimum_seconds must be a whole number from 0 to 86,400, not {minimum_seconds!r}")
    first_day = table.get("from")
    if first_day is not None and type(first_day) is not date:
        raise ValueError(f"from must be a date such as 2026-12-01, not {first_day!r}")
    units = {key: _parse_unit_price(key, table[key], is_confirmed=is_confirmed) for key in priced}
    return DatedPrices(TieredPrices(units, minimum_seconds), first_day, _hours(table.get("utc_hours")), on_weekdays)


def _parse_unit_price(
    key: str, price: object, *, is_confirmed: bool
) -> tuple[Decimal, tuple[tuple[int, Decimal], ...]]:
    if not isinstance(price, dict):
        return _require_dollars(key, price, is_confirmed=is_confirmed), ()
    table = _require_table(key, price, required={"usd", "above"}, optional=set())
    above = _require_table(f"{key}.above", table["above"], required=set(), optional=None)
    if not above or not all(bound.isascii() and bound.isdigit() for bound in above):
        raise ValueError(f"{key}.above must name numbers of input tokens, not {', '.join(above) or 'nothing'}")
    tiers = [
        (int(bound), _require_dollars(f"{key}.above.{bound}", usd, is_confirmed=is_confirmed))
        for bound, usd in above.items()
    ]
    if sorted({bound for bound, _ in tiers}) != [bound for bound, _ in tiers]:
        raise ValueError(f"{key}.above must rise, not {', '.join(above)}")
    return _require_dollars(f"{key}.usd", table["usd"], is_confirmed=is_confirmed), tuple(tiers)


def _hours(given: object) -> tuple[time, time] | None:
    if given is None:
        return None
    try:
        begin, end = (time.fromisoformat(text) for text in given)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(f'utc_hours must be such as ["01:00", "04:00"], not {given!r}') from None
    if begin == end or begin.tzinfo or end.tzinfo:
        raise ValueError(f"utc_hours must be two different times without a zone, not {given!r}")
    return begin, end


def _require_table(what: str, row: object, *, required: set[str], optional: set[str] | None) -> dict[str, Any]:
    if type(row) is not dict:
        raise ValueError(f"{what} must be a table, not {row!r}")
    if missing := required - row.keys():
        raise ValueError(f"{what} lacks {', '.join(sorted(missing))}")
    if optional is not None and (unknown := row.keys() - required - optional):
        raise ValueError(f"{what} has unknown keys {', '.join(sorted(unknown))}")
    return row


def _require_dollars(key: str, number: object, *, is_confirmed: bool) -> Decimal:
    if type(number) is not int and not isinstance(number, Decimal):
        raise ValueError(f"{key} must be a number of dollars, not {number!r}")
    price_usd = Decimal(number)
    if not price_usd.is_finite() or not 0 <= price_usd <= MAX_PRICE_USD:
        raise ValueError(f"{key} must be from 0 to {MAX_PRICE_USD:,} dollars, not {number}")
    if price_usd > PLAIN_PRICE_USD and not is_confirmed:
        per = UNITS[key.partition(".")[0]].per
        raise ValueError(
            f"{key} is {number} dollars per {per:,}, which looks like a price per {per // 1000 or 1:,}. Divide it, or "
            "write confirmed = true beside it"
        )
    # Within these bounds no later product of a price reaches the 28 digits at which a Decimal would be rounded.
    if price_usd != price_usd.quantize(Decimal("1e-12")):
        raise ValueError(f"{key} must have at most twelve decimals, not {number}")
    return price_usd
