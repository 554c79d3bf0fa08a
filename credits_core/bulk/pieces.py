"""Cuts long work into pieces that each fit one short unit of work, so that charges in between never wait long."""

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
HOLD_NANOSECONDS = 30_000_000
"""How long a piece is meant to take. A third of the 100 ms for which others may be held up, because machines vary."""
PAUSE_SECONDS = 0.005
"""The pause between two pieces. Without it, the next piece could take the lock before those who wait wake up."""
_FIRST = 10


def in_pieces(items: Sequence[Item], *, largest: int) -> Iterator[Sequence[Item]]:
    """The items in order, in pieces of 1 to `largest` of them, for the caller to carry out one by one.

    After a piece that took longer than `HOLD_NANOSECONDS` the next ones are half as long; after one that took less than
    half of that they are twice as long.
    """
    size, first = min(_FIRST, largest), 0
    while first < len(items):
        piece = items[first : first + size]
        began = time.perf_counter_ns()
        yield piece
        took_nanoseconds = time.perf_counter_ns() - began
        first += len(piece)
        if took_nanoseconds > HOLD_NANOSECONDS:
            size = max(1, len(piece) >> 1)
        elif 2 * took_nanoseconds < HOLD_NANOSECONDS:
            size = min(largest, 2 * len(piece))
        if first < len(items):
            time.sleep(PAUSE_SECONDS)
