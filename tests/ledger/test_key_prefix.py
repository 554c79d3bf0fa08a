"""Entries whose idempotency key begins alike, as those of a batch, and the refunds of them."""

from typing import Any

from sqlalchemy import Engine, event

from credits_core.ledger import accounts
from credits_core.ledger.accounts import ListedTransaction, TransactionFilter
from credits_core.store import database
from tests.support import world
from tests.support.world import HAIKU


def _listed(engine: Engine, wanted: TransactionFilter) -> list[ListedTransaction]:
    with database.read(engine) as connection:
        return accounts.transactions(connection, wanted, limit=1_000)


def test_entries_are_found_by_how_their_key_begins_letter_by_letter(engine: Engine) -> None:
    for key in (
        "batch:1",
        "batch:2",
        "batch:2:refund",
        "BATCH:1",
        "batch%:1",
        "batch",
        "a-batch:1",
        "batch;",
        "batch-:1",
    ):
        world.add(engine, "ada", 10, key=key)

    assert [one.entry_id for one in _listed(engine, TransactionFilter(key_prefix="batch:", headline_only=True))] == [
        3,
        2,
        1,
    ]
    assert [one.entry_id for one in _listed(engine, TransactionFilter(key_prefix="batch%:"))][::2] == [5]
    with database.read(engine) as connection:
        both = accounts.sums(connection, TransactionFilter(key_prefix="batch:", account_id="ada"))
    assert (both.transactions, both.received_credits) == (3, 3 * 10)


def test_refunds_of_the_entries_that_a_key_prefix_names_are_found_by_what_they_refund(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="a")
    for key in ("batch:1", "batch:2", "other:1"):
        world.charge(engine, HAIKU, key=key)  # entries 2 to 4
    for entry_id in (4, 2):
        world.refund(engine, entry_id, key=f"by-hand-{entry_id}")  # entries 5 and 6
    world.refund(engine, 3, amount_credits=10, key="in-part")  # entry 7
    found = _listed(engine, TransactionFilter(key_prefix="batch:", headline_only=True))
    assert [(one.entry_id, one.refunds_entry_id) for one in found] == [(7, 3), (6, 2), (3, None), (2, None)]
    assert found[0].description == "Partial refund of entry 3: The answer was empty"
    with database.read(engine) as connection:
        assert accounts.sums(connection, TransactionFilter(key_prefix="batch:", account_id="ada")).transactions == 4


def test_entries_are_found_by_how_their_key_begins_without_reading_the_others(engine: Engine) -> None:
    for number in range(1, 4):
        world.add(engine, "ada", 10, key=f"batch:{number}")
    asked: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, sql, values, *_: asked.append((sql, values)))
    _listed(engine, TransactionFilter(key_prefix="batch:", headline_only=True))
    ((sql, values),) = [one for one in asked if "idempotency_key" in one[0]]
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
            assert [step for step in plan if step.startswith("SCAN journal_entries")] == []
            assert sum("(idempotency_key>? AND idempotency_key<?)" in step for step in plan) == 3
            return
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # which is quicker in a ledger as small as this
        plan = [str(step) for (step,) in connection.exec_driver_sql(f"EXPLAIN {sql}", values)]
        assert [step for step in plan if "Seq Scan" in step] == []
        assert sum("Index Cond: (((idempotency_key)::text >= 'batch:'" in step for step in plan) == 3, plan
