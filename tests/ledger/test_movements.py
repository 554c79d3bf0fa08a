"""Where the credits of an event go: movements that balance, and refunds that take no more than there is."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.ledger.movements import (
    Movement,
    for_added_credits,
    for_flow_unlock,
    for_prompt_run,
    for_refund,
    paying_debt,
)
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.pricing.quote import Quote, quote
from credits_core.store.kinds import CreditSource, EntryType, RefundRule, TransactionType, is_platform
from tests.support import plans

fees = st.integers(min_value=0, max_value=10**12)
costs = st.integers(min_value=1, max_value=10**12)
shares = st.integers(min_value=0, max_value=10_000)
balances = st.integers(min_value=0, max_value=10**13)


def priced_run(cost_credits: int, fee_credits: int = 0, *, share_bps: int = 8_000, markup_bps: int = 2_000) -> Quote:
    model = Model("m", "M", "maker", "text", RunPrice(cost_credits), "hand-written", date(2026, 1, 1))
    plan = PricePlan("p", share_bps, (MarkupTier(None, markup_bps, None),))
    return quote(model, plan, creator_fee_credits=fee_credits)


def shown(movements: list[Movement]) -> list[tuple[str, str, int]]:
    return [(movement.account_id, movement.type.value, movement.amount_credits) for movement in movements]


def received(movements: list[Movement]) -> dict[str, int]:
    """What each account received in all."""
    sums: dict[str, int] = {}
    for movement in movements:
        sums[movement.account_id] = sums.get(movement.account_id, 0) + movement.amount_credits
    return sums


def assert_balanced(movements: list[Movement]) -> None:
    assert sum(movement.amount_credits for movement in movements) == 0
    assert all(movement.amount_credits != 0 for movement in movements)
    assert len(movements) >= 2


# --- runs, unlocks and added credits --------------------------------------------------------------------------------


def test_a_run_without_a_fee_pays_inference_and_markup() -> None:
    assert shown(for_prompt_run(priced_run(250), "ada", None)) == [
        ("ada", "prompt_run", -300),
        ("platform:revenue", "platform_revenue", 50),
        ("platform:inference", "inference_cost", 250),
    ]


def test_a_run_with_a_fee_pays_the_creator_the_platforms_share_and_inference() -> None:
    assert shown(for_prompt_run(priced_run(250, 1_001), "ada", "ben")) == [
        ("ada", "prompt_run", -1_251),
        ("ben", "creator_payment", 800),
        ("platform:revenue", "platform_revenue", 201),
        ("platform:inference", "inference_cost", 250),
    ]


def test_a_creators_share_that_rounds_down_to_nothing_is_no_movement() -> None:
    assert shown(for_prompt_run(priced_run(250, 1), "ada", "ben")) == [
        ("ada", "prompt_run", -251),
        ("platform:revenue", "platform_revenue", 1),
        ("platform:inference", "inference_cost", 250),
    ]


def test_a_markup_that_rounds_down_to_nothing_is_no_movement() -> None:
    assert shown(for_prompt_run(priced_run(4), "ada", None)) == [
        ("ada", "prompt_run", -4),
        ("platform:inference", "inference_cost", 4),
    ]


def test_a_creator_who_runs_the_own_prompt_pays_the_whole_and_receives_the_share() -> None:
    movements = for_prompt_run(priced_run(250, 1_001), "ben", "ben")
    assert shown(movements)[:2] == [("ben", "prompt_run", -1_251), ("ben", "creator_payment", 800)]


@given(costs, fees, shares, st.integers(min_value=0, max_value=10_000), st.sampled_from(["ada", "ben"]))
def test_the_movements_of_a_run_balance_and_give_everyone_the_quoted_part(
    cost: int, fee: int, share_bps: int, markup_bps: int, payer: str
) -> None:
    priced = priced_run(cost, fee, share_bps=share_bps, markup_bps=markup_bps)
    movements = for_prompt_run(priced, payer, "ben" if fee else None)
    assert_balanced(movements)
    assert movements[0] == Movement(payer, TransactionType.PROMPT_RUN, -priced.total_credits)
    by_type = {movement.type: movement.amount_credits for movement in movements}
    assert by_type[TransactionType.INFERENCE_COST] == cost
    assert by_type.get(TransactionType.CREATOR_PAYMENT, 0) == priced.creator_share_credits
    assert by_type.get(TransactionType.PLATFORM_REVENUE, 0) == (
        priced.platform_share_credits + priced.platform_markup_credits
    )


def _split(fee: int, share_bps: int) -> tuple[int, int]:
    return replace(plans.SPECIFICATION, creator_share_bps=share_bps).split_fee(fee)


def _unlock(creator_credits: int, platform_credits: int) -> list[Movement]:
    return for_flow_unlock("ada", "ben", creator_share_credits=creator_credits, platform_share_credits=platform_credits)


def test_an_unlock_pays_creator_and_platform() -> None:
    assert shown(_unlock(800, 201)) == [
        ("ada", "flow_unlock", -1_001),
        ("ben", "creator_payment", 800),
        ("platform:revenue", "platform_revenue", 201),
    ]


@given(st.integers(min_value=1, max_value=10**15), shares)
def test_the_movements_of_an_unlock_balance(fee: int, share_bps: int) -> None:
    creator_credits, platform_credits = _split(fee, share_bps)
    movements = _unlock(creator_credits, platform_credits)
    assert_balanced(movements)
    assert received(movements).get("ben", 0) == creator_credits
    assert received(movements)["ada"] == -fee


@pytest.mark.parametrize(
    ("source", "entry_type", "transaction_type", "from_account"),
    [
        (CreditSource.PURCHASE, EntryType.CREDIT_PURCHASE, "credit_purchase", "platform:payments_in"),
        (CreditSource.GRANT, EntryType.GRANT, "grant", "platform:grants"),
        (CreditSource.ADJUSTMENT, EntryType.ADJUSTMENT, "adjustment", "platform:adjustments"),
    ],
)
def test_added_credits_come_from_the_platforms_account_for_their_source(
    source: CreditSource, entry_type: EntryType, transaction_type: str, from_account: str
) -> None:
    found_type, movements = for_added_credits(source, "ada", 500)
    assert found_type is entry_type
    assert shown(movements) == [("ada", transaction_type, 500), (from_account, transaction_type, -500)]


def test_the_platforms_accounts_are_told_from_users() -> None:
    assert is_platform("platform:revenue")
    assert not is_platform("platform")
    assert not is_platform("ada")


# --- refunds --------------------------------------------------------------------------------------------------------

PAID_RUN = [
    Movement("ada", TransactionType.PROMPT_RUN, -1_251),
    Movement("ben", TransactionType.CREATOR_PAYMENT, 800),
    Movement("platform:revenue", TransactionType.PLATFORM_REVENUE, 201),
    Movement("platform:inference", TransactionType.INFERENCE_COST, 250),
]


@pytest.mark.parametrize(
    ("creator_balance_credits", "from_creator"),
    [
        (0, [("platform:revenue", "refund", -800)]),
        (1, [("ben", "creator_payment", -1), ("platform:revenue", "refund", -799)]),
        (799, [("ben", "creator_payment", -799), ("platform:revenue", "refund", -1)]),
        (800, [("ben", "creator_payment", -800)]),
        (801, [("ben", "creator_payment", -800)]),
    ],
)
def test_the_platform_bore_what_the_creator_had_already_spent_under_the_earlier_rule(
    creator_balance_credits: int, from_creator: list[tuple[str, str, int]]
) -> None:
    terms = RefundTerms(RefundRule.PLATFORM_BEARS_COST)
    movements = for_refund(PAID_RUN, {"ada": 0, "ben": creator_balance_credits}, terms)
    assert shown(movements) == [
        ("ada", "refund", 1_251),
        *from_creator,
        ("platform:revenue", "platform_revenue", -201),
        ("platform:refunded_inference", "refund", -250),
    ]


@pytest.mark.parametrize(("creator_balance_credits", "lent"), [(0, 800), (1, 799), (799, 1), (800, 0), (801, 0)])
def test_a_creator_owes_what_is_spent_of_a_refunded_share(creator_balance_credits: int, lent: int) -> None:
    movements = for_refund(PAID_RUN, {"ada": 0, "ben": creator_balance_credits}, RefundTerms())
    assert shown(movements) == [
        ("ada", "refund", 1_251),
        *([("ben", "transfer", lent), ("ben:debt", "transfer", -lent)] if lent else []),
        ("ben", "creator_payment", -800),
        ("platform:revenue", "platform_revenue", -201),
        ("platform:refunded_inference", "refund", -250),
    ]


def test_what_a_share_paid_of_a_debt_is_not_undone_with_it() -> None:
    paid = paying_debt(PAID_RUN, "ben", 300)
    assert shown(paid)[4:] == [("ben", "transfer", -300), ("ben:debt", "transfer", 300)]
    assert for_refund(paid, {"ada": 0, "ben": 500}, RefundTerms()) == for_refund(
        PAID_RUN, {"ada": 0, "ben": 500}, RefundTerms()
    )


@pytest.mark.parametrize(
    ("terms", "cost"),
    [
        (RefundTerms(), ("platform:refunded_inference", "refund", -250)),
        (RefundTerms(provider_refunded=True), ("platform:inference", "inference_cost", -250)),
        (RefundTerms(RefundRule.COST_BOOKED_BACK), ("platform:inference", "inference_cost", -250)),
    ],
)
def test_the_provider_keeps_the_inference_cost_unless_the_terms_say_otherwise(
    terms: RefundTerms, cost: tuple[str, str, int]
) -> None:
    assert shown(for_refund(PAID_RUN, {"ada": 0, "ben": 800}, terms)) == [
        ("ada", "refund", 1_251),
        ("ben", "creator_payment", -800),
        ("platform:revenue", "platform_revenue", -201),
        cost,
    ]


def test_a_creator_refunded_for_an_own_run_returns_the_share_out_of_the_refund() -> None:
    paid = [Movement("ben", TransactionType.PROMPT_RUN, -1_251), *PAID_RUN[1:]]
    assert shown(for_refund(paid, {"ben": 0}, RefundTerms())) == [
        ("ben", "refund", 1_251),
        ("ben", "creator_payment", -800),
        ("platform:revenue", "platform_revenue", -201),
        ("platform:refunded_inference", "refund", -250),
    ]


def test_refunding_added_credits_takes_them_back_whatever_is_left_of_them() -> None:
    _, added = for_added_credits(CreditSource.PURCHASE, "ada", 500)
    assert shown(for_refund(added, {"ada": 20}, RefundTerms())) == [
        ("ada", "refund", -500),
        ("platform:payments_in", "credit_purchase", 500),
    ]


terms = st.sampled_from([RefundTerms(), RefundTerms(provider_refunded=True), *map(RefundTerms, RefundRule)])


def assert_undone(paid: list[Movement], balance_credits: int, on: RefundTerms) -> None:
    """The refund of a paid event balances, repays the payer exactly, and takes from ben what it gave or all he has.

    What ben has spent he owes; under earlier rules the platform bears it from its revenue. An inference cost that stays
    with the provider it bears from the account for that.
    """
    movements = for_refund(paid, {"ada": 0, "ben": balance_credits}, on)
    assert_balanced(movements)
    assert movements[0] == Movement(paid[0].account_id, TransactionType.REFUND, -paid[0].amount_credits)
    left_credits = balance_credits + received(movements).get("ben", 0)
    assert left_credits >= 0
    borne = {m.account_id: -m.amount_credits for m in movements[1:] if m.type is TransactionType.REFUND}
    spent_credits = borne.pop("platform:revenue", 0)
    assert spent_credits >= 0
    assert spent_credits == 0 or left_credits == 0
    cost_credits = sum(m.amount_credits for m in paid if m.account_id == "platform:inference")
    stays = not on.returns_cost and cost_credits > 0
    assert borne == ({"platform:refunded_inference": cost_credits} if stays else {})
    owed_credits = -received(movements).get("ben:debt", 0)
    assert owed_credits >= 0
    assert owed_credits == 0 or (on.creator_owes and left_credits == 0)
    assert spent_credits == 0 or not on.creator_owes
    remains = {account: amount for account, amount in received([*paid, *movements]).items() if amount}
    assert remains == (
        ({"ben": spent_credits, "platform:revenue": -spent_credits} if spent_credits else {})
        | ({"ben": owed_credits, "ben:debt": -owed_credits} if owed_credits else {})
        | ({"platform:inference": cost_credits, "platform:refunded_inference": -cost_credits} if stays else {})
    )


@given(costs, fees, shares, balances, st.sampled_from(["ada", "ben"]), terms)
def test_a_refund_undoes_a_run_but_for_its_inference_cost_and_takes_no_more_than_the_creator_has(
    cost: int, fee: int, share_bps: int, balance_credits: int, payer: str, on: RefundTerms
) -> None:
    paid = for_prompt_run(priced_run(cost, fee, share_bps=share_bps), payer, "ben" if fee else None)
    assert_undone(paid, balance_credits, on)


@given(st.integers(min_value=1, max_value=10**12), shares, balances, terms)
def test_a_refund_undoes_an_unlock_and_takes_no_more_than_the_creator_has(
    fee: int, share_bps: int, balance_credits: int, on: RefundTerms
) -> None:
    assert_undone(_unlock(*_split(fee, share_bps)), balance_credits, on)
