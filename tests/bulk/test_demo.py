import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from credits_core import settings, startup
from credits_core.audit import invariants
from credits_core.bulk.demo_world import DemoWorld, SupportCase, load_demo_world
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.plans.book import PriceBooks
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.refusals import UnknownModel
from credits_core.reports import sums
from credits_core.store import database
from credits_core.store.refusals import DatabaseNotReady
from credits_core.values import days as utc_days
from tests.support import demo, plain_sql, racers, world
from tests.support.plain_sql import every_row, refused, rows, scalar

# The demo's prompts by the trace that their tokens are drawn from.
CONVERSATION = ("meeting-minutes", "tone-polisher", "cold-email")
CODE = ("contract-review", "code-explainer", "sql-tuner", "unit-test-writer")
NOW = demo.NOW


@pytest.fixture(scope="module")
def real_book() -> PriceBook:
    return settings.load_price_book()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, real_book: PriceBook) -> Iterator[Engine]:
    """The demo world, to be looked at only."""
    with database.opened(f"sqlite:///{tmp_path_factory.mktemp('built') / 'credits.db'}") as engine:
        database.migrate(engine)
        demo.build(engine, real_book)
        yield engine


def _history(engine: Engine) -> list[tuple[object, ...]]:
    """What happened to whom, with the numbers of the entries."""
    return sorted(
        rows(
            engine,
            "SELECT e.id, e.idempotency_key, e.type, e.actor, e.description, e.created_at_us, t.position, t.account_id,"
            " t.type, t.amount_credits, t.balance_after_credits, r.prompt_id, r.model_id, r.input_tokens,"
            " r.output_tokens, r.usage, r.unit_prices, r.service_tier, e.refunds_entry_id FROM journal_entries e"
            " JOIN credit_transactions t ON t.entry_id = e.id LEFT JOIN prompt_runs r ON r.entry_id = e.id",
        ),
        key=repr,
    )


def test_the_demo_world_is_as_large_as_it_must_be(built: Engine) -> None:
    creators = rows(built, "SELECT DISTINCT creator_id FROM prompt_runs WHERE creator_id IS NOT NULL")
    buyers = rows(built, "SELECT DISTINCT account_id FROM credit_transactions WHERE type = 'credit_purchase'")
    assert len(creators) == 12
    assert len([buyer for buyer in buyers if buyer[0] != "platform:payments_in"]) == 60
    assert scalar(built, "SELECT COUNT(DISTINCT prompt_id) FROM prompt_runs") == 31
    assert scalar(built, "SELECT COUNT(DISTINCT prompt_id) FROM prompt_runs WHERE creator_fee_credits > 0") == 20
    assert scalar(built, "SELECT COUNT(DISTINCT flow_id) FROM unlocked_flows") == 10
    assert scalar(built, "SELECT COUNT(DISTINCT created_at_us / 86400000000) FROM prompt_runs") == 30
    assert scalar(built, "SELECT COUNT(*) FROM prompt_runs") > 3_000
    assert rows(built, "SELECT type FROM journal_entries GROUP BY type ORDER BY type") == [
        ("adjustment",),
        ("credit_purchase",),
        ("flow_unlock",),
        ("grant",),
        ("prompt_run",),
        ("refund",),
    ]


# --- what the demo is there to show, whatever day it is ------------------------------------------------------------


def _numbers(engine: Engine, sql: str) -> list[int]:
    (row,) = rows(engine, sql)
    return [int(str(number)) for number in row]


def _dollars(engine: Engine, of: str) -> float:
    (credits,) = _numbers(engine, f"SELECT SUM(amount_credits) FROM credit_transactions WHERE {of}")
    return credits / 1_000_000


# A run of 9,168 with 20 % costs 11,001 and one of 10,000 with 10 % 11,000; 91,365 with 10 % costs 100,501 and 100,000
# with the flat 500 costs 100,500.
ON_A_CLIFF = (
    "SELECT COUNT(*), SUM(inference_cost_credits + platform_markup_credits - {dearest_after}) FROM prompt_runs"
    " WHERE creator_fee_credits = 0 AND inference_cost_credits BETWEEN {first} AND {last}"
)


