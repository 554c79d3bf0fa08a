"""Invariants of the price lists: the journal is sealed, and every run has the price of its list."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from operator import attrgetter
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from credits_core.audit.blocks import blocks
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.audit.journals import missing_at_the_end
from credits_core.audit.run_groups import RUNS_AT_ONCE, UNREADABLE, Run, RunGroup, RunGroups, run_rows
from credits_core.errors import CreditsError
from credits_core.ledger import entries
from credits_core.ledger.requests import MAX_AHEAD
from credits_core.prices import lists
from credits_core.pricing.models import ModelRegistry, RunPrice
from credits_core.pricing.quote_many import costs_at
from credits_core.store.tables import PriceList, PriceListActivation, PromptRun
from credits_core.values.days import EARLIEST, from_microseconds, to_microseconds
from credits_core.values.seal import seal

_AROUND_US = to_microseconds(EARLIEST + MAX_AHEAD)


def price_lists_are_sealed(connection: Connection, _: Plans, _since: Since = BEGINNING) -> Finding:
    """The activations are numbered from 1 without a gap; neither they nor the lists they name were changed since, and
    none is missing at the end."""
    rows = connection.execute(
        select(
            PriceListActivation.__table__,
            PriceList.toml,
            PriceList.source,
            PriceList.actor.label("list_actor"),
            PriceList.saved_at_us,
        )
        .outerjoin(PriceList, PriceList.id == PriceListActivation.price_list_id)
        .order_by(PriceListActivation.id)
    ).all()
    violations, seal_before = [], ""
    for number, row in enumerate(rows, 1):
        if row.id != number:
            violations.append(f"activation {number} is missing before activation {row.id}")
            break
        record = (row.id, row.price_list_id, row.reason, row.actor, row.activated_at_us)
        if row.seal != seal(record, (row.toml, row.source, row.list_actor, row.saved_at_us), seal_before):
            violations.append(f"activation {row.id}, of price list {row.price_list_id}, or its list was changed since")
        seal_before = row.seal
    kept = connection.execute(select(PriceList.id, PriceList.last_activation_id).order_by(PriceList.id)).all()
    journal = {row.price_list_id: row.id for row in rows}
    violations += missing_at_the_end("price list", {one.id: one.last_activation_id for one in kept}, journal)
    return Finding("every live price list is as it was made live", len(rows), tuple(violations))


def runs_have_the_price_of_their_list(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every run that names a price list was charged at the price that the list has for its model and usage when the
    entry was posted, or when the run took place; and the list was live at that time."""
    checked, groups = 0, RunGroups()
    violations: list[str] = []
    models: dict[int, ModelRegistry | None] = {}
    journal = Journal(connection)
    runs = run_rows().where(PromptRun.price_list_id.is_not(None), PromptRun.entry_id > since.entry_id)
    for block in blocks(connection, runs, rows_at_once=RUNS_AT_ONCE):
        checked += len(block)
        doubtful: list[Run] = []
        for group in groups.of(block):
            number = group.first.price_list_id
            if number not in models:
                models[number] = models_of(connection, number)
            if not _are_due(models[number], group, journal):
                doubtful += map(Run._make, group.rows)
        for run in sorted(doubtful, key=attrgetter("entry_id")):
            violations += wrong_price(models[run.price_list_id], run, journal)
    return Finding("every run has the price of its list", checked, tuple(violations))


def wrong_price(registry: ModelRegistry | None, run: Run, journal: "Journal") -> Iterator[str]:
    """What is wrong with the price of one run, in a sentence; nothing when it is right."""
    times_us = [at_us for at_us in (run.created_at_us, run.used_at_us) if at_us is not None]
    live_us = [at_us for at_us in times_us if journal.was_live(run.price_list_id, at_us)]
    if registry is not None and not live_us:
        yield f"run {run.entry_id} names price list {run.price_list_id}, which was not live then"
        return
    try:
        if not _is_due(registry, run, live_us):
            yield f"run {run.entry_id} has another price than price list {run.price_list_id}"
    except UNREADABLE:
        yield f"run {run.entry_id} cannot be priced by price list {run.price_list_id}"


def _are_due(registry: ModelRegistry | None, group: RunGroup, journal: "Journal") -> bool:
    """Whether arrays say that all runs of the group have the price of their list at the time of their entries."""
    created_us, price, usage = group.column("created_at_us"), group.price, group.usage
    if registry is None or price is None or usage is None or created_us is None:
        return False
    first_us, last_us = int(created_us.min()), int(created_us.max())
    if not journal.was_live_throughout(group.first.price_list_id, first_us, last_us):
        return False
    try:
        model = registry[group.first.model_id]
        costs_at(price, len(group.rows), usage)  # refuses a usage that nobody can have had
        if isinstance(model.prices, RunPrice):
            return model.prices == price
        first, last = from_microseconds(first_us), from_microseconds(last_us)
        if not model.prices.is_same_throughout(first, last):
            return False
        bounds, prices = zip(*model.prices.at(first, service_tier=group.first.service_tier).levels(), strict=True)
    except UNREADABLE:
        return False
    if len(prices) == 1:
        return bool(prices[0] == price)
    if "input_tokens" not in usage:
        return False
    levels = np.searchsorted(bounds[1:], usage["input_tokens"])
    return all(prices[level] == price for level in np.unique(levels))


class Journal:
    """Which price lists were live around a moment: a charge is dated a little before it waits for an activation, and
    the clocks of two machines differ a little."""

    def __init__(self, connection: Connection) -> None:
        activation = PriceListActivation
        rows = connection.execute(
            select(activation.activated_at_us, activation.id, activation.price_list_id).order_by(
                activation.activated_at_us, activation.id
            )
        ).all()
        self._times_us = [row.activated_at_us for row in rows]
        self._lists = [row.price_list_id for row in rows]
        # The newest line counts, even where a clock that was wrong has dated it before an older one.
        self._live_since = [row.price_list_id for row in accumulate(rows, _newer)]

    def was_live(self, price_list: int, at_us: int) -> bool:
        """Whether this list was live at some time from five minutes before the moment to five minutes after it."""
        before = bisect_right(self._times_us, at_us - _AROUND_US)
        until = bisect_right(self._times_us, at_us + _AROUND_US)
        began_with = [self._live_since[before - 1]] if before else []
        return price_list in (*began_with, *self._lists[before:until])

    def was_live_throughout(self, price_list: int, first_us: int, last_us: int) -> bool:
        """Whether this list was live from the first moment to the last, and nothing was made live around that time."""
        before = bisect_right(self._times_us, first_us - _AROUND_US)
        is_alone = before == bisect_right(self._times_us, last_us + _AROUND_US)
        return is_alone and self.was_live(price_list, first_us)


def _newer(one: Any, other: Any) -> Any:
    return max(one, other, key=attrgetter("id"))


def _is_due(registry: ModelRegistry | None, run: Any, times_us: list[int]) -> bool:
    if registry is None:
        return False
    usage = entries.usage_of_run(run)
    price = entries.price_of_run(run)
    model = registry[run.model_id]
    return any(
        model.price_for(usage, from_microseconds(at_us), service_tier=run.service_tier) == price for at_us in times_us
    )


def models_of(connection: Connection, number: int) -> ModelRegistry | None:
    """The models of a price list; None when it is missing or cannot be read."""
    try:
        return lists.models_of(connection, number)
    except CreditsError:  # missing or damaged: every run that names it is told
        return None
