"""Charging a run: the rows it leaves, what is refused, and that a refused run does nothing at all."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger import actions
from credits_core.ledger.refusals import (
    BalanceTooLarge,
    InsufficientCredits,
    NothingToCharge,
    PriceChanged,
    UnknownUser,
)
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.refusals import UnknownModel
from tests.support import world
from tests.support.plain_sql import balance, refused, rows, transactions
from tests.support.prices import by_usage
from tests.support.world import HAIKU, HAIKU_WITH_FEE, LARGEST_CREDITS, LATER, NOW, NOW_US, TOKENS


def test_a_run_without_a_fee_pays_inference_and_markup(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    receipt = world.charge(engine, HAIKU, key="k-2", now=LATER)

    assert transactions(engine, receipt.entry_id) == [
        ("ada", "prompt_run", -300, 700),
        ("platform:revenue", "platform_revenue", 50, None),
        ("platform:inference", "inference_cost", 250, None),
    ]
    assert balance(engine, "ada") == 700
    assert rows(engine, "SELECT * FROM prompt_runs") == [
        (
            *(
                receipt.entry_id,
                "ada",
                "summarise",
                "claude-3-haiku",
                None,
                "plan-1",
                None,
                None,
                250,
                None,
                None,
                None,
            ),
            *(250, 0, 50, 300, 0, NOW_US + 3_600_000_000),
            *(None, None, None, None, None, None),
        )
    ]


def test_a_run_with_a_fee_pays_inference_creator_and_platform_and_no_markup(engine: Engine) -> None:
    world.add(engine, "ada", 2_000, key="k-1")
    receipt = world.charge(engine, HAIKU_WITH_FEE, key="k-2")

    assert transactions(engine, receipt.entry_id) == [
        ("ada", "prompt_run", -1_251, 749),
        ("ben", "creator_payment", 800, 800),
        ("platform:revenue", "platform_revenue", 201, None),
        ("platform:inference", "inference_cost", 250, None),
    ]
    assert rows(engine, "SELECT * FROM prompt_runs") == [
        (
            *(
                receipt.entry_id,
                "ada",
                "summarise",
                "claude-3-haiku",
                "ben",
                "plan-1",
                None,
                None,
                250,
                None,
                None,
                None,
            ),
            *(250, 1_001, 0, 1_251, 800, NOW_US),
            *(None, None, None, None, None, None),
        )
    ]


def test_a_run_priced_per_token_keeps_its_prices_and_tokens(engine: Engine) -> None:
    world.add(engine, "ada", 5_000, key="k-1")
    receipt = world.charge(engine, TOKENS, key="k-2")

    assert transactions(engine, receipt.entry_id) == [
        ("ada", "prompt_run", -4_611, 389),
        ("platform:revenue", "platform_revenue", 768, None),
        ("platform:inference", "inference_cost", 3_843, None),
    ]
    assert rows(engine, "SELECT * FROM prompt_runs") == [
        (
            *(
                receipt.entry_id,
                "ada",
                "summarise",
                "openai/gpt-4o",
                None,
                "plan-1",
                1_021,
                129,
                None,
                None,
                None,
                None,
            ),
            *(3_843, 0, 768, 4_611, 0, NOW_US),
            *(None, '{"input_tokens":"2.5","output_tokens":"10"}', None, None, None, None),
        )
    ]


def test_a_creator_gets_an_account_when_first_paid(engine: Engine) -> None:
    world.add(engine, "ada", 3_000, key="k-1")
    world.charge(engine, HAIKU_WITH_FEE, key="k-2", now=LATER)
    world.charge(engine, HAIKU_WITH_FEE, key="k-3")

    assert rows(engine, "SELECT user_id, balance_credits, created_at_us FROM user_credits WHERE user_id = 'ben'") == [
        ("ben", 1_600, NOW_US + 3_600_000_000)
    ]


def test_of_a_fee_of_one_credit_the_creator_gets_nothing_and_no_account(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    receipt = world.charge(engine, replace(HAIKU_WITH_FEE, creator_fee_credits=1), key="k-2")

    assert transactions(engine, receipt.entry_id) == [
        ("ada", "prompt_run", -251, 749),
        ("platform:revenue", "platform_revenue", 1, None),
        ("platform:inference", "inference_cost", 250, None),
    ]
    assert rows(engine, "SELECT user_id FROM user_credits") == [("ada",)]
    assert rows(engine, "SELECT creator_id, creator_fee_credits, creator_share_credits FROM prompt_runs") == [
        ("ben", 1, 0)
    ]


def free_book() -> PriceBook:
    """A book in which GPT-4 is free for what comes from a cache."""
    book = world.price_book()
    free = by_usage(input_tokens="2", cache_read_tokens="0")
    return replace(book, models=ModelRegistry({"free": replace(book.models["gpt-4"], id="free", prices=free)}))


def test_a_run_that_costs_0_credits_is_refused_and_its_key_is_free_for_one_that_costs_something(
    engine: Engine,
) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    cached = ChargeRequest("ada", "summarise", "free", usage=(("input_tokens", 500), ("cache_read_tokens", 500)))
    with refused(engine, NothingToCharge) as caught:
        world.charge(engine, cached, key="k-2", book=free_book())
    assert caught.value.model_id == "free"
    assert actions.quote_prompt(cached, free_book(), now=NOW).total_credits == 0

    one_more = replace(cached, usage=(("input_tokens", 501), ("cache_read_tokens", 500)))
    receipt = world.charge(engine, one_more, key="k-2", book=free_book())
    assert transactions(engine, receipt.entry_id) == [
        ("ada", "prompt_run", -2, 998),
        ("platform:inference", "inference_cost", 2, None),
    ]


def test_a_free_model_with_a_fee_pays_creator_and_platform_alone(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    cached = ChargeRequest(
        *("ada", "summarise", "free", "ben", 101), usage=(("input_tokens", 500), ("cache_read_tokens", 500))
    )
    book = free_book()
    receipt = world.charge(engine, cached, key="k-2", book=book)
    assert transactions(engine, receipt.entry_id) == [
        ("ada", "prompt_run", -101, 899),
        ("ben", "creator_payment", 80, 80),
        ("platform:revenue", "platform_revenue", 21, None),
    ]
    world.refund(engine, receipt.entry_id, key="k-3", book=book)
    assert balance(engine, "ada") == 1_000
    assert [str(finding) for finding in invariants.check(engine, book.plans) if not finding.ok] == []


def test_a_creator_who_runs_their_own_prompt_pays_first_and_is_paid_then(engine: Engine) -> None:
    world.add(engine, "ben", 1_251, key="k-1")
    receipt = world.charge(engine, world.run_by("ben", HAIKU_WITH_FEE), key="k-2")

    assert transactions(engine, receipt.entry_id) == [
        ("ben", "prompt_run", -1_251, 0),
        ("ben", "creator_payment", 800, 800),
        ("platform:revenue", "platform_revenue", 201, None),
        ("platform:inference", "inference_cost", 250, None),
    ]
    assert receipt.balance_after("ben") == 800


def test_a_creators_own_share_does_not_help_to_pay_the_run(engine: Engine) -> None:
    world.add(engine, "ben", 1_250, key="k-1")
    with refused(engine, InsufficientCredits):
        world.charge(engine, world.run_by("ben", HAIKU_WITH_FEE), key="k-2")


def test_the_receipt_says_what_was_stored(engine: Engine) -> None:
    world.add(engine, "ada", 2_000, key="k-1")
    receipt = world.charge(engine, HAIKU_WITH_FEE, key="k-2")

    assert receipt.replayed is False
    assert (receipt.type, receipt.idempotency_key, receipt.actor, receipt.created_at) == (
        "prompt_run",
        "k-2",
        "tester",
        NOW,
    )
    assert [
        (moved.account_id, moved.type, moved.amount_credits, moved.balance_before_credits, moved.balance_after_credits)
        for moved in receipt.transactions
    ] == [
        ("ada", "prompt_run", -1_251, 2_000, 749),
        ("ben", "creator_payment", 800, 0, 800),
        ("platform:revenue", "platform_revenue", 201, None, None),
        ("platform:inference", "inference_cost", 250, None, None),
    ]
    assert receipt.quote is not None
    assert (receipt.quote.total_credits, receipt.quote.creator_share_credits) == (1_251, 800)
    assert receipt.balance_after("platform:revenue") is None
    assert receipt.balance_after("cleo") is None


def test_a_balance_may_be_spent_to_the_last_credit_and_no_further(engine: Engine) -> None:
    world.add(engine, "ada", 599, key="k-1")
    world.charge(engine, HAIKU, key="k-2")

    with refused(engine, InsufficientCredits) as caught:
        world.charge(engine, HAIKU, key="k-3")
    refusal = caught.value
    assert isinstance(refusal, InsufficientCredits)
    assert (refusal.user_id, refusal.balance_credits, refusal.required_credits) == ("ada", 299, 300)
    assert (
        str(refusal)
        == "ada has 299 credits, but this takes 300. Nothing was charged. Add at least 1 credit and try again."
    )

    world.add(engine, "ada", 1, key="k-4")
    assert world.charge(engine, HAIKU, key="k-3").balance_after("ada") == 0


def test_a_run_by_an_unknown_user_is_refused(engine: Engine) -> None:
    with refused(engine, UnknownUser):
        world.charge(engine, HAIKU, key="k-1")


def test_a_run_whose_creator_would_hold_too_much_is_refused(engine: Engine) -> None:
    world.add(engine, "ben", LARGEST_CREDITS - 799, key="k-1")
    world.add(engine, "ada", 2_000, key="k-2")
    with refused(engine, BalanceTooLarge) as caught:
        world.charge(engine, HAIKU_WITH_FEE, key="k-3")
    assert "ben" in str(caught.value)


@pytest.mark.parametrize(
    ("refusal", "request_"),
    [
        (UnknownModel, replace(HAIKU, model_id="gpt-5")),
        (InvalidRequest, replace(HAIKU, user_id="platform:revenue")),
        (InvalidRequest, replace(HAIKU, prompt_id="")),
        (InvalidRequest, replace(HAIKU, model_id="")),
        (InvalidRequest, replace(HAIKU, creator_id="ben")),
        (InvalidRequest, replace(HAIKU, creator_fee_credits=5)),
        (InvalidRequest, replace(HAIKU_WITH_FEE, creator_fee_credits=-1)),
        (InvalidRequest, replace(HAIKU_WITH_FEE, creator_fee_credits=2**53)),
        (InvalidRequest, replace(HAIKU_WITH_FEE, creator_fee_credits=LARGEST_CREDITS)),
        (InvalidRequest, replace(HAIKU_WITH_FEE, creator_id="platform:revenue")),
        (InvalidRequest, replace(HAIKU, input_tokens=-1)),
        (InvalidRequest, replace(HAIKU, expected_total_credits=0)),
        (InvalidRequest, replace(TOKENS, input_tokens=None)),
        (InvalidRequest, replace(TOKENS, output_tokens=None)),
        (InvalidRequest, replace(TOKENS, input_tokens=0, output_tokens=0)),
        (InvalidRequest, replace(TOKENS, input_tokens=True)),
        (PriceChanged, replace(HAIKU, expected_total_credits=299)),
        (PriceChanged, replace(HAIKU, expected_total_credits=301)),
    ],
)
def test_a_run_that_cannot_be_priced_as_asked_is_refused(
    engine: Engine, refusal: type[CreditsError], request_: ChargeRequest
) -> None:
    world.add(engine, "ada", LARGEST_CREDITS, key="k-1")
    with refused(engine, refusal):
        world.charge(engine, request_, key="k-2")


def test_a_refused_request_keeps_no_key(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    with refused(engine, PriceChanged) as caught:
        world.charge(engine, replace(HAIKU, expected_total_credits=299), key="k-2")
    refusal = caught.value
    assert isinstance(refusal, PriceChanged)
    assert (refusal.expected_total_credits, refusal.total_credits) == (299, 300)

    again = world.charge(engine, replace(HAIKU, expected_total_credits=300), key="k-2")
    assert (again.replayed, again.balance_after("ada")) == (False, 700)


def test_a_preview_has_the_price_of_the_charge(book: PriceBook) -> None:
    assert actions.quote_prompt(HAIKU_WITH_FEE, book, now=NOW).total_credits == 1_251
    with pytest.raises(PriceChanged):
        actions.quote_prompt(replace(HAIKU_WITH_FEE, expected_total_credits=1_250), book, now=NOW)
    with pytest.raises(InvalidRequest):
        actions.quote_prompt(replace(HAIKU_WITH_FEE, creator_id=None), book, now=NOW)