@pytest.fixture(scope="module", params=range(8), ids=lambda number: f"end{number}")
def on_any_day(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, real_book: PriceBook
) -> Iterator[Engine]:
    """A world that ends with each day of the week, and one that ends in a morning. Only weekday and hour count."""
    ends_at = datetime(2026, 12, 1 + request.param, 7 if request.param == 7 else 0, tzinfo=UTC)
    with database.opened(f"sqlite:///{tmp_path_factory.mktemp('any_day') / 'credits.db'}") as engine:
        database.migrate(engine)
        demo.build(engine, real_book, ends_at=ends_at)
        yield engine


def test_the_platform_and_the_creators_earn_hundreds_of_dollars(on_any_day: Engine) -> None:
    assert 200 < _dollars(on_any_day, "account_id = 'platform:revenue'") < 1_000
    assert 500 < _dollars(on_any_day, "type = 'creator_payment'") < 2_000
    assert 500 < -_dollars(on_any_day, "account_id = 'platform:payments_in'") < 5_000


def test_runs_lie_on_both_cliffs_and_users_pay_dollars_too_much(on_any_day: Engine) -> None:
    lower_runs, lower_credits = _numbers(on_any_day, ON_A_CLIFF.format(first=9_168, last=9_999, dearest_after=11_000))
    upper_runs, upper_credits = _numbers(
        on_any_day, ON_A_CLIFF.format(first=91_365, last=99_999, dearest_after=100_500)
    )
    assert lower_runs > 250
    assert upper_runs > 500
    assert 2_000_000 < lower_credits + upper_credits < 6_000_000


def test_some_runs_are_just_above_the_cliffs_and_pay_less(on_any_day: Engine) -> None:
    above = (
        "SELECT COUNT(*) FROM prompt_runs WHERE creator_fee_credits = 0 AND inference_cost_credits BETWEEN {} AND {}"
    )
    assert _numbers(on_any_day, above.format(10_001, 10_999)) > [20]
    assert _numbers(on_any_day, above.format(100_000, 105_000)) > [20]


def test_a_creator_asks_a_fee_of_1_and_the_platform_gets_1_in_place_of_the_markup(on_any_day: Engine) -> None:
    runs, markup_credits, platform_markup_credits, share_credits, dearest = _numbers(
        on_any_day,
        "SELECT COUNT(*), SUM(CASE WHEN inference_cost_credits < 10000 THEN inference_cost_credits * 20 / 100"
        " ELSE inference_cost_credits * 10 / 100 END), SUM(platform_markup_credits), SUM(creator_share_credits),"
        " MAX(inference_cost_credits) FROM prompt_runs WHERE creator_id = 'wren' AND creator_fee_credits = 1",
    )
    assert runs > 150
    assert markup_credits > 500_000
    assert (platform_markup_credits, share_credits) == (0, 0)
    assert dearest < 100_000


def test_two_users_are_near_zero_and_one_is_large(on_any_day: Engine) -> None:
    near_zero = "SELECT COUNT(*) FROM user_credits WHERE user_id IN ('theo', 'yuki') AND balance_credits < 1000"
    assert scalar(on_any_day, near_zero) == 2
    spent = "SELECT SUM(total_credits), COUNT(*) FROM prompt_runs"
    most_credits, runs = _numbers(on_any_day, f"{spent} WHERE user_id = 'harbor-law'")
    next_credits, _ = _numbers(
        on_any_day, f"{spent} WHERE user_id <> 'harbor-law' GROUP BY user_id ORDER BY 1 DESC LIMIT 1"
    )
    assert most_credits > 10 * next_credits
    assert runs > 500


def test_there_are_refunds_and_unlocks_and_the_audit_is_clean(on_any_day: Engine, real_book: PriceBook) -> None:
    assert scalar(on_any_day, "SELECT COUNT(*) FROM journal_entries WHERE type = 'refund'") == 8
    assert _numbers(on_any_day, "SELECT COUNT(*) FROM unlocked_flows") > [100]
    assert [str(finding) for finding in invariants.check(on_any_day, real_book.plans) if not finding.ok] == []


