"""Endpoints in the ledger's small world, and one look of the sender after the other, at a time that a test gives."""

import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from multiprocessing.connection import Connection as Pipe

from sqlalchemy import Engine

from credits_core.notices import deliveries, endpoints
from credits_core.notices.deliveries import Delivery
from credits_core.notices.endpoints import Endpoint
from credits_core.notices.sender import Sender
from credits_core.store import database
from credits_core.store.kinds import EventKind
from tests.support.actors import TESTER
from tests.support.receiver import Receiver
from tests.support.world import NOW

_BEGIN = 1_790_000_000
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def add(
    engine: Engine, to: Receiver | str, kinds: Collection[EventKind] = tuple(EventKind), *, now: datetime = NOW
) -> Endpoint:
    url, listed = (to, ()) if isinstance(to, str) else (to.url, (to.host,))
    return database.write(
        engine, lambda one: endpoints.add(one, url, kinds, secret=SECRET, listed=listed, now=now, actor=TESTER)
    )


def look(engine: Engine, endpoint_id: int, to: Receiver, *, now: datetime = NOW) -> int:
    """Look until nothing is due at this time, and return how many events were tried."""
    sender = Sender(engine, clock=lambda: now, listed=(to.host,))
    tried = 0
    with ThreadPoolExecutor(4) as pool:
        while count := sender.once(endpoint_id, pool):
            tried += count
    return tried


def stored(engine: Engine) -> list[Delivery]:
    """All deliveries, the oldest first."""
    with database.read(engine) as connection:
        return deliveries.newest(connection, limit=1_000)[::-1]


def states(engine: Engine) -> list[tuple[str, str, int]]:
    """The user, the state and the tries of each delivery."""
    return [(one.user_id, one.state.value, one.tries) for one in stored(engine)]


def quick_time() -> datetime:
    """A time that goes on ten thousand times as fast as ours, so that pauses of hours are over soon."""
    return NOW + timedelta(seconds=(time.time() - _BEGIN) * 10_000)


def send_until_killed(answers: Pipe, url: str, host: str) -> None:
    """Tell all endpoints, until somebody ends this process."""
    engine = database.create_engine_for(url)
    sender = Sender(engine, clock=quick_time, listed=(host,))
    answers.send("began")
    while not sender.failures:
        sender.look()
        time.sleep(0.05)
    raise sender.failures[0]
