"""Every invariant of the audit, each with damage done behind the ledger's back that it alone reports."""

from collections.abc import Iterator

import pytest

from credits_core.pricing.quote import PriceBook
from tests.support import damage
from tests.support.damage import Ledger
from tests.support.damaged_payments import OF_PAYMENTS
from tests.support.plain_sql import rows


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("damage"), book) as ledger:
        yield ledger


def _set_run(entry: str, change: str) -> str:
    return f"UPDATE prompt_runs SET {change} WHERE entry_id = <{entry}>"


def _set_unlock(entry: str, change: str) -> str:
    return f"UPDATE unlocked_flows SET {change} WHERE entry_id = <{entry}>"


def _set_entry(entry: str, change: str) -> str:
    return f"UPDATE journal_entries SET {change} WHERE id = <{entry}>"


def _set_balance(user: str, change: str) -> str:
    return f"UPDATE user_credits SET balance_credits = {change} WHERE user_id = '{user}'"


def test_the_ledger_to_be_damaged_is_clean(ledger: Ledger) -> None:
    assert ledger.after() == {}
    assert 0 < rows(ledger.engine, "SELECT entry_id FROM rollup_watermark")[0][0] < ledger.ids["late run"]  # type: ignore[operator]


_AS_EARLIER_VERSIONS_WROTE_IT = (
    "unit_prices = NULL, input_usd_per_mtok = '2.5', output_usd_per_mtok = '10', request_usd_per_thousand = '0'"
)


def test_a_run_as_earlier_versions_wrote_it_is_clean(ledger: Ledger) -> None:
    assert ledger.after(_set_run("token run", _AS_EARLIER_VERSIONS_WROTE_IT)) == {}


def test_a_run_may_have_taken_place_before_it_was_charged_and_a_little_after_by_another_clock(ledger: Ledger) -> None:
    for used_at_us in ("created_at_us - 86400000000", "created_at_us", "created_at_us + 300000000"):
        found = ledger.after(_set_run("late run", f"used_at_us = {used_at_us}"))
        assert set(found) == {"entries_say_what_was_asked"}  # the caller said none
    found = ledger.after(_set_run("late run", "used_at_us = created_at_us + 300000001"))
    assert set(found) == {"entries_say_what_was_asked", "times_agree"}
    assert "charges a run that took place after it" in str(found["times_agree"])