# --- runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt_id", "units"),
    [
        ("support-chat", {"input_tokens", "output_tokens", "cache_read_tokens"}),
        ("book-companion", {"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"}),
        ("proof-checker", {"input_tokens", "output_tokens", "output_reasoning_tokens"}),
        ("photo-retouch", {"input_tokens", "output_tokens", "input_image_tokens", "output_image_tokens"}),
        ("search-index", {"input_tokens"}),
        ("voice-notes", {"audio_seconds"}),
    ],
)
def test_some_runs_have_a_usage_as_providers_report_it(built: Engine, prompt_id: str, units: set[str]) -> None:
    usages = rows(built, f"SELECT usage FROM prompt_runs WHERE prompt_id = '{prompt_id}'")
    assert len(usages) >= 15
    assert {unit for (usage,) in usages for unit in json.loads(str(usage))} == units


def test_short_transcriptions_are_billed_as_ten_seconds(built: Engine) -> None:
    # $0.111 an hour is 30.83 credits a second.
    billed = rows(
        built, "SELECT usage, inference_cost_credits FROM prompt_runs WHERE model_id = 'groq/whisper-large-v3'"
    )
    short = {cost for usage, cost in billed if json.loads(str(usage))["audio_seconds"] <= 10}
    assert short == {309}


def test_every_creator_earns_and_everyone_runs(built: Engine) -> None:
    people = load_demo_world()
    earned = rows(built, "SELECT account_id FROM credit_transactions WHERE type = 'creator_payment' GROUP BY 1")
    assert {account for (account,) in earned} == {creator.id for creator in people.creators}
    assert {user for (user,) in rows(built, "SELECT DISTINCT user_id FROM prompt_runs")} == {
        person.id for person in people.people
    }


def test_the_demo_world_lasts_thirty_days_by_the_clock(built: Engine) -> None:
    with database.read(built) as connection:
        days = sums.totals_by_day(connection, utc_days.DayRange())
    assert (days[0].day, days[-1].day, len(days)) == (date(2026, 10, 24), date(2026, 11, 22), 30)
    assert min(day.runs for day in days) >= 40
    working_days = [day.runs for day in days if day.day.weekday() < 5]
    weekends = [day.runs for day in days if day.day.weekday() >= 5]
    assert sum(working_days) * len(weekends) > sum(weekends) * len(working_days)


