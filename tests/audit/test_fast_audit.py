"""The audit works with arrays and sums of the database. It finds exactly what one run after the other would find."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import numpy as np
import pytest
from sqlalchemy import Connection, column, literal, select, table, text, update
from sqlalchemy.exc import DBAPIError

from credits_core.audit import day_arrays, invariants
from credits_core.pricing.quote import PriceBook
from tests.support import busy_ledger, damage, slow_audit, world
from tests.support.damage import Ledger


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays: four days by hand, and then drawn ones."""
    with damage.four_days(request, tmp_path_factory.mktemp("fast"), book) as ledger:
        busy_ledger.drawn_days(ledger.engine, seed=14, actions=60)
        of_list = world.usage_book(1)
        for number in range(12):
            request = (world.HAIKU, world.TOKENS, world.USED)[number % 3]
            key, now = f"of-list-{number}", damage.MUCH_LATER + timedelta(minutes=number)
            world.charge(ledger.engine, request, key=key, book=of_list, now=now)
        yield ledger


_NUMBERS = (0, 1, -1, 7, 250, 10_001, 2**53, 2**59)
_DAMAGE: dict[str, tuple[object, ...]] = {
    "credit_transactions.amount_credits": _NUMBERS,
    "credit_transactions.balance_after_credits": (*_NUMBERS, None),
    "credit_transactions.account_id": ("ada", "nobody", "platform:revenue", "platform:inference", "users"),
    "credit_transactions.type": ("grant", "refund", "prompt_run", "inference_cost", "creator_payment"),
    "credit_transactions.position": (5, -1),
    "credit_transactions.created_at_us": (0, 10**15, 1_772_500_000_000_000),
    "journal_entries.type": ("grant", "adjustment", "prompt_run", "flow_unlock"),
    "journal_entries.description": ("Other", None),
    "journal_entries.created_at_us": (0, 10**15),
    "user_credits.balance_credits": _NUMBERS,
    "prompt_runs.plan_id": ("plan-9",),
    "prompt_runs.model_id": ("openai/gpt-4o", "none"),
    "prompt_runs.service_tier": ("flex", "batch", None),
    "prompt_runs.price_list_id": (1, 9, None),
    "prompt_runs.run_price_credits": (*_NUMBERS, None),
    "prompt_runs.input_usd_per_mtok": ("2.5", "NaN", "Infinity", "-1", "x", None),
    "prompt_runs.output_usd_per_mtok": ("10", "", None),
    "prompt_runs.request_usd_per_thousand": ("0", "1e30"),
    "prompt_runs.unit_prices": (
        '{"input_tokens":"2.5","output_tokens":"10"}',
        '{"input_tokens":"-2.5","output_tokens":"10"}',
        '{"input_tokens":"1e25","output_tokens":"10"}',
        '{"audio_seconds":"1","minimum_seconds":1.5}',
        '{"input_tokens":2.5}',
        "[]",
        "{",
        None,
    ),
    "prompt_runs.usage": (
        '{"input_tokens": 1.5}',
        '{"input_tokens": true}',
        '{"input_tokens": 99999999999}',
        '{"input_tokens": 5, "cache_read_tokens": 9}',
        '{"input_tokens": 5, "requests": 1}',
        '{"tokens": 5}',
        '{"input_tokens": [5]}',
        "{}",
        "7",
        "{",
        None,
    ),
    "prompt_runs.input_tokens": (*_NUMBERS, None),
    "prompt_runs.output_tokens": (*_NUMBERS, None),
    "prompt_runs.creator_fee_credits": _NUMBERS,
    "prompt_runs.creator_share_credits": _NUMBERS,
    "prompt_runs.inference_cost_credits": _NUMBERS,
    "prompt_runs.platform_markup_credits": _NUMBERS,
    "prompt_runs.total_credits": _NUMBERS,
    "prompt_runs.created_at_us": (0, 10**15),
    "prompt_runs.used_at_us": (0, 10**15, None),
    "daily_totals.amount_credits": _NUMBERS,
    "daily_totals.transaction_count": (0, 1, 9),
    "daily_sums.received_credits": _NUMBERS,
    "daily_sums.first_entry_id": (0, 3),
    "daily_works.uses": (0, 7),
    "rollup_watermark.entry_id": (0, 3, 99),
    "rollup_watermark.circulating_credits": _NUMBERS,
}
"""What a cell may be changed into. SQLite takes a text or a fraction for a number as well."""
_ON_SQLITE = ("x", 1.5)


