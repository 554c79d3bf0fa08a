"""Sums over the transactions that match a filter, against plain SQL on both databases."""

from collections.abc import Mapping
from datetime import date

import pytest
from sqlalchemy import Engine

from credits_core.ledger import accounts
from credits_core.ledger.accounts import Sums, TransactionFilter
from credits_core.store import database
from credits_core.store.kinds import TransactionType
from credits_core.values.days import DayRange
from tests.support import busy_ledger
from tests.support.plain_sql import rows

MARCH_2 = DayRange(date(2026, 3, 2), date(2026, 3, 2))
IS_MARCH_2 = "created_at_us / 86400000000 = 20514"


def sums(engine: Engine, wanted: TransactionFilter) -> Sums:
    with database.read(engine) as connection:
        return accounts.sums(connection, wanted)


def test_what_an_account_received_and_gave_is_summed_without_signs(engine: Engine) -> None:
    assert sums(engine, TransactionFilter()) == Sums(0, 0, 0)
    ids = busy_ledger.three_days(engine)
    # Ben: 800 of each of two runs and an unlock; he paid 2,400 for a run, which was refunded.
    assert sums(engine, TransactionFilter(account_id="ben")) == Sums(5, 3 * 800 + 2_400, 2_400)
    # A run of 1,251: paid by Ada, received by inference 250, Ben 800 and the platform 201.
    assert sums(engine, TransactionFilter(entry_id=ids["run with fee"])) == Sums(4, 1_251, 1_251)
    assert sums(engine, TransactionFilter(entry_id=ids["run with fee"], headline_only=True)) == Sums(1, 0, 1_251)
    assert sums(engine, TransactionFilter(account_id="nobody")) == Sums(0, 0, 0)


@pytest.mark.parametrize(
    ("wanted", "condition"),
    [
        ({}, "1 = 1"),
        ({"account_id": "ada"}, "account_id = 'ada'"),
        ({"types": (TransactionType.REFUND, TransactionType.CREATOR_PAYMENT)}, "type IN ('refund', 'creator_payment')"),
        ({"days": MARCH_2}, IS_MARCH_2),
        ({"headline_only": True}, "position = 0"),
        (
            {"account_id": "Ben", "types": (TransactionType.CREATOR_PAYMENT,), "days": MARCH_2},
            f"account_id = 'Ben' AND type = 'creator_payment' AND {IS_MARCH_2}",
        ),
    ],
)
def test_sums_are_those_of_the_transactions_that_match(
    engine: Engine, wanted: Mapping[str, object], condition: str
) -> None:
    busy_ledger.drawn_days(engine, seed=41)
    amounts = [
        int(str(credits))
        for (credits,) in rows(engine, f"SELECT amount_credits FROM credit_transactions WHERE {condition}")
    ]
    assert amounts
    assert sums(engine, TransactionFilter(**wanted)) == Sums(  # type: ignore[arg-type]
        len(amounts), sum(one for one in amounts if one > 0), -sum(one for one in amounts if one < 0)
    )
