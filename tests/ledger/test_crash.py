"""A process killed in the middle of charging: what it acknowledged is there, what it did not finish is not."""

import os
import random
import sys
import time
from multiprocessing.connection import Connection as Pipe

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.pricing.quote import PriceBook
from tests.support import racers, world
from tests.support.plain_sql import balance, contradictions, rows, scalar

KILLS, KILLS_IN_FULL = 12, 50
LONGEST_CHARGING_SECONDS = 0.03


def _acknowledged(acknowledgements: Pipe) -> list[str]:
    """Every key that the killed process still wrote."""
    received = b""
    while block := os.read(acknowledgements.fileno(), 65_536):
        received += block
    return received.decode().splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_killed_again_and_again_loses_nothing_it_acknowledged(
    engine: Engine, book: PriceBook, full: bool
) -> None:
    kills = KILLS_IN_FULL if full else KILLS
    world.add(engine, "ada", 10**9, key="fund")
    url = engine.url.render_as_string(hide_password=False)
    moments = random.Random(20_260_301)
    acknowledged: set[str] = set()

    for round_ in range(kills):
        prefix = f"round-{round_}"
        process, acknowledgements = racers.start(racers.charge_until_killed, url, prefix)
        assert acknowledgements.poll(300), "the process does not begin to charge"
        time.sleep(moments.uniform(0, LONGEST_CHARGING_SECONDS))
        process.kill()
        keys = _acknowledged(acknowledgements)
        acknowledgements.close()
        process.join()
        assert process.exitcode == -9
        process.close()

        assert keys == [f"{prefix}-{number}" for number in range(len(keys))]
        acknowledged.update(keys)
        # The last charge may be there without its acknowledgement: it was killed between the two.
        charged = scalar(
            engine, "SELECT COUNT(*) FROM journal_entries WHERE idempotency_key LIKE :keys", keys=f"{prefix}-%"
        )
        assert charged in (len(keys), len(keys) + 1)

    world.add(engine, "ada", 1, key="after")  # waits for a charge that the server may still be committing
    stored = {
        str(key) for (key,) in rows(engine, "SELECT idempotency_key FROM journal_entries WHERE type = 'prompt_run'")
    }
    assert acknowledged <= stored
    assert len(acknowledged) >= kills
    assert contradictions(engine) == []
    assert balance(engine, "ada") == 10**9 + 1 - 1_251 * len(stored)
    assert balance(engine, "ben") == 800 * len(stored)
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []
    # A killed process leaves nothing locked, and its last key can be sent again.
    last = f"round-{kills - 1}-"
    number = max(int(key.removeprefix(last)) for key in stored if key.startswith(last))
    assert world.charge(engine, world.HAIKU_WITH_FEE, key=f"{last}{number}").replayed
    assert not world.charge(engine, world.HAIKU_WITH_FEE, key=f"{last}{number + 1}").replayed
