"""Who bears what of a refund, in one sentence: the parts add up to what the user gets back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.ledger.bearing import Bearing, bearing, rule_sentence, sentence
from credits_core.ledger.movements import Movement, for_flow_unlock, for_refund
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.store.kinds import RefundRule, TransactionType

amounts = st.integers(min_value=0, max_value=10**12)
TERMS = [RefundTerms(), RefundTerms(provider_refunded=True), *map(RefundTerms, RefundRule)]
BOOKED_BACK, BORNE = RefundTerms(RefundRule.COST_BOOKED_BACK), RefundTerms(RefundRule.PLATFORM_BEARS_COST)


def paid(share: int, revenue: int, cost: int) -> list[Movement]:
    parts = [
        Movement("ben", TransactionType.CREATOR_PAYMENT, share),
        Movement("platform:revenue", TransactionType.PLATFORM_REVENUE, revenue),
        Movement("platform:inference", TransactionType.INFERENCE_COST, cost),
    ]
    total = Movement("ada", TransactionType.PROMPT_RUN, -share - revenue - cost)
    return [total, *(part for part in parts if part.amount_credits)]


def borne(share: int, revenue: int, cost: int, *, held: int, on: RefundTerms = TERMS[0]) -> Bearing:
    movements = paid(share, revenue, cost)
    return bearing(movements, for_refund(movements, {"ada": 0, "ben": held}, on), on)


def test_every_part_is_told_apart() -> None:
    assert borne(800, 201, 250, held=500) == Bearing("ada", 1_251, "ben", 500, 300, 0, 201, 250, 0, TERMS[0])
    assert borne(800, 201, 250, held=500, on=BORNE) == Bearing("ada", 1_251, "ben", 500, 0, 300, 201, 250, 0, BORNE)
    assert borne(800, 201, 250, held=900, on=TERMS[1]) == Bearing("ada", 1_251, "ben", 800, 0, 0, 201, 0, 250, TERMS[1])
    assert borne(0, 50, 250, held=0, on=BOOKED_BACK) == Bearing("ada", 300, None, 0, 0, 0, 50, 0, 250, BOOKED_BACK)


@pytest.mark.parametrize(
    ("share", "revenue", "cost", "held", "on", "said", "rule"),
    [
        (
            *(0, 50, 250, 0, TERMS[0]),
            "ada got back 300 credits ($0.0003): PromptFlow bore 300.",
            "The provider is paid whether or not a run is refunded, so PromptFlow bears the inference cost.",
        ),
        (
            *(0, 0, 4, 0, TERMS[1]),
            "ada got back 4 credits ($0.000004): the provider gave back 4.",
            "The provider gave the inference cost back.",
        ),
        (
            *(1_200, 300, 3_840, 1_200, BOOKED_BACK),
            "ada got back 5,340 credits ($0.00534): ben gave back 1,200, PromptFlow bore 300, 3,840 of inference cost"
            " were booked back.",
            "Earlier rule: the inference cost was booked back as if the provider had given it back.",
        ),
        (
            *(800, 201, 0, 0, TERMS[0]),
            "ada got back 1,001 credits ($0.001001): ben gave back 0 of 800 and came to owe 800, PromptFlow bore 201.",
            "What a creator has spent of the share is owed, and the next earnings pay it first. No inference cost is"
            " involved.",
        ),
        (
            *(800, 201, 0, 0, BORNE),
            "ada got back 1,001 credits ($0.001001): ben gave back 0 of 800 (the rest was spent), PromptFlow bore"
            " 1,001.",
            "Earlier rule: PromptFlow bore what the creator had spent of the share. No inference cost is involved.",
        ),
        (
            *(1, 0, 0, 1, TERMS[0]),
            "ada got back 1 credit ($0.000001): ben gave back 1.",
            "No inference cost is involved.",
        ),
    ],
)
def test_only_who_bears_something_is_named(
    share: int, revenue: int, cost: int, held: int, on: RefundTerms, said: str, rule: str
) -> None:
    found = borne(share, revenue, cost, held=held, on=on)
    assert (sentence(found, done=True), rule_sentence(found)) == (said, rule)


def test_an_unlock_has_no_inference_cost() -> None:
    movements = for_flow_unlock("ada", "ben", creator_share_credits=800, platform_share_credits=201)
    found = bearing(movements, for_refund(movements, {"ada": 0, "ben": 800}, TERMS[0]), TERMS[0])
    assert sentence(found, done=False) == (
        "ada gets back 1,001 credits ($0.001001): ben gives back 800, PromptFlow bears 201."
    )
    assert found.cost_credits == 0


@given(amounts, amounts, st.integers(1, 10**12), amounts, st.sampled_from(TERMS))
def test_the_parts_add_up_to_what_the_user_gets_back(
    share: int, revenue: int, cost: int, held: int, on: RefundTerms
) -> None:
    found = borne(share, revenue, cost, held=held, on=on)
    of_creator = found.creator_credits + found.owed_credits
    assert of_creator + found.platform_credits + found.returned_cost_credits == found.user_credits
    assert found.user_credits == share + revenue + cost
    assert (found.inference_credits, found.returned_cost_credits) == ((0, cost) if on.returns_cost else (cost, 0))
    assert min(found.creator_credits, found.owed_credits, found.spent_share_credits, found.revenue_credits) >= 0
