"""Refunds: recorded movements are reversed once, and the platform pays what creator and provider do not give back."""

import hashlib
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from credits_core.errors import InvalidRequest
from credits_core.ledger import refunds
from credits_core.ledger.bearing import sentence
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.ledger.refusals import (
    AddedCreditsSpent,
    AlreadyRefunded,
    BalanceTooLarge,
    IdempotencyKeyReused,
    NotRefundable,
    UnknownEntry,
)
from credits_core.ledger.requests import ChargeRequest, UnlockRequest
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.store import database
from credits_core.store.kinds import CreditSource, RefundRule
from tests.support import world
from tests.support.plain_sql import balance, every_row, refused, rows, transactions
from tests.support.world import HAIKU, HAIKU_WITH_FEE, LARGEST_CREDITS, LATER, UNLOCK


@pytest.mark.parametrize(
    ("source", "entry_type", "counter_account"),
    [
        (CreditSource.PURCHASE, "credit_purchase", "platform:payments_in"),
        (CreditSource.GRANT, "grant", "platform:grants"),
        (CreditSource.ADJUSTMENT, "adjustment", "platform:adjustments"),
    ],
)
def test_a_refund_of_added_credits_takes_them_back(
    engine: Engine, source: CreditSource, entry_type: str, counter_account: str
) -> None:
    added = world.add(engine, "ada", 500, source=source, reason="Welcome", key="k-1")
    refund = world.refund(engine, added.entry_id, key="k-2")

    assert transactions(engine, refund.entry_id) == [
        ("ada", "refund", -500, 0),
        (counter_account, entry_type, 500, None),
    ]
    assert rows(
        engine,
        "SELECT type, refunds_entry_id, description FROM journal_entries WHERE id = :entry",
        entry=refund.entry_id,
    ) == [("refund", added.entry_id, "The answer was empty")]


def test_a_refund_of_a_run_without_a_fee_leaves_its_inference_cost_with_the_provider(engine: Engine) -> None:
    world.add(engine, "ada", 300, key="k-1")
    charged = world.charge(engine, HAIKU, key="k-2")
    refund = world.refund(engine, charged.entry_id, key="k-3")

    assert transactions(engine, refund.entry_id) == [
        ("ada", "refund", 300, 300),
        ("platform:revenue", "platform_revenue", -50, None),
        ("platform:refunded_inference", "refund", -250, None),
    ]
    assert refund.quote is None


def test_a_refund_of_a_run_takes_the_share_back_from_its_creator(engine: Engine) -> None:
    world.add(engine, "ada", 1_251, key="k-1")
    charged = world.charge(engine, HAIKU_WITH_FEE, key="k-2")
    refund = world.refund(engine, charged.entry_id, key="k-3", now=LATER)

    assert transactions(engine, refund.entry_id) == [
        ("ada", "refund", 1_251, 1_251),
        ("ben", "creator_payment", -800, 0),
        ("platform:revenue", "platform_revenue", -201, None),
        ("platform:refunded_inference", "refund", -250, None),
    ]


def test_a_refund_that_the_provider_gave_back_books_the_inference_cost_back(engine: Engine) -> None:
    world.add(engine, "ada", 1_251, key="k-1")
    charged = world.charge(engine, HAIKU_WITH_FEE, key="k-2")
    refund = world.refund(engine, charged.entry_id, provider_refunded=True, key="k-3", now=LATER)

    assert transactions(engine, refund.entry_id) == [
        ("ada", "refund", 1_251, 1_251),
        ("ben", "creator_payment", -800, 0),
        ("platform:revenue", "platform_revenue", -201, None),
        ("platform:inference", "inference_cost", -250, None),
    ]
    assert refund.terms == RefundTerms(RefundRule.CREATOR_OWES_SHARE, provider_refunded=True)


def test_every_refund_keeps_the_rule_that_it_was_made_under(engine: Engine) -> None:
    added = world.add(engine, "ada", 5_000, key="k-1")
    run, second = (world.charge(engine, HAIKU, key=key) for key in ("k-2", "k-3"))
    unlocked = world.unlock(engine, UNLOCK, key="k-4").receipt
    assert unlocked is not None
    made = [
        world.refund(engine, run.entry_id, key="k-5"),
        world.refund(engine, second.entry_id, provider_refunded=True, key="k-6"),
        world.refund(engine, unlocked.entry_id, key="k-7"),
        world.refund(engine, added.entry_id, key="k-8"),
    ]
    assert rows(engine, "SELECT entry_id, rule, provider_refunded FROM refunds ORDER BY entry_id") == [
        (made[0].entry_id, "creator_owes_share", False),
        (made[1].entry_id, "creator_owes_share", True),
        (made[2].entry_id, "creator_owes_share", False),
        (made[3].entry_id, "creator_owes_share", False),
    ]


