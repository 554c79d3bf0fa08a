"""Damage that somebody with the database file could do, for scratch ledgers alone. Each says in a sentence what it did.

The triggers and foreign keys that would refuse it are out of force while it is done, and back in force afterwards.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, text

from credits_core.audit.requests import hash_of
from credits_core.store.kinds import CreditSource, EntryType
from credits_core.values.text import format_credits
from credits_core.worlds.scratch import Scratch

_FORGED_CREDITS = 1_000_000
_DAY_US = 86_400_000_000
_SOURCES = {
    EntryType.CREDIT_PURCHASE.value: CreditSource.PURCHASE,
    EntryType.GRANT.value: CreditSource.GRANT,
    EntryType.ADJUSTMENT.value: CreditSource.ADJUSTMENT,
    EntryType.BONUS.value: CreditSource.BONUS,
}


@dataclass(frozen=True, slots=True)
class Damage:
    """One way to damage a ledger. `do` does it and says what it did.

    With `rebuilds_sums`, the daily totals are made anew afterwards, as somebody careful would.
    """

    id: str
    title: str
    meaning: str
    do: Callable[[Connection], str]
    rebuilds_sums: bool = False


def do(scratch: Scratch, damage: Damage) -> str:
    """Damage the scratch ledger, and return what was done."""
    with scratch.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in triggers:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        done = damage.do(connection)
        present = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars())
        for name, sql in triggers:
            if name not in present:
                connection.exec_driver_sql(sql)
        connection.commit()
        connection.detach()  # foreign keys are off on it
        return done


def _run(connection: Connection, sql: str, **parameters: object) -> None:
    changed = connection.execute(text(sql), parameters).rowcount
    assert changed > 0, f"changed nothing: {sql}"


def _one(connection: Connection, sql: str, **parameters: object) -> Row[Any]:
    return connection.execute(text(sql), parameters).one()


def _change_balance(connection: Connection) -> str:
    user = _one(connection, "SELECT user_id FROM user_credits ORDER BY balance_credits DESC, user_id LIMIT 1").user_id
    _run(
        connection,
        "UPDATE user_credits SET balance_credits = balance_credits + :more WHERE user_id = :user",
        more=_FORGED_CREDITS,
        user=user,
    )
    return f"The balance of {user} was raised by {format_credits(_FORGED_CREDITS)} credits."


def _drop_transaction(connection: Connection) -> str:
    last = _one(
        connection,
        "SELECT entry_id, position, account_id FROM credit_transactions ORDER BY entry_id DESC, position DESC LIMIT 1",
    )
    _run(
        connection,
        "DELETE FROM credit_transactions WHERE entry_id = :entry AND position = :position",
        entry=last.entry_id,
        position=last.position,
    )
    return f"The transaction of {last.account_id} was deleted from entry {last.entry_id}."


def _alter_price(connection: Connection) -> str:
    run = _one(
        connection,
        "SELECT entry_id, model_id, run_price_credits, unit_prices FROM prompt_runs"
        " WHERE run_price_credits IS NOT NULL OR unit_prices IS NOT NULL ORDER BY entry_id DESC LIMIT 1",
    )
    if run.run_price_credits is not None:
        _run(
            connection,
            "UPDATE prompt_runs SET run_price_credits = run_price_credits * 2 + 1 WHERE entry_id = :entry",
            entry=run.entry_id,
        )
    else:
        prices = {unit: str(Decimal(usd) * 2 + 1) for unit, usd in json.loads(run.unit_prices).items()}
        _run(
            connection,
            "UPDATE prompt_runs SET unit_prices = :prices WHERE entry_id = :entry",
            prices=json.dumps(prices, separators=(",", ":")),
            entry=run.entry_id,
        )
    return f"The price of {run.model_id} that is kept with run {run.entry_id} was more than doubled."


def _forge_grant(connection: Connection) -> str:
    user = _one(connection, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id LIMIT 1")
    last = _one(connection, "SELECT id, created_at_us FROM journal_entries ORDER BY id DESC LIMIT 1")
    forged = {"entry": last.id + 1, "at": last.created_at_us, "user": user.user_id, "more": _FORGED_CREDITS}
    _run(
        connection,
        "INSERT INTO journal_entries (id, type, idempotency_key, request_hash, actor, description, created_at_us)"
        " VALUES (:entry, 'grant', 'forged', :hash, 'cli', 'Welcome', :at)",
        hash="0" * 64,
        entry=forged["entry"],
        at=forged["at"],
    )
    _run(
        connection,
        "INSERT INTO credit_transactions VALUES (:entry, 0, :user, 'grant', :more, :after, :at),"
        " (:entry, 1, 'platform:grants', 'grant', -:more, NULL, :at)",
        after=user.balance_credits + _FORGED_CREDITS,
        **forged,
    )
    _run(
        connection,
        "UPDATE user_credits SET balance_credits = balance_credits + :more WHERE user_id = :user",
        more=_FORGED_CREDITS,
        user=user.user_id,
    )
    return f"A grant of {format_credits(_FORGED_CREDITS)} credits to {user.user_id} was written as entry {last.id + 1}."


def _rewrite_entry(connection: Connection) -> str:
    entry = _one(
        connection,
        "SELECT e.id, e.type, e.description, t.account_id, t.amount_credits FROM journal_entries e"
        " JOIN credit_transactions t ON t.entry_id = e.id AND t.position = 0"
        " WHERE e.type IN ('credit_purchase', 'grant', 'adjustment') AND t.amount_credits > 0"
        " ORDER BY e.id DESC LIMIT 1",
    )
    amount = entry.amount_credits + _FORGED_CREDITS
    asked = (entry.type, entry.account_id, amount, _SOURCES[entry.type].value, entry.description or "")
    same = {"entry": entry.id, "more": _FORGED_CREDITS}
    _run(
        connection,
        "UPDATE credit_transactions SET amount_credits = amount_credits + :more * (1 - 2 * position)"
        " WHERE entry_id = :entry",
        **same,
    )
    _run(
        connection,
        "UPDATE credit_transactions SET balance_after_credits = balance_after_credits + :more"
        " WHERE account_id = :user AND entry_id >= :entry",
        user=entry.account_id,
        **same,
    )
    _run(
        connection,
        "UPDATE user_credits SET balance_credits = balance_credits + :more WHERE user_id = :user",
        more=_FORGED_CREDITS,
        user=entry.account_id,
    )
    _run(
        connection,
        "UPDATE journal_entries SET request_hash = :hash WHERE id = :entry",
        hash=hash_of(asked),
        entry=entry.id,
    )
    return (
        f"Entry {entry.id} of {entry.account_id} was raised by {format_credits(_FORGED_CREDITS)} credits, with the "
        "balances, the sums and the hash to match."
    )


def _move_a_day(connection: Connection) -> str:
    entry = _one(connection, "SELECT id FROM journal_entries ORDER BY id DESC LIMIT 1").id
    for sql in (
        "UPDATE journal_entries SET created_at_us = created_at_us - :day WHERE id = :entry",
        "UPDATE credit_transactions SET created_at_us = created_at_us - :day WHERE entry_id = :entry",
        "UPDATE prompt_runs SET created_at_us = created_at_us - :day WHERE entry_id = :entry",
        "UPDATE unlocked_flows SET created_at_us = created_at_us - :day WHERE entry_id = :entry",
    ):
        connection.execute(text(sql), {"day": _DAY_US, "entry": entry})
    return f"Entry {entry}, with all its parts, was dated one day earlier."


def _loosen_trigger(connection: Connection) -> str:
    connection.exec_driver_sql(
        "CREATE TRIGGER journal_entries_no_update BEFORE UPDATE ON journal_entries WHEN OLD.id < 0"
        " BEGIN SELECT RAISE(ABORT, 'journal_entries is append-only: post a new entry instead'); END"
    )
    return "The trigger that refuses to change entries was made to look away. No row was changed."


DAMAGES: dict[str, Damage] = {
    damage.id: damage
    for damage in (
        Damage("balance", "Change a balance", "Give a user credits that no entry moved.", _change_balance),
        Damage("transaction", "Drop a transaction", "Delete one side of the newest entry.", _drop_transaction),
        Damage("price", "Alter a price", "Change the price that a run was charged at.", _alter_price),
        Damage("grant", "Forge a grant", "Write an entry that looks like a grant.", _forge_grant),
        Damage(
            "entry",
            "Rewrite an entry consistently",
            "Raise a purchase, and change everything else to match.",
            _rewrite_entry,
            rebuilds_sums=True,
        ),
        Damage("day", "Move a day", "Date the newest entry one day earlier.", _move_a_day),
        Damage("trigger", "Loosen a trigger", "Weaken a guard, and change no row.", _loosen_trigger),
    )
}
"""Every damage that can be tried, by id, in the order of the screen."""
