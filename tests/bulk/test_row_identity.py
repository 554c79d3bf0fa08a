"""A log's rows are known by what they mean, whichever file brings them; entries are dated when they are posted."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.audit.explanation import explain
from credits_core.bulk import pieces
from credits_core.bulk.trace import ReplayPlan, ReplaySummary, plan_replay, replay
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.ledger import accounts
from credits_core.ledger.accounts import TransactionFilter
from credits_core.ledger.refusals import IdempotencyKeyReused
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.models import parse_model_registry
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import demo, world
from tests.support.plain_sql import balance, every_row, rows, scalar
from tests.support.world import HAIKU, NOW, NOW_US

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
GPT_4O = "openai/gpt-4o"
"""Costs 2.5 credits per input token and 10 per output token in the tests' price book."""
SECOND = timedelta(seconds=1)


def _write(folder: Path, *lines: str, header: str = HEADER, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def _lines(count: int, *, first: int = 0) -> list[str]:
    """Requests a minute apart, each of 40 input tokens: 100 credits and 20 % of markup."""
    begin = datetime(2026, 2, 28, 12, tzinfo=UTC)
    return [f"{begin + timedelta(minutes=number):%Y-%m-%d %H:%M:%S},40,0" for number in range(first, first + count)]


def _plan(engine: Engine, path: Path, book: PriceBook, *, of_its_day: bool = False, now: datetime = NOW) -> ReplayPlan:
    return plan_replay(engine, path, user_id="ada", model_id=GPT_4O, book=book, now=now, of_its_day=of_its_day)


def _replay(engine: Engine, path: Path, book: PriceBook, *, of_its_day: bool = False) -> ReplaySummary:
    plan = _plan(engine, path, book, of_its_day=of_its_day)
    return replay(engine, plan, book_at=lambda _: book, clock=lambda: NOW)


def _problems(engine: Engine, path: Path, book: PriceBook, *, of_its_day: bool = False) -> Sequence[str]:
    before = every_row(engine)
    with pytest.raises(DataFileInvalid) as caught:
        _replay(engine, path, book, of_its_day=of_its_day)
    assert every_row(engine) == before
    return caught.value.problems


def _audit(engine: Engine, book: PriceBook) -> list[object]:
    return [finding for finding in invariants.check(engine, book.plans) if not finding.ok]


@pytest.fixture(autouse=True)
def funded(request: pytest.FixtureRequest) -> None:
    if "engine" in request.fixturenames:
        world.add(request.getfixturevalue("engine"), "ada", 1_000_000, key="fund")


# --- the same log ---------------------------------------------------------------------------------------------------

LOG = [
    f"{HEADER}",
    "2026-02-28 12:00:00.000,1000,100",
    "2026-02-28 12:00:00.500,35,10",
    "2026-02-28 12:00:00.500,35,10",
    "2026-02-28 13:00:00+01:00,7,0",
]


def _saved_again(change: Callable[[str], str]) -> bytes:
    return "".join(change(line) + "\n" for line in LOG).encode()


SAVED_AGAIN = {
    "with a byte order mark": b"\xef\xbb\xbf" + _saved_again(str),
    "with other ends of lines": _saved_again(str).replace(b"\n", b"\r\n"),
    "with semicolons": _saved_again(lambda line: line.replace(",", ";")),
    "with tabs": _saved_again(lambda line: line.replace(",", "\t")),
    "with quotes": _saved_again(lambda line: ",".join(f'"{field}"' for field in line.split(","))),
    "with the columns in another order": _saved_again(lambda line: ",".join(reversed(line.split(",")))),
    "with shorter times": _saved_again(lambda line: line.replace(":00.000", ":00").replace(".500", ".5")),
    "with times in UTC": _saved_again(lambda line: line.replace("13:00:00+01:00", "12:00:00Z")),
    "with leading zeros": _saved_again(lambda line: line.replace(",35,", ",0035,")),
    "with empty last lines": _saved_again(str) + b"\n,,\n",
    "as a spreadsheet does it all": b"\xef\xbb\xbf"
    + _saved_again(lambda line: ";".join(reversed(line.replace(":00.000", ":00").split(",")))).replace(b"\n", b"\r\n")
    + b";;\r\n",
}


@pytest.mark.parametrize("saved", SAVED_AGAIN)
def test_the_same_log_saved_by_another_program_is_charged_once(
    sqlite_engine: Engine, book: PriceBook, tmp_path: Path, saved: str
) -> None:
    world.add(sqlite_engine, "ada", 1_000_000, key="fund")
    first = _replay(sqlite_engine, _write(tmp_path, *LOG[1:]), book)
    assert first == ReplaySummary(4, 4, 0, 0, 4_200 + 225 + 225 + 21)
    again = tmp_path / "again.csv"
    again.write_bytes(SAVED_AGAIN[saved])
    before = every_row(sqlite_engine)
    assert _replay(sqlite_engine, again, book) == ReplaySummary(4, 0, 4, 0, first.total_credits)
    assert every_row(sqlite_engine) == before


def test_a_log_that_has_grown_charges_only_its_new_rows(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    assert _replay(engine, _write(tmp_path, *_lines(20)), book) == ReplaySummary(20, 20, 0, 0, 20 * 120)
    grown = _write(tmp_path, *_lines(25), name="next-day.csv")
    assert _replay(engine, grown, book) == ReplaySummary(25, 5, 20, 0, 25 * 120)
    overlapping = _write(tmp_path, *_lines(10, first=20), name="export.csv")
    assert _replay(engine, overlapping, book) == ReplaySummary(10, 5, 5, 0, 10 * 120)
    assert scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == 30
    assert balance(engine, "ada") == 1_000_000 - 30 * 120
    assert _audit(engine, book) == []


def test_equal_rows_of_one_file_are_several_and_in_two_files_the_same(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    (line,) = _lines(1)
    assert _replay(engine, _write(tmp_path, line, line), book).charged_now == 2
    assert _replay(engine, _write(tmp_path, line), book) == ReplaySummary(1, 0, 1, 0, 120)
    assert _replay(engine, _write(tmp_path, line, *_lines(1, first=1), line, line), book).charged_now == 2


@pytest.mark.parametrize(
    "line", ["2026-02-28 12:00:00.000001,40,0", "2026-02-28 12:00:00,41,0", "2026-02-28 12:00:00,40,1"]
)
def test_another_time_or_count_is_another_request(
    sqlite_engine: Engine, book: PriceBook, tmp_path: Path, line: str
) -> None:
    world.add(sqlite_engine, "ada", 1_000_000, key="fund")
    _replay(sqlite_engine, _write(tmp_path, *_lines(1)), book)
    assert _replay(sqlite_engine, _write(tmp_path, line), book).charged_now == 1


WITH_ID = f"RequestId,{HEADER}"


def test_a_request_with_an_id_of_its_own_is_known_by_it(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    (line,) = _lines(1)
    path = _write(tmp_path, f"r-1,{line}", f"r-2,{line}", f"r-1,{line}", f",{line}", header=WITH_ID)
    assert _replay(engine, path, book) == ReplaySummary(4, 3, 1, 0, 4 * 120)
    later = _write(tmp_path, f"{line},r-2", f"{line},r-3", header=f"{HEADER},RequestId", name="later.csv")
    assert _replay(engine, later, book) == ReplaySummary(2, 1, 1, 0, 2 * 120)


def test_an_id_that_belongs_to_another_request_is_refused_by_line(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    one, two = _lines(2)
    _replay(engine, _write(tmp_path, f"r-1,{one}", header=WITH_ID), book)
    changed = _write(tmp_path, f"r-1,{two}", f"r-2,{one}", f"r-2,{two}", header=WITH_ID)
    assert _problems(engine, changed, book) == [
        "line 2: RequestId 'r-1' was charged before with another time or other counts, by entry 2",
        "line 4: RequestId 'r-2' is already on line 3, of another request",
    ]


def test_what_an_earlier_version_charged_from_the_same_file_is_not_charged_again(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    path = _write(tmp_path, *_lines(3))
    content = path.read_bytes()
    file_hash = hashlib.sha256(content).hexdigest()
    key = hashlib.sha256(f"{file_hash}:ada:{GPT_4O}".encode()).hexdigest()[:32]
    for line in (2, 3):  # as that version did, which stopped before line 4
        request = ChargeRequest("ada", f"trace-{file_hash[:8]}", GPT_4O, input_tokens=40, output_tokens=0)
        world.charge(engine, request, key=f"replay:{key}:{line}", now=NOW - timedelta(days=1))
    assert _replay(engine, path, book) == ReplaySummary(3, 1, 2, 0, 3 * 120)
    assert _replay(engine, path, book) == ReplaySummary(3, 0, 3, 0, 3 * 120)
    assert _audit(engine, book) == []


# --- requests that used nothing -------------------------------------------------------------------------------------


def test_a_failed_request_does_not_stop_a_month(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    path = _write(tmp_path, "2026-02-01,1000,100", "2026-02-02,0,0", "2026-02-03,1000,0")
    plan = _plan(engine, path, book)
    assert plan.unused_lines == (3,)
    assert _replay(engine, path, book) == ReplaySummary(3, 2, 0, 0, 3_500 + 700 + 2_500 + 500, unused=1)
    assert rows(engine, "SELECT inference_cost_credits, platform_markup_credits FROM prompt_runs ORDER BY 1") == [
        (2_500, 500),
        (3_500, 700),
    ]


def test_every_row_is_charged_refused_or_unused(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    path = _write(tmp_path, "2026-02-01,1000,100", "2026-02-02,0,0", "2026-02-03,999999,0", "2026-02-04,0,0")
    found = _replay(engine, path, book)
    assert (found.charged_now, found.charged_before, found.refused, found.unused) == (1, 0, 1, 2)
    assert found.rows == 4


# --- the ledger's clock ---------------------------------------------------------------------------------------------


def test_an_entry_is_dated_when_it_is_posted_and_keeps_the_time_of_use_beside_it(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    _replay(engine, _write(tmp_path, "2026-02-28 12:00:00.25,40,0"), book)
    used_at = datetime(2026, 2, 28, 12, 0, 0, 250_000, tzinfo=UTC)
    assert rows(engine, "SELECT created_at_us, used_at_us FROM prompt_runs") == [
        (NOW_US, NOW_US - 24 * 3_600 * 1_000_000 + 250_000)
    ]
    with database.read(engine) as connection:
        headline, *_ = accounts.transactions(connection, TransactionFilter(entry_id=2, headline_only=True))
        explained = explain(connection, 2, plans=book.plans)
    assert (headline.created_at, headline.used_at) == (NOW, used_at)
    assert ("Used at", "2026-02-28 12:00:00 UTC") in explained.inputs
    assert explained.is_proved
    assert _audit(engine, book) == []


def test_the_time_of_use_is_part_of_the_request(engine: Engine) -> None:
    used = replace(HAIKU, used_at=NOW - SECOND)
    receipt = world.charge(engine, used, key="run")
    assert receipt.used_at == NOW - SECOND
    assert replace(receipt, replayed=True) == world.charge(engine, used, key="run", now=NOW + timedelta(days=1))
    for other in (HAIKU, replace(HAIKU, used_at=NOW)):
        with pytest.raises(IdempotencyKeyReused):
            world.charge(engine, other, key="run")


@pytest.mark.parametrize(
    ("ahead", "is_refused"), [(timedelta(minutes=5), False), (timedelta(minutes=5, seconds=1), True)]
)
def test_a_time_of_use_more_than_five_minutes_ahead_is_refused_by_line(
    engine: Engine, book: PriceBook, tmp_path: Path, ahead: timedelta, *, is_refused: bool
) -> None:
    path = _write(tmp_path, "2026-02-28,40,0", f"{NOW + ahead},40,0")
    if not is_refused:
        assert _replay(engine, path, book).charged_now == 2
        return
    assert _problems(engine, path, book) == [
        "line 3: TIMESTAMP must not be more than five minutes ahead of the ledger's clock, 2026-03-01 12:00:00 UTC"
    ]
    with pytest.raises(InvalidRequest, match="five minutes ahead"):
        world.charge(engine, replace(HAIKU, used_at=NOW + ahead), key="run")
    with pytest.raises(InvalidRequest, match="used_at: must be a time with its zone"):
        world.charge(engine, replace(HAIKU, used_at=NOW.replace(tzinfo=None)), key="run")


def test_a_replay_stops_when_another_plan_is_made_live(
    engine: Engine, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "HOLD_NANOSECONDS", 0)  # one run in each piece
    plan = _plan(engine, _write(tmp_path, *_lines(3)), book)
    asked = iter([book, world.dearer_book()])
    with pytest.raises(InvalidRequest, match="plan-2 was made live meanwhile"):
        replay(engine, plan, book_at=lambda _: next(asked), clock=lambda: NOW)
    assert rows(engine, "SELECT plan_id FROM prompt_runs") == [("plan-1",)]


# --- prices of the row's day ----------------------------------------------------------------------------------------

_DATED = """
[[models]]
id = "openai/gpt-4o"
name = "GPT-4o"
provider = "openai"
type = "text"
prices = [{prices}]
source = "hand-written"
checked_on = 2026-01-01
"""
_TWO_PRICES = "{input_tokens = 5, output_tokens = 10}, {from = 2026-02-28, input_tokens = 2.5, output_tokens = 10}"
_ONE_PRICE = "{input_tokens = 2.5, output_tokens = 10}"


def _dated_book(prices: str, plans: PriceBook) -> PriceBook:
    return replace(plans, models=parse_model_registry(_DATED.replace("{prices}", prices)))


def _live_since(engine: Engine, plan_id: str, day: datetime) -> None:
    plan = world.dearer_book().plans[plan_id]
    world.put_in_force(engine, plan, now=day)


def test_a_past_log_is_charged_under_the_live_plan_and_todays_price(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    _live_since(engine, "plan-1", datetime(2026, 2, 27, 12, tzinfo=UTC))
    priced = _dated_book(_TWO_PRICES, book)
    path = _write(tmp_path, "2026-02-27 11:59:59,40,0", "2026-02-27 12:00:00,40,0", "2026-02-28 00:00:00,40,0")
    plan = _plan(engine, path, priced)
    assert (plan.plan_id, plan.older_than_plan) == ("plan-1", 1)
    assert (str(plan.price_since), plan.older_than_price) == ("2026-02-28", 2)
    assert replay(engine, plan, book_at=lambda _: priced, clock=lambda: NOW).total_credits == 3 * 120


def test_of_its_day_takes_the_plan_and_the_price_of_each_rows_day(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    _live_since(engine, "plan-1", datetime(1970, 1, 1, 1, tzinfo=UTC))
    _live_since(engine, "plan-2", datetime(2026, 2, 27, 12, tzinfo=UTC))
    priced = _dated_book(_TWO_PRICES, world.dearer_book())
    path = _write(tmp_path, "2026-02-27 11:59:59,40,0", "2026-02-27 12:00:00,40,0", "2026-02-28 00:00:00,40,0")
    # 40 × 5 and 20 %; 40 × 5 and 50 %; 40 × 2.5 and 50 %
    assert _replay(engine, path, priced, of_its_day=True) == ReplaySummary(3, 3, 0, 0, 240 + 300 + 150)
    assert rows(engine, "SELECT plan_id, total_credits, created_at_us FROM prompt_runs ORDER BY entry_id") == [
        ("plan-1", 240, NOW_US),
        ("plan-2", 300, NOW_US),
        ("plan-2", 150, NOW_US),
    ]
    assert _replay(engine, path, priced).charged_before == 3  # whichever way it is priced, a request is charged once
    assert _audit(engine, priced) == []


def test_of_its_day_refuses_by_line_where_the_price_of_the_day_is_not_known(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    _live_since(engine, "plan-1", datetime(1970, 1, 1, 1, tzinfo=UTC))
    path = _write(tmp_path, "2026-01-01,40,0", "2025-12-31 23:59:59,40,0")
    assert _problems(engine, path, _dated_book(_ONE_PRICE, book), of_its_day=True) == [
        "line 3: the price of openai/gpt-4o is not known before 2026-01-01, so not on 2025-12-31"
    ]
    assert _replay(engine, path, _dated_book(_ONE_PRICE, book)).charged_now == 2


def test_a_past_is_built_only_into_an_empty_ledger(engine: Engine, book: PriceBook) -> None:
    with pytest.raises(InvalidRequest, match="needs an empty database"):
        demo.build(engine, book)
