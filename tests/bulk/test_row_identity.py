"""A log's rows are known by what they mean, whichever file brings them; entries are dated when they are posted."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.audit.explanation import explain
from credits_core.bulk.replay import ReplayPlan, ReplaySummary, plan_replay, replay
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.ledger import accounts, actions
from credits_core.ledger.accounts import TransactionFilter
from credits_core.ledger.refusals import IdempotencyKeyReused
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import demo, world
from tests.support.actors import TESTER, named
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
    return replay(engine, plan, book_at=lambda _: book, clock=lambda: NOW, actor=TESTER)


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


def test_blanks_around_an_id_do_not_make_it_another_request(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    (line,) = _lines(1)
    path = _write(tmp_path, f"r-1,{line}", f"r-1 ,{line}", header=WITH_ID)
    assert _replay(engine, path, book) == ReplaySummary(2, 1, 1, 0, 2 * 120)


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


def _charge_as_an_earlier_version(engine: Engine, path: Path, lines: Sequence[int]) -> None:
    """Charge these lines of a log as the version did that knew a row by its file and line, and dated it as the row."""
    file_hash = hashlib.sha256(path.read_bytes()).hexdigest()
    key = hashlib.sha256(f"{file_hash}:ada:{GPT_4O}".encode()).hexdigest()[:32]
    written = path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        at, input_tokens, output_tokens = written[line - 1].split(",")
        request = ChargeRequest(
            "ada", f"trace-{file_hash[:8]}", GPT_4O, input_tokens=int(input_tokens), output_tokens=int(output_tokens)
        )
        _charge_at(engine, request, f"replay:{key}:{line}", datetime.fromisoformat(f"{at}+00:00"), actor="replay")


def _charge_at(engine: Engine, request: ChargeRequest, key: str, at: datetime, *, actor: str) -> None:
    charge = partial(
        actions.charge_prompt, request=request, book=world.price_book(), key=key, now=at, actor=named(actor)
    )
    database.write(engine, charge)


def test_what_an_earlier_version_charged_is_not_charged_again_whichever_file_brings_it(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    path = _write(tmp_path, *_lines(3))
    _charge_as_an_earlier_version(engine, path, [2, 3])  # it stopped before line 4
    grown = _write(tmp_path, *reversed(_lines(5)), name="grown.csv")
    assert _replay(engine, grown, book) == ReplaySummary(5, 3, 2, 0, 5 * 120)
    assert _replay(engine, path, book) == ReplaySummary(3, 0, 3, 0, 3 * 120)
    one, two = _lines(2)
    with_ids = _write(tmp_path, f"r-1,{one}", f"r-1,{one}", f"r-2,{two}", header=WITH_ID, name="ids.csv")
    assert _replay(engine, with_ids, book) == ReplaySummary(3, 0, 3, 0, 3 * 120)
    assert balance(engine, "ada") == 1_000_000 - 5 * 120
    assert _audit(engine, book) == []


def test_equal_rows_that_an_earlier_version_charged_are_as_many_as_it_charged(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    (line,) = _lines(1)
    _charge_as_an_earlier_version(engine, _write(tmp_path, line, line), [2, 3])
    three = _write(tmp_path, line, line, line, name="three.csv")
    assert _replay(engine, three, book) == ReplaySummary(3, 1, 2, 0, 3 * 120)
    assert _replay(engine, three, book) == ReplaySummary(3, 0, 3, 0, 3 * 120)
    assert _replay(engine, _write(tmp_path, line, name="one.csv"), book) == ReplaySummary(1, 0, 1, 0, 120)


@pytest.mark.parametrize(
    "other",
    ["2026-02-28 12:00:00.000001,40,0", "2026-02-28 12:00:00,41,0", "2026-02-28 12:00:00,40,1"],
)
def test_what_an_earlier_version_charged_is_not_taken_for_another_request(
    sqlite_engine: Engine, book: PriceBook, tmp_path: Path, other: str
) -> None:
    for user_id in ("ada", "ben"):
        world.add(sqlite_engine, user_id, 1_000_000, key=f"fund-{user_id}")
    path = _write(tmp_path, *_lines(1))
    _charge_as_an_earlier_version(sqlite_engine, path, [2])
    assert _replay(sqlite_engine, _write(tmp_path, other, name="other.csv"), book).charged_now == 1
    for user_id, model_id in (("ben", GPT_4O), ("ada", "claude-3-haiku")):
        plan = plan_replay(sqlite_engine, path, user_id=user_id, model_id=model_id, book=book, now=NOW)
        assert replay(sqlite_engine, plan, book_at=lambda _: book, clock=lambda: NOW, actor=TESTER).charged_now == 1


def test_a_charge_of_somebody_else_at_the_time_of_a_row_is_not_taken_for_the_row(
    sqlite_engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    world.add(sqlite_engine, "ada", 1_000_000, key="fund")
    at = datetime(2026, 2, 28, 12, tzinfo=UTC)
    for prompt_id, key, actor in (
        ("summarise", "replay:run-1", "replay"),
        ("trace-me", "run-2", "replay"),
        ("trace-me", "replay:run-3", "tester"),
    ):
        request = ChargeRequest("ada", prompt_id, GPT_4O, input_tokens=40, output_tokens=0)
        _charge_at(sqlite_engine, request, key, at, actor=actor)
    assert _replay(sqlite_engine, _write(tmp_path, *_lines(1)), book).charged_now == 1


# --- requests that used nothing -------------------------------------------------------------------------------------


def test_a_failed_request_does_not_stop_a_month(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    path = _write(tmp_path, "2026-02-01,1000,100", "2026-02-02,0,0", "2026-02-03,1000,0")
    plan = _plan(engine, path, book)
    assert plan.unused_lines == (3,)
    assert _replay(engine, path, book) == ReplaySummary(3, 2, 0, 0, 3_500 + 700 + 2_500 + 500, unused_lines=(3,))
    assert rows(engine, "SELECT inference_cost_credits, platform_markup_credits FROM prompt_runs ORDER BY 1") == [
        (2_500, 500),
        (3_500, 700),
    ]


def test_every_row_is_charged_refused_or_unused(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    path = _write(tmp_path, "2026-02-01,1000,100", "2026-02-02,0,0", "2026-02-03,999999,0", "2026-02-04,0,0")
    found = _replay(engine, path, book)
    assert (found.charged_now, found.charged_before, found.refused, found.unused_lines) == (1, 0, 1, (3, 5))
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


def test_a_past_is_built_only_into_an_empty_ledger(engine: Engine, book: PriceBook) -> None:
    with pytest.raises(InvalidRequest, match="needs an empty database"):
        demo.build(engine, book)
