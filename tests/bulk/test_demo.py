import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from credits_core import settings, startup
from credits_core.audit import invariants
from credits_core.bulk import demo as demo_world
from credits_core.bulk.demo import DemoWorld
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.plans.book import PriceBooks
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.refusals import UnknownModel
from credits_core.reports import sums
from credits_core.store import database
from credits_core.store.refusals import DatabaseNotReady
from credits_core.values import days as utc_days
from tests.support import plain_sql, racers, world
from tests.support.plain_sql import every_row, refused, rows, scalar

# The demo's prompts by the trace that their tokens are drawn from.
CONVERSATION = ("meeting-minutes", "tone-polisher", "cold-email")
CODE = ("contract-review", "code-explainer", "sql-tuner", "unit-test-writer")


@pytest.fixture(scope="module")
def demo() -> DemoWorld:
    return demo_world.load_demo_world()


@pytest.fixture(scope="module")
def real_book() -> PriceBook:
    return settings.load_price_book()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, demo: DemoWorld, real_book: PriceBook) -> Engine:
    """The demo world, to be looked at only."""
    return _build(f"sqlite:///{tmp_path_factory.mktemp('built') / 'credits.db'}", demo, real_book)


def _build(url: str, demo: DemoWorld, book: PriceBook) -> Engine:
    engine = database.create_engine_for(url)
    database.migrate(engine)
    _build_in(engine, demo, book)
    return engine


def _build_in(engine: Engine, demo: DemoWorld, book: PriceBook) -> str:
    return database.write(engine, lambda connection: demo_world.build_once(connection, demo, book))


def _history(engine: Engine) -> list[tuple[object, ...]]:
    """What happened to whom, without the numbers that a database gives its entries."""
    return sorted(
        rows(
            engine,
            "SELECT e.idempotency_key, e.type, e.actor, e.description, e.created_at_us, t.position, t.account_id,"
            " t.type, t.amount_credits, t.balance_after_credits, r.prompt_id, r.model_id, r.input_tokens,"
            " r.output_tokens, r.usage, r.unit_prices, r.service_tier, o.idempotency_key FROM journal_entries e"
            " JOIN credit_transactions t ON t.entry_id = e.id"
            " LEFT JOIN prompt_runs r ON r.entry_id = e.id LEFT JOIN journal_entries o ON o.id = e.refunds_entry_id",
        ),
        key=repr,
    )


def test_the_demo_world_is_as_large_as_it_must_be(built: Engine) -> None:
    creators = rows(built, "SELECT DISTINCT creator_id FROM prompt_runs WHERE creator_id IS NOT NULL")
    buyers = rows(built, "SELECT DISTINCT account_id FROM credit_transactions WHERE type = 'credit_purchase'")
    assert len(creators) == 5
    assert len([buyer for buyer in buyers if buyer[0] != "platform:payments_in"]) == 10
    assert scalar(built, "SELECT COUNT(DISTINCT prompt_id) FROM prompt_runs") == 18
    assert scalar(built, "SELECT COUNT(DISTINCT prompt_id) FROM prompt_runs WHERE creator_fee_credits > 0") == 12
    assert scalar(built, "SELECT COUNT(DISTINCT flow_id) FROM unlocked_flows") == 4
    assert scalar(built, "SELECT COUNT(DISTINCT created_at_us / 86400000000) FROM prompt_runs") == 30
    assert scalar(built, "SELECT COUNT(*) FROM prompt_runs") > 1_000
    assert rows(built, "SELECT type FROM journal_entries GROUP BY type ORDER BY type") == [
        ("adjustment",),
        ("credit_purchase",),
        ("flow_unlock",),
        ("grant",),
        ("prompt_run",),
        ("refund",),
    ]


