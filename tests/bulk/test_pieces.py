"""Imports commit in pieces: others go on meanwhile, and a stopped import is finished by running it again."""

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from credits_core.audit import invariants
from credits_core.bulk import opening_balances, pieces
from credits_core.bulk.opening_balances import ImportSummary, import_legacy
from credits_core.bulk.pieces import in_pieces
from credits_core.bulk.refusals import ImportStopped
from credits_core.errors import DataFileInvalid
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import racers, world
from tests.support.plain_sql import refused, rows, scalar
from tests.support.world import HAIKU, NOW

USERS = 4_000


def _write(folder: Path, *lines: str) -> Path:
    path = folder / "legacy.csv"
    path.write_text("\n".join(["user_id,credits", *lines]) + "\n", encoding="utf-8")
    return path


def _import(engine: Engine, path: Path, *, distinct: bool = False) -> ImportSummary:
    return import_legacy(engine, path, now=NOW, actor="cli", distinct=distinct)


def _problems(engine: Engine, path: Path) -> list[str]:
    with refused(engine, DataFileInvalid) as caught:
        _import(engine, path)
    return caught.value.problems  # type: ignore[attr-defined,no-any-return]


# --- how long a piece is --------------------------------------------------------------------------------------------


def test_pieces_grow_while_they_are_short_and_halve_when_they_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0
    monkeypatch.setattr(pieces.time, "perf_counter_ns", lambda: clock)
    monkeypatch.setattr(pieces.time, "sleep", lambda _: None)
    sizes, each = [], 600_000
    for piece in in_pieces(range(400), largest=100):
        sizes.append(len(piece))
        clock += len(piece) * each
        each = 2_400_000 if sum(sizes) >= 100 else each  # somebody else needs the machine as well
    # 6 ms and 12 ms are short, 24 ms is right, then 96 ms and 48 ms are long, and 24 ms is right
    assert sizes[:8] == [10, 20, 40, 40, 40, 20, 10, 10]
    assert sum(sizes) == 400
    assert [len(piece) for piece in in_pieces(range(5), largest=2)] == [2, 2, 1]
    assert list(in_pieces([], largest=2)) == []


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


def test_charges_go_on_while_a_large_import_runs(engine: Engine, tmp_path: Path, book: PriceBook) -> None:
    world.add(engine, "ada", 10**9, key="fund")
    path = _write(tmp_path, *(f"user{number},{number + 1}" for number in range(USERS)))
    url, stop = engine.url.render_as_string(hide_password=False), tmp_path / "stop"
    process, answers = racers.start(charge_until_told, url, stop)
    assert answers.recv() == 1
    assert _import(engine, path).imported == USERS
    stop.touch()
    _, longest = answers.recv()
    process.join()

    # Between the first and the last opening balance there are charges at many places: one for most of the pieces.
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
    path = _write(tmp_path, *(f"user{number},{number}" for number in range(300)))
    with monkeypatch.context() as patched:
        patched.setattr(opening_balances, "database", _Stopping(2))
        with pytest.raises(KeyboardInterrupt):
            _import(engine, path)
    imported = int(str(scalar(engine, "SELECT COUNT(*) FROM journal_entries")))
    assert 0 < imported < 299
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []
    again = _import(engine, path)
    assert (again.imported, again.imported_before, again.empty) == (299 - imported, imported, 1)
    assert scalar(engine, "SELECT SUM(balance_credits) FROM user_credits") == 299 * 300 / 2


class _Stopping:
    """The database of an import that is stopped after some units of work."""

    read = staticmethod(database.read)

    def __init__(self, units: int) -> None:
        self.write = _stop_after(units)


def test_a_row_that_became_impossible_meanwhile_stops_the_import_and_says_what_stays(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write(tmp_path, *(f"user{number},5" for number in range(50)), "ben,7")
    add = partial(world.add, engine, "Ben", 1, key="k")

    class Meanwhile(_Stopping):
        def __init__(self) -> None:
            self.write = lambda engine, action: (database.write(engine, action), add())[0]

    monkeypatch.setattr(opening_balances, "database", Meanwhile())
    with pytest.raises(ImportStopped, match=r"line 52: ben differs from Ben.* rows are\s+imported and stay"):
        _import(engine, path)
    monkeypatch.undo()
    assert _problems(engine, path) == [
        "line 52: ben differs from Ben, who has an account, only in upper and lower case"
    ]
    finished = _import(engine, path, distinct=True)
    assert finished.imported + finished.imported_before == 51
    assert finished.imported_before >= 10


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
