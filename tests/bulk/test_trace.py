import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.bulk.replay import ReplaySummary, plan_replay, replay
from credits_core.bulk.trace import TraceRow, read_trace
from credits_core.errors import DataFileInvalid
from credits_core.ledger.refusals import UnknownUser
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.refusals import UnknownModel
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import balance, every_row, rows, scalar
from tests.support.real_traces import TRACES, needs_traces
from tests.support.world import NOW, NOW_US

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
_examples = itertools.count()
GPT_4O = "openai/gpt-4o"
"""Costs 2.5 credits per input token and 10 per output token in the tests' price book."""


def _write(folder: Path, *lines: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def _long_trace(folder: Path, count: int, name: str = "trace.csv") -> Path:
    """`count` rows a second apart, each of 40 input tokens: 100 credits and 20 % of markup."""
    first = datetime(2023, 11, 16, 18, tzinfo=UTC)
    return _write(folder, *(f"{first + timedelta(seconds=number)},40,0" for number in range(count)), name=name)


def _replay(
    engine: Engine,
    path: Path,
    book: PriceBook,
    *,
    user_id: str = "ada",
    model_id: str = GPT_4O,
    limit: int | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ReplaySummary:
    plan = plan_replay(engine, path, user_id=user_id, model_id=model_id, book=book, now=NOW, limit=limit)
    return replay(engine, plan, book_at=lambda _: book, clock=lambda: NOW, actor=TESTER, on_progress=on_progress)


def _problems(path: Path, *, limit: int | None = None) -> list[str]:
    with pytest.raises(DataFileInvalid) as caught:
        read_trace(path, limit=limit)
    assert caught.value.path == str(path)
    return caught.value.problems


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_trace_is_read_row_by_row_with_times_in_utc(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "2023-11-16 18:15:46.6805900,374,44",
        "",
        "2023-11-16T18:15:50+02:00,0,109",
        '"2023-11-16 18:15:51","7","0"',
    )
    assert read_trace(path) == [
        TraceRow(2, datetime(2023, 11, 16, 18, 15, 46, 680_590, tzinfo=UTC), 374, 44),
        TraceRow(4, datetime(2023, 11, 16, 18, 15, 50, tzinfo=timezone(timedelta(hours=2))), 0, 109),
        TraceRow(5, datetime(2023, 11, 16, 18, 15, 51, tzinfo=UTC), 7, 0),
    ]


def test_a_trace_written_on_windows_is_the_same_trace(tmp_path: Path) -> None:
    plain, windows = _long_trace(tmp_path, 3), tmp_path / "windows.csv"
    windows.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert read_trace(windows) == read_trace(plain)


def test_a_limit_takes_the_first_rows_and_does_not_look_further(tmp_path: Path) -> None:
    path = _write(tmp_path, "2023-11-16,1,0", "", "2023-11-16,2,0", "2023-11-16,3,0", "broken")
    assert [row.input_tokens for row in read_trace(path, limit=2)] == [1, 2]
    assert [row.input_tokens for row in read_trace(path, limit=3)] == [1, 2, 3]
    assert _problems(path, limit=4) == ["line 6: must be TIMESTAMP,ContextTokens,GeneratedTokens, not 'broken'"]


def test_a_limit_counts_bad_rows_as_rows(tmp_path: Path) -> None:
    path = _write(tmp_path, "broken", "2023-11-16,1,0", "broken too")
    assert len(_problems(path, limit=2)) == 1
    assert len(_problems(path, limit=3)) == 2


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2023-11-16", "must be TIMESTAMP,ContextTokens,GeneratedTokens, not '2023-11-16'"),
        ("2023-11-16,1,2,3", "must be TIMESTAMP,ContextTokens,GeneratedTokens, not '2023-11-16,1,2,3'"),
        ("16.11.2023,1,2", "TIMESTAMP must be a time such as 2023-11-16 18:15:46.68, not '16.11.2023'"),
        (",1,2", "TIMESTAMP must be a time such as 2023-11-16 18:15:46.68, not ''"),
        ("1969-12-31 23:59:59,1,2", "TIMESTAMP must be from 1970 to 9998, not '1969-12-31 23:59:59'"),
        ("1970-01-01T00:59:59+01:00,1,2", "TIMESTAMP must be from 1970 to 9998, not '1970-01-01T00:59:59+01:00'"),
        ("9998-12-31T23:59:59-01:00,1,2", "TIMESTAMP must be from 1970 to 9998, not '9998-12-31T23:59:59-01:00'"),
        (
            "9999-12-31T23:59:59-05:00,1,2",
            "TIMESTAMP must be a time such as 2023-11-16 18:15:46.68, not '9999-12-31T23:59:59-05:00'",
        ),
        ("2023-11-16,-1,2", "ContextTokens must be a whole number from 0 to 1,000,000,000, not '-1'"),
        ("2023-11-16,1.0,2", "ContextTokens must be a whole number from 0 to 1,000,000,000, not '1.0'"),
        ("2023-11-16, 1,2", "ContextTokens must be a whole number from 0 to 1,000,000,000, not ' 1'"),
        ("2023-11-16,,2", "ContextTokens must be a whole number from 0 to 1,000,000,000, not ''"),
        ("2023-11-16,1,٣", "GeneratedTokens must be a whole number from 0 to 1,000,000,000, not '٣'"),
        ("2023-11-16,1,1e3", "GeneratedTokens must be a whole number from 0 to 1,000,000,000, not '1e3'"),
        ("2023-11-16,1,1000000001", "GeneratedTokens must be a whole number from 0 to 1,000,000,000, not '1000000001'"),
        (
            f"2023-11-16,1,{'9' * 5_000}",
            f"GeneratedTokens must be a whole number from 0 to 1,000,000,000, not '{'9' * 40}'",
        ),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, problem: str) -> None:
    path = _write(tmp_path, "2023-11-16,1,2", "", row, "2023-11-16,1000000000,0")
    assert _problems(path) == [f"line 4: {problem}"]


def test_the_first_ten_bad_rows_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    ten = _write(tmp_path, *["bad"] * 10)
    assert [problem[:7] for problem in _problems(ten)] == [*(f"line {n}:" for n in range(2, 10)), "line 10", "line 11"]
    with pytest.raises(DataFileInvalid, match=r"; and 1,240 more$") as caught:
        read_trace(_write(tmp_path, *["bad"] * 1_250))
    assert (len(caught.value.problems), caught.value.unlisted) == (10, 1_240)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "line 1 must be TIMESTAMP,ContextTokens,GeneratedTokens, not ''"),
        (b"a,b\n", "line 1 must be TIMESTAMP,ContextTokens,GeneratedTokens, not 'a,b'"),
        (
            HEADER.encode() + b",RequestID,Cost\n",
            "line 1 has unknown columns 'RequestID,Cost'. The columns are "
            "TIMESTAMP,ContextTokens,GeneratedTokens and optionally RequestId",
        ),
        (HEADER.encode(), "has no rows to charge"),
        (HEADER.encode() + b"\n\n\n", "has no rows to charge"),
        (HEADER.encode() + b"\n\xff\xff,1,2\n", "cannot be read: it is not text in UTF-8"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(content)
    (found,) = _problems(path)
    assert found.startswith(problem)


WITH_ID = f"RequestId,{HEADER}\n"


@pytest.mark.parametrize(
    ("written", "own_id"),
    [
        ("abc", "abc"),
        ("  abc\t", "abc"),
        ("abc\u00a0", "abc"),
        ("re\u0301sume\u0301", "r\u00e9sum\u00e9"),
        ("ABC", "ABC"),  # another id than abc
        ("1234567890123", "1234567890123"),
        ("12345e67", "12345e67"),  # digits of base sixteen
        ("   ", ""),
        ("x" * 500 + " ", "x" * 500),
    ],
)
def test_a_requests_own_id_is_the_same_however_it_was_written(tmp_path: Path, written: str, own_id: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(f"{WITH_ID}{written},2023-11-16,1,2\n", encoding="utf-8")
    assert [row.own_id for row in read_trace(path)] == [own_id]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        *[
            (
                broken,
                f"must not be {broken!r}: a spreadsheet or program has probably changed the id. Format the column as "
                "text and write the id again",
            )
            for broken in ("1.23E+12", "1.23E12", "1,23457E+15", "1e5", "1E+05", "NaN", "null", "1-Mar", "45787.0")
        ],
        ("a\u200bb", "must be at most 500 printable characters"),
        ("x" * 501, "must be at most 500 printable characters"),
    ],
)
def test_an_own_id_that_a_spreadsheet_has_broken_is_refused_by_line(tmp_path: Path, written: str, problem: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(f'{WITH_ID}r-1,2023-11-16,1,2\n"{written}",2023-11-16,1,2\n', encoding="utf-8")
    assert _problems(path) == [f"line 3: RequestId {problem}"]


# --- replaying ------------------------------------------------------------------------------------------------------


def test_each_row_is_charged_as_one_run_now_and_keeps_its_time_of_use(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    world.add(engine, "ada", 100_000, key="fund")
    path = _write(
        tmp_path,
        "2023-11-16 18:00:00,1000,100",  # 2,500 + 1,000 = 3,500 and 20 %: 4,200
        "2023-11-16 17:00:00,1,0",  # 2.5, rounded up to 3, and no whole credit of markup: 3
        "2023-11-16 19:00:00,4000,5",  # 10,000 + 50 = 10,050 and 10 %: 11,055
    )
    done: list[int] = []
    assert _replay(engine, path, book, on_progress=done.append) == ReplaySummary(3, 3, 0, 0, 4_200 + 3 + 11_055)

    assert sum(done) == 3
    assert balance(engine, "ada") == 100_000 - 15_258
    at_six = 1_700_157_600_000_000
    assert rows(
        engine,
        "SELECT used_at_us, input_tokens, output_tokens, total_credits, model_id, creator_id FROM prompt_runs"
        " ORDER BY entry_id",
    ) == [
        (at_six, 1_000, 100, 4_200, GPT_4O, None),
        (at_six - 3_600_000_000, 1, 0, 3, GPT_4O, None),
        (at_six + 3_600_000_000, 4_000, 5, 11_055, GPT_4O, None),
    ]
    assert rows(engine, "SELECT DISTINCT actor FROM journal_entries WHERE type = 'prompt_run'") == [("tester",)]
    assert rows(engine, "SELECT DISTINCT prompt_id, created_at_us FROM prompt_runs") == [("trace-log", NOW_US)]
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []


def test_a_replay_that_broke_off_goes_on_where_it_stopped(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    world.add(engine, "ada", 1_000_000, key="fund")
    path = _long_trace(tmp_path, 250)
    done: list[int] = []

    def interrupt_after_two(count: int) -> None:
        done.append(count)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _replay(engine, path, book, on_progress=interrupt_after_two)
    assert len(done) == 2
    before = sum(done)
    assert 0 < before < 250
    assert balance(engine, "ada") == 1_000_000 - before * 120

    assert _replay(engine, path, book) == ReplaySummary(250, 250 - before, before, 0, 250 * 120)
    assert balance(engine, "ada") == 1_000_000 - 250 * 120
    rows_before = every_row(engine)
    assert _replay(engine, path, book) == ReplaySummary(250, 0, 250, 0, 250 * 120)
    assert every_row(engine) == rows_before


def test_the_rest_of_a_log_has_the_price_of_the_day_it_is_charged(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    world.add(engine, "ada", 1_000_000, key="fund")
    path = _long_trace(tmp_path, 150)
    _replay(engine, path, book, limit=100)
    # From here 40 input tokens cost 200 credits and the markup is 50 %; what was charged stays what it was.
    dearer = world.dearer_book()
    assert _replay(engine, path, dearer) == ReplaySummary(150, 50, 100, 0, 100 * 120 + 50 * 300)


def test_a_larger_limit_adds_the_rows_after_the_smaller_one(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    world.add(engine, "ada", 1_000_000, key="fund")
    path = _long_trace(tmp_path, 30)
    assert _replay(engine, path, book, limit=10) == ReplaySummary(10, 10, 0, 0, 10 * 120)
    assert _replay(engine, path, book, limit=11) == ReplaySummary(11, 1, 10, 0, 11 * 120)
    assert _replay(engine, path, book) == ReplaySummary(30, 19, 11, 0, 30 * 120)


def test_a_user_who_runs_dry_is_charged_what_the_balance_allows(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    world.add(engine, "ada", 12_000 + 359, key="fund")
    path = _write(
        tmp_path,
        *["2023-11-16,40,0"] * 100,  # 120 each
        "2023-11-16,1000,0",  # 3,000, which is more than the 359 that are left
        *["2023-11-16,40,0"] * 3,
    )
    assert _replay(engine, path, book) == ReplaySummary(104, 102, 0, 2, 102 * 120)
    assert balance(engine, "ada") == 359 - 2 * 120

    world.add(engine, "ada", 3_001, key="more")
    assert _replay(engine, path, book) == ReplaySummary(104, 2, 102, 0, 103 * 120 + 3_000)
    assert balance(engine, "ada") == 0
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []


def test_another_user_or_model_is_another_replay_and_a_longer_log_brings_only_its_new_rows(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    for user_id in ("ada", "ben"):
        world.add(engine, user_id, 1_000_000, key=f"fund-{user_id}")
    path = _long_trace(tmp_path, 5)
    assert _replay(engine, path, book).charged_now == 5
    assert _replay(engine, path, book, user_id="ben").charged_now == 5
    assert _replay(engine, path, book, model_id="claude-3-haiku").total_credits == 5 * 300
    assert _replay(engine, _long_trace(tmp_path, 6, "longer.csv"), book).charged_now == 1

    copy = tmp_path / "copy.csv"
    copy.write_bytes(path.read_bytes())
    assert _replay(engine, copy, book) == ReplaySummary(5, 0, 5, 0, 5 * 120)


def test_equal_rows_of_a_trace_are_runs_of_their_own(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    world.add(engine, "ada", 1_000, key="fund")
    assert _replay(engine, _write(tmp_path, *["2023-11-16,40,0"] * 3), book).charged_now == 3


def test_the_longest_ids_can_be_replayed(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    longest = "a" * 128
    world.add(engine, longest, 1_000, key="fund")
    assert _replay(engine, _long_trace(tmp_path, 2), book, user_id=longest).charged_now == 2


@pytest.mark.parametrize(
    ("user_id", "model_id", "refusal"), [("nobody", GPT_4O, UnknownUser), ("ada", "openai/gpt-0", UnknownModel)]
)
def test_an_unknown_user_or_model_is_refused_before_anything_is_charged(
    engine: Engine, book: PriceBook, tmp_path: Path, user_id: str, model_id: str, refusal: type[Exception]
) -> None:
    world.add(engine, "ada", 1_000, key="fund")
    with pytest.raises(refusal):
        plan_replay(engine, _long_trace(tmp_path, 1), user_id=user_id, model_id=model_id, book=book, now=NOW)
    assert scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == 0


def test_requests_that_used_nothing_are_unused_where_the_model_is_priced_by_tokens(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    world.add(engine, "ada", 1_000_000, key="fund")
    path = _write(tmp_path, *["2023-11-16,40,0"] * 2, "2023-11-16,0,0")
    assert _replay(engine, path, book) == ReplaySummary(3, 2, 0, 0, 2 * 120, (4,))
    assert _replay(engine, path, book, model_id="claude-3-haiku").charged_now == 3


@given(counts=st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 9_000)), min_size=1, max_size=40))
def _sums_agree(engine: Engine, book: PriceBook, folder: Path, counts: list[tuple[int, int]]) -> None:
    # Each example in a second of its own, because equal rows of two logs are one request.
    second = f"2023-11-16 00:00:00.{next(_examples):06}"
    path = _write(folder, *(f"{second},{context},{generated}" for context, generated in counts))
    assert _replay(engine, path, book).total_credits == sum(_total(*row) for row in counts)


def test_the_total_of_a_replay_is_the_sum_of_its_rows(engine: Engine, book: PriceBook, tmp_path: Path) -> None:
    world.add(engine, "ada", 10**12, key="fund")
    _sums_agree(engine, book, tmp_path)


def _total(context: int, generated: int) -> int:
    """What a run of GPT-4o costs without a fee, in plain arithmetic over tenths of a credit."""
    inference = (25 * context + 100 * generated + 9) // 10
    if inference < 10_000:
        return inference + inference * 20 // 100
    if inference < 100_000:
        return inference + inference * 10 // 100
    return inference + 500


# --- the published traces -------------------------------------------------------------------------------------------


@needs_traces
@pytest.mark.parametrize(("name", "requests"), [("conversation", 19_366), ("code", 8_819)])
def test_the_published_traces_are_read_to_their_end(name: str, requests: int) -> None:
    assert len(read_trace(TRACES[name])) == requests


@needs_traces
@pytest.mark.parametrize("name", TRACES)
def test_a_replay_of_a_published_trace_costs_what_plain_arithmetic_says(
    engine: Engine, book: PriceBook, name: str
) -> None:
    world.add(engine, "ada", 10**9, key="fund")
    lines = TRACES[name].read_text(encoding="utf-8").splitlines()[1:2_001]
    expected = sum(
        _total(int(context), int(generated)) for _, context, generated in (line.split(",") for line in lines)
    )
    assert _replay(engine, TRACES[name], book, limit=2_000) == ReplaySummary(2_000, 2_000, 0, 0, expected)
    assert balance(engine, "ada") == 10**9 - expected
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []


def test_other_columns_are_refused_with_the_nearest_known_format(tmp_path: Path) -> None:
    path = tmp_path / "spend.csv"
    path.write_text("request_id,startTime,prompt_tokens,completion_tokens,spend,model\nr,t,1,2,3,m\n", encoding="utf-8")
    with pytest.raises(DataFileInvalid) as refused:
        read_trace(path)
    assert refused.value.problems == [
        "line 1 must be TIMESTAMP,ContextTokens,GeneratedTokens, not 'request_id,startTime,prompt_tokens,"
        "completion_tokens,spend,model'. The nearest known format is litellm (LiteLLM spend logs), which usage import "
        "reads"
    ]