@pytest.mark.parametrize("kind", ["purchase", "unlock", "free run"])
def test_a_provider_cannot_have_given_back_a_cost_that_there_was_not(engine: Engine, kind: str) -> None:
    entry_id = world.add(engine, "ada", 5_000, key="k-1").entry_id
    if kind == "unlock":
        unlocked = world.unlock(engine, UNLOCK, key="k-2").receipt
        assert unlocked is not None
        entry_id = unlocked.entry_id
    elif kind == "free run":
        asked = ChargeRequest("ada", "summarise", "openai/gpt-4o", "ben", 1_001, 1_020, 129)
        book = world.price_book()
        free = parse_model_registry(world.PRICES.replace("2.5", "0").replace("10}", "0}"))
        entry_id = world.charge(engine, asked, key="k-2", book=replace(book, models=free)).entry_id
    with refused(engine, InvalidRequest) as caught:
        world.refund(engine, entry_id, provider_refunded=True, key="k-3")
    assert str(caught.value) == (
        f"provider_refunded: must be false: entry {entry_id} has no inference cost that a provider could give back"
    )


@pytest.mark.parametrize("said", [None, 1, "yes"])
def test_whether_the_provider_gave_the_cost_back_is_true_or_false(engine: Engine, said: object) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    charged = world.charge(engine, HAIKU, key="k-2")
    with refused(engine, InvalidRequest):
        world.refund(engine, charged.entry_id, provider_refunded=said, key="k-3")  # type: ignore[arg-type]


def test_a_refund_uses_the_recorded_amounts_and_not_todays_price(engine: Engine) -> None:
    world.add(engine, "ada", 1_251, key="k-1")
    charged = world.charge(engine, HAIKU_WITH_FEE, key="k-2")
    world.refund(engine, charged.entry_id, key="k-3", book=world.dearer_book())
    assert (balance(engine, "ada"), balance(engine, "ben")) == (1_251, 0)


def test_a_creator_owes_what_is_partly_spent(engine: Engine) -> None:
    world.add(engine, "ada", 1_251, key="k-1")
    charged = world.charge(engine, HAIKU_WITH_FEE, key="k-2")
    world.charge(engine, world.run_by("ben"), key="k-3")  # ben spends 300 of his 800

    refund = world.refund(engine, charged.entry_id, key="k-4")

    assert transactions(engine, refund.entry_id) == [
        ("ada", "refund", 1_251, 1_251),
        ("ben", "transfer", 300, 800),
        ("ben:debt", "transfer", -300, -300),
        ("ben", "creator_payment", -800, 0),
        ("platform:revenue", "platform_revenue", -201, None),
        ("platform:refunded_inference", "refund", -250, None),
    ]


def test_a_creator_owes_all_of_a_share_that_is_spent(engine: Engine) -> None:
    world.add(engine, "ada", 1_500, key="k-1")
    unlocked = world.unlock(engine, UNLOCK, key="k-2").receipt
    assert unlocked is not None
    world.unlock(engine, UnlockRequest("ben", "other-flow", "cleo", 800), key="k-3")  # ben spends his 800

    refund = world.refund(engine, unlocked.entry_id, key="k-4")

    assert transactions(engine, refund.entry_id) == [
        ("ada", "refund", 1_001, 1_500),
        ("ben", "transfer", 800, 800),
        ("ben:debt", "transfer", -800, -800),
        ("ben", "creator_payment", -800, 0),
        ("platform:revenue", "platform_revenue", -201, None),
    ]
    assert balance(engine, "ben") == 0


