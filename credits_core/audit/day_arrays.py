"""Adds up the ledger's transactions by day in arrays, to find the days on which the daily tables may be wrong.

What the sums on such a day should be is for the database to say. Names become small numbers here, so that one 64-bit
number is the key of a row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Table, select

from credits_core.audit.blocks import Row, blocks, whole_numbers
from credits_core.store.kinds import PLATFORM_PREFIX
from credits_core.store.tables import CreditTransaction, DailySum, DailyTotal, JournalEntry
from credits_core.values.arrays import Credits
from credits_core.values.credits import MAX_CREDITS

_KINDS = 2**32
_MOST_PARTS = 200
_MAX_INT64 = 2**63 - 1
_USERS = "users"
_TOTAL = (np.add, np.add)
_SUM = (np.add, np.add, np.add, np.minimum, np.maximum)


@dataclass(frozen=True, slots=True)
class ComparedDays:
    """The days on which `daily_totals` or `daily_sums` differ from the ledger, and how many rows they have in all."""

    days: frozenset[int]
    rows: int


def compare_days(connection: Connection, day: ColumnElement[int], last_entry_id: int) -> ComparedDays | None:
    """Compare `daily_totals` and `daily_sums` with the transactions up to this entry, whose day is the column `day`.

    None when something in them is no whole number, or so large that a sum could pass 64 bits.
    """
    keys = _Keys()
    try:
        totals, sums = _moved(connection, keys, day, last_entry_id)
        kept_totals = _kept(connection, keys, DailyTotal.__table__, _Sums(_TOTAL))  # type: ignore[arg-type]
        kept_sums = _kept(connection, keys, DailySum.__table__, _Sums(_SUM))  # type: ignore[arg-type]
        days = keys.days(np.concatenate([totals.differing(kept_totals), sums.differing(kept_sums)]))
    except _DoesNotFitError:
        return None
    return ComparedDays(days, kept_totals.rows + kept_sums.rows)


class _DoesNotFitError(Exception):
    """Something is no whole number of 64 bits, or no name."""


class _Codes(dict[Any, int]):
    """Numbers things in the order in which they are first seen, from 0."""

    def __missing__(self, thing: Any) -> int:
        self[thing] = code = len(self)
        return code

    def of(self, things: Iterable[Any]) -> Credits:
        """The number of each."""
        return np.fromiter(map(self.__getitem__, things), np.int64)


class _Names(_Codes):
    """Numbers names, and remembers which are the platform's."""

    def __init__(self) -> None:
        super().__init__()
        self.users = self[_USERS]
        self.platform: list[int] = []

    def __missing__(self, name: str) -> int:
        code = super().__missing__(name)
        if name.startswith(PLATFORM_PREFIX):
            self.platform.append(code)
        return code


class _Keys:
    """The keys of rows: who, and a day with the types of entry and transaction."""

    def __init__(self) -> None:
        self._names, self._kinds = _Names(), _Codes()

    def of(self, days: Row, names: Row, entry_types: Row, types: Row) -> tuple[Credits, Credits]:
        """The keys by account and by party."""
        if set(map(type, names)) - {str}:
            raise _DoesNotFitError
        kind = self._kinds.of(zip(days, entry_types, types, strict=True))
        who = self._names.of(names)
        party = np.where(np.isin(who, self._names.platform), who, self._names.users)
        return who * _KINDS + kind, party * _KINDS + kind

    def days(self, keys: Credits) -> frozenset[int]:
        """The days of these keys."""
        kinds = list(self._kinds)
        days = frozenset(kinds[kind][0] for kind in np.unique(keys & (_KINDS - 1)))
        if set(map(type, days)) - {int}:
            raise _DoesNotFitError
        return days


class _Sums:
    """Columns added up (or their least or largest kept) by key, some rows at a time."""

    def __init__(self, ways: Sequence[np.ufunc]) -> None:
        self._ways = ways
        self._parts: list[tuple[Credits, ...]] = []

    def add(self, keys: Credits, *columns: Credits) -> None:
        self._parts.append(self._by_key(keys, columns))
        if len(self._parts) >= _MOST_PARTS:  # most rows of a block have keys that others have, too
            self._all()

    @property
    def rows(self) -> int:
        return len(self._all()[0])

    def differing(self, other: "_Sums") -> Credits:
        """The keys that only one of the two has, or with other numbers."""
        (keys, *columns), (other_keys, *other_columns) = self._all(), other._all()
        common, here, there = np.intersect1d(keys, other_keys, assume_unique=True, return_indices=True)
        pairs = zip(columns, other_columns, strict=True)
        unequal = reduce(np.logical_or, (left[here] != right[there] for left, right in pairs))
        return np.concatenate([np.setxor1d(keys, other_keys, assume_unique=True), common[unequal]])

    def _all(self) -> tuple[Credits, ...]:
        if len(self._parts) != 1:
            nothing = (np.zeros(0, np.int64),) * (len(self._ways) + 1)
            keys, *columns = map(np.concatenate, zip(nothing, *self._parts, strict=True))
            self._parts = [self._by_key(keys, columns)]
        return self._parts[0]

    def _by_key(self, keys: Credits, columns: Sequence[Credits]) -> tuple[Credits, ...]:
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first = np.flatnonzero(np.concatenate([np.ones(min(len(keys), 1), bool), keys[1:] != keys[:-1]]))
        if not len(first):
            return keys, *columns
        added = (way.reduceat(column[order], first) for way, column in zip(self._ways, columns, strict=True))
        return keys[first], *added


def _moved(connection: Connection, keys: _Keys, day: ColumnElement[int], last_entry_id: int) -> tuple[_Sums, _Sums]:
    """What the transactions come to, by account and by party."""
    transactions = (
        select(
            day,
            CreditTransaction.account_id,
            JournalEntry.type,
            CreditTransaction.type,
            CreditTransaction.amount_credits,
            CreditTransaction.entry_id,
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id <= last_entry_id)
    )
    totals, sums, moved_credits = _Sums(_TOTAL), _Sums(_SUM), 0
    for block in blocks(connection, transactions):
        days, names, entry_types, types, amounts, entry_ids = zip(*block, strict=True)
        by_account, by_party = keys.of(days, names, entry_types, types)
        moved, ids, ones = _numbers(amounts), _numbers(entry_ids), np.ones(len(block), np.int64)
        if moved.min() < -MAX_CREDITS or moved.max() > MAX_CREDITS:  # first: the sum below would pass 64 bits
            raise _DoesNotFitError
        moved_credits += int(np.abs(moved).sum())
        if moved_credits > _MAX_INT64:
            raise _DoesNotFitError
        totals.add(by_account, moved, ones)
        sums.add(by_party, np.maximum(moved, 0), np.maximum(-moved, 0), ones, ids, ids)
    return totals, sums


def _kept(connection: Connection, keys: _Keys, table: Table, sums: _Sums) -> _Sums:
    for block in blocks(connection, select(table)):
        days, names, entry_types, types, *numbers = zip(*block, strict=True)
        sums.add(keys.of(days, names, entry_types, types)[0], *map(_numbers, numbers))
    return sums


def _numbers(column: Row) -> Credits:
    numbers = whole_numbers(column)
    if numbers is None:
        raise _DoesNotFitError
    return numbers
