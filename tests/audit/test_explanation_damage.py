"""Explaining what was changed behind the ledger's back, and an entry in which there is nothing to calculate."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from credits_core.audit.explanation import explain
from credits_core.audit.refusals import NotExplainable
from credits_core.ledger import entry_lots
from credits_core.ledger.refusals import UnknownEntry
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import damage
from tests.support.damage import Ledger


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("unexplained"), book) as ledger:
        yield ledger


DAMAGE: dict[str, tuple[str, list[str], list[str]]] = {
    "a run's markup and total are lowered": (
        "late run",
        ["UPDATE prompt_runs SET platform_markup_credits = 40, total_credits = 290 WHERE entry_id = <late run>"],
        [
            "Platform markup: 40 credits were recorded, but the inputs give 50.",
            "Total: 290 credits were recorded, but the inputs give 300.",
        ],
    ),
    "a token price is raised": (
        # 1,020 × 2.6 + 129 × 10 is 3,942; 20 % of it is 788.4.
        "token run",
        [
            """UPDATE prompt_runs SET unit_prices = '{"input_tokens":"2.6","output_tokens":"10"}'"""
            " WHERE entry_id = <token run>"
        ],
        [
            "Inference cost: 3,840 credits were recorded, but the inputs give 3,942.",
            "Platform markup: 768 credits were recorded, but the inputs give 788.",
            "Total: 4,608 credits were recorded, but the inputs give 4,730.",
            "Transaction prompt_run of ada: -4,608 were recorded, but the inputs give -4,730.",
            "Transaction platform_revenue of platform:revenue: +768 were recorded, but the inputs give +788.",
            "Transaction inference_cost of platform:inference: +3,840 were recorded, but the inputs give +3,942.",
        ],
    ),
    "a creator's share is lowered": (
        "run at midnight",
        ["UPDATE prompt_runs SET creator_share_credits = 700 WHERE entry_id = <run at midnight>"],
        [
            "Creator's share: 700 credits were recorded, but the inputs give 800.",
            "Platform's share: 301 credits were recorded, but the inputs give 201.",
        ],
    ),
    "a transaction is missing and another one is there": (
        "late run",
        ["UPDATE credit_transactions SET account_id = 'platform:grants' WHERE entry_id = <late run> AND position = 1"],
        [
            "Transaction platform_revenue of platform:grants: +50 were recorded, but the inputs give none.",
            "Transaction platform_revenue of platform:revenue: no such transaction was recorded, but the inputs give"
            " +50.",
        ],
    ),
    "a balance is raised": (
        "late run",
        [
            "UPDATE credit_transactions SET balance_after_credits = balance_after_credits + 7"
            " WHERE entry_id = <late run> AND position = 0"
        ],
        ["Balance of fay before: this entry implies 907, but the previous entry left 900."],
    ),
    "the plan is unknown": (
        "late run",
        ["UPDATE prompt_runs SET plan_id = 'plan-9' WHERE entry_id = <late run>"],
        ["Entry <late run> names the unknown plan plan-9."],
    ),
    "a price cannot be read": (
        "token run",
        ["""UPDATE prompt_runs SET unit_prices = '{"input_tokens":"NaN"}' WHERE entry_id = <token run>"""],
        ["Entry <token run> cannot be priced again: a price or a count stored with it is no number."],
    ),
    "a usage cannot be read": (
        "usage run",
        ["UPDATE prompt_runs SET usage = '{' WHERE entry_id = <usage run>"],
        ["Entry <usage run> cannot be priced again: a price or a count stored with it is no number."],
    ),
    "a usage is of what there is no price for": (
        "usage run",
        ["""UPDATE prompt_runs SET usage = '{"audio_seconds": 3}' WHERE entry_id = <usage run>"""],
        [
            "Entry <usage run> cannot be priced again: This model has no price for 3 audio_seconds. Nothing was"
            " charged. Choose a model that has one, or send the usage that the provider billed."
        ],
    ),
    "a part of a usage is above the whole": (
        "usage run",
        [
            """UPDATE prompt_runs SET usage = '{"input_tokens": 1, "cache_read_tokens": 2}'"""
            " WHERE entry_id = <usage run>"
        ],
        [
            "Entry <usage run> cannot be priced again: usage.cache_read_tokens: is 2 and must not be above"
            " input_tokens, 1, which counts it too."
        ],
    ),
    "the run is gone": (
        "late run",
        ["DELETE FROM prompt_runs WHERE entry_id = <late run>"],
        ["Entry <late run> has no recorded run, so there are no inputs to calculate it from."],
    ),
    "an unlock's share is lowered": (
        "late unlock",
        ["UPDATE unlocked_flows SET creator_share_credits = 1500 WHERE entry_id = <late unlock>"],
        [
            "Creator's share: 1,500 credits were recorded, but the inputs give 1,600.",
            "Platform's share: 500 credits were recorded, but the inputs give 400.",
        ],
    ),
    "an unlock's plan is unknown": (
        "late unlock",
        ["UPDATE unlocked_flows SET plan_id = 'plan-9' WHERE entry_id = <late unlock>"],
        ["Entry <late unlock> names the unknown plan plan-9."],
    ),
    "a refund is said to be of the earlier rule": (
        # Position 4 gave 250 back from the account for the inference of refunded runs.
        "refund of run with fee",
        ["UPDATE refunds SET rule = 'cost_booked_back' WHERE entry_id = <refund of run with fee>"],
        [
            "Inference cost: 250 credits were recorded, but the inputs give 0.",
            "Inference cost booked back: 0 credits were recorded, but the inputs give 250.",
            "Transaction refund of platform:refunded_inference: -250 were recorded, but the inputs give none.",
            "Transaction inference_cost of platform:inference: no such transaction was recorded, but the inputs give"
            " -250.",
        ],
    ),
    "a refund takes less from a creator than there was": (
        "refund of run by ben",
        [
            "UPDATE credit_transactions SET amount_credits = -1700, balance_after_credits = 20"
            " WHERE entry_id = <refund of run by ben> AND position = 3",
            "UPDATE credit_transactions SET amount_credits = -450"
            " WHERE entry_id = <refund of run by ben> AND position = 4",
        ],
        [
            "Creator's share: 1,400 credits were recorded, but the inputs give 1,420.",
            "Platform revenue: 450 credits were recorded, but the inputs give 430.",
            "Transaction creator_payment of cara: -1,700 were recorded, but the inputs give -1,720.",
            "Transaction platform_revenue of platform:revenue: -450 were recorded, but the inputs give -430.",
        ],
    ),
    "the rule of a refund is gone": (
        "refund of run with fee",
        ["DELETE FROM refunds WHERE entry_id = <refund of run with fee>"],
        ["Entry <refund of run with fee> has no recorded rule, so there are no inputs to calculate it from."],
    ),
    "the refunded entry is gone": (
        "refund of run with fee",
        ["DELETE FROM journal_entries WHERE id = <run with fee>"],
        ["Entry <refund of run with fee> has no recorded refunded entry, so there are no inputs to calculate it from."],
    ),
    "the refunded entry has lost its transactions": (
        "refund of run with fee",
        ["DELETE FROM credit_transactions WHERE entry_id = <run with fee>"],
        ["Entry <refund of run with fee> has no recorded transactions, so there are no inputs to calculate it from."],
    ),
    "the unlock is gone": (
        "late unlock",
        ["DELETE FROM unlocked_flows WHERE entry_id = <late unlock>"],
        ["Entry <late unlock> has no recorded unlock, so there are no inputs to calculate it from."],
    ),
}


@pytest.mark.parametrize("done", DAMAGE)
def test_what_differs_is_told_with_both_numbers(ledger: Ledger, done: str) -> None:
    entry, statements, differences = DAMAGE[done]
    with ledger.unguarded() as connection:
        for statement in statements:
            assert connection.execute(text(ledger.sql(statement))).rowcount >= 1
        found = explain(connection, ledger.ids[entry], plans=ledger.book.plans)
    assert list(found.differences) == [ledger.sql(difference) for difference in differences]
    assert not found.is_proved
    assert found.user_id == {"late run": "fay", "refund of run by ben": "ben"}.get(entry, "ada")
    assert found.verdict.startswith(f"The {'refund' if entry.startswith('refund') else 'charge'} does not match ")
    count = len(differences)
    assert found.verdict.endswith(f": {count} difference{'s' if count > 1 else ''}.")


def test_every_charge_and_refund_of_an_undamaged_ledger_is_proved(ledger: Ledger) -> None:
    explained = [name for name in ledger.ids if "run" in name or "unlock" in name or name.startswith("refund of")]
    assert len(explained) == 14 + 10  # charges, and refunds of them whole and in parts
    with database.read(ledger.engine) as connection:
        for name in explained:
            assert explain(connection, ledger.ids[name], plans=ledger.book.plans).differences == ()


# --- entries with nothing to calculate ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ("purchase", "credit purchase"),
        ("grant", "grant"),
    ],
)
def test_an_entry_without_a_price_is_refused_and_says_where_to_look(ledger: Ledger, entry: str, kind: str) -> None:
    entry_id = ledger.ids[entry]
    with database.read(ledger.engine) as connection, pytest.raises(NotExplainable) as refused:
        explain(connection, entry_id, plans=ledger.book.plans)
    assert str(refused.value) == (
        f"Entry {entry_id} is a {kind}; only prompt runs, flow unlocks and refunds can be explained. "
        f"See entry {entry_id} in the history."
    )


def test_an_entry_that_does_not_exist_is_refused(engine: Engine, book: PriceBook) -> None:
    with database.read(engine) as connection, pytest.raises(UnknownEntry):
        explain(connection, 7, plans=book.plans)


def test_nothing_is_said_of_lots_that_do_not_have_what_was_taken(ledger: Ledger) -> None:
    damage = "UPDATE credit_transactions SET amount_credits = 1 WHERE account_id = 'fay' AND amount_credits > 0"
    late_run = ledger.ids["late run"]
    with ledger.unguarded() as connection:
        assert entry_lots.lots_of(connection, late_run, "fay") != []
        connection.execute(text(damage))
        assert entry_lots.lots_of(connection, late_run, "fay") is None
