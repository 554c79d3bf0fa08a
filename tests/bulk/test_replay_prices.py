"""Which plan and which price list a log is charged under: the live ones, or with `of_its_day` those of each row."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from credits_core import settings
from credits_core.audit import invariants
from credits_core.bulk import pieces
from credits_core.bulk.refusals import ReplayStopped
from credits_core.bulk.replay import ReplayPlan, ReplaySummary, plan_replay, replay
from credits_core.errors import DataFileInvalid
from credits_core.plans.book import PriceBooks
from credits_core.prices import lists
from credits_core.prices.list_toml import refreshed
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import balance, every_row, rows
from tests.support.prices import per_run_list
from tests.support.world import NOW, NOW_US

GPT_4O = "openai/gpt-4o"
WITH_ID = "RequestId,TIMESTAMP,ContextTokens,GeneratedTokens"


def _day(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def _write(folder: Path, *lines: str, header: str = "TIMESTAMP,ContextTokens,GeneratedTokens") -> Path:
    path = folder / "log.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def _audit(engine: Engine, book: PriceBook) -> list[object]:
    return [finding for finding in invariants.check(engine, book.plans) if not finding.ok]


@pytest.fixture(autouse=True)
def funded(engine: Engine) -> None:
    world.add(engine, "ada", 1_000_000, key="fund")


_LIST = """
[[models]]
id = "openai/gpt-4o"
name = "GPT-4o"
provider = "openai"
type = "text"
prices = [{prices}]
source = "hand-written"
checked_on = {checked_on}
"""


def _list(prices: str, checked_on: str = "2026-01-01") -> str:
    return _LIST.replace("{prices}", prices).replace("{checked_on}", checked_on)


CHEAP = "{input_tokens = 2.5, output_tokens = 10}"
DEAR = "{input_tokens = 5, output_tokens = 10}"


def _make_live(engine: Engine, toml: str, at: datetime) -> int:
    def action(connection: Connection) -> int:
        number = lists.save(connection, toml, source="a test", now=at, actor=TESTER)
        lists.activate(connection, number, reason="A test needs it", now=at, actor=TESTER)
        return number

    return database.write(engine, action)


def _begin_with(engine: Engine, toml: str) -> None:
    database.write(engine, lambda connection: lists.begin_with(connection, toml))


class Process:
    """One process that charges logs to ada, in pieces of one run, with its own memory of what is live."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pieces, "HOLD_NANOSECONDS", 0)
        self._engine, self._books = engine, PriceBooks(world.price_book().models)

    def book(self) -> PriceBook:
        with database.read(self._engine) as connection:
            return self._books.at(connection)

    def plan(self, path: Path, *, of_its_day: bool = False, model_id: str = GPT_4O) -> ReplayPlan:
        return plan_replay(
            self._engine, path, user_id="ada", model_id=model_id, book=self.book(), now=NOW, of_its_day=of_its_day
        )

    def replay(self, path: Path, *, of_its_day: bool = False, model_id: str = GPT_4O) -> ReplaySummary:
        return self.carry_out(self.plan(path, of_its_day=of_its_day, model_id=model_id))

    def carry_out(self, plan: ReplayPlan, after: Sequence[tuple[int, str]] = ()) -> ReplaySummary:
        """Charge it; after so many rows, make another list live."""
        done, waiting = 0, dict(after)

        def on_progress(count: int) -> None:
            nonlocal done
            done += count
            if done in waiting:
                _make_live(self._engine, waiting[done], NOW)

        return replay(
            self._engine, plan, book_at=self._books.at, clock=lambda: NOW, actor=TESTER, on_progress=on_progress
        )

    def problems(self, path: Path, *, of_its_day: bool = False) -> Sequence[str]:
        before = every_row(self._engine)
        with pytest.raises(DataFileInvalid) as caught:
            self.replay(path, of_its_day=of_its_day)
        assert every_row(self._engine) == before
        return caught.value.problems


