"""What the database itself refuses and accepts, whoever writes to it: proved by SQL."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from tests.support import rows
from tests.support.plain_sql import every_row

pytestmark = pytest.mark.as_owner

_TOKEN_PRICED = {
    "run_price_credits": "NULL",
    "input_tokens": "1",
    "output_tokens": "1",
    "input_usd_per_mtok": "'1'",
    "output_usd_per_mtok": "'1'",
    "request_usd_per_thousand": "'0'",
}
# The name that PostgreSQL gives in its message, and SQLite's wording where that names no constraint.
REFUSED = {
    "a negative balance": ("UPDATE user_credits SET balance_credits = -1", "ck_user_credits_balance_in_bounds"),
    "a balance above the largest": (
        "UPDATE user_credits SET balance_credits = 9007199254740992",
        "ck_user_credits_balance_in_bounds",
    ),
    "a balance that is missing": ("UPDATE user_credits SET balance_credits = NULL", "null value|NOT NULL"),
    "a second account for a user": (
        "INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES ('ada', 0, 0)",
        "pk_user_credits|UNIQUE constraint failed: user_credits.user_id",
    ),
    "a user with runs being deleted": ("DELETE FROM user_credits WHERE user_id = 'ada'", "an account is never deleted"),
    "an unknown kind of entry": (rows.entry("'gift'"), "ck_journal_entries_type_known"),
    "a second refund of an entry": (
        rows.entry("'refund'", refunds="4"),
        "uq_journal_entries_refunds_entry_id|this entry was refunded before",
    ),
    "a part of an entry that another refund gave back": (
        rows.refund_part(number="1", through_credits="5"),
        "uq_partial_refunds_number|partial_refunds is append-only",
    ),
    "a part of nothing": (rows.refund_part(refunded_credits="0"), "ck_partial_refunds_part_in_bounds"),
    "a part that passes all parts together": (
        rows.refund_part(refunded_credits="11"),
        "ck_partial_refunds_part_in_bounds",
    ),
    "a second part that begins at nothing": (
        rows.refund_part(refunded_credits="10"),
        "ck_partial_refunds_first_begins_at_nothing",
    ),
    "a part of the fee that is more than the part": (
        rows.refund_part(fee_credits="6"),
        "ck_partial_refunds_fee_in_bounds",
    ),
    "a part of the share below nothing": (rows.refund_part(share_credits="-1"), "ck_partial_refunds_fee_in_bounds"),
    "a part of an entry that does not exist": (rows.refund_part(original_id="77"), "fk_|FOREIGN KEY"),
    "a refund of nothing": (rows.entry("'refund'"), "ck_journal_entries_refund_names_entry"),
    "a grant that refunds": (rows.entry(refunds="1"), "ck_journal_entries_refund_names_entry"),
    "a refund of an entry that does not exist": (rows.entry("'refund'", refunds="77"), "fk_|FOREIGN KEY"),
    "an unknown kind of transaction": (rows.transaction(type_="'tip'"), "ck_credit_transactions_type_known"),
    "a transaction of zero": (rows.transaction(amount="0"), "ck_credit_transactions_amount_in_bounds"),
    "an amount above the largest": (
        rows.transaction(amount="9007199254740992"),
        "ck_credit_transactions_amount_in_bounds",
    ),
    "an amount below the smallest": (
        rows.transaction(amount="-9007199254740992"),
        "ck_credit_transactions_amount_in_bounds",
    ),
    "a user's transaction without the balance after it": (
        rows.transaction(after="NULL"),
        "ck_credit_transactions_balance_only_for_users",
    ),
    "a balance after a platform account's transaction": (
        rows.transaction(account="'platform:revenue'"),
        "ck_credit_transactions_balance_only_for_users",
    ),
    "a negative balance after a transaction": (
        rows.transaction(after="-1"),
        "ck_credit_transactions_balance_not_negative",
    ),
    "a transaction without an entry": (rows.transaction(entry="98"), "fk_|FOREIGN KEY"),
    "a transaction's place taken twice": (
        f"INSERT INTO credit_transactions ({rows.TRANSACTION}) VALUES (2, 0, 'ada', 'grant', 1, 1, 0)",
        "pk_credit_transactions|append-only",
    ),
    "a total above the sum of its parts": (rows.run(total_credits="1252"), "ck_prompt_runs_total_is_sum"),
    "a total below the sum of its parts": (rows.run(total_credits="1250"), "ck_prompt_runs_total_is_sum"),
    "a creator's share above the fee": (rows.run(creator_share_credits="1002"), "ck_prompt_runs_share_within_fee"),
    "a negative creator's share": (rows.run(creator_share_credits="-1"), "ck_prompt_runs_share_within_fee"),
    "a fee without a creator": (rows.run(creator_id="NULL"), "ck_prompt_runs_fee_has_creator"),
    "a creator without a fee": (
        rows.run(creator_fee_credits="0", creator_share_credits="0", total_credits="250"),
        "ck_prompt_runs_fee_has_creator",
    ),
    "a run without any price": (rows.run(run_price_credits="NULL"), "ck_prompt_runs_one_price"),
    "a run with both kinds of price": (
        rows.run(**{**_TOKEN_PRICED, "run_price_credits": "250"}),
        "ck_prompt_runs_one_price",
    ),
    "a run priced per token without its tokens": (
        rows.run(**{**_TOKEN_PRICED, "output_tokens": "NULL"}),
        "ck_prompt_runs_one_price",
    ),
    "a run with a price per run and prices for each unit": (rows.run(unit_prices="'{}'"), "ck_prompt_runs_one_price"),
    "a run with a usage and input tokens": (rows.run(usage="'{}'", input_tokens="1"), "ck_prompt_runs_one_usage"),
    "a run with a usage and output tokens": (rows.run(usage="'{}'", output_tokens="0"), "ck_prompt_runs_one_usage"),
    "a run of a user without an account": (rows.run(user_id="'nobody'"), "fk_|FOREIGN KEY"),
    "a run without an entry": (rows.run(entry_id="98"), "fk_|FOREIGN KEY"),
    "a second run of an entry": (rows.run(entry_id="2"), "pk_prompt_runs|append-only"),
    "two unlocks of a flow in force": (
        rows.unlock(flow_id="'report-flow'"),
        "uq_unlocked_flows_in_force|unlocked_flows keeps every unlock",
    ),
    "an unlock for nothing": (
        rows.unlock(unlock_fee_credits="0", creator_share_credits="0"),
        "ck_unlocked_flows_fee_positive",
    ),
    "an unlock whose share is above the fee": (
        rows.unlock(creator_share_credits="1002"),
        "ck_unlocked_flows_share_within_fee",
    ),
    "an unlock of a user without an account": (rows.unlock(user_id="'nobody'"), "fk_|FOREIGN KEY"),
    "a plan without a revision": (
        "INSERT INTO price_plans (id, toml, revision, actor, saved_at_us) VALUES ('plan-2', '', 0, 'ada', 0)",
        "ck_price_plans_revision_positive",
    ),
    "a plan's id taken twice": (
        "INSERT INTO price_plans (id, toml, revision, actor, saved_at_us) VALUES ('promptflow-v1', '', 1, 'ada', 0)",
        "pk_price_plans|a plan that was activated",
    ),
    "an activation without a reason": (rows.activation(reason="''"), "ck_plan_activations_reason_given"),
    "an activation of no plan": (rows.activation(plan_id="'plan-2'"), "fk_|FOREIGN KEY"),
    "an activation's number taken twice": (rows.activation(id="1"), "pk_plan_activations|append-only"),
    "a change of a plan that was activated": (
        "UPDATE price_plans SET toml = '' WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "a plan discarded that was activated": (
        "UPDATE price_plans SET discarded_at_us = 0 WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "an older last activation of a plan": (
        "UPDATE price_plans SET last_activation_id = NULL WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "a last activation of a plan that is not in the journal": (
        "UPDATE price_plans SET last_activation_id = 2 WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "a change of a plan with its last activation": (
        f"{rows.activation()}; UPDATE price_plans SET last_activation_id = 2, revision = 2 WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "a last activation of a plan that was never live": (
        f"{rows.DRAFT}; UPDATE price_plans SET last_activation_id = 1 WHERE id = 'plan-2'",
        "was activated",
    ),
    "a plan deleted that was activated": ("DELETE FROM price_plans WHERE id = 'promptflow-v1'", "was activated"),
    "a change of an activation": ("UPDATE plan_activations SET reason = 'other'", "append-only"),
    "an activation deleted": ("DELETE FROM plan_activations", "append-only"),
    "a refund under an unknown rule": (rows.refund_rule(rule="'nobody_bears_cost'"), "ck_refunds_rule_known"),
    "a provider that the earlier rule did not ask": (
        rows.refund_rule(rule="'cost_booked_back'", provider_refunded="TRUE"),
        "ck_refunds_asked_by_rule",
    ),
    "a rule without a refund": (rows.refund_rule(entry_id="77"), "fk_|FOREIGN KEY"),
    "a second rule of a refund": (rows.refund_rule(entry_id="5"), "pk_refunds|append-only"),
    "a second watermark": ("INSERT INTO rollup_watermark (id, entry_id) VALUES (2, 0)", "ck_rollup_watermark_one_row"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_database_refuses(engine: Engine, what: str) -> None:
    rows.small_world(engine)
    sql, because = REFUSED[what]
    rows.refused(engine, sql, because=because)


ACCEPTED = {
    "a run priced per run": rows.run(),
    "a run priced per token": rows.run(**_TOKEN_PRICED),
    "a run priced per run that also kept its tokens": rows.run(input_tokens="1", output_tokens="1"),
    "another flow": rows.unlock(),
    "a flow again that was refunded": rows.unlock(flow_id="'report-flow'", refunded_by_entry_id="99"),
    "a user's transaction": rows.whole_entry(),
    "a platform account's transaction": rows.whole_entry(account="'platform:revenue'", after="NULL"),
    "a user whose name begins like the platform's": rows.whole_entry(account="'platform'"),
    "the largest amount": rows.whole_entry(amount="9007199254740991"),
    "the smallest amount": rows.whole_entry(amount="-9007199254740991"),
    "the largest balance": "UPDATE user_credits SET balance_credits = 9007199254740991",
    "an empty balance": "UPDATE user_credits SET balance_credits = 0",
    "a first refund of an entry": rows.entry("'refund'", refunds="2"),
    "a refund under the present rule": rows.refund_rule(),
    "a refund under the present rule that the provider gave back": rows.refund_rule(provider_refunded="TRUE"),
    "a refund under the earlier rule": rows.refund_rule(rule="'cost_booked_back'"),
    "a fee beside a markup": rows.run(platform_markup_credits="50", total_credits="1301"),
    "another activation": rows.activation(),
    "a draft that is changed": f"{rows.DRAFT}; UPDATE price_plans SET toml = 'other', revision = 2 WHERE id = 'plan-2'",
    "a draft that is discarded": f"{rows.DRAFT}; UPDATE price_plans SET discarded_at_us = 7 WHERE id = 'plan-2'",
    "a draft that is deleted": f"{rows.DRAFT}; DELETE FROM price_plans WHERE id = 'plan-2'",
    "the last activation of a plan": (
        f"{rows.activation()}; UPDATE price_plans SET last_activation_id = 2 WHERE id = 'promptflow-v1'"
    ),
    "the first activation of a plan": (
        f"{rows.DRAFT}; {rows.activation(plan_id=chr(39) + 'plan-2' + chr(39))}; "
        "UPDATE price_plans SET last_activation_id = 2 WHERE id = 'plan-2'"
    ),
}


@pytest.fixture
def tampered_engine(engine: Engine) -> Iterator[Engine]:
    """A world whose changes are all rolled back: rows that were put in by hand do not add up."""
    rows.small_world(engine)
    before = every_row(engine)
    yield engine
    assert every_row(engine) == before


@pytest.mark.parametrize("what", ACCEPTED)
def test_the_database_accepts(tampered_engine: Engine, what: str) -> None:
    # The other side of every refusal above: the same row with the one thing set right goes in.
    with tampered_engine.connect() as connection:
        for statement in ACCEPTED[what].split("; "):
            assert connection.execute(text(statement)).rowcount >= 1
        connection.rollback()
