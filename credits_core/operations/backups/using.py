"""Says which place could not be used, where the system says no more than that a disk is full or a folder is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from credits_core.operations.backups.refusals import BackupImpossible


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