def _damage_one(connection: Connection, random: Random) -> str | None:
    """Change one cell; None when the database refuses it."""
    name, values = random.choice(list(_DAMAGE.items()))
    table_name, column_name = name.split(".")
    is_number = any(type(value) is int for value in values) and not name.endswith("_us")
    is_sqlite = connection.dialect.name == "sqlite"
    value = random.choice([*values, *(_ON_SQLITE if is_sqlite and is_number and table_name == "prompt_runs" else ())])
    of = table(table_name, column(column_name))
    row = column("rowid" if is_sqlite else "ctid")
    key = {"credit_transactions": "entry_id", "daily_totals": "account_id", "daily_sums": "party", "daily_works": "day"}
    where = column(key[table_name]) if table_name in key else row
    cells = connection.execute(select(where).select_from(of).order_by(where)).scalars().all()
    chosen = random.choice(cells)
    savepoint = connection.begin_nested()
    try:
        connection.execute(update(of).where(where == chosen).values({column_name: value}))
    except DBAPIError:
        savepoint.rollback()
        return None
    return f"{name} = {value!r} where {where} = {chosen}"


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_damaged_the_audit_finds_what_one_after_the_other_would_find(ledger: Ledger, seed: int) -> None:
    random = Random(seed)
    with ledger.unguarded() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        done = [_damage_one(connection, random) for _ in range(random.randint(1, 6))]
        slow = slow_audit.findings(connection, ledger.book.plans)
        fast = {
            invariant.__name__: invariant(connection, ledger.book.plans).violations
            for invariant in invariants.INVARIANTS
            if invariant.__name__ in slow
        }
    # PostgreSQL sorts names by the rules of a language.
    in_order = list if ledger.engine.dialect.name == "sqlite" else sorted
    assert {name: in_order(said) for name, said in fast.items()} == {
        name: in_order(said) for name, said in slow.items()
    }, done


@pytest.mark.parametrize("amount_credits", [2**53, -(2**53), 2**63 - 1, -(2**63)])
def test_an_amount_that_no_account_can_have_is_left_to_the_database(ledger: Ledger, amount_credits: int) -> None:
    with ledger.unguarded() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        else:
            drop = "ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_amount_in_bounds"
            connection.execute(text(drop))
        assert day_arrays.compare_days(connection, literal(1), 10**6) is not None
        set_one = ledger.sql(f"UPDATE credit_transactions SET amount_credits = {amount_credits} WHERE entry_id = <run>")
        connection.execute(text(f"{set_one} AND position = 1"))
        assert day_arrays.compare_days(connection, literal(1), 10**6) is None
        found = dict(ledger.findings(connection))  # no sum that is too large ends the audit
        assert {"entries_sum_to_zero", "daily_totals_are_sums"} <= found.keys()


def test_what_many_blocks_of_rows_have_in_common_is_kept_once() -> None:
    sums = day_arrays._Sums((np.add, np.minimum))
    for block in range(1_000):
        keys = np.array([7, block % 3, 7])
        sums.add(keys, np.array([1, 2, 3]), np.array([block, block, block + 1]))
        assert len(sums._parts) < 200
    other = day_arrays._Sums((np.add, np.minimum))
    other.add(np.array([0, 1, 2, 7]), np.array([668, 666, 666, 4_000]), np.array([0, 1, 2, 0]))
    assert sums.differing(other).tolist() == []
    assert sums.rows == 4
