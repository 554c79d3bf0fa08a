"""A run charged by its usage: cached, reasoned, searched, in a service tier, under a dated name; and what follows."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.audit.explanation import explain
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger import actions, entries
from credits_core.ledger.refusals import IdempotencyKeyReused
from credits_core.ledger.requests import ChargeRequest, new_entry
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.refusals import UnknownModel, UnpricedServiceTier, UnpricedUsage
from credits_core.store import database
from credits_core.store.kinds import EntryType
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import balance, contradictions, every_row, refused, rows, transactions
from tests.support.world import HAIKU, HAIKU_WITH_FEE, LATER, NOW, NOW_US, TOKENS, USED


@pytest.fixture
def book() -> PriceBook:
    return world.usage_book()


def _wrong(engine: Engine, book: PriceBook) -> list[str]:
    return [str(finding) for finding in invariants.check(engine, book.plans) if not finding.ok]


def test_a_run_keeps_its_usage_the_prices_of_its_units_its_tier_and_the_name_it_was_asked_by(
    engine: Engine, book: PriceBook
) -> None:
    world.add(engine, "ada", 50_000, key="k-1")
    receipt = world.charge(engine, USED, key="k-2", book=book)

    assert transactions(engine, receipt.entry_id) == [
        ("ada", "prompt_run", -23_841, 26_159),
        ("platform:revenue", "platform_revenue", 2_167, None),
        ("platform:inference", "inference_cost", 21_674, None),
    ]
    assert rows(engine, "SELECT * FROM prompt_runs") == [
        (
            *(receipt.entry_id, "ada", "research", "openai/gpt-5", None, "plan-1"),
            *(None, None, None, None, None, None),  # two token counts, a price per run, three prices
            *(21_674, 0, 2_167, 23_841, 0, NOW_US),
            '{"input_tokens":2006,"output_tokens":300,"cache_read_tokens":1920,"output_reasoning_tokens":192,'
            '"web_searches":2}',
            '{"input_tokens":"0.625","output_tokens":"5","cache_read_tokens":"0.0625","web_searches":"10"}',
            "flex",
            "gpt-5-2025-08-07",
            None,
            None,
        )
    ]
    assert receipt.quote is not None
    assert (receipt.quote.model_id, receipt.quote.usage, receipt.quote.service_tier) == (
        "openai/gpt-5",
        USED.usage,
        "flex",
    )
    assert _wrong(engine, book) == []
    assert contradictions(engine) == []


def test_it_is_retried_refunded_and_explained_like_any_other(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 50_000, key="k-1")
    request = replace(USED, creator_id="ben", creator_fee_credits=1_001)
    first = world.charge(engine, request, key="k-2", book=book)
    after_first = every_row(engine)
    # 21,674 and the fee of 1,001.
    assert balance(engine, "ada") == 50_000 - 22_675

    # Again, when nobody knows the name any more: it has been paid for.
    again = world.charge(engine, request, key="k-2", now=LATER, book=world.dearer_book())
    assert again == replace(first, replayed=True)
    assert every_row(engine) == after_first
    with database.read(engine) as connection:
        assert entries.receipt(connection, first.entry_id, plans=book.plans) == first
        found = explain(connection, first.entry_id, plans=book.plans)
    assert (found.is_proved, found.differences) == (True, ())
    assert [(step.label, step.result) for step in found.steps][:5] == [
        ("Input tokens", "53.75 = 215/4"),
        ("Output tokens", "1,500"),
        ("Cache read tokens", "120"),
        ("Web searches", "20,000"),
        ("Inference cost", "21,674"),
    ]

    world.refund(engine, first.entry_id, key="k-3", book=book)
    assert (balance(engine, "ada"), balance(engine, "ben")) == (50_000, 0)
    with database.read(engine) as connection:
        assert explain(connection, first.entry_id, plans=book.plans).is_proved
    assert _wrong(engine, book) == []
    assert contradictions(engine) == []


@pytest.mark.parametrize(
    ("request_", "cost_credits", "name"),
    [
        # 86 × 1.25 + 300 × 10 + 1,920 × 0.125 + 2 × 10,000 = 23,347.5
        (replace(USED, service_tier=None), 23_348, "gpt-5-2025-08-07"),
        (replace(USED, service_tier="standard"), 23_348, "gpt-5-2025-08-07"),
        (replace(USED, model_id="openai/gpt-5"), 21_674, None),
        (replace(USED, usage=(("web_searches", 1),)), 10_000, "gpt-5-2025-08-07"),
        (ChargeRequest("ada", "p", "gpt-5-2025-08-07", input_tokens=8, output_tokens=1), 20, "gpt-5-2025-08-07"),
        (replace(HAIKU, usage=(("input_tokens", 5), ("audio_seconds", 7))), 250, None),
        (replace(HAIKU, usage=(), service_tier="batch"), 250, None),
    ],
)
def test_every_way_to_ask_leaves_a_ledger_that_proves_it(
    engine: Engine, book: PriceBook, request_: ChargeRequest, cost_credits: int, name: str | None
) -> None:
    world.add(engine, "ada", 50_000, key="k-1")
    first = world.charge(engine, request_, key="k-2", book=book)
    assert rows(engine, "SELECT inference_cost_credits, asked_model FROM prompt_runs") == [(cost_credits, name)]
    assert world.charge(engine, request_, key="k-2", book=book) == replace(first, replayed=True)
    assert first.quote is not None
    assert actions.quote_prompt(request_, book, now=NOW) == first.quote
    assert _wrong(engine, book) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(USED, service_tier=None),
        replace(USED, service_tier="standard"),
        replace(USED, model_id="openai/gpt-5"),
        replace(USED, usage=(("input_tokens", 2_006), ("output_tokens", 300))),
        replace(USED, usage=None, input_tokens=2_006, output_tokens=300),
        replace(USED, expected_total_credits=23_841),
    ],
)
def test_a_key_cannot_be_used_for_another_usage_tier_or_name(
    engine: Engine, book: PriceBook, other: ChargeRequest
) -> None:
    world.add(engine, "ada", 50_000, key="k-1")
    world.charge(engine, USED, key="k-2", book=book)
    with refused(engine, IdempotencyKeyReused):
        world.charge(engine, other, key="k-2", book=book)


@pytest.mark.parametrize(
    ("refusal", "request_", "named"),
    [
        (UnknownModel, replace(USED, model_id="gpt-5-2025-08-08"), "gpt-5-2025-08-08"),
        (UnpricedServiceTier, replace(USED, service_tier="priority"), "standard, flex"),
        (UnpricedUsage, replace(USED, usage=(("input_tokens", 1), ("audio_seconds", 3))), "3 audio_seconds"),
        (InvalidRequest, replace(USED, usage=()), "usage: must have a count above 0"),
        (InvalidRequest, replace(USED, usage=(("input_tokens", 0),)), "usage: must have a count above 0"),
        (InvalidRequest, replace(USED, usage=(("input_tokens", 1.5),)), "usage.input_tokens: must be a whole number"),
        (InvalidRequest, replace(USED, usage=(("tokens", 1),)), "'tokens' is not a unit"),
        (InvalidRequest, replace(USED, usage=(("requests", 1),)), "usage: must be as parse_usage gives it"),
        (
            InvalidRequest,
            replace(USED, usage=(("output_tokens", 1), ("input_tokens", 1))),
            "usage: must be as parse_usage gives it",
        ),
        (InvalidRequest, replace(USED, usage=(("cache_read_tokens", 5),)), "usage.input_tokens: must be given"),
        (InvalidRequest, replace(USED, input_tokens=5), "input_tokens: must be left out"),
        (InvalidRequest, replace(USED, service_tier=""), "service_tier: must be a word"),
        (InvalidRequest, replace(USED, service_tier="flex "), "service_tier: must be a word"),
        (InvalidRequest, replace(USED, service_tier="x" * 33), "service_tier: must be a word"),
    ],
)
def test_a_usage_that_cannot_be_priced_as_asked_is_refused(
    engine: Engine, book: PriceBook, refusal: type[CreditsError], request_: ChargeRequest, named: str
) -> None:
    world.add(engine, "ada", 50_000, key="k-1")
    with refused(engine, refusal) as caught:
        world.charge(engine, request_, key="k-2", book=book)
    assert named in str(caught.value)


# SHA-256 of ascii(("prompt_run", user, prompt, model, creator, fee, input, output, expected total)), as it always was.
HASHES = {
    HAIKU: "0d78b68e3f7984208a8d86b53e3aee7e9e2a1afd81dbceaf2bb0dca406d49104",
    HAIKU_WITH_FEE: "ed2989f6a66bc0298e9cbf0ac4b958dd4d77edf4fa46e3b6f533e6b589852ef9",
    TOKENS: "a8c7f7bf6639617bc0405db65984c96fe5be83f382e87f03f6e18d4a03bdf37a",
    replace(TOKENS, expected_total_credits=4_611): "0ca7d30b2a703a0d315eb1e44619e344df2da40b4a7a871b5b7f4f0054931366",
    USED: "6e0438859d528a825483005b752e28fc147058779de5567f5f4251b81eba0668",
}


@pytest.mark.parametrize("request_", HASHES)
def test_a_request_has_the_hash_that_it_always_had(request_: ChargeRequest) -> None:
    made = new_entry(EntryType.PROMPT_RUN, request_.as_asked, key="k", now=NOW, actor=TESTER)
    assert made.request_hash == HASHES[request_]


def test_the_stored_usage_is_json_that_any_reader_understands(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 50_000, key="k-1")
    world.charge(engine, USED, key="k-2", book=book)
    ((usage, prices),) = rows(engine, "SELECT usage, unit_prices FROM prompt_runs")
    assert json.loads(str(usage)) == dict(USED.usage or ())
    assert json.loads(str(prices)).keys() == {"input_tokens", "output_tokens", "cache_read_tokens", "web_searches"}
