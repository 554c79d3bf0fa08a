"""Damage to spending limits: what was set is on record, and what was spent is counted again from the entries."""

from collections.abc import Iterator

import pytest

from credits_core.access import keys
from credits_core.ledger import actions
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import SpendingPeriod
from credits_core.values.roles import Role, key_holder
from tests.support import damage, world
from tests.support.actors import TESTER
from tests.support.damage import MUCH_LATER, Ledger

HOLDS = "spending_limits_hold"
OF_GIL = "WHERE subject = 'gil' AND period = 'day'"
OF_LAB = "WHERE subject = 'key:lab'"
# What was done, and the sentence that names it.
DAMAGE: dict[str, tuple[str, str]] = {
    "a limit is raised": (
        f"UPDATE spending_limits SET limit_credits = 30001 {OF_GIL}",
        "the limit of gil for a day is not as the record of changes says",
    ),
    "a limit is given another time zone": (
        f"UPDATE spending_limits SET time_zone = 'Asia/Kolkata' {OF_GIL}",
        "the limit of gil for a day is not as the record of changes says",
    ),
    "a limit has a time zone that is none": (
        f"UPDATE spending_limits SET time_zone = 'Mars' {OF_LAB}",
        "the limit of key:lab for a day has the time zone Mars, which is none",
    ),
    "somebody else set it": (
        f"UPDATE spending_limits SET actor = 'cli/eve' {OF_LAB}",
        "the limit of key:lab for a day is not as the record of changes says",
    ),
    "it was set later": (
        f"UPDATE spending_limits SET set_at_us = set_at_us + 1 {OF_LAB}",
        "the limit of key:lab for a day is not as the record of changes says",
    ),
    "a limit is taken away": (
        f"DELETE FROM spending_limits {OF_LAB}",
        "the limit of key:lab for a day is on record and gone",
    ),
    "a limit is made up": (
        "INSERT INTO spending_limits SELECT 'key:lab', 'month', limit_credits, time_zone, begins_us, ends_us,"
        f" spent_credits, after_entry_id, actor, set_at_us FROM spending_limits {OF_LAB}",
        "the limit of key:lab for a month is not as the record of changes says",
    ),
    "less was spent by a user": (
        f"UPDATE spending_limits SET spent_credits = 7800 {OF_GIL}",
        "as beginning, end and credits spent, but the entries give",
    ),
    "less was spent with a key": (
        f"UPDATE spending_limits SET spent_credits = 0 {OF_LAB}",
        "as beginning, end and credits spent, but the entries give",
    ),
    "a period that has begun anew": (
        f"UPDATE spending_limits SET begins_us = begins_us + 1 {OF_LAB}",
        "as beginning, end and credits spent, but the entries give",
    ),
    "a period that lasts longer": (
        "UPDATE spending_limits SET ends_us = ends_us + 1 WHERE subject = 'gil' AND period = 'month'",
        "the limit of gil for a month has",
    ),
    "a record of the limit is gone": (
        "DELETE FROM activity WHERE kind = 'spending_limit_set' AND subject = 'key:lab'",
        "the limit of key:lab for a day is not as the record of changes says",
    ),
    "a record of the limit cannot be read": (
        "UPDATE activity SET detail = '[' WHERE kind = 'spending_limit_set' AND subject = 'key:lab'",
        "the limit of key:lab for a day is not as the record of changes says",
    ),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("limits"), book) as ledger:
        lab = key_holder("lab", Role.SERVICE)
        database.write(
            ledger.engine,
            lambda connection: keys.create_key(
                connection, "lab", key=keys.new_key(), role=Role.SERVICE, now=MUCH_LATER, actor=TESTER
            ),
        )
        damage.limit(ledger.engine, "key:lab", SpendingPeriod.DAY)
        database.write(
            ledger.engine,
            lambda connection: actions.charge_prompt(
                connection, world.run_by("fay"), book=world.price_book(), key="lab", now=MUCH_LATER, actor=lab
            ),
        )
        yield ledger


def test_without_damage_nothing_is_found(ledger: Ledger) -> None:
    with ledger.unguarded() as connection:
        assert list(ledger.findings(connection)) == []
    with ledger.unguarded() as connection:
        assert list(ledger.findings(connection, ledger.since)) == []


@pytest.mark.parametrize("damaged", DAMAGE)
def test_damage_is_found_and_named(ledger: Ledger, damaged: str) -> None:
    statement, sentence = DAMAGE[damaged]
    found = ledger.after(statement, by=[HOLDS])
    assert any(sentence in violation for violation in found[HOLDS].violations)
    lately = ledger.after(statement, by=[HOLDS], since=ledger.since)
    assert (HOLDS in lately) is (damaged != "a limit is taken away")


def test_a_run_beyond_the_limit_is_named_and_one_that_was_held_is_not(ledger: Ledger) -> None:
    """Both the limit and its record say that little was allowed: the captured hold is fine, the run after it is not."""
    lowered = (
        f"UPDATE spending_limits SET limit_credits = 100 {OF_GIL}",
        "UPDATE activity SET detail = REPLACE(detail, '30000', '100')"
        " WHERE kind = 'spending_limit_set' AND subject = 'gil' AND detail LIKE '%day%'",
    )
    (violation,) = ledger.after(*lowered, by=[HOLDS])[HOLDS].violations
    assert violation == ledger.sql("the limit of gil for a day allows 100, but entry <limited run> makes it 8100")
