"""The lock files beside an SQLite database: one writer at a time, in turn, and nobody waits longer than there is time.

A lock is one of the file's own open description: it excludes threads as well as processes, and the kernel drops it when
a process dies.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from credits_core.store import deadline
from credits_core.store.refusals import DeadlinePassed

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

_BETWEEN_TRIES_SECONDS = 0.0005


@contextmanager
def one_writer(path: str) -> Iterator[None]:
    """Hold the writers' lock of the database file at `path`.

    Whoever waits for the lock holds the queue: a writer that has just given the lock back, and wants it again before
    the one that waits has noticed, comes after that one.

    Raises:
        DeadlinePassed: another one held it for too long.
        OSError: a lock file cannot be opened.
    """
    if fcntl is None:
        yield
        return
    queue = _locked(f"{path}.queue")
    try:
        lock_file = _locked(f"{path}.lock")
    finally:
        os.close(queue)
    try:
        yield
    finally:
        os.close(lock_file)


@contextmanager
def if_free(path: str) -> Iterator[bool]:
    """Hold the lock of the file at `path` if nobody else does, and tell whether that is so."""
    if fcntl is None:
        yield True
        return
    lock_file = _opened(path)
    try:
        yield _takes(lock_file)
    finally:
        os.close(lock_file)


def _locked(path: str) -> int:
    """The file of a lock that is held until the file is closed."""
    lock_file = _opened(path)
    try:
        if not _takes(lock_file):
            _wait_for(lock_file)
    except BaseException:
        os.close(lock_file)
        raise
    return lock_file


def _wait_for(lock_file: int) -> None:
    # The kernel can wait for such a lock, but not until a moment.
    until = time.monotonic() + deadline.remaining()
    while not _takes(lock_file):
        if time.monotonic() >= until:
            raise DeadlinePassed
        time.sleep(_BETWEEN_TRIES_SECONDS)


def _opened(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _takes(lock_file: int) -> bool:
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
