"""Says which place could not be used, where the system says no more than that a disk is full or a folder is missing.

Also gives up on a place that does not answer: many kinds of stores and network folders wait without an end.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

from credits_core.operations.backups.refusals import BackupImpossible

Result = TypeVar("Result")


def answer_of(place: str, ask: Callable[[], Result], *, seconds: float) -> Result:
    """What a place answers within so many seconds. Later it is left alone: its thread ends with the process at last.

    Raises:
        BackupImpossible: it has not answered by then.
    """
    answer: Future[Result] = Future()

    def wait_for_it() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            answer.set_exception(error)

    Thread(target=wait_for_it, name="credits-place-of-backups", daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        if answer.done():  # the place's own
            raise
    raise BackupImpossible(
        f"The place of backups, {place}, did not answer within {seconds:,.0f} seconds. The ledger is as it was; look "
        "whether the place can be reached, and try again."
    )


@contextmanager
def place_named(doing: str, place: object) -> Iterator[None]:
    """Let an error of the system in the block name the place. `doing` is what fails then, such as "unpacked in".

    Raises:
        BackupImpossible: the block could not use the place.
    """
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error) or type(error).__name__).rstrip(".")
        raise BackupImpossible(
            f"The backup cannot be {doing} {place}: {why}. Nothing was changed; mend that and try again."
        ) from error
