"""Rows put into the ledger by hand, as SQL, and the small world that they are put into."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from credits_core.store.kinds import CreditSource
from tests.support import world
from tests.support.plain_sql import every_row
from tests.support.world import LATER

# The entries of `small_world`: 1 adds credits, 2 charges a run with a fee, 3 unlocks a flow, 5 refunds the grant 4.
ENTRY = "id, type, idempotency_key, request_hash, actor, refunds_entry_id, created_at_us"
TRANSACTION = "entry_id, position, account_id, type, amount_credits, balance_after_credits, created_at_us"
RUN = (
    "entry_id, user_id, prompt_id, model_id, creator_id, plan_id, input_tokens, output_tokens, run_price_credits,"
    " input_usd_per_mtok, output_usd_per_mtok, request_usd_per_thousand, inference_cost_credits, creator_fee_credits,"
    " platform_markup_credits, total_credits, creator_share_credits, created_at_us, usage, unit_prices"
)
BARE_ENTRY = f"INSERT INTO journal_entries ({ENTRY}) VALUES (99, 'prompt_run', 'k-99', '', 'x', NULL, 0); "
DRAFT = "INSERT INTO price_plans (id, toml, revision, actor, saved_at_us) VALUES ('plan-2', '', 1, 'ada', 0)"


def small_world(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    world.charge(engine, world.HAIKU_WITH_FEE, key="run")
    world.unlock(engine, world.UNLOCK, key="unlock")
    granted = world.add(engine, "ada", 5, source=CreditSource.GRANT, reason="Welcome", key="grant")
    world.refund(engine, granted.entry_id, key="refund", now=LATER)


def refused(engine: Engine, sql: str, *, because: str) -> None:
    """The statements fail for this reason, and nothing of them remains."""
    before = every_row(engine)
    *first, last = sql.split("; ")
    with engine.connect() as connection:
        for statement in first:
            connection.execute(text(statement))
        with pytest.raises(DBAPIError, match=because):
            connection.execute(text(last))
        connection.rollback()
    assert every_row(engine) == before


def entry(type_: str = "'grant'", key: str = "'k-99'", refunds: str = "NULL", id_: str = "99") -> str:
    return f"INSERT INTO journal_entries ({ENTRY}) VALUES ({id_}, {type_}, {key}, '', 'x', {refunds}, 0)"


def transaction(
    account: str = "'ada'", type_: str = "'prompt_run'", amount: str = "-1", after: str = "1", entry: str = "99"
) -> str:
    return (
        f"{BARE_ENTRY}INSERT INTO credit_transactions ({TRANSACTION})"
        f" VALUES ({entry}, 0, {account}, {type_}, {amount}, {after}, 0)"
    )


def whole_entry(account: str = "'ada'", amount: str = "-1", after: str = "1") -> str:
    """An entry whose two transactions come together and sum to zero."""
    back = f"(99, 1, 'platform:payments_in', 'credit_purchase', -({amount}), NULL, 0)"
    return f"{transaction(account, amount=amount, after=after)}, {back}"


def run(**changed: str) -> str:
    columns = {
        "entry_id": "99",
        "user_id": "'ada'",
        "prompt_id": "'p'",
        "model_id": "'m'",
        "creator_id": "'ben'",
        "plan_id": "'plan'",
        "input_tokens": "NULL",
        "output_tokens": "NULL",
        "run_price_credits": "250",
        "input_usd_per_mtok": "NULL",
        "output_usd_per_mtok": "NULL",
        "request_usd_per_thousand": "NULL",
        "inference_cost_credits": "250",
        "creator_fee_credits": "1001",
        "platform_markup_credits": "0",
        "total_credits": "1251",
        "creator_share_credits": "800",
        "created_at_us": "0",
        "usage": "NULL",
        "unit_prices": "NULL",
    }
    return BARE_ENTRY + _insert("prompt_runs", columns, changed)


def activation(**changed: str) -> str:
    columns = {
        "id": "2",
        "plan_id": "'promptflow-v1'",
        "reason": "'again'",
        "actor": "'ada'",
        "activated_at_us": "0",
        "seal": "'seal'",
    }
    return _insert("plan_activations", columns, changed)


def refund_rule(**changed: str) -> str:
    """A rule of the refund 99, which gives back entry 2."""
    columns = {"entry_id": "99", "rule": "'platform_bears_cost'", "provider_refunded": "FALSE"}
    refund = entry("'refund'", refunds="2")
    return f"{refund}; {_insert('refunds', columns, changed)}"


def refund_part(**changed: str) -> str:
    """The second part of entry 2, 5 of its credits, which the entry 99 gives back after the first part, entry 98."""
    columns = {
        "id": "99",
        "original_id": "2",
        "number": "2",
        "refunded_credits": "5",
        "through_credits": "10",
        "fee_credits": "0",
        "share_credits": "0",
    }
    first = columns | {"id": "98", "number": "1", "through_credits": "5"}
    made = [entry("'partial_refund'", key=f"'k-{id_}'", id_=id_) for id_ in ("98", "99")]
    parts = [_insert("partial_refunds", first, {}), _insert("partial_refunds", columns, changed)]
    return "; ".join([*made, *parts])


def unlock(**changed: str) -> str:
    columns = {
        "entry_id": "99",
        "user_id": "'ada'",
        "flow_id": "'new-flow'",
        "creator_id": "'ben'",
        "plan_id": "'plan'",
        "unlock_fee_credits": "1001",
        "creator_share_credits": "800",
        "refunded_by_entry_id": "NULL",
        "created_at_us": "0",
    }
    return BARE_ENTRY + _insert("unlocked_flows", columns, changed)


def _insert(table: str, columns: dict[str, str], changed: dict[str, str]) -> str:
    assert changed.keys() <= columns.keys()
    row = {**columns, **changed}
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})"
