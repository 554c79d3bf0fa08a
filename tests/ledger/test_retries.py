"""The same key again: the first receipt comes back, whatever has changed since, and nothing is written."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from credits_core.ledger import entries
from credits_core.ledger.refusals import IdempotencyKeyReused, UnknownEntry
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support import world
from tests.support.plain_sql import balance, every_row, refused, scalar
from tests.support.world import HAIKU, HAIKU_WITH_FEE, LATER, NOW, NOW_US, TOKENS, UNLOCK


def test_a_retry_replays_the_first_receipt_and_charges_nothing(engine: Engine) -> None:
    world.add(engine, "ada", 1_300, key="k-1")
    first = world.charge(engine, HAIKU_WITH_FEE, key="k-2")
    after_first = every_row(engine)

    # The balance of 49 is too low for the run now, but it has been paid for.
    again = world.charge(engine, HAIKU_WITH_FEE, key="k-2", now=LATER)

    assert again == replace(first, replayed=True)
    assert every_row(engine) == after_first


@pytest.mark.parametrize("request_", [HAIKU, HAIKU_WITH_FEE, TOKENS, replace(HAIKU, expected_total_credits=300)])
def test_a_retry_replays_the_first_receipt_when_prices_have_changed(engine: Engine, request_: ChargeRequest) -> None:
    world.add(engine, "ada", 10_000, key="k-1")
    first = world.charge(engine, request_, key="k-2")

    again = world.charge(engine, request_, key="k-2", book=world.dearer_book())

    assert again == replace(first, replayed=True)
    assert again.quote == first.quote
    assert again.quote is not None
    assert again.quote.plan.id == "plan-1"


def test_a_retry_of_a_long_prompt_has_the_price_of_long_prompts_again(engine: Engine) -> None:
    models = parse_model_registry(
        """
        [[models]]
        id = "long/reader"
        name = "Long reader"
        provider = "long"
        type = "text"
        prices = [
            {input_tokens = {usd = 1.25, above = {200000 = 2.5}}, output_tokens = {usd = 10, above = {200000 = 15}}},
        ]
        source = "hand-written"
        checked_on = 2026-01-01
        """
    )
    book = replace(world.price_book(), models=models)
    request = ChargeRequest("ada", "read", "long/reader", input_tokens=200_001, output_tokens=100)
    world.add(engine, "ada", 1_000_000, key="k-1")

    first = world.charge(engine, request, key="k-2", book=book)
    again = world.charge(engine, request, key="k-2", book=book)

    # 200,001 × 2.5 + 100 × 15 = 501,502.5, rounded up, and 500 markup
    assert first.balance_after("ada") == 1_000_000 - 502_003
    assert again == replace(first, replayed=True)


def test_a_new_run_is_charged_the_new_price(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="k-1")
    receipt = world.charge(engine, HAIKU, key="k-2", book=world.dearer_book())
    # 400 inference + 50 % markup
    assert receipt.balance_after("ada") == 10_000 - 600
    assert scalar(engine, "SELECT plan_id FROM prompt_runs") == "plan-2"


def test_a_retry_replays_added_credits(engine: Engine) -> None:
    first = world.add(engine, "ada", 1_000, source=CreditSource.GRANT, reason="Welcome", key="k-1")
    after_first = every_row(engine)
    again = world.add(engine, "ada", 1_000, source=CreditSource.GRANT, reason="Welcome", key="k-1", now=LATER)
    assert again == replace(first, replayed=True)
    assert every_row(engine) == after_first


@pytest.mark.parametrize(
    "other_request",
    [
        replace(HAIKU, user_id="ben"),
        replace(HAIKU, prompt_id="translate"),
        replace(HAIKU, model_id="gpt-4"),
        replace(HAIKU, model_id="no-such-model"),
        replace(HAIKU, creator_id="ben", creator_fee_credits=1),
        replace(HAIKU, input_tokens=1),
        replace(HAIKU, output_tokens=1),
        replace(HAIKU, expected_total_credits=300),
    ],
)
def test_a_key_cannot_be_used_for_another_run(engine: Engine, other_request: ChargeRequest) -> None:
    world.add(engine, "ada", 10_000, key="k-1")
    first = world.charge(engine, HAIKU, key="k-2")
    with refused(engine, IdempotencyKeyReused) as caught:
        world.charge(engine, other_request, key="k-2")
    refusal = caught.value
    assert isinstance(refusal, IdempotencyKeyReused)
    assert (refusal.key, refusal.entry_id) == ("k-2", first.entry_id)


def test_a_key_cannot_be_used_for_another_kind_of_action(engine: Engine) -> None:
    added = world.add(engine, "ada", 10_000, key="k-1")
    with refused(engine, IdempotencyKeyReused):
        world.charge(engine, HAIKU, key="k-1")
    with refused(engine, IdempotencyKeyReused):
        world.unlock(engine, UNLOCK, key="k-1")
    with refused(engine, IdempotencyKeyReused):
        world.refund(engine, added.entry_id, key="k-1")


@pytest.mark.parametrize(
    "other",
    [
        {"user_id": "ben"},
        {"amount_credits": 1_001},
        {"source": CreditSource.GRANT},
        {"reason": "Another"},
    ],
)
def test_a_key_cannot_be_used_for_other_credits(engine: Engine, other: dict[str, object]) -> None:
    asked = {"user_id": "ada", "amount_credits": 1_000, "source": CreditSource.ADJUSTMENT, "reason": "Correction"}
    world.add(engine, **asked, key="k-1")  # type: ignore[arg-type]
    with refused(engine, IdempotencyKeyReused):
        world.add(engine, **{**asked, **other}, key="k-1")  # type: ignore[arg-type]


def test_ids_that_differ_in_case_alone_are_two_users_and_two_keys(engine: Engine) -> None:
    world.add(engine, "ada", 1, key="k")
    world.add(engine, "Ada", 2, key="K", distinct=True)
    assert (balance(engine, "ada"), balance(engine, "Ada")) == (1, 2)


# --- receipts read back -----------------------------------------------------------------------------------------------


def test_every_receipt_can_be_read_back_as_it_was_returned(engine: Engine) -> None:
    added = world.add(engine, "ada", 9_000, source=CreditSource.GRANT, reason="Welcome", key="k-1")
    charged = world.charge(engine, HAIKU_WITH_FEE, key="k-2", now=NOW.replace(microsecond=123_456))
    per_token = world.charge(engine, replace(TOKENS, creator_id="ben", creator_fee_credits=7), key="k-3")
    unlocked = world.unlock(engine, UNLOCK, key="k-4").receipt
    refunded = world.refund(engine, charged.entry_id, key="k-5", now=LATER)
    assert unlocked is not None
    charged = replace(charged, refunded_by_entry_id=refunded.entry_id, refunded_credits=1_251)

    later_plans = world.dearer_book().plans
    with database.read(engine) as connection:
        for receipt in (added, charged, per_token, unlocked, refunded):
            assert entries.receipt(connection, receipt.entry_id, plans=later_plans) == receipt


def test_a_receipt_whose_plan_is_gone_has_no_quote(engine: Engine) -> None:
    world.add(engine, "ada", 9_000, key="k-1")
    charged = world.charge(engine, HAIKU, key="k-2")
    with database.read(engine) as connection:
        assert entries.receipt(connection, charged.entry_id, plans={}) == replace(charged, quote=None)
        with pytest.raises(UnknownEntry):
            entries.receipt(connection, charged.entry_id + 1, plans={})


def test_a_moment_in_another_time_zone_is_stored_in_utc(engine: Engine) -> None:
    moment = datetime.fromisoformat("2026-03-01T17:30:00+05:30")
    world.add(engine, "ada", 1, key="k-1", now=moment)
    assert scalar(engine, "SELECT created_at_us FROM journal_entries") == NOW_US
    with database.read(engine) as connection:
        read_back = entries.receipt(connection, 1, plans={}).created_at
    assert (read_back, read_back.tzinfo) == (datetime(2026, 3, 1, 12, tzinfo=UTC), UTC)
