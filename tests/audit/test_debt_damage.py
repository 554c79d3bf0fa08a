"""Damage to what creators owe: it follows from refunds and from what was earned later, whatever was written."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from credits_core.audit.finding import BEGINNING
from credits_core.pricing.quote import PriceBook
from tests.support import damage, earlier_refunds, world
from tests.support.damage import Ledger, set_transaction


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("debts"), book) as ledger:
        yield ledger


def _has(account: str, credits: int) -> str:
    table, name = ("user_parts", "account_id") if ":" in account else ("user_credits", "user_id")
    return f"UPDATE {table} SET balance_credits = {credits} WHERE {name} = '{account}'"


OWED = "earnings_are_paid_left_or_owed"
# What was done, the only invariant that reports it, and what its sentence names.
DAMAGE: dict[str, tuple[list[str], str, str]] = {
    "a share pays less of a debt than it could": (
        [
            set_transaction("last netted unlock", 3, "amount_credits = -150, balance_after_credits = 250"),
            set_transaction("last netted unlock", 4, "amount_credits = 150, balance_after_credits = -50"),
            _has("deb", 250),
            _has("deb:debt", -50),
        ],
        OWED,
        "entry <last netted unlock> adds -150 to what deb owes, against -150 that deb has, but -200 is due",
    ),
    "a share pays nothing of a debt": (
        [
            "DELETE FROM credit_transactions WHERE entry_id = <last netted unlock> AND position > 2",
            _has("deb", 400),
            _has("deb:debt", -200),
        ],
        OWED,
        "entry <last netted unlock> adds 0 to what deb owes, against 0 that deb has, but -200 is due",
    ),
    "more is owed than was missing of a share": (
        [
            set_transaction("refund of run by ben", 1, "amount_credits = 310, balance_after_credits = 1730"),
            set_transaction("refund of run by ben", 2, "amount_credits = -310, balance_after_credits = -310"),
            set_transaction("refund of run by ben", 3, "balance_after_credits = 10"),
            _has("cara", 10),
            _has("cara:debt", -310),
        ],
        OWED,
        "entry <refund of run by ben> adds 310 to what cara owes, against 310 that cara has, but 300 is due",
    ),
    "a creator who owes nothing pays something in a run": (
        [
            "INSERT INTO credit_transactions SELECT entry_id, 3, 'eve', 'transfer', -100, 1500, created_at_us"
            " FROM credit_transactions WHERE entry_id = <late unlock> AND position = 0",
            "INSERT INTO credit_transactions SELECT entry_id, 4, 'cara:debt', 'transfer', 100, -200, created_at_us"
            " FROM credit_transactions WHERE entry_id = <late unlock> AND position = 0",
            _has("eve", 1_500),
            _has("cara:debt", -200),
        ],
        OWED,
        "entry <late unlock> pays or lends something of eve, who owes nothing",
    ),
}


@pytest.mark.parametrize("done", DAMAGE)
def test_damage_is_found_by_exactly_its_invariant(ledger: Ledger, done: str) -> None:
    statements, invariant, named = DAMAGE[done]
    found = ledger.after(*statements)
    assert list(found) == [invariant]
    assert ledger.sql(named) in str(found[invariant])


@pytest.mark.as_owner
def test_what_the_platform_bore_under_the_earlier_rule_was_no_more_than_was_spent(
    engine: Engine, book: PriceBook
) -> None:
    world.add(engine, "ada", 1_251, key="add")
    run = world.charge(engine, world.HAIKU_WITH_FEE, key="run").entry_id
    world.charge(engine, world.run_by("ben"), key="ben")  # 300 of his 800
    back = earlier_refunds.refund(engine, run, key="back").entry_id
    ledger = Ledger(engine, {"back": back}, book, BEGINNING)
    assert ledger.after() == {}
    found = ledger.after(
        set_transaction("back", 1, "amount_credits = -400, balance_after_credits = 100"),
        set_transaction("back", 2, "amount_credits = -400"),
        _has("ben", 100),
    )
    assert list(found) == ["refunds_reverse_once"]
    assert f"refund {back} leaves 400 with ben, who held 100" in str(found["refunds_reverse_once"])
