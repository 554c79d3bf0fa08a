"""How far long work has come. The work is a generator that tells it and returns its result. Pure: it has no clock."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Progress:
    """So much is done of so much, both counts of the same thing, such as runs.

    Where these are bytes of a file, `rows` says how many rows were read by now.
    """

    done: int
    total: int
    rows: int = field(default=0, repr=False)


Work = Generator[Progress, None, Result]
"""Long work: tells now and then how far it has come, and returns the result at its end. It can be left at any time."""


def finish(work: Work[Result]) -> Result:
    """Carry the work out to its end.

    >>> def two_steps():
    ...     yield Progress(1, 2)
    ...     yield Progress(2, 2)
    ...     return "done"
    >>> finish(two_steps())
    'done'
    """
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result


def part(work: Work[Result], number: int, parts: int) -> Work[Result]:
    """One of several equal parts of longer work; `number` counts from 0.

    >>> def half():
    ...     yield Progress(1, 2)
    >>> next(part(half(), 2, 3))
    Progress(done=5, total=6)
    """
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield Progress(number * progress.total + progress.done, parts * progress.total)
