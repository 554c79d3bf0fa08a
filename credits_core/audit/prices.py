"""Invariants of the price lists: the journal is sealed, and every run has the price of its list."""

from typing import Any

from sqlalchemy import Connection, select

from credits_core.audit.finding import Finding, Plans
from credits_core.audit.journals import missing_at_the_end
from credits_core.errors import CreditsError
from credits_core.ledger import entries
from credits_core.prices import lists
from credits_core.pricing.models import ModelRegistry
from credits_core.store.tables import PriceList, PriceListActivation, PromptRun
from credits_core.values.days import from_microseconds
from credits_core.values.seal import seal


def price_lists_are_sealed(connection: Connection, _: Plans) -> Finding:
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


def runs_have_the_price_of_their_list(connection: Connection, _: Plans) -> Finding:
    """Every run that names a price list was charged at the price that the list, once live, has for its model and usage
    when the entry was posted, or when the run took place."""
    checked, violations = 0, []
    models: dict[int, ModelRegistry | None] = {}
    were_live = set(connection.execute(select(PriceListActivation.price_list_id)).scalars())
    runs = entries.run_columns().where(PromptRun.price_list_id.is_not(None)).order_by(PromptRun.entry_id)
    for run in connection.execute(runs.execution_options(yield_per=10_000)):
        checked += 1
        if run.price_list_id not in models:
            models[run.price_list_id] = _models_of(connection, run.price_list_id)
        registry = models[run.price_list_id]
        if registry is not None and run.price_list_id not in were_live:
            violations.append(f"run {run.entry_id} names price list {run.price_list_id}, which was never live")
            continue
        try:
            if not _is_due(registry, run):
                violations.append(f"run {run.entry_id} has another price than price list {run.price_list_id}")
        except (CreditsError, ArithmeticError, ValueError, TypeError, AttributeError):
            violations.append(f"run {run.entry_id} cannot be priced by price list {run.price_list_id}")
    return Finding("every run has the price of its list", checked, tuple(violations))


def _is_due(registry: ModelRegistry | None, run: Any) -> bool:
    if registry is None:
        return False
    usage = entries.usage_of_run(run)
    times = [from_microseconds(at_us) for at_us in (run.created_at_us, run.used_at_us) if at_us is not None]
    price = entries.price_of_run(run)
    model = registry[run.model_id]
    return any(model.price_for(usage, at, service_tier=run.service_tier) == price for at in times)


def _models_of(connection: Connection, number: int) -> ModelRegistry | None:
    try:
        return lists.models_of(connection, number)
    except CreditsError:  # missing or damaged: every run that names it is told
        return None
