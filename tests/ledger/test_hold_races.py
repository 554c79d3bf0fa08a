"""Of those who end a hold at the same moment exactly one does; a killed process leaves it whole or not there."""

import threading
from collections import Counter
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.ledger.refusals import HoldEnded, InsufficientCredits
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import holding, racers, world
from tests.support.holding import IN_TIME, TOO_LATE, USED_LESS, authorise, held
from tests.support.killing import Killed
from tests.support.plain_sql import balance, contradictions, rows, scalar

_START_SECONDS = 300
_HOLDS = 6


def end_holds(answers: Pipe, start_line: threading.Barrier, url: str, way: str, name: str, hold_ids: list[int]) -> None:
    """End each hold in this way, and send which of them this process has ended."""
    engine = database.create_engine_for(url)
    with engine.connect():
        start_line.wait(_START_SECONDS)
    won = []
    for hold_id in hold_ids:
        key = f"{name}-{hold_id}"
        try:
            if way == "capture":
                holding.capture(engine, hold_id, USED_LESS, key=key, now=IN_TIME)
            elif way == "release":
                holding.release(engine, hold_id, key=key, now=IN_TIME)
            elif holding.expire(engine, now=TOO_LATE, limit=1) == 0:
                continue
            won.append(way)
        except HoldEnded:
            pass
    engine.dispose()
    answers.send(won)
    answers.close()


@pytest.mark.long
def test_of_twenty_who_end_a_hold_at_once_exactly_one_does(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 100_000, key="fund")
    hold_ids = [authorise(engine, key=f"hold-{number}").hold.id for number in range(_HOLDS)]
    url = engine.url.render_as_string(hide_password=False)
    ways = ["capture"] * 7 + ["release"] * 7 + ["expire"] * 6
    start_line = racers.processes().Barrier(len(ways))
    started = [
        racers.start(end_holds, start_line, url, way, f"{way}-{number}", hold_ids) for number, way in enumerate(ways)
    ]
    won = Counter(way for _, answers in started for way in answers.recv())
    for process, answers in started:
        process.join()
        answers.close()
    assert won.total() == _HOLDS
    ended = Counter(str(kind) for (kind,) in rows(engine, "SELECT kind FROM hold_ends"))
    assert ended == Counter({f"{way}d": count for way, count in won.items()})
    assert balance(engine, "ada") == 100_000 - 7_800 * ended["captured"]
    assert (held(engine), contradictions(engine)) == (0, [])
    assert [str(found) for found in invariants.check(engine, book.plans) if not found.ok] == []


def test_holds_made_at_once_never_hold_more_than_there_is(engine: Engine) -> None:
    world.add(engine, "ada", 5 * 13_750 + 1, key="fund")

    def hold_once(number: int) -> bool:
        try:
            authorise(engine, key=f"hold-{number}")
        except InsufficientCredits:
            return False
        return True

    made = racers.at_once([lambda number=number: hold_once(number) for number in range(20)])  # type: ignore[misc]
    assert (made.count(True), balance(engine, "ada"), held(engine)) == (5, 1, 5 * 13_750)


def test_the_same_capture_sent_twenty_times_at_once_charges_once(engine: Engine) -> None:
    world.add(engine, "ada", 100_000, key="fund")
    hold_id = authorise(engine, key="hold").hold.id
    outcomes = racers.at_once([lambda: holding.capture(engine, hold_id, USED_LESS, key="same") for _ in range(20)])
    assert Counter(one.receipt.replayed for one in outcomes) == {False: 1, True: 19}
    assert len({one.receipt.entry_id for one in outcomes}) == 1
    assert (balance(engine, "ada"), scalar(engine, "SELECT COUNT(*) FROM prompt_runs")) == (92_200, 1)


_ONE_CAPTURE = """
import os, sys
from credits_core.store import database
from tests.support import holding
engine = database.create_engine_for(sys.argv[1])
done = holding.capture(engine, int(sys.argv[2]), holding.USED_LESS, key=sys.argv[3])
print(done.receipt.entry_id, flush=True)
os._exit(0)
"""
EVERY_CALL = 8


def test_a_process_killed_at_any_system_call_of_a_capture_leaves_it_whole_or_not_there(
    engine: Engine, book: PriceBook, full: bool, tmp_path: Path
) -> None:
    killed = Killed(_ONE_CAPTURE, tmp_path)
    world.add(engine, "ada", 10**9, key="fund")
    url = engine.url.render_as_string(hide_password=False)

    def run(key: str, *, at: int | None = None) -> tuple[int, bool]:
        hold_id = authorise(engine, key=f"hold-{key}").hold.id
        return hold_id, bool(killed.run(url, str(hold_id), key, at=at).strip())

    assert run("whole")[1]
    calls = killed.calls
    assert len(calls) > 4
    unfinished = 0
    for place in range(0, len(calls), 1 if full else EVERY_CALL):
        hold_id, said = run(f"call-{place}", at=place)
        world.add(engine, "ada", 1, key=f"after-{place}")  # waits for what the server may still be committing
        end = holding.stored(engine, hold_id).end
        unfinished += end is None
        assert end is not None or not said
        assert contradictions(engine) == []
        # The same request again ends it, or finds it ended.
        again = holding.capture(engine, hold_id, USED_LESS, key=f"call-{place}")
        assert again.receipt.replayed == (end is not None)
    assert unfinished > 0
    assert held(engine) == 0
    assert [str(found) for found in invariants.check(engine, book.plans) if not found.ok] == []
