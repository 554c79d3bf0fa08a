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
NOT_HERE = "Backups cannot be proved here: only the public key is here."
"""How a drill begins to say that nobody can make it on this machine. That is no failure of the job."""


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
    """Restore the newest backup into a scratch place and prove it; or say who has to, where only the public key is."""
    newest = listing.chosen(place(), listing.NEWEST, around.engine)
    if newest.is_encrypted and settings.backup_identity_file() is None:
        return _proved_elsewhere(around)
    drilled = yield from drill.drilling(
        around.engine,
        place(),
        newest.name,
        scratch_url=settings.backup_scratch_url(),
        identity_file=settings.backup_identity_file(),
        models=around.books.shipped,
        clock=around.clock,
        actor=_JOB,
    )
    if not drilled.is_good:
        raise JobFailed(f"The newest backup is bad: {drilled.message}")
    lost = drilled.lost_entries or 0
    said = f"It would have lost {lost:,} {'entry' if lost == 1 else 'entries'} that came later."
    return f"Restored and proved in {drilled.took.seconds:,} s. {said}"


def _proved_elsewhere(around: Surroundings) -> str:
    """What a drill on another machine, which has the secret key, has left in the place; or that none did lately."""
    found = listing.own_of(place(), around.engine)
    bad = listing.bad_at_last(found)
    if bad is not None and bad.drilled is not None:
        raise JobFailed(f"A drill elsewhere could not restore {bad.backup.name}: {bad.drilled.message}")
    last = listing.last_drill(found)
    if last is None or around.clock() - last > listing.PROVED_FOR:
        return f"{NOT_HERE} Run it where the secret key is: python -m credits_core backup drill --elsewhere"
    return f"A backup was proved elsewhere, at {last:%Y-%m-%d %H:%M} UTC."


def pruning(around: Surroundings) -> Work[str]:
    """Delete the backups that are not to be kept."""
    yield Progress(0, 1)
    pruned = listing.prune(around.engine, place(), now=around.clock(), actor=_JOB)
    return f"{counted(len(pruned.names), 'backup')} and {counted(pruned.halves, 'unfinished file')} deleted."
