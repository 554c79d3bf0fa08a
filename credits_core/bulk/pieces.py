"""Cuts long work into pieces that each fit one short unit of work, so that charges in between never wait long."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Outcomes = TypeVar("Outcomes", bound=Sized)
HOLD_NANOSECONDS = 20_000_000
"""How long a piece takes. A fifth of the 100 ms for which others may be held up, because it still has to be committed,
and a busy machine interrupts it."""
PAUSE_SECONDS = 0.005
"""The pause between two pieces. Without it, others would get one turn for each piece, however short their turns are."""


def in_pieces(
    items: Sequence[Item], carry_out: Callable[[Sequence[Item]], Outcomes], *, largest: int
) -> Iterator[Outcomes]:
    """Carry the items out in their order, and give the outcomes of each piece.

    `carry_out` is offered the next items, at most `largest`. It carries out the first of them, one or more, in a unit
    of work of its own, and returns one outcome for each that it carried out.
    """
    done = 0
    with undisturbed():
        while done < len(items):
            outcomes = carry_out(items[done : done + largest])
            done += len(outcomes)
            yield outcomes
            if done < len(items):
                pause()


def for_a_while(items: Iterable[Item], *, clock: Callable[[], int] = time.perf_counter_ns) -> Iterator[Item]:
    """The items until they have taken `HOLD_NANOSECONDS`, at least the first one; the rest is for the next piece.

    The time begins with the first item, so what the unit of work waited for before does not make its piece shorter.
    """
    end = clock() + HOLD_NANOSECONDS
    for item in items:
        yield item
        if clock() >= end:
            return


def pause() -> None:
    """Let others have a turn before the next piece."""
    time.sleep(PAUSE_SECONDS)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Python from looking through all its objects for garbage in the middle of a piece: that takes 50 ms and more.

    What is there at the beginning is left alone until the end; what comes afterwards is looked through as always.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
