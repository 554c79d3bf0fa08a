"""Imports commit in pieces: others go on meanwhile, and a stopped import is finished by running it again."""

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count, pairwise
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from credits_core.audit import invariants
from credits_core.bulk import opening_balances, pieces
from credits_core.bulk.opening_balances import ImportSummary, import_legacy
from credits_core.bulk.pieces import for_a_while, in_pieces
from credits_core.bulk.refusals import ImportStopped
from credits_core.errors import DataFileInvalid
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import racers, world
from tests.support.actors import named
from tests.support.plain_sql import refused, rows, scalar
from tests.support.world import HAIKU, NOW

USERS = 4_000


def _write(folder: Path, *lines: str) -> Path:
    path = folder / "legacy.csv"
    path.write_text("\n".join(["user_id,credits", *lines]) + "\n", encoding="utf-8")
    return path


def _import(engine: Engine, path: Path, *, distinct: bool = False) -> ImportSummary:
    return import_legacy(engine, path, now=NOW, actor=named("cli"), distinct=distinct)


def _problems(engine: Engine, path: Path) -> list[str]:
    with refused(engine, DataFileInvalid) as caught:
        _import(engine, path)
    return caught.value.problems  # type: ignore[attr-defined,no-any-return]


# --- how long a piece is --------------------------------------------------------------------------------------------


class Clock:
    """A clock that stands still, except that each item takes 10 ms, or the time that is set."""

    def __init__(self) -> None:
        self.now = 5_000_000_000
        self.each = 10_000_000

    def __call__(self) -> int:
        return self.now

    def work(self, items: Iterable[int]) -> list[int]:
        done = []
        for item in items:
            self.now += self.each
            done.append(item)
        return done


def test_a_piece_ends_with_the_item_that_fills_its_time() -> None:
    clock = Clock()
    assert clock.work(for_a_while(range(9), clock=clock)) == [0, 1]  # 10 and 20 ms
    clock.each = 10_000_001
    assert clock.work(for_a_while(range(9), clock=clock)) == [0, 1]
    clock.each = 9_999_999
    assert clock.work(for_a_while(range(9), clock=clock)) == [0, 1, 2]
    assert clock.work(for_a_while(range(2), clock=clock)) == [0, 1]
    assert clock.work(for_a_while([], clock=clock)) == []


def test_a_piece_has_one_item_however_long_that_takes() -> None:
    clock = Clock()
    clock.each = 5_000_000_000
    assert clock.work(for_a_while(range(9), clock=clock)) == [0]


def test_what_a_piece_waited_for_before_its_first_item_does_not_make_it_shorter() -> None:
    clock = Clock()
    items = for_a_while(range(9), clock=clock)
    clock.now += 60_000_000  # somebody else has the lock
    assert clock.work(items) == [0, 1]


def test_pieces_follow_each_other_with_a_pause_between_two_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[object] = []
    monkeypatch.setattr(pieces, "pause", lambda: steps.append("pause"))
    clock = Clock()

    def carry_out(offered: Sequence[int]) -> list[int]:
        steps.append(list(offered))
        return clock.work(for_a_while(offered, clock=clock))

    assert list(in_pieces(range(5), carry_out, largest=3)) == [[0, 1], [2, 3], [4]]
    assert steps == [[0, 1, 2], "pause", [2, 3, 4], "pause", [4]]
    clock.each = 0
    assert list(in_pieces(range(4), carry_out, largest=2)) == [[0, 1], [2, 3]]
    assert list(in_pieces([], carry_out, largest=2)) == []


def test_no_piece_waits_for_a_look_through_all_objects() -> None:
    def frozen(_: Sequence[int]) -> list[int]:
        return [gc.get_freeze_count()]

    before = gc.get_freeze_count()
    assert all(count > before for (count,) in in_pieces(range(2), frozen, largest=1))
    assert gc.get_freeze_count() == before
    stopped = in_pieces(range(2), frozen, largest=1)
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    assert gc.get_freeze_count() == before


