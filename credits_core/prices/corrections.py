"""Our corrections of the genai-prices package: a small dated file, each with its source, on top of its prices."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from credits_core.errors import DataFileInvalid
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices

_KEYS = {"model", "weekdays_only", "why", "source", "checked_on"}


@dataclass(frozen=True, slots=True)
class Correction:
    """A model whose peak prices hold on weekdays only. `source` says who says so, `checked_on` when it was read."""

    model: str
    why: str
    source: str
    checked_on: date

    def applied_to(self, prices: ModelPrices) -> ModelPrices:
        """The corrected prices; the same prices when there is nothing to correct."""
        return replace(prices, standard=tuple(map(self._on_weekdays, prices.standard)))

    def _on_weekdays(self, dated: DatedPrices) -> DatedPrices:
        return replace(dated, is_on_weekdays=True) if dated.hours is not None else dated


def load_corrections(path: Path) -> Mapping[str, Correction]:
    """The corrections of a file, by the model they are for.

    Raises:
        DataFileInvalid: the file is missing or wrong; every problem is listed.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
    corrections: dict[str, Correction] = {}
    problems = [
        f"has an unknown key {key!r}; known is corrections" for key in sorted(document.keys() - {"corrections"})
    ]
    for number, row in enumerate(document.get("corrections", []), 1):
        if problem := _problem(row, corrections):
            problems.append(f"correction {number}: {problem}")
        else:
            corrections[row["model"]] = Correction(**{key: row[key] for key in _KEYS - {"weekdays_only"}})
    if problems:
        raise DataFileInvalid(str(path), problems)
    return corrections


def _problem(row: Any, before: Mapping[str, Correction]) -> str | None:
    if not isinstance(row, dict) or row.keys() != _KEYS:
        return f"needs exactly the keys {', '.join(sorted(_KEYS))}"
    if any(not isinstance(row[key], str) or not row[key].strip() for key in ("model", "why", "source")):
        return "model, why and source must be texts"
    if row["weekdays_only"] is not True:
        return "weekdays_only must be true"
    if type(row["checked_on"]) is not date:
        return "checked_on must be a date such as 2026-11-26"
    return f"{row['model']} is corrected twice" if row["model"] in before else None
