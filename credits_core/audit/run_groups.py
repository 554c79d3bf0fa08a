"""Groups recorded runs that can be priced together: the same terms, and the same units used.

A group says what holds for all of its runs, so that arrays decide about them. What cannot be read, or does not fit into
an array, makes a group without a usage or a price, whose runs are then looked at one by one.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, select

from credits_core.audit.blocks import Row, whole_numbers
from credits_core.errors import CreditsError
from credits_core.ledger import entries
from credits_core.pricing.models import Price, RunPrice
from credits_core.pricing.quote_many import UsageArrays
from credits_core.store.tables import PromptRun
from credits_core.values.arrays import Credits

UNREADABLE = (CreditsError, ArithmeticError, ValueError, TypeError, AttributeError)
"""What reading a damaged price or usage may raise."""


class Run(NamedTuple):
    """What the audit reads of a recorded run; what `ledger.entries` says of a run's row holds for it too."""

    entry_id: int
    price_list_id: Any
    model_id: Any
    service_tier: Any
    plan_id: Any
    run_price_credits: Any
    input_usd_per_mtok: Any
    output_usd_per_mtok: Any
    request_usd_per_thousand: Any
    unit_prices: Any
    usage: Any
    input_tokens: Any
    output_tokens: Any
    creator_fee_credits: Any
    inference_cost_credits: Any
    platform_markup_credits: Any
    total_credits: Any
    creator_share_credits: Any
    created_at_us: Any
    used_at_us: Any


RUNS_AT_ONCE = 10_000
"""So many that a group of runs of one model is worth an array."""
_FIELDS = {name: position for position, name in enumerate(Run._fields)}
_TERMS = slice(_FIELDS["price_list_id"], _FIELDS["unit_prices"] + 1)
_USAGE = _FIELDS["usage"]
_TOKENS = slice(_FIELDS["input_tokens"], _FIELDS["output_tokens"] + 1)
_BOTH = ("input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs of a block with the same price list, model, service tier, plan and price, in the ledger's order.

    `usage` has an array for each unit; None when it cannot be read. So has `price`.
    """

    rows: Sequence[Row]
    usage: UsageArrays | None
    price: Price | None

    @property
    def first(self) -> Run:
        """One of the runs, for what they have in common."""
        return Run._make(self.rows[0])

    def column(self, name: str) -> Credits | None:
        """An array of a column; None when not all of it are whole numbers."""
        position = _FIELDS[name]
        return whole_numbers([row[position] for row in self.rows])


def run_rows() -> Select[*tuple[Any, ...]]:
    """A statement that selects every run in the ledger's order, for the caller to narrow."""
    return select(*(getattr(PromptRun, name) for name in Run._fields)).order_by(PromptRun.entry_id)


class RunGroups:
    """Puts blocks of runs into groups, and keeps the prices that it has read."""

    def __init__(self) -> None:
        self._prices: dict[Row, Price | None] = {}

    def of(self, block: Sequence[Row]) -> Iterator[RunGroup]:
        """The groups of a block of `run_rows`."""
        found: dict[tuple[Row, Row], tuple[list[Row], list[Row]]] = {}
        for row in block:
            units, counts = _used(row)
            rows, used = found.setdefault((row[_TERMS], units), ([], []))
            rows.append(row)
            used.append(counts)
        for (terms, units), (rows, used) in found.items():
            yield RunGroup(rows, _arrays(units, used), self._price(terms, rows[0]))

    def _price(self, terms: Row, row: Row) -> Price | None:
        if terms not in self._prices:
            self._prices[terms] = _price_of(Run._make(row))
        return self._prices[terms]


def _used(row: Row) -> tuple[Row, Row]:
    """The units that a run used, and how many of each. No unit is called None: that is what cannot be read."""
    if row[_USAGE] is None:
        tokens = row[_TOKENS]
        if None not in tokens:
            return _BOTH, tokens
        given = [(unit, count) for unit, count in zip(_BOTH, tokens, strict=True) if count is not None]
        return tuple(unit for unit, _ in given), tuple(count for _, count in given)
    try:
        usage = json.loads(row[_USAGE])
        return tuple(usage), tuple(usage.values())
    except UNREADABLE:
        return (None,), (None,)


def _arrays(units: Row, used: Sequence[Row]) -> UsageArrays | None:
    arrays: dict[str, Credits] = {}
    for unit, counts in zip(units, zip(*used, strict=True), strict=True):
        if (array := whole_numbers(counts)) is None:
            return None
        arrays[unit] = array
    return arrays


def _price_of(run: Run) -> Price | None:
    try:
        price = entries.price_of_run(run)
    except UNREADABLE:
        return None
    if isinstance(price, RunPrice):
        return price if type(price.run_price_credits) is int else None
    # Nothing that was ever charged; an array would not say so.
    is_fit = type(price.minimum_seconds) is int and all(rate >= 0 for rate in price.rates.values())
    return price if is_fit else None