@pytest.fixture
def process(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Process:
    return Process(engine, monkeypatch)


# --- price lists ----------------------------------------------------------------------------------------------------


def test_of_its_day_takes_the_price_list_that_was_live_at_each_row(
    engine: Engine, process: Process, tmp_path: Path
) -> None:
    _begin_with(engine, _list(CHEAP))
    _make_live(engine, _list(DEAR), _day(2, 10, 12))  # its checked_on is older than the rows
    _make_live(engine, _list(CHEAP), _day(2, 20))
    path = _write(
        tmp_path,
        "2026-02-10 11:59:59.999999,40,0",
        "2026-02-10 12:00:00,40,0",
        "2026-02-19 23:59:59,40,0",
        "2026-02-20 00:00:00,40,0",
    )
    # 40 × 2.5 and 40 × 5, with the 10 % markup and the least income of the specification's plan
    found = process.replay(path, of_its_day=True)
    assert (found.charged_now, found.total_credits) == (4, 120 + 240 + 240 + 120)
    assert rows(
        engine, "SELECT price_list_id, inference_cost_credits, created_at_us FROM prompt_runs ORDER BY entry_id"
    ) == [(1, 100, NOW_US), (2, 200, NOW_US), (2, 200, NOW_US), (3, 100, NOW_US)]
    assert _audit(engine, process.book()) == []


def test_of_its_day_refuses_rows_that_no_list_was_live_for_or_whose_list_does_not_offer_the_model(
    engine: Engine, process: Process, tmp_path: Path
) -> None:
    _make_live(engine, per_run_list(), _day(2, 1))
    _make_live(engine, _list(CHEAP), _day(2, 10))
    path = _write(tmp_path, "2026-01-31 23:59:59,40,0", "2026-02-09 23:00:00,40,0", "2026-02-10 00:00:00,40,0")
    assert process.problems(path, of_its_day=True) == [
        "line 2: no price list was live on 2026-01-31",
        "line 3: price list 1, which was live on 2026-02-09, does not offer openai/gpt-4o",
    ]


def test_of_its_day_needs_no_price_for_a_row_that_is_charged_already(
    engine: Engine, process: Process, tmp_path: Path
) -> None:
    _make_live(engine, _list(CHEAP), _day(2, 10))
    path = _write(tmp_path, "2026-01-31,40,0")
    assert process.replay(path).charged_now == 1
    assert process.replay(path, of_its_day=True).charged_before == 1


def test_a_refresh_does_not_make_an_unchanged_price_unknown(engine: Engine, process: Process, tmp_path: Path) -> None:
    embedding = "openai/text-embedding-3-small"
    first = _list("{input_tokens = 0.02}").replace(GPT_4O, embedding)
    first = first.replace("prices", f'genai_prices_id = "{embedding}"\nprices', 1)
    _begin_with(engine, first)
    new, changes = refreshed(first, "the live list", settings.PRICE_CORRECTIONS_FILE, date(2026, 2, 10))
    assert changes == []
    assert parse_model_registry(new)[embedding].checked_on == date(2026, 2, 10)
    _make_live(engine, new, _day(2, 10))
    path = _write(tmp_path, "2026-02-05,100000,0", "2026-02-15,100000,0")  # 100,000 × 0.02 and 20 %
    plan = process.plan(path, model_id=embedding)
    assert (plan.older_than_price, plan.price_since) == (0, _day(1, 1))
    found = process.replay(path, of_its_day=True, model_id=embedding)
    assert (found.charged_now, found.total_credits) == (2, 2 * 2_400)
    assert _audit(engine, process.book()) == []


@pytest.mark.parametrize(
    ("live", "since", "older"),
    [
        ([], _day(1, 1), 0),  # the day it was checked
        ([DEAR], _day(2, 10), 1),
        ([DEAR, DEAR], _day(2, 10), 1),  # another list with the same price changes nothing
        ([DEAR, CHEAP], _day(2, 11), 2),  # it was not known to be the price between
        ([CHEAP], _day(1, 1), 0),
        ([f"{DEAR}, {{from = 2026-02-12, input_tokens = 1, output_tokens = 1}}"], _day(2, 12), 3),
        ([f"{DEAR}, {{from = 2026-02-02, input_tokens = 1, output_tokens = 1}}"], _day(2, 10), 1),
    ],
)
def test_a_price_is_known_since_the_list_that_brought_it_was_made_live(
    engine: Engine, process: Process, tmp_path: Path, live: list[str], since: datetime, older: int
) -> None:
    _begin_with(engine, _list(CHEAP))
    for number, prices in enumerate(live):
        _make_live(engine, _list(prices), _day(2, 10 + number))
    path = _write(tmp_path, "2026-02-09,40,0", "2026-02-10,40,0", "2026-02-11,40,0", "2026-02-12,40,0")
    plan = process.plan(path)
    assert (plan.price_since, plan.older_than_price) == (since, older)


# --- the plan, and prices with a first day ---------------------------------------------------------------------------

TWO_PRICES = "{input_tokens = 5, output_tokens = 10}, {from = 2026-02-28, input_tokens = 2.5, output_tokens = 10}"
THREE_DAYS = ["2026-02-27 11:59:59,40,0", "2026-02-27 12:00:00,40,0", "2026-02-28 00:00:00,40,0"]


def _live_since(engine: Engine, plan_id: str, at: datetime) -> None:
    world.put_in_force(engine, world.dearer_book().plans[plan_id], now=at)


def test_a_past_log_is_charged_under_the_live_plan_and_todays_price(
    engine: Engine, process: Process, tmp_path: Path
) -> None:
    _live_since(engine, "plan-1", _day(2, 27, 12))
    _begin_with(engine, _list(TWO_PRICES))
    plan = process.plan(_write(tmp_path, *THREE_DAYS))
    assert (plan.terms, plan.older_than_plan) == (("plan-1", 1), 1)
    assert (plan.price_since, plan.older_than_price) == (_day(2, 28), 2)
    assert process.carry_out(plan).total_credits == 3 * 120


def test_of_its_day_takes_the_plan_and_the_price_of_each_rows_day(
    engine: Engine, process: Process, tmp_path: Path
) -> None:
    _live_since(engine, "plan-1", datetime(1970, 1, 1, 1, tzinfo=UTC))
    _live_since(engine, "plan-2", _day(2, 27, 12))
    _begin_with(engine, _list(TWO_PRICES))
    path = _write(tmp_path, *THREE_DAYS)
    # 40 × 5 and 20 %; 40 × 5 and 50 %; 40 × 2.5 and 50 %
    assert process.replay(path, of_its_day=True) == ReplaySummary(3, 3, 0, 0, 240 + 300 + 150)
    assert rows(engine, "SELECT plan_id, total_credits, created_at_us FROM prompt_runs ORDER BY entry_id") == [
        ("plan-1", 240, NOW_US),
        ("plan-2", 300, NOW_US),
        ("plan-2", 150, NOW_US),
    ]
    assert process.replay(path).charged_before == 3  # whichever way it is priced, a request is charged once
    assert _audit(engine, process.book()) == []


@pytest.mark.parametrize("is_stored", [True, False])
def test_of_its_day_refuses_by_line_where_the_price_of_the_day_is_not_known(
    engine: Engine, process: Process, tmp_path: Path, *, is_stored: bool
) -> None:
    if is_stored:
        _begin_with(engine, _list(CHEAP))
    path = _write(tmp_path, "2026-01-01,40,0", "2025-12-31 23:59:59,40,0")
    assert process.problems(path, of_its_day=True) == [
        "line 3: the price of openai/gpt-4o is not known before 2026-01-01, so not on 2025-12-31"
    ]
    assert process.replay(path).charged_now == 2


# --- made live meanwhile --------------------------------------------------------------------------------------------

THREE = ["2026-02-28 12:00:00,40,0", "2026-02-28 12:00:01,40,0", "2026-02-28 12:00:02,40,0"]


@pytest.mark.parametrize("of_its_day", [False, True])
def test_a_replay_stops_between_two_pieces_when_another_list_is_made_live_and_goes_on_when_run_again(
    engine: Engine, process: Process, tmp_path: Path, *, of_its_day: bool
) -> None:
    _begin_with(engine, _list(CHEAP))
    path = _write(tmp_path, *THREE)
    plan = process.plan(path, of_its_day=of_its_day)
    with pytest.raises(ReplayStopped) as caught:
        process.carry_out(plan, after=[(2, _list(DEAR))])
    assert caught.value.charged == 2
    assert str(caught.value) == (
        "The replay began with price plan promptflow-v1 and price list 1, but now price plan promptflow-v1 and price "
        "list 2 are live. Charged so far, which stays: 2 rows. Run the replay again: it charges the rest, and no row "
        "twice."
    )
    assert balance(engine, "ada") == 1_000_000 - 2 * 120
    # The rest has the price of now, or of its day.
    rest = 120 if of_its_day else 240
    assert process.replay(path, of_its_day=of_its_day) == ReplaySummary(3, 1, 2, 0, 2 * 120 + rest)
    assert rows(engine, "SELECT price_list_id FROM prompt_runs ORDER BY entry_id") == [
        (1,),
        (1,),
        (1 if of_its_day else 2,),
    ]
    assert _audit(engine, process.book()) == []


def test_a_replay_charges_nothing_when_another_list_was_made_live_after_it_was_planned(
    engine: Engine, process: Process, tmp_path: Path
) -> None:
    _begin_with(engine, _list(CHEAP))
    plan = process.plan(_write(tmp_path, *THREE))
    _make_live(engine, _list(DEAR), NOW)
    before = every_row(engine)
    with pytest.raises(ReplayStopped, match="Charged so far, which stays: 0 rows"):
        process.carry_out(plan)
    assert every_row(engine) == before


def test_a_replay_stops_when_another_plan_is_made_live(
    engine: Engine, process: Process, book: PriceBook, tmp_path: Path
) -> None:
    plan = plan_replay(engine, _write(tmp_path, *THREE), user_id="ada", model_id=GPT_4O, book=book, now=NOW)
    asked = iter([book, world.dearer_book()])
    with pytest.raises(ReplayStopped, match=r"began with price plan plan-1 .* now price plan plan-2 .* stays: 1 row"):
        replay(engine, plan, book_at=lambda _: next(asked), clock=lambda: NOW, actor=TESTER)
    assert rows(engine, "SELECT plan_id FROM prompt_runs") == [("plan-1",)]


# --- rows without a price -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_its_day", [False, True])
def test_a_row_that_costs_nothing_is_unused_and_does_not_stop_a_month(
    engine: Engine, process: Process, tmp_path: Path, *, of_its_day: bool
) -> None:
    _begin_with(engine, _list("{input_tokens = 0, output_tokens = 10}"))
    path = _write(tmp_path, "2026-02-01,100,0", "2026-02-02,100,10", "2026-02-03,0,0", "2026-02-04,100,20")
    for charged_now in (2, 0):
        found = process.replay(path, of_its_day=of_its_day)
        # 10 × 10 and 20 × 10, with 20 %
        assert found == ReplaySummary(4, charged_now, 2 - charged_now, 0, 120 + 240, (2, 4))
    assert rows(engine, "SELECT output_tokens FROM prompt_runs ORDER BY entry_id") == [(10,), (20,)]


def test_a_row_that_the_model_has_no_price_for_is_refused_by_line(
    engine: Engine, process: Process, tmp_path: Path
) -> None:
    _begin_with(engine, _list("{input_tokens = 0.02}"))
    path = _write(tmp_path, "2026-02-01,100,0", "2026-02-02,100,5")
    assert process.problems(path) == ["line 3: This model has no price for 5 output_tokens."]


def test_a_row_that_is_charged_already_needs_no_price(engine: Engine, process: Process, tmp_path: Path) -> None:
    _begin_with(engine, _list(CHEAP))
    path = _write(tmp_path, "2026-02-01,100,5")
    assert process.replay(path).charged_now == 1
    _make_live(engine, _list("{input_tokens = 0.02}"), NOW)
    assert process.replay(path).charged_before == 1


def test_a_row_that_is_refused_after_the_check_stops_the_replay_and_says_what_is_charged(
    engine: Engine, process: Process, tmp_path: Path
) -> None:
    _begin_with(engine, _list(CHEAP))
    path = _write(tmp_path, f"a,{THREE[0]}", f"b,{THREE[1]}", f"c,{THREE[2]}", header=WITH_ID)
    plan = process.plan(path)
    # Somebody else charges another request under the id b in between.
    process.replay(_write(tmp_path, "b,2026-02-28 12:00:01,41,0", header=WITH_ID))
    with pytest.raises(ReplayStopped) as caught:
        process.carry_out(plan)
    assert str(caught.value).startswith("Line 3 was not charged: The idempotency key 'usage:")
    assert str(caught.value).endswith(
        "recorded as entry 2. Charged so far, which stays: 1 row. Run the replay again: it charges the rest, and no "
        "row twice."
    )
    assert rows(engine, "SELECT input_tokens FROM prompt_runs ORDER BY entry_id") == [(41,), (40,)]