def test_a_refund_of_a_creators_own_run_restores_the_balance(engine: Engine) -> None:
    world.add(engine, "ben", 1_251, key="k-1")
    charged = world.charge(engine, world.run_by("ben", HAIKU_WITH_FEE), key="k-2")
    world.charge(engine, world.run_by("ben"), key="k-3")
    world.charge(engine, world.run_by("ben"), key="k-4")  # 200 are left, less than the share of 800

    refund = world.refund(engine, charged.entry_id, key="k-5")

    assert transactions(engine, refund.entry_id) == [
        ("ben", "refund", 1_251, 1_451),
        ("ben", "creator_payment", -800, 651),
        ("platform:revenue", "platform_revenue", -201, None),
        ("platform:refunded_inference", "refund", -250, None),
    ]


def test_a_refund_of_a_run_with_a_tiny_fee_needs_no_creator(engine: Engine) -> None:
    world.add(engine, "ada", 251, key="k-1")
    charged = world.charge(engine, replace(HAIKU_WITH_FEE, creator_fee_credits=1), key="k-2")
    world.refund(engine, charged.entry_id, key="k-3")
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits") == [("ada", 251)]


def test_a_purchase_whose_credits_were_spent_is_not_refunded(engine: Engine) -> None:
    added = world.add(engine, "ada", 1_000, key="k-1")
    world.charge(engine, HAIKU, key="k-2")
    with refused(engine, AddedCreditsSpent) as caught:
        world.refund(engine, added.entry_id, key="k-3")
    assert str(caught.value) == (
        "ada has 700 credits, but this takes 1,000. "
        "Nothing was refunded. The added credits are spent: first refund what they were spent on."
    )


def test_a_refund_that_the_user_could_not_hold_is_refused(engine: Engine) -> None:
    world.add(engine, "ada", 300, key="k-1")
    charged = world.charge(engine, HAIKU, key="k-2")
    world.add(engine, "ada", LARGEST_CREDITS - 299, key="k-3")
    with refused(engine, BalanceTooLarge):
        world.refund(engine, charged.entry_id, key="k-4")


def test_an_entry_is_refunded_once(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    charged = world.charge(engine, HAIKU, key="k-2")
    first = world.refund(engine, charged.entry_id, key="k-3")
    with refused(engine, AlreadyRefunded) as caught:
        world.refund(engine, charged.entry_id, key="k-4")
    refusal = caught.value
    assert isinstance(refusal, AlreadyRefunded)
    assert (refusal.entry_id, refusal.refund_entry_id) == (charged.entry_id, first.entry_id)


def test_a_refund_is_not_refunded(engine: Engine) -> None:
    added = world.add(engine, "ada", 1_000, key="k-1")
    refund = world.refund(engine, added.entry_id, key="k-2")
    with refused(engine, NotRefundable):
        world.refund(engine, refund.entry_id, key="k-3")


def test_a_refund_of_an_entry_that_does_not_exist_is_refused(engine: Engine) -> None:
    with refused(engine, UnknownEntry):
        world.refund(engine, 1, key="k-1")


@pytest.mark.parametrize("entry_id", ["1", True, 1.0, None, 0, -1])
def test_what_is_no_number_of_an_entry_is_refused(engine: Engine, entry_id: object) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    with refused(engine, InvalidRequest):
        world.refund(engine, entry_id, key="k-2")  # type: ignore[arg-type]


@pytest.mark.parametrize("entry_id", [2, 2**63 - 1, 2**63, 2**70])
def test_a_number_above_the_last_entrys_is_unknown(engine: Engine, entry_id: int) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    with refused(engine, UnknownEntry):
        world.refund(engine, entry_id, key="k-2")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "two\nlines", None])
def test_a_refund_needs_a_reason(engine: Engine, reason: object) -> None:
    added = world.add(engine, "ada", 1_000, key="k-1")
    with refused(engine, InvalidRequest):
        world.refund(engine, added.entry_id, reason=reason, key="k-2")  # type: ignore[arg-type]


def test_a_retried_refund_replays_its_receipt(engine: Engine) -> None:
    added = world.add(engine, "ada", 1_000, key="k-1")
    first = world.refund(engine, added.entry_id, key="k-2")
    after_first = every_row(engine)

    again = world.refund(engine, added.entry_id, key="k-2", now=LATER)

    assert again == replace(first, replayed=True)
    assert every_row(engine) == after_first


def test_a_refunds_key_cannot_be_used_for_another_refund(engine: Engine) -> None:
    added = world.add(engine, "ada", 1_000, key="k-1")
    world.refund(engine, added.entry_id, key="k-2")
    with refused(engine, IdempotencyKeyReused):
        world.refund(engine, added.entry_id, reason="Another reason", key="k-2")
    with refused(engine, IdempotencyKeyReused):
        world.refund(engine, added.entry_id + 10, key="k-2")
    with refused(engine, IdempotencyKeyReused):
        world.refund(engine, added.entry_id, provider_refunded=True, key="k-2")


