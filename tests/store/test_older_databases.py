"""A database that an older version made opens, verifies clean, explains every charge as before, and goes on.

`made_before_rooms/` was made by the version before the rooms (migration 0003): the SQLite file as it was, and a dump of
the same ledger on PostgreSQL 15. It has purchases, grants, an opening balance, runs at a fixed price and at token
prices, unlocks, refunds of both, two plans that were live, a draft, keys that are valid and revoked, and an audit.
"""

import gzip
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from credits_core import settings
from credits_core.audit import invariants
from credits_core.audit.explanation import explain
from credits_core.ledger import actions
from credits_core.ledger.bearing import rule_sentence, sentence
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.ledger.requests import ChargeRequest
from credits_core.plans import records
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals, sums
from credits_core.store import database
from credits_core.store.kinds import RefundRule
from credits_core.values.days import DayRange
from credits_core.values.time_zones import UTC_ZONE, zone_named
from tests.support import world
from tests.support.actors import named
from tests.support.plain_sql import rows, scalar

MADE = Path(__file__).parent / "made_before_rooms"
CHARGED_CREDITS = {
    4: 11_000,  # gpt-4o, fixed, under promptflow-v1
    5: 1_050,  # claude-3-haiku with a fee of 800
    6: 4_200,  # openai/gpt-4o, 1,000 in and 100 out, 20 % markup
    7: 5_188,  # openai/gpt-4o, 35 in and 10 out, with a fee of 5,000
    8: 22_000,  # dall-e-3
    9: 15,  # openai/gpt-4o, 1 in and 1 out
    14: 12_000,  # gpt-4o under graduated
    15: 100_000,  # openai/gpt-4o, 20,000 in and 4,000 out
    16: 12_000,
    17: 12_000,
}
RUN = (
    "entry_id, user_id, prompt_id, model_id, creator_id, plan_id, input_tokens, output_tokens, run_price_credits,"
    " input_usd_per_mtok, output_usd_per_mtok, request_usd_per_thousand, inference_cost_credits, creator_fee_credits,"
    " platform_markup_credits, total_credits, creator_share_credits, created_at_us"
)
NEW_IN_RUN = "usage, unit_prices, service_tier, asked_model, used_at_us, price_list_id"
EARLIER = "Earlier rule: the inference cost was booked back as if the provider had given it back."
PLAN = "id, toml, revision, actor, saved_at_us"
USER = "user_id, balance_credits, created_at_us"
LEDGER = ("journal_entries", "credit_transactions", "unlocked_flows", "plan_activations")


@pytest.fixture
def older(empty_engine: Engine) -> Engine:
    """The ledger as the older version left it, opened by this one."""
    if empty_engine.dialect.name == "sqlite":
        Path(str(empty_engine.url.database)).write_bytes(gzip.decompress((MADE / "credits.db.gz").read_bytes()))
    else:
        url = empty_engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((MADE / "postgresql.sql").read_bytes())
    return empty_engine