@pytest.mark.parametrize(
    ("model_id", "units"),
    [
        ("openai/gpt-4o-mini", {"input_tokens", "output_tokens", "cache_read_tokens"}),
        (
            "anthropic/claude-haiku-4-5",
            {"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"},
        ),
        ("openai/gpt-5-mini", {"input_tokens", "output_tokens", "output_reasoning_tokens"}),
        (
            "google/gemini-2.5-flash-image",
            {"input_tokens", "output_tokens", "input_image_tokens", "output_image_tokens"},
        ),
        ("openai/text-embedding-3-small", {"input_tokens"}),
        ("groq/whisper-large-v3", {"audio_seconds"}),
    ],
)
def test_some_runs_have_a_usage_as_providers_report_it(built: Engine, model_id: str, units: set[str]) -> None:
    usages = rows(built, f"SELECT usage FROM prompt_runs WHERE model_id = '{model_id}' AND usage IS NOT NULL")
    assert len(usages) >= 15
    assert {unit for (usage,) in usages for unit in json.loads(str(usage))} == units


def test_short_transcriptions_are_billed_as_ten_seconds(built: Engine) -> None:
    # $0.111 an hour is 30.83 credits a second.
    shortest = rows(
        built,
        "SELECT usage, inference_cost_credits FROM prompt_runs WHERE model_id = 'groq/whisper-large-v3'"
        " ORDER BY inference_cost_credits LIMIT 1",
    )
    assert shortest == [('{"audio_seconds":5}', 309)]


def test_runs_with_a_usage_leave_the_other_runs_as_they_were(
    built: Engine, sqlite_engine: Engine, demo: DemoWorld, real_book: PriceBook
) -> None:
    _build_in(sqlite_engine, replace(demo, usage_runs_per_day=0), real_book)
    asked = "SELECT user_id, prompt_id, created_at_us, total_credits FROM prompt_runs WHERE usage IS NULL"
    without, with_usage = set(rows(sqlite_engine, asked)), set(rows(built, asked))
    # A user who spends on other runs may lack the credits for one of these.
    assert len(without) == 1_138
    assert len(without & with_usage) >= 1_100


def test_every_creator_earns_and_everyone_runs(built: Engine, demo: DemoWorld) -> None:
    earned = rows(built, "SELECT account_id FROM credit_transactions WHERE type = 'creator_payment' GROUP BY 1")
    assert {account for (account,) in earned} == {creator.id for creator in demo.creators}
    assert {user for (user,) in rows(built, "SELECT DISTINCT user_id FROM prompt_runs")} == {
        person.id for person in demo.people
    }


def test_the_demo_world_lasts_thirty_days_by_the_clock(built: Engine) -> None:
    with database.read(built) as connection:
        days = sums.totals_by_day(connection, utc_days.DayRange())
    assert (days[0].day, days[-1].day, len(days)) == (date(2026, 10, 24), date(2026, 11, 22), 30)
    assert min(day.runs for day in days) >= 10
    working_days = [day.runs for day in days if day.day.weekday() < 5]
    weekends = [day.runs for day in days if day.day.weekday() >= 5]
    assert sum(working_days) * len(weekends) > sum(weekends) * len(working_days)


