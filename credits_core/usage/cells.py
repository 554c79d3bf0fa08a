"""The cells of one row by name, read as counts, costs, times and texts. Pure.

Programs write one name in many ways (`startTime`, `start_time`, `Start time`), so names are compared without case,
blanks and marks.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from credits_core.usage.forms import BadCell, Forms, is_nothing, read_cost_pico, read_count, read_moment
from credits_core.values.fields import cut_repr

_MARKS = re.compile(r"[^a-z0-9]+")
_TRUE, _FALSE = {"true", "1", "yes", "t"}, {"false", "0", "no", "f"}
_LONGEST = 128


@lru_cache(maxsize=4_096)
def plain_name(name: str) -> str:
    """A column's name without what programs differ in.

    >>> plain_name("Start Time (UTC)"), plain_name("startTimeUTC")
    ('starttimeutc', 'starttimeutc')
    """
    return _MARKS.sub("", name.lower())


class _Header:
    """The columns of rows that have the same ones: for the names of a cell, those that are there."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._places = {plain_name(column): column for column in reversed(columns)}
        self._found: dict[tuple[str, ...], tuple[str, ...]] = {}

    def there(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The columns of these names, in their order."""
        found = self._found.get(names)
        if found is None:
            plain = map(plain_name, names)
            found = self._found[names] = tuple(self._places[name] for name in plain if name in self._places)
        return found


_header = lru_cache(maxsize=1_024)(_Header)


class Cells:
    """The cells of a row. Every reading raises `BadCell` with the column, when the cell cannot be read."""

    def __init__(self, cells: Mapping[str, Any], forms: Forms) -> None:
        self.whole = cells
        self.forms = forms
        self._header = _header(tuple(cells))

    def column(self, *names: str) -> str | None:
        """The first of these columns that the row has and that holds something; else the first that it has; or None."""
        there = self._header.there(names)
        for one in there:
            if not is_nothing(self.whole[one]):
                return one
        return there[0] if there else None

    def text(self, *names: str) -> str:
        """The text of the first of these columns with something in it, at most 128 characters; else an empty one."""
        column = self.column(*names)
        if column is None or is_nothing(self.whole[column]):
            return ""
        return str(self.whole[column]).strip()[:_LONGEST].strip()

    def count(self, *names: str) -> int | None:
        """A whole number, or None where there is none."""
        column = self.column(*names)
        if column is None:
            return None
        found: int | None = self._read(column, read_count)
        return found

    def needed_count(self, *names: str) -> int:
        """A whole number that has to be there."""
        found = self.count(*names)
        if found is None:
            raise BadCell("must be given", column=self.column(*names) or names[0])
        return found

    def cost_pico(self, *names: str) -> int | None:
        """A cost in dollars, as millionths of a credit."""
        column = self.column(*names)
        found: int | None = None if column is None else self._read(column, read_cost_pico)
        return found

    def moment(self, *names: str) -> datetime:
        """A time that has to be there, in UTC."""
        column = self.column(*names)
        found: datetime | None = None if column is None else self._read(column, read_moment)
        if found is None:
            raise BadCell("must be given", column=column or names[0])
        return found

    def is_true(self, *names: str) -> bool:
        """Whether a cell says yes; one without anything says no."""
        column = self.column(*names)
        found = "" if column is None or is_nothing(self.whole[column]) else str(self.whole[column]).strip().lower()
        if found and found not in _TRUE | _FALSE:
            raise BadCell(f"must be true or false, not {cut_repr(found)}", column=column or "")
        return found in _TRUE

    def inner(self, *names: str) -> Mapping[str, Any]:
        """The JSON object in a cell; an empty one where there is none."""
        column = self.column(*names)
        found = None if column is None else self.whole[column]
        if is_nothing(found):
            return {}
        if isinstance(found, str):
            try:
                found = json.loads(found, parse_float=Decimal)
            except (ValueError, RecursionError):
                raise BadCell("must be JSON, and cannot be read as such", column=column or "") from None
        if isinstance(found, list):  # a map, as Parquet keeps it
            found = dict(one for one in found if isinstance(one, tuple) and len(one) == 2)
        if not isinstance(found, Mapping):
            raise BadCell("must be a JSON object", column=column or "")
        return found

    def shown(self, column: str) -> str:
        """What a cell holds, cut short, for a list of refused rows."""
        found = self.whole.get(column)
        return "" if found is None else str(found)[:80]

    def _read(self, column: str, read: Any) -> Any:
        try:
            return read(self.whole[column], self.forms)
        except BadCell as bad:
            bad.column = bad.column or column
            raise


def inner_counts(found: Mapping[str, Any], forms: Forms, column: str, *, above: str = "") -> dict[str, int]:
    """The counts in a JSON object, by their names; parts of an object in it have a point in theirs.

    >>> inner_counts({"input": 5, "input_details": {"cached_tokens": 2}, "note": None}, Forms(), "usage")
    {'input': 5, 'input_details.cached_tokens': 2}
    """
    counts: dict[str, int] = {}
    for key, one in found.items():
        name = f"{above}{key}"
        if isinstance(one, Mapping):
            counts |= inner_counts(one, forms, column, above=f"{name}.")
        elif isinstance(one, int | float | Decimal | str) and not isinstance(one, bool):
            try:
                count = read_count(one, forms)
            except BadCell as bad:
                if isinstance(one, str):
                    continue  # a word beside the counts
                raise BadCell(f"{name} {bad.reason}", question=bad.question, column=column) from None
            if count is not None:
                counts[name] = count
    return counts


def first_of(found: Mapping[str, int], names: Iterable[str]) -> int:
    """The first of these counts that is there and above 0; 0 where none is."""
    return next((found[name] for name in names if found.get(name)), 0)
