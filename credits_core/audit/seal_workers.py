"""Reads and hashes entries with all of the machine's cores: in processes, because Python runs on one core at a time.

Only for commands that have the machine to themselves; a server seals in a thread. What is sealed never changes, so it
is the same in every process, whichever snapshot that reads.
"""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache, partial

from sqlalchemy import Engine

from credits_core.audit.seal_rows import Hashing, Leaf, Ranges, Reader
from credits_core.store import database

_MANY = 50_000


def for_many(engine: Engine, entries: int) -> AbstractContextManager[Hashing | None]:
    """`on_every_core` where there are so many entries that it pays to start processes, else None."""
    return on_every_core(engine) if entries > _MANY else nullcontext()


@contextmanager
def on_every_core(engine: Engine) -> Iterator[Hashing]:
    """Something that reads and hashes ranges of entries of this database at once, in a process for each core."""
    url = engine.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 1, context) as pool:

        def hashing(ranges: Ranges) -> Iterator[list[Leaf]]:
            return pool.map(partial(_entries, url), ranges)

        yield hashing


def _entries(url: str, between: tuple[int | None, int]) -> list[Leaf]:
    with database.read(_opened(url)) as connection:
        return Reader(connection).entries(*between)


@lru_cache(maxsize=1)
def _opened(url: str) -> Engine:
    return database.create_engine_for(url)