def test_a_request_has_the_hash_of_earlier_versions_unless_the_provider_gave_the_cost_back(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    runs = [world.charge(engine, HAIKU, key=key).entry_id for key in ("k-2", "k-3")]
    world.refund(engine, runs[0], key="k-4")
    world.refund(engine, runs[1], provider_refunded=True, key="k-5")
    asked = [b"('refund', 2, 'The answer was empty')", b"('refund', 3, 'The answer was empty', True)"]
    assert rows(engine, "SELECT request_hash FROM journal_entries WHERE type = 'refund' ORDER BY id") == [
        (hashlib.sha256(request).hexdigest(),) for request in asked
    ]


# --- who would bear it, and who did ---------------------------------------------------------------------------------


def said(engine: Engine, entry_id: int, *, provider_refunded: bool = False) -> str:
    before = every_row(engine)
    with database.read(engine) as connection:
        asked = refunds.preview(connection, entry_id, provider_refunded=provider_refunded)
    assert every_row(engine) == before
    return sentence(asked, done=False)


def said_after(engine: Engine, refund: Receipt) -> str:
    with database.read(engine) as connection:
        return sentence(refunds.borne(connection, refund), done=True)


def test_who_bears_what_is_said_before_and_after(engine: Engine) -> None:
    world.add(engine, "ada", 20_000, key="k-1")
    # 1,020 × 2.5 + 129 × 10 = 3,840 and a fee of 1,500, of which 1,200 are noor's: 3,840 + 300 = 4,140 are not hers.
    run = ChargeRequest("ada", "summarise", "openai/gpt-4o", "noor", 1_500, 1_020, 129)
    first, second, third = (world.charge(engine, run, key=key).entry_id for key in ("k-2", "k-3", "k-4"))
    assert said(engine, first) == (
        "ada gets back 5,340 credits ($0.00534): noor gives back 1,200, PromptFlow bears 4,140."
    )
    assert said_after(engine, world.refund(engine, first, key="k-5")) == (
        "ada got back 5,340 credits ($0.00534): noor gave back 1,200, PromptFlow bore 4,140."
    )
    assert said(engine, second, provider_refunded=True) == (
        "ada gets back 5,340 credits ($0.00534): noor gives back 1,200, PromptFlow bears 300, the provider gives back"
        " 3,840."
    )
    refund = world.refund(engine, second, provider_refunded=True, key="k-6")
    assert said_after(engine, refund) == (
        "ada got back 5,340 credits ($0.00534): noor gave back 1,200, PromptFlow bore 300, the provider gave back"
        " 3,840."
    )
    world.charge(engine, world.run_by("noor"), key="k-7")
    world.charge(engine, world.run_by("noor"), key="k-8")  # noor spends 600 of her 1,200
    assert said(engine, third) == (
        "ada gets back 5,340 credits ($0.00534): noor gives back 600 of 1,200 and will owe 600, PromptFlow bears 4,140."
    )
    assert said_after(engine, world.refund(engine, third, key="k-9")) == (
        "ada got back 5,340 credits ($0.00534): noor gave back 600 of 1,200 and came to owe 600, PromptFlow bore 4,140."
    )


def test_a_preview_refuses_what_the_refund_would(engine: Engine) -> None:
    added = world.add(engine, "ada", 1_000, key="k-1")
    charged = world.charge(engine, HAIKU, key="k-2")
    with refused(engine, AddedCreditsSpent) as spent:
        said(engine, added.entry_id)
    assert str(spent.value).startswith("ada has 700 credits, but this takes 1,000. Nothing was refunded.")
    with refused(engine, InvalidRequest):
        said(engine, added.entry_id, provider_refunded=True)
    with refused(engine, UnknownEntry):
        said(engine, 99)
    refund = world.refund(engine, charged.entry_id, key="k-3")
    with refused(engine, AlreadyRefunded):
        said(engine, charged.entry_id)
    with refused(engine, NotRefundable):
        said(engine, refund.entry_id)
    assert said(engine, added.entry_id) == "ada gives back 1,000 credits ($0.001)."
