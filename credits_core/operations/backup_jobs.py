"""What the jobs do that make, try and delete backups, as the environment says where and with which keys."""

from credits_core import settings
from credits_core.operations.backups import create, drill, listing
from credits_core.operations.backups.place import Place, place_at
from credits_core.operations.refusals import JobFailed
from credits_core.operations.surroundings import Surroundings
from credits_core.values.progress import Progress, Work
from credits_core.values.roles import system
from credits_core.values.text import counted

_JOB = system("jobs")


def place() -> Place:
    """The place of backups that is set."""
    return place_at(settings.backup_url())


def backing_up(around: Surroundings) -> Work[str]:
    """Make a backup."""
    made = yield from create.creating(
        around.engine, place(), recipients=settings.backup_recipients(), now=around.clock(), actor=_JOB
    )
    return f"{made.name}: {made.figures.entries:,} entries, {made.stored_bytes:,} bytes."


def drilling(around: Surroundings) -> Work[str]:
    """Restore the newest backup into a scratch place and prove it."""
    drilled = yield from drill.drilling(
        around.engine,
        place(),
        "newest",
        scratch_url=settings.backup_scratch_url(),
        identity_file=settings.backup_identity_file(),
        models=around.books.shipped,
        clock=around.clock,
        actor=_JOB,
    )
    if not drilled.is_good:
        raise JobFailed(f"The newest backup is bad: {drilled.message}")
    lost = f"{drilled.lost_entries:,} {'entry' if drilled.lost_entries == 1 else 'entries'}"
    return f"Restored and proved in {drilled.took.seconds:,} s. It would have lost {lost} that came later."


def pruning(around: Surroundings) -> Work[str]:
    """Delete the backups that are not to be kept."""
    yield Progress(0, 1)
    pruned = listing.prune(place(), now=around.clock(), actor=_JOB)
    return f"{counted(len(pruned.names), 'backup')} and {counted(pruned.halves, 'unfinished file')} deleted."