def ledger_rows(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    return {
        **{table: rows(engine, f"SELECT * FROM {table} ORDER BY 1, 2") for table in LEDGER},
        "user_credits": rows(engine, f"SELECT {USER} FROM user_credits ORDER BY 1"),
        "prompt_runs": rows(engine, f"SELECT {RUN} FROM prompt_runs ORDER BY 1"),
        "price_plans": rows(engine, f"SELECT {PLAN} FROM price_plans ORDER BY 1"),
    }


def broken(engine: Engine) -> list[str]:
    with database.read(engine) as connection:
        plans = PriceBooks(settings.load_models()).at(connection).plans
    return [str(finding) for finding in invariants.check(engine, plans) if not finding.ok]


def test_it_opens_verifies_clean_and_goes_on(older: Engine) -> None:
    before = ledger_rows(older)
    database.migrate(older)
    database.require_migrated(older)
    assert ledger_rows(older) == before
    assert rows(older, f"SELECT DISTINCT {NEW_IN_RUN} FROM prompt_runs") == [(None,) * 6]
    assert rows(older, "SELECT DISTINCT has_parts, has_lots FROM user_credits") == [(False, False)]
    assert rows(older, "SELECT id, discarded_at_us, last_activation_id FROM price_plans ORDER BY 1") == [
        ("draft-1", None, None),
        ("graduated", None, 2),
        ("promptflow-v1", None, 1),
    ]
    assert broken(older) == []
    with database.read(older) as connection:
        assert list(records.plans(connection)) == ["graduated", "draft-1", "promptflow-v1"]

    books = PriceBooks(settings.load_models())
    held = "SELECT balance_credits FROM user_credits WHERE user_id = 'ada'"
    balance_before = scalar(older, held)
    database.write(
        older,
        lambda connection: actions.charge_prompt(
            connection,
            ChargeRequest("ada", "prompt-new", "gpt-4o"),
            book=books.at(connection),
            key="new-1",
            now=world.NOW,
            actor=named("dashboard"),
        ),
    )
    assert scalar(older, held) == balance_before - 12_000
    assert broken(older) == []


def test_its_daily_totals_are_those_of_utc_until_another_time_zone_is_set(older: Engine) -> None:
    totals = (
        "SELECT day, account_id, entry_type, type, amount_credits, transaction_count FROM daily_totals ORDER BY 1, 2"
    )
    before = rows(older, totals)
    assert len(before) > 10
    database.migrate(older)
    # There are more daily tables now, and all of them begin anew.
    assert rows(older, "SELECT id, entry_id, time_zone FROM rollup_watermark") == [(1, 0, "UTC")]
    daily_totals.build_for(older, UTC_ZONE)
    in_utc = rows(older, totals)
    assert {row[:4] for row in before} <= {row[:4] for row in in_utc}
    daily_totals.build_for(older, zone_named("Asia/Tokyo"))
    assert rows(older, totals) != in_utc
    assert broken(older) == []


def test_every_charge_is_explained_as_it_was_charged(older: Engine) -> None:
    database.migrate(older)
    totals = rows(older, "SELECT entry_id, total_credits FROM prompt_runs ORDER BY entry_id")
    assert dict(totals) == CHARGED_CREDITS
    with database.read(older) as connection:
        plans = PriceBooks(settings.load_models()).at(connection).plans
        charges = [*CHARGED_CREDITS, 10, 11]
        explained = {entry_id: explain(connection, entry_id, plans=plans) for entry_id in charges}
    assert [entry_id for entry_id, one in explained.items() if not one.is_proved] == []


def test_its_refunds_keep_their_rule_and_later_ones_have_the_present_one(older: Engine) -> None:
    database.migrate(older)
    books = PriceBooks(settings.load_models())
    refunded = database.write(
        older,
        lambda connection: actions.refund(
            connection,
            6,
            reason="Empty",
            book=books.at(connection),
            key="new-1",
            now=world.NOW,
            actor=named("dashboard"),
        ),
    )
    assert rows(older, "SELECT entry_id, rule, provider_refunded FROM refunds ORDER BY entry_id") == [
        (12, "cost_booked_back", False),
        (13, "cost_booked_back", False),
        (refunded.entry_id, "creator_owes_share", False),
    ]
    assert broken(older) == []
    with database.read(older) as connection:
        plans = books.at(connection).plans
        found = [explain(connection, entry_id, plans=plans) for entry_id in (12, 13, refunded.entry_id)]
        spent = sums.spending(connection, DayRange())
    assert [
        (one.differences, rule_sentence(one.borne), sentence(one.borne, done=True)) for one in found if one.borne
    ] == [
        (
            (),
            "No inference cost is involved.",
            "ben got back 10,000 credits ($0.01): ada gave back 8,000, PromptFlow bore 2,000.",
        ),
        ((), EARLIER, "ada got back 15 credits ($0.000015): PromptFlow bore 2, 13 of inference cost were booked back."),
        (
            (),
            "The provider is paid whether or not a run is refunded, so PromptFlow bears the inference cost.",
            "ada got back 4,200 credits ($0.0042): PromptFlow bore 4,200.",
        ),
    ]
    # 3,500 of the 4,200 are inference cost, which is borne; the 13 of the older refund were booked back.
    assert (spent.refunded_inference_credits, spent.booked_back_credits, spent.provider_refunds_credits) == (
        3_500,
        13,
        0,
    )
    assert spent.refunded_credits == 10_000 + 15 + 4_200


def test_a_refund_of_the_older_version_is_replayed_and_not_made_again(older: Engine) -> None:
    database.migrate(older)
    key, reason = rows(older, "SELECT idempotency_key, description FROM journal_entries WHERE id = 13")[0]
    books, before = PriceBooks(settings.load_models()), ledger_rows(older)
    again = database.write(
        older,
        lambda connection: actions.refund(
            connection,
            9,
            reason=str(reason),
            book=books.at(connection),
            key=str(key),
            now=world.NOW,
            actor=named("dashboard"),
        ),
    )
    assert (again.entry_id, again.replayed) == (13, True)
    assert again.terms == RefundTerms(RefundRule.COST_BOOKED_BACK)
    assert ledger_rows(older) == before


def test_a_request_of_the_older_version_is_replayed_and_not_charged_again(older: Engine) -> None:
    database.migrate(older)
    books, before = PriceBooks(settings.load_models()), ledger_rows(older)
    again = database.write(
        older,
        lambda connection: actions.charge_prompt(
            connection,
            ChargeRequest("ada", "prompt-3", "openai/gpt-4o", None, 0, 1_000, 100),
            book=books.at(connection),
            key="run-3",
            now=world.NOW,
            actor=named("dashboard"),
        ),
    )
    assert again.replayed
    assert again.received_by("ada") == -4_200
    assert ledger_rows(older) == before