# What was done, the only invariant that reports it, and what its sentence names.
DAMAGE: dict[str, tuple[list[str], str, str]] = {
    "a platform account's amount is changed": (
        [damage.set_transaction("late purchase", 1, "amount_credits = -499")],
        "entries_sum_to_zero",
        "entry <late purchase> has 2 transactions with the sum of 1 credit",
    ),
    "a transaction is deleted": (
        ["DELETE FROM credit_transactions WHERE entry_id = <late purchase> AND position = 1"],
        "entries_sum_to_zero",
        "entry <late purchase> has 1 transaction with the sum of 500 credits",
    ),
    "bought credits come from the account for grants": (
        [damage.set_transaction("late purchase", 1, "account_id = 'platform:grants'")],
        "entries_have_the_form_of_their_kind",
        "entry <late purchase>, a credit_purchase, has a later transaction credit_purchase from platform:grants",
    ),
    "a purchase's transactions are called a grant": (
        ["UPDATE credit_transactions SET type = 'grant' WHERE entry_id = <late purchase>"],
        "entries_have_the_form_of_their_kind",
        "entry <late purchase>, a credit_purchase, has a first transaction grant to user",
    ),
    "two platform accounts move credits in somebody's run": (
        [
            damage.add_transaction("late run", 3, "platform:payments_in", "credit_purchase", 5),
            damage.add_transaction("late run", 4, "platform:grants", "grant", -5),
        ],
        "entries_have_the_form_of_their_kind",
        "entry <late run>, a prompt_run, has a later transaction grant from platform:grants",
    ),
    "a transaction is cut in two": (
        [
            damage.set_transaction("late purchase", 1, "amount_credits = -200"),
            damage.add_transaction("late purchase", 2, "platform:payments_in", "credit_purchase", -300),
        ],
        "entries_have_the_form_of_their_kind",
        "entry <late purchase> has transactions that repeat",
    ),
    "a position is left out": (
        [damage.set_transaction("late purchase", 1, "position = 2")],
        "entries_have_the_form_of_their_kind",
        "entry <late purchase> has transactions that repeat or are numbered with gaps",
    ),
    "a position is before the first": (
        [damage.set_transaction("late run", 1, "position = -1")],
        "entries_have_the_form_of_their_kind",
        "entry <late run> has transactions that repeat or are numbered with gaps",
    ),
    "a run is said to be of another prompt": (
        [_set_run("late run", "prompt_id = 'another'")],
        "entries_say_what_was_asked",
        "entry <late run> differs from the request that it was written for",
    ),
    "a run is said to be of another model": (
        [_set_run("token run", "model_id = 'openai/gpt-5'")],
        "entries_say_what_was_asked",
        "entry <token run> differs from the request that it was written for",
    ),
    "a grant's reason is changed": (
        [_set_entry("late grant", "description = 'Friendship'")],
        "entries_say_what_was_asked",
        "entry <late grant> differs from the request that it was written for",
    ),
    "another flow is unlocked": (
        [_set_unlock("late unlock", "flow_id = 'dearer-flow'")],
        "entries_say_what_was_asked",
        "entry <late unlock> differs from the request that it was written for",
    ),
    "a purchase, its balances and its account are all made larger": (
        [
            damage.set_transaction(
                "late purchase", 0, "amount_credits = 900, balance_after_credits = balance_after_credits + 400"
            ),
            damage.set_transaction("late purchase", 1, "amount_credits = -900"),
            _set_balance("ada", "balance_credits + 400"),
        ],
        "entries_say_what_was_asked",
        "entry <late purchase> differs from the request that it was written for",
    ),
    "an entry is dated back": (
        [_set_entry("late purchase", "created_at_us = created_at_us - 1")],
        "times_agree",
        "entry <late purchase> has parts of another time",
    ),
    "a transaction is dated back": (
        [damage.set_transaction("late run", 2, "created_at_us = created_at_us - 86400000000")],
        "times_agree",
        "entry <late run> has",
    ),
    "a run is dated back": (
        [_set_run("late run", "created_at_us = created_at_us - 1")],
        "times_agree",
        "entry <late run> has",
    ),
    "an unlock is dated back": (
        [_set_unlock("late unlock", "created_at_us = created_at_us - 1")],
        "times_agree",
        "entry <late unlock> has",
    ),
    "a balance is raised": (
        [_set_balance("cara", "1")],
        "balances_are_sums",
        "cara has 1 credit, but the transactions sum to 0",
    ),
    "an account is deleted": (
        ["DELETE FROM user_credits WHERE user_id = 'dev'"],
        "balances_are_sums",
        "dev has transactions but no account",
    ),
    "a balance after a transaction is raised": (
        [damage.set_transaction("late grant", 0, "balance_after_credits = 901")],
        "balances_follow_each_other",
        "fay has 901 credits after entry <late grant>, where 900 follow from the balance before",
    ),
    "a unit's price is raised": (
        [_set_run("token run", """unit_prices = '{"input_tokens":"2.6","output_tokens":"10"}'""")],
        "runs_cost_what_they_should",
        "run <token run> is recorded as inference cost 3,840, platform markup 768, total 4,608 credits, and priced"
        " again as inference cost 3,942, platform markup 788, total 4,730 credits",
    ),
    **{
        f"the prices of a run are made unreadable: {text}": (
            [_set_run("token run", f"unit_prices = '{text}'")],
            "runs_cost_what_they_should",
            "run <token run> cannot be priced again: a price or a count stored with it is no number",
        )
        for text in (
            '{"input_tokens":"NaN"}',
            '{"input_tokens": null}',
            '{"input_tokens":"2.5"',
            '{"tokens":"2.5"}',
            "[]",
            "7",
            "",
        )
    },
    "the price of a unit that was used is gone": (
        [_set_run("token run", """unit_prices = '{"input_tokens":"2.5"}'""")],
        "runs_cost_what_they_should",
        "run <token run> cannot be priced again: This model has no price for 129 output_tokens",
    ),
    "a run of an earlier version has another price": (
        [
            _set_run("token run", _AS_EARLIER_VERSIONS_WROTE_IT),
            _set_run("token run", "input_usd_per_mtok = '2.6'"),
        ],
        "runs_cost_what_they_should",
        "run <token run> is recorded as inference cost 3,840, platform markup 768, total 4,608 credits, and priced"
        " again as inference cost 3,942, platform markup 788, total 4,730 credits",
    ),
    "a price of a run of an earlier version is made unreadable": (
        [
            _set_run("token run", _AS_EARLIER_VERSIONS_WROTE_IT),
            _set_run("token run", "input_usd_per_mtok = 'NaN'"),
        ],
        "runs_cost_what_they_should",
        "run <token run> cannot be priced again: a price or a count stored with it is no number",
    ),
    "a run has the prices of two versions": (
        [_set_run("token run", "request_usd_per_thousand = '0'")],
        "runs_cost_what_they_should",
        "run <token run> has prices of more than one kind",
    ),
    "a run is said to be of another model than its name stood for": (
        [_set_run("usage run", "model_id = 'openai/gpt-4o'")],
        "runs_have_the_price_of_their_list",
        "run <usage run>",
    ),
    "the reason of a price list's activation is changed": (
        ["UPDATE price_list_activations SET reason = 'Another'"],
        "price_lists_are_sealed",
        "activation 1, of price list 1, or its list was changed since",
    ),
    "a run is said to have been in another service tier": (
        [_set_run("late run", "service_tier = 'flex'")],
        "entries_say_what_was_asked",
        "entry <late run> differs from the request that it was written for",
    ),
    "a run is said to have been asked for by another name": (
        [_set_run("usage run", "asked_model = 'gpt-5'")],
        "entries_say_what_was_asked",
        "entry <usage run> differs from the request that it was written for",
    ),
    "a run is said to have been asked for by its id": (
        [_set_run("usage run", "asked_model = NULL")],
        "entries_say_what_was_asked",
        "entry <usage run> differs from the request that it was written for",
    ),
    "a run is said to have been asked for by a name": (
        [_set_run("late run", "asked_model = 'haiku'")],
        "entries_say_what_was_asked",
        "entry <late run> differs from the request that it was written for",
    ),
    "a run is said to have reasoned less, which costs the same": (
        [_set_run("usage run", "usage = replace(usage, '192,', '191,')")],
        "entries_say_what_was_asked",
        "entry <usage run> differs from the request that it was written for",
    ),
    "a run of no usage is given one": (
        [_set_run("late run", """usage = '{"input_tokens": 5}'""")],
        "entries_say_what_was_asked",
        "entry <late run> differs from the request that it was written for",
    ),
    "a run's plan is unknown": (
        [_set_run("late run", "plan_id = 'plan-9'")],
        "runs_cost_what_they_should",
        "run <late run> names the unknown plan plan-9",
    ),
    "a run's total is lowered together with its transactions and balances": (
        [
            _set_run("late run", "platform_markup_credits = 40, total_credits = 290"),
            damage.set_transaction("late run", 0, "amount_credits = -290, balance_after_credits = 610"),
            damage.set_transaction("late run", 1, "amount_credits = 40"),
            _set_balance("fay", "610"),
        ],
        "runs_cost_what_they_should",
        "run <late run> is recorded as platform markup 40, total 290 credits, and priced again as platform markup 50,"
        " total 300 credits",
    ),
    "inference cost is booked as revenue": (
        [
            damage.set_transaction("late run", 1, "amount_credits = 60"),
            damage.set_transaction("late run", 2, "amount_credits = 240"),
        ],
        "runs_match_their_transactions",
        "entry <late run> does not match its run",
    ),
    "a purchase is given a run": (
        [
            "INSERT INTO prompt_runs (entry_id, user_id, prompt_id, model_id, plan_id, run_price_credits,"
            " inference_cost_credits, creator_fee_credits, platform_markup_credits, total_credits,"
            " creator_share_credits, created_at_us) SELECT e.id, user_id, prompt_id, model_id, plan_id,"
            " run_price_credits, inference_cost_credits, creator_fee_credits, platform_markup_credits, total_credits,"
            " creator_share_credits, e.created_at_us FROM prompt_runs, journal_entries e"
            " WHERE entry_id = <late run> AND e.id = <late purchase>"
        ],
        "runs_match_their_transactions",
        "entry <late purchase> has a run but is a credit_purchase",
    ),
    "a creator's share of an unlock is lowered together with its transactions and balances": (
        [
            _set_unlock("late unlock", "creator_share_credits = 1500"),
            damage.set_transaction("late unlock", 1, "amount_credits = 1500, balance_after_credits = 1500"),
            damage.set_transaction("late unlock", 2, "amount_credits = 500"),
            _set_balance("eve", "1500"),
        ],
        "unlocks_are_split_as_planned",
        "unlock <late unlock> gave the creator 1,500 of 2,000 credits, not 1,600",
    ),
    "an unlock's plan is unknown": (
        [_set_unlock("late unlock", "plan_id = 'plan-9'")],
        "unlocks_are_split_as_planned",
        "unlock <late unlock> names the unknown plan plan-9",
    ),
    "a flow that was never refunded is locked again": (
        [_set_unlock("late unlock", "refunded_by_entry_id = <refund of grant>")],
        "unlocks_match_their_transactions",
        "entry <late unlock> does not match its unlock",
    ),
    "a refunded flow is in force": (
        [_set_unlock("unlock", "refunded_by_entry_id = NULL")],
        "unlocks_match_their_transactions",
        "entry <unlock> does not match its unlock",
    ),
    "a refund takes its parts from other accounts than they went to": (
        [
            damage.set_transaction("refund of run by ben", 4, "amount_credits = amount_credits - 10"),
            damage.set_transaction("refund of run by ben", 5, "amount_credits = amount_credits + 10"),
        ],
        "refunds_reverse_once",
        "refund <refund of run by ben> leaves -10 with platform:revenue",
    ),
    "the platform bears what the creator should owe": (
        [
            damage.set_transaction("refund of run by ben", 1, "amount_credits = 290, balance_after_credits = 1710"),
            damage.set_transaction("refund of run by ben", 2, "amount_credits = -290, balance_after_credits = -290"),
            damage.set_transaction("refund of run by ben", 3, "amount_credits = -1710"),
            damage.add_transaction("refund of run by ben", 6, "platform:revenue", "refund", -10),
            "UPDATE user_parts SET balance_credits = -290 WHERE account_id = 'cara:debt'",
        ],
        "refunds_reverse_once",
        "refund <refund of run by ben> leaves 10 with cara",
    ),
    "a daily total is raised": (
        ["UPDATE daily_totals SET amount_credits = amount_credits + 1 WHERE account_id = 'dev'"],
        "daily_totals_are_sums",
        " for dev (grant) says 5,001 credits in 1 movement, but the transactions give 5,000 credits in 1 movement",
    ),
    "a daily total is deleted": (
        ["DELETE FROM daily_totals WHERE account_id = 'dev'"],
        "daily_totals_are_sums",
        " for dev (grant) says nothing, but the transactions give 5,000 credits in 1 movement",
    ),
    "a daily sum is raised": (
        ["UPDATE daily_sums SET received_credits = received_credits + 1 WHERE type = 'grant' AND party = 'users'"],
        "daily_totals_are_sums",
        "for users (grant) says ",
    ),
    "a use of a prompt is not counted": (
        ["UPDATE daily_works SET uses = uses - 1 WHERE entry_type = 'flow_unlock'"],
        "daily_totals_are_sums",
        "(flow unlock) says ",
    ),
    **OF_PAYMENTS,
    "the credits in circulation are raised": (
        ["UPDATE rollup_watermark SET circulating_credits = circulating_credits + 1"],
        "daily_totals_are_sums",
        "in circulation where users held",
    ),
    "the watermark stands behind the last entry": (
        ["UPDATE rollup_watermark SET entry_id = <late purchase> + 1"],
        "daily_totals_are_sums",
        "but the last entry is <late purchase>",
    ),
    "the watermark is deleted": (["DELETE FROM rollup_watermark"], "daily_totals_are_sums", "the watermark is missing"),
    "an entry is deleted": (
        ["DELETE FROM journal_entries WHERE id = <late purchase>"],
        "references_exist",
        "credit_transactions <late purchase>/0: entry_id <late purchase> does not exist",
    ),
    "an index is dropped": (
        ["DROP INDEX uq_unlocked_flows_in_force"],
        "constraints_hold",
        "uq_unlocked_flows_in_force is missing",
    ),
}


@pytest.mark.parametrize("done", DAMAGE)
def test_damage_is_found_by_exactly_its_invariant(ledger: Ledger, done: str) -> None:
    statements, invariant, named = DAMAGE[done]
    found = ledger.after(*statements)
    assert list(found) == [invariant]
    assert ledger.sql(named) in str(found[invariant])