# Some 300 runs are drawn for each trace, so three standard deviations are 8.7 % of them at the median and 3.8 % at the
# 95th percentile. The bounds are the counts at 41 and 59 %, and at 91 and 99 %, on the lines between the quantiles.
@pytest.mark.parametrize(
    ("prompts", "column", "p50", "p95"),
    [
        (CONVERSATION, "input_tokens", (836, 1_633), (3_810, 12_057)),
        (CONVERSATION, "output_tokens", (105, 194), (422, 891)),
        (CODE, "input_tokens", (1_204, 2_636), (6_784, 7_411)),
        (CODE, "output_tokens", (10, 29), (83, 1_538)),
    ],
)
def test_the_runs_have_tokens_like_the_real_traces(
    built: Engine, prompts: tuple[str, ...], column: str, p50: tuple[int, int], p95: tuple[int, int]
) -> None:
    names = ", ".join(f"'{prompt}'" for prompt in prompts)
    drawn = [
        int(str(count))
        for (count,) in rows(built, f"SELECT {column} FROM prompt_runs WHERE prompt_id IN ({names}) ORDER BY {column}")
    ]
    assert len(drawn) >= 250
    assert p50[0] <= drawn[len(drawn) // 2] <= p50[1]
    assert p95[0] <= drawn[len(drawn) * 95 // 100] <= p95[1]


def test_two_demo_worlds_are_the_same_row_for_row(
    built: Engine, sqlite_engine: Engine, demo: DemoWorld, real_book: PriceBook
) -> None:
    assert _build_in(sqlite_engine, demo, real_book) == "The demo world is built: 15 people, 18 prompts, 30 days."
    assert every_row(sqlite_engine) == every_row(built)


def test_the_demo_world_is_the_same_on_postgresql(
    built: Engine, postgres_engine: Engine, demo: DemoWorld, real_book: PriceBook
) -> None:
    _build_in(postgres_engine, demo, real_book)
    assert _history(postgres_engine) == _history(built)
    assert plain_sql.contradictions(postgres_engine) == []


def test_another_seed_makes_another_world(
    sqlite_engine: Engine, built: Engine, demo: DemoWorld, real_book: PriceBook
) -> None:
    _build_in(sqlite_engine, replace(demo, seed=demo.seed + 1), real_book)
    assert _history(sqlite_engine) != _history(built)


def test_the_demo_world_is_clean(built: Engine, real_book: PriceBook) -> None:
    assert [str(finding) for finding in invariants.check(built, real_book.plans) if not finding.ok] == []
    assert plain_sql.contradictions(built) == []


def test_building_again_changes_nothing(built: Engine, demo: DemoWorld, real_book: PriceBook) -> None:
    before = every_row(built)
    assert _build_in(built, demo, real_book) == "The demo world is already there; nothing was changed."
    assert every_row(built) == before


def test_the_demo_world_is_not_mixed_with_other_entries(engine: Engine, demo: DemoWorld, real_book: PriceBook) -> None:
    world.add(engine, "ada", 100, key="fund")
    with refused(engine, InvalidRequest):
        _build_in(engine, demo, real_book)


def test_a_world_that_cannot_be_built_to_its_end_leaves_nothing(
    engine: Engine, demo: DemoWorld, real_book: PriceBook
) -> None:
    short = replace(
        demo, days=2, users=demo.users[:2], adjustments=(), refunds=(demo_world.SupportCase("noor", 1, "Never"),)
    )
    with refused(engine, DataFileInvalid) as caught:
        _build_in(engine, replace(short, creators=(replace(demo.creators[0], activity=0),)), real_book)
    assert "noor paid for no run on day 1" in str(caught.value)

    without_haiku = {id_: model for id_, model in real_book.models.models.items() if id_ != "claude-3-haiku"}
    with refused(engine, UnknownModel):
        _build_in(engine, demo, replace(real_book, models=ModelRegistry(without_haiku)))

    lost = replace(demo.prompts[0], workload="poetry")
    with refused(engine, DataFileInvalid) as caught:
        _build_in(engine, replace(demo, prompts=(lost, *demo.prompts[1:])), real_book)
    assert "there is no workload poetry" in str(caught.value)


def test_of_two_who_build_at_once_one_finds_the_world_there(
    engine: Engine, built: Engine, demo: DemoWorld, real_book: PriceBook
) -> None:
    said = racers.at_once([partial(_build_in, engine, demo, real_book)] * 2)
    assert sorted(said) == [
        "The demo world is already there; nothing was changed.",
        "The demo world is built: 15 people, 18 prompts, 30 days.",
    ]
    assert _history(engine) == _history(built)


# --- at the dashboard's start ---------------------------------------------------------------------------------------


def test_an_empty_sqlite_file_is_migrated_filled_and_summed_up(
    tmp_path: Path, built: Engine, real_book: PriceBook
) -> None:
    engine = database.create_engine_for(f"sqlite:///{tmp_path / 'new.db'}")
    startup.prepare(engine, PriceBooks(real_book.models), demo=True)
    assert _history(engine) == _history(built)
    assert scalar(engine, "SELECT entry_id FROM rollup_watermark") == scalar(
        engine, "SELECT MAX(id) FROM journal_entries"
    )
    before = every_row(engine)
    startup.prepare(engine, PriceBooks(real_book.models), demo=True)
    startup.prepare(engine, PriceBooks(real_book.models), demo=False)
    assert every_row(engine) == before


def test_without_the_demo_an_empty_sqlite_file_is_migrated_and_stays_empty(
    tmp_path: Path, real_book: PriceBook
) -> None:
    engine = database.create_engine_for(f"sqlite:///{tmp_path / 'new.db'}")
    startup.prepare(engine, PriceBooks(real_book.models), demo=False)
    database.require_migrated(engine)
    assert scalar(engine, "SELECT COUNT(*) FROM journal_entries") == 0


def test_a_ledger_in_use_gets_no_demo(engine: Engine, real_book: PriceBook) -> None:
    world.add(engine, "ada", 100, key="fund")
    startup.prepare(engine, PriceBooks(real_book.models), demo=True)
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits") == [("ada", 100)]
    assert scalar(engine, "SELECT entry_id FROM rollup_watermark") == 1


def test_an_empty_migrated_postgresql_is_filled(postgres_engine: Engine, built: Engine, real_book: PriceBook) -> None:
    startup.prepare(postgres_engine, PriceBooks(real_book.models), demo=True)
    assert _history(postgres_engine) == _history(built)


def test_a_postgresql_that_is_not_migrated_is_left_to_its_operators(
    postgres_engine: Engine, real_book: PriceBook
) -> None:
    with postgres_engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(DatabaseNotReady, match="python -m credits_core migrate"):
        startup.prepare(postgres_engine, PriceBooks(real_book.models), demo=True)
    assert scalar(postgres_engine, "SELECT COUNT(*) FROM journal_entries") == 0


# --- the file -------------------------------------------------------------------------------------------------------


def _replaced(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda _: "seed = ", "cannot be read as the demo world"),
        (lambda _: "", "KeyError('seed')"),
        (_replaced("runs_per_day", "runs"), "KeyError('runs_per_day')"),
        (_replaced("usage_runs_per_day", "usage_runs"), "KeyError('usage_runs_per_day')"),
        (_replaced("audio_seconds = [3, 90]", "seconds = 3"), "voice-notes: usage.seconds is not a unit"),
        (
            _replaced("[prompts.usage]", 'workload = "code"\n\n[prompts.usage]'),
            "support-chat: has a workload and a usage; give one of them",
        ),
        (_replaced("activity = 10", "weight = 10"), "unexpected keyword argument 'weight'"),
        (_replaced("joined_on_day = 22", "joined_on_day = 31"), "june joins on day 31, not on one of the 30 days"),
        (_replaced("joined_on_day = 22", "joined_on_day = 0"), "june joins on day 0, not on one of the 30 days"),
        (_replaced('creator_id = "noor"', 'creator_id = "nora"'), "meeting-minutes is by nora, who is not among"),
        (_replaced('user_id = "elif"', 'user_id = "elf"'), "support does something for elf, who is not among"),
    ],
)
def test_a_file_that_is_no_demo_world_is_refused_with_its_problem(
    tmp_path: Path, change: Callable[[str], str], problem: str
) -> None:
    path = tmp_path / "demo.toml"
    path.write_text(change(settings.DEMO_FILE.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DataFileInvalid) as caught:
        demo_world.load_demo_world(path)
    assert problem in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    with pytest.raises(DataFileInvalid):
        demo_world.load_demo_world(path)
    path.write_bytes(b"\xff")
    with pytest.raises(DataFileInvalid):
        demo_world.load_demo_world(path)
