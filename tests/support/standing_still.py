"""Makes processes stand still and go on, as a machine does that is short of everything."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text


@contextmanager
def standing_still(pids: Iterable[int]) -> Iterator[None]:
    """These processes stand still until the block ends."""
    stopped = list(pids)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def backends(engine: Engine) -> list[int]:
    """The processes of the PostgreSQL server that serve this database now, but for the one that is asked."""
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with engine.connect() as connection:
        return list(connection.execute(text(others)).scalars())


def server_of(backend_pid: int) -> int:
    """The PostgreSQL server whose process this is; Linux tells."""
    after_name = Path(f"/proc/{backend_pid}/stat").read_text().rpartition(")")[2]
    return int(after_name.split()[1])