# Some 260 and 370 runs are drawn for the traces, so three standard deviations are 9.3 % of them at the median and 4.1 %
# at the 95th percentile. The bounds are the counts at 40 and 60 %, and at 90 and 99 %, on the lines between the
# quantiles.
@pytest.mark.parametrize(
    ("prompts", "column", "p50", "p95"),
    [
        (CONVERSATION, "input_tokens", (816, 1_701), (3_742, 12_057)),
        (CONVERSATION, "output_tokens", (103, 201), (415, 891)),
        (CODE, "input_tokens", (1_175, 2_766), (6_654, 7_411)),
        (CODE, "output_tokens", (10, 31), (81, 1_538)),
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


# --- the same again -------------------------------------------------------------------------------------------------


def test_two_demo_worlds_of_one_end_are_the_same_row_for_row(
    built: Engine, sqlite_engine: Engine, real_book: PriceBook
) -> None:
    assert demo.build(sqlite_engine, real_book) == demo.BUILT
    assert every_row(sqlite_engine) == every_row(built)


def test_the_demo_world_is_the_same_on_postgresql(built: Engine, postgres_engine: Engine, real_book: PriceBook) -> None:
    demo.build(postgres_engine, real_book)
    assert _history(postgres_engine) == _history(built)
    assert plain_sql.contradictions(postgres_engine) == []


def test_another_seed_makes_another_world(sqlite_engine: Engine, built: Engine, real_book: PriceBook) -> None:
    other = load_demo_world()
    demo.build(sqlite_engine, real_book, world=replace(other, seed=other.seed + 1))
    assert _history(sqlite_engine) != _history(built)


def test_a_world_that_ends_at_noon_is_the_same_up_to_noon(
    sqlite_engine: Engine, built: Engine, real_book: PriceBook
) -> None:
    demo.build(sqlite_engine, real_book, ends_at=datetime(2026, 11, 22, 12, tzinfo=UTC))
    noon_us = 1_795_348_800_000_000
    until_noon = [entry for entry in _history(built) if int(str(entry[5])) < noon_us]
    assert _history(sqlite_engine) == until_noon
    assert len(until_noon) < len(_history(built))


def test_the_demo_world_is_clean(built: Engine, real_book: PriceBook) -> None:
    assert [str(finding) for finding in invariants.check(built, real_book.plans) if not finding.ok] == []
    assert plain_sql.contradictions(built) == []


def test_building_again_changes_nothing(built: Engine, real_book: PriceBook) -> None:
    before = every_row(built)
    assert demo.build(built, real_book) == demo.THERE
    assert every_row(built) == before


def test_the_demo_world_is_not_mixed_with_other_entries(engine: Engine, real_book: PriceBook) -> None:
    world.add(engine, "ada", 100, key="fund")
    with refused(engine, InvalidRequest):
        demo.build(engine, real_book)


def _small(people: DemoWorld) -> DemoWorld:
    return replace(people, days=2, users=people.users[:2], adjustments=(), refunds=())


def test_a_user_runs_as_long_as_the_credits_last_down_to_the_last_one(engine: Engine, real_book: PriceBook) -> None:
    people = load_demo_world()
    (quick,) = (prompt for prompt in people.prompts if prompt.id == "quick-answer")  # 250 and 20 % markup
    (ada,) = (replace(user, purchase_credits=0) for user in people.users if user.id == "ada")
    rosa = replace(people.creators[4], activity=0)
    tiny = replace(_small(people), users=(ada,), creators=(rosa,), prompts=(quick,), flows=(), grant_credits=900)
    demo.build(engine, real_book, world=tiny)
    assert rows(engine, "SELECT total_credits FROM prompt_runs") == [(300,)] * 3
    assert plain_sql.balance(engine, "ada") == 0


def test_a_world_that_cannot_be_built_to_its_end_leaves_nothing(engine: Engine, real_book: PriceBook) -> None:
    people = load_demo_world()
    idle = replace(_small(people), refunds=(SupportCase("noor", 1, "Never"),))
    with refused(engine, DataFileInvalid) as caught:
        demo.build(engine, real_book, world=replace(idle, creators=(replace(people.creators[0], activity=0),)))
    assert "noor has paid for no run on day 1" in str(caught.value)

    without_haiku = {id_: model for id_, model in real_book.models.models.items() if id_ != "claude-3-haiku"}
    with refused(engine, UnknownModel):
        demo.build(engine, replace(real_book, models=ModelRegistry(without_haiku)))

    lost = replace(people.prompts[0], workload="poetry")
    with refused(engine, DataFileInvalid) as caught:
        demo.build(engine, real_book, world=replace(people, prompts=(lost, *people.prompts[1:])))
    assert "there is no workload poetry" in str(caught.value)


def test_of_two_who_build_at_once_one_finds_the_world_there(
    engine: Engine, built: Engine, real_book: PriceBook
) -> None:
    said = racers.at_once([partial(demo.build, engine, real_book)] * 2)
    assert sorted(said) == [demo.THERE, demo.BUILT]
    assert _history(engine) == _history(built)


# --- at the dashboard's start ---------------------------------------------------------------------------------------


def test_an_empty_sqlite_file_is_migrated_filled_and_summed_up(
    tmp_path: Path, built: Engine, real_book: PriceBook
) -> None:
    engine = database.create_engine_for(f"sqlite:///{tmp_path / 'new.db'}")
    startup.prepare(engine, PriceBooks(real_book.models), demo=True, now=NOW)
    assert _history(engine) == _history(built)
    assert scalar(engine, "SELECT entry_id FROM rollup_watermark") == scalar(
        engine, "SELECT MAX(id) FROM journal_entries"
    )
    before = every_row(engine)
    startup.prepare(engine, PriceBooks(real_book.models), demo=True, now=NOW)
    startup.prepare(engine, PriceBooks(real_book.models), demo=False, now=NOW)
    assert every_row(engine) == before


def test_without_the_demo_an_empty_sqlite_file_is_migrated_and_stays_empty(
    tmp_path: Path, real_book: PriceBook
) -> None:
    engine = database.create_engine_for(f"sqlite:///{tmp_path / 'new.db'}")
    startup.prepare(engine, PriceBooks(real_book.models), demo=False, now=NOW)
    database.require_migrated(engine)
    assert scalar(engine, "SELECT COUNT(*) FROM journal_entries") == 0


def test_a_ledger_in_use_gets_no_demo(engine: Engine, real_book: PriceBook) -> None:
    world.add(engine, "ada", 100, key="fund")
    startup.prepare(engine, PriceBooks(real_book.models), demo=True, now=NOW)
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits") == [("ada", 100)]
    assert scalar(engine, "SELECT entry_id FROM rollup_watermark") == 1


def test_an_empty_migrated_postgresql_is_filled(postgres_engine: Engine, built: Engine, real_book: PriceBook) -> None:
    startup.prepare(postgres_engine, PriceBooks(real_book.models), demo=True, now=NOW)
    assert _history(postgres_engine) == _history(built)


@pytest.mark.as_owner
def test_a_postgresql_that_is_not_migrated_is_left_to_its_operators(
    postgres_engine: Engine, real_book: PriceBook
) -> None:
    with postgres_engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(DatabaseNotReady, match="python -m credits_core migrate"):
        startup.prepare(postgres_engine, PriceBooks(real_book.models), demo=True, now=NOW)
    assert scalar(postgres_engine, "SELECT COUNT(*) FROM journal_entries") == 0


def test_the_month_ends_today_with_no_entry_in_the_future_and_no_hole_before_today(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, real_book: PriceBook
) -> None:
    monkeypatch.delenv("CREDITS_DEMO_END")
    engine = database.create_engine_for(f"sqlite:///{tmp_path / 'new.db'}")
    startup.prepare(engine, PriceBooks(real_book.models), demo=True, now=NOW)
    newest_us = scalar(engine, "SELECT MAX(created_at_us) FROM journal_entries")
    assert isinstance(newest_us, int)
    assert 1_795_651_200_000_000 < newest_us < 1_795_676_400_000_000  # on 2026-11-26, before 07:00
    with database.read(engine) as connection:
        days = sums.totals_by_day(connection, utc_days.DayRange())
    assert (days[0].day, days[-1].day, len(days)) == (date(2026, 10, 28), date(2026, 11, 26), 30)
    assert min(day.runs for day in days) >= 1


@pytest.mark.parametrize(
    ("last_day", "ends_at"),
    [
        (None, datetime(2026, 11, 26, 7, tzinfo=UTC)),
        ("", datetime(2026, 11, 26, 7, tzinfo=UTC)),
        ("2026-11-22", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-25", datetime(2026, 11, 26, tzinfo=UTC)),
        ("2026-11-26", datetime(2026, 11, 26, 7, tzinfo=UTC)),
        ("2026-11-27", datetime(2026, 11, 26, 7, tzinfo=UTC)),
        ("9999-12-31", datetime(2026, 11, 26, 7, tzinfo=UTC)),
        ("2000-01-01", datetime(2000, 1, 2, tzinfo=UTC)),
    ],
)
def test_the_month_ends_with_the_hour_or_with_a_day_that_is_over(
    monkeypatch: pytest.MonkeyPatch, last_day: str | None, ends_at: datetime
) -> None:
    monkeypatch.delenv("CREDITS_DEMO_END")
    if last_day is not None:
        monkeypatch.setenv("CREDITS_DEMO_END", last_day)
    assert startup.demo_ends_at(NOW) == ends_at