def test_an_import_writes_what_fits_the_time_of_a_piece(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    clock = count(0, 10_000_000).__next__  # each row takes 10 ms
    monkeypatch.setattr(opening_balances, "for_a_while", partial(for_a_while, clock=clock))

    class Counted(_Stopping):
        def __init__(self) -> None:
            self.write = lambda engine, action: (done := database.write(engine, action), sizes.append(len(done)))[0]

    monkeypatch.setattr(opening_balances, "database", Counted())
    assert _import(engine, _write(tmp_path, *(f"user{number},5" for number in range(5)))).imported == 5
    assert sizes == [2, 2, 1]


# --- others go on ---------------------------------------------------------------------------------------------------


def charge_until_told(answers: Pipe, url: str, stop: Path) -> None:
    """Charge one run after the other, send the first one's time, and at the end how many and the longest wait."""
    engine = database.create_engine_for(url)
    longest, count = 0.0, 0
    while not stop.exists():
        began = time.monotonic()
        world.charge(engine, HAIKU, key=f"run-{count}")
        longest, count = max(longest, time.monotonic() - began), count + 1
        if count == 1:
            answers.send(count)
    answers.send((count, longest))
    engine.dispose()
    answers.close()


def test_charges_go_on_while_a_large_import_runs(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book: PriceBook
) -> None:
    monkeypatch.setattr(opening_balances, "_LARGEST_PIECE", 100)  # 40 pieces and more, however fast the machine is
    world.add(engine, "ada", 10**9, key="fund")
    path = _write(tmp_path, *(f"user{number},{number + 1}" for number in range(USERS)))
    url, stop = engine.url.render_as_string(hide_password=False), tmp_path / "stop"
    process, answers = racers.start(charge_until_told, url, stop)
    assert answers.recv() == 1
    assert _import(engine, path).imported == USERS
    stop.touch()
    _, longest = answers.recv()
    process.join()

    # Between the first and the last opening balance there are charges at many places.
    types = [str(type_) for (type_,) in rows(engine, "SELECT type FROM journal_entries ORDER BY id")]
    first, last = types.index("adjustment"), len(types) - types[::-1].index("adjustment")
    turns = sum(before != after for before, after in pairwise(types[first:last]))
    assert turns >= 10
    assert longest < 5  # never as long as the import may take on a slow machine
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []


# --- stopping and going on ------------------------------------------------------------------------------------------


def _stop_after(units: int) -> Callable[[Engine, Callable[[Connection], object]], object]:
    done = 0

    def write(engine: Engine, action: Callable[[Connection], object]) -> object:
        nonlocal done
        done += 1
        if done > units:
            raise KeyboardInterrupt
        return database.write(engine, action)

    return write


def test_a_stopped_import_is_finished_by_running_it_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book: PriceBook
) -> None:
    path = _write(tmp_path, *(f"user{number},{number}" for number in range(20)))
    with monkeypatch.context() as patched:
        patched.setattr(pieces, "HOLD_NANOSECONDS", 0)  # one row in each piece
        patched.setattr(opening_balances, "database", _Stopping(3))
        with pytest.raises(KeyboardInterrupt):
            _import(engine, path)
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id") == [
        ("user0", 0),
        ("user1", 1),
        ("user2", 2),
    ]
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []
    assert _import(engine, path) == ImportSummary(17, 2, 1, 19 * 20 // 2 - 3)
    assert scalar(engine, "SELECT SUM(balance_credits) FROM user_credits") == 19 * 20 // 2


class _Stopping:
    """The database of an import that is stopped after some units of work."""

    read = staticmethod(database.read)

    def __init__(self, units: int) -> None:
        self.write = _stop_after(units)


def test_a_row_that_became_impossible_meanwhile_stops_the_import_and_says_what_stays(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "HOLD_NANOSECONDS", 0)  # one row in each piece
    path = _write(tmp_path, *(f"user{number},5" for number in range(5)), "ben,7")
    add = partial(world.add, engine, "Ben", 1, key="k")

    class Meanwhile(_Stopping):
        def __init__(self) -> None:
            self.write = lambda engine, action: (database.write(engine, action), add())[0]

    monkeypatch.setattr(opening_balances, "database", Meanwhile())
    with pytest.raises(ImportStopped, match=r"line 7: ben differs from Ben.* 5 rows are\s+imported and stay"):
        _import(engine, path)
    monkeypatch.undo()
    assert _problems(engine, path) == ["line 7: ben differs from Ben, who has an account, only in upper and lower case"]
    assert _import(engine, path, distinct=True) == ImportSummary(1, 5, 0, 7)


# --- every row is checked before any is written ---------------------------------------------------------------------


def test_an_import_lists_every_id_that_differs_only_in_case(engine: Engine, tmp_path: Path) -> None:
    world.add(engine, "Chloe", 1, key="chloe")
    path = _write(tmp_path, "ada,1", "ben,2", "Ada,3", "chloe,4", "ADA,0")
    assert _problems(engine, path) == [
        "line 4: Ada differs from ada, on line 2, only in upper and lower case",
        "line 5: chloe differs from Chloe, who has an account, only in upper and lower case",
        "line 6: ADA differs from ada, on line 2, only in upper and lower case",
    ]
    assert _import(engine, path, distinct=True) == ImportSummary(4, 0, 1, 10)
    assert _import(engine, path) == ImportSummary(0, 4, 1, 0)  # they have their accounts


def test_an_import_lists_every_id_that_a_spreadsheet_has_broken(engine: Engine, tmp_path: Path) -> None:
    path = _write(tmp_path, "45787,1", "1.23457E+12,2", "1-Mar,3", "NaN,4", "TRUE,5")
    assert [problem.split(":")[:2] for problem in _problems(engine, path)] == [
        [f"line {line}", " user_id"] for line in (3, 4, 5, 6)
    ]
    assert _import(engine, _write(tmp_path, "45787,1")).imported == 1


def test_balances_saved_by_a_spreadsheet_are_imported_once(engine: Engine, tmp_path: Path) -> None:
    assert _import(engine, _write(tmp_path, "ada,5", "ben,0")).imported == 1
    again = tmp_path / "again.csv"
    again.write_bytes(b'\xef\xbb\xbf"credits";"user_id"\r\n"5";"ada"\r\n0;ben\r\n;\r\n')
    assert _import(engine, again) == ImportSummary(0, 1, 1, 0)


def test_the_last_row_keeps_the_first_piece_out(engine: Engine, tmp_path: Path) -> None:
    world.add(engine, "Ben", 1, key="ben")
    world.add(engine, "rich", 9_007_199_254_740_990, key="rich")
    path = _write(tmp_path, *(f"user{number},5" for number in range(60)), "ben,7", "rich,2")
    assert [problem[:8] for problem in _problems(engine, path)] == ["line 62:", "line 63:"]
