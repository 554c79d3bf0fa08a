"""Lists backups with what was proved of each, and deletes those that are not to be kept."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import gettempdir

from sqlalchemy import Engine

from credits_core.errors import InvalidRequest
from credits_core.operations.backups import ledgers, retention
from credits_core.operations.backups.create import SCRATCH_PREFIX
from credits_core.operations.backups.manifest import Drilled, Manifest, name_at
from credits_core.operations.backups.place import Place
from credits_core.operations.backups.refusals import NoOwnBackup, NoProvedBackup, UnknownBackup
from credits_core.store import database
from credits_core.store.refusals import DatabaseNotReady
from credits_core.values.roles import Actor, May

_HALF_IS_GIVEN_UP = timedelta(days=1)
NEWEST = "newest"
PROVED_FOR = timedelta(days=8)
"""How long a good drill counts."""
BAD_ARE_KEPT = timedelta(days=30)
"""How long a bad backup is kept after the drill that called it bad."""


class State(StrEnum):
    """What a drill said of a backup."""

    GOOD = "good"
    UNPROVED = "unproved"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Listed:
    """A backup with the result of its last drill, None where there was none. `is_own`: it is of this ledger."""

    backup: Manifest
    drilled: Drilled | None
    is_own: bool = True

    @property
    def state(self) -> State:
        """Good after a drill that proved it, bad after one that did not."""
        if self.drilled is None:
            return State.UNPROVED
        return State.GOOD if self.drilled.is_good else State.BAD

    def is_bad_since(self, moment: datetime) -> bool:
        """Whether a drill after this moment called it bad."""
        return self.drilled is not None and not self.drilled.is_good and self.drilled.at > moment


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted: backups by their names, and how many files that belonged to none."""

    names: tuple[str, ...]
    halves: int


def listed(place: Place, engine: Engine | None) -> list[Listed]:
    """Every backup, the newest first, also of other ledgers. `engine` is None where the ledger cannot be asked."""
    found = place.manifests()
    own = ledgers.own(found, engine)
    return [Listed(made, place.drilled(made.name), made.name in own) for made in found]


def own_of(place: Place, engine: Engine | None) -> list[Listed]:
    """The same, of this ledger alone."""
    return [one for one in listed(place, engine) if one.is_own]


def by_url(place: Place, database_url: str) -> list[Listed]:
    """As `listed`, for the ledger at this URL; where it cannot be read, as after a disaster, without asking it."""
    try:
        with database.opened_ledger(database_url) as engine:
            return listed(place, engine)
    except (DatabaseNotReady, InvalidRequest, *database.FAILURES):
        return listed(place, None)


def chosen(place: Place, name: str, engine: Engine | None) -> Manifest:
    """The backup of this name; `newest` is the newest one of this ledger.

    Raises:
        UnknownBackup: there is none.
        NoOwnBackup: all are of other ledgers.
    """
    if name != NEWEST:
        return place.named(name)
    found = place.manifests()
    own = ledgers.own(found, engine)
    return _first([made for made in found if made.name in own], place, len(found))


def to_restore(found: Sequence[Listed], place: Place, *, is_unproved_taken: bool) -> Manifest:
    """The newest backup of this ledger that a drill proved. If asked to, one that no drill has tried is taken as well.

    Raises:
        UnknownBackup: there is none.
        NoOwnBackup: all are of other ledgers.
        NoProvedBackup: none is good.
    """
    own = [one for one in found if one.is_own]
    last = newest(found, place)
    taken = {State.GOOD, State.UNPROVED} if is_unproved_taken else {State.GOOD}
    best = next((one.backup for one in own if one.state in taken), None)
    if best is None:
        raise NoProvedBackup(last.name)
    return best


def newest(found: Sequence[Listed], place: Place) -> Manifest:
    """The newest of these that is of this ledger.

    Raises:
        UnknownBackup: there is none.
        NoOwnBackup: all are of other ledgers.
    """
    return _first([one.backup for one in found if one.is_own], place, len(found))


def _first(own: Sequence[Manifest], place: Place, found: int) -> Manifest:
    if own:
        return own[0]
    if found:
        raise NoOwnBackup(place.address, found)
    raise UnknownBackup(NEWEST, place.address)


def bad_at_last(found: Sequence[Listed]) -> Listed | None:
    """The newest backup, if a drill could not restore it, or else the one that the newest of all drills could not.

    None when there is neither. `found` has the newest backup first.
    """
    if found and found[0].state is State.BAD:
        return found[0]
    tried = [(one.drilled, one) for one in found if one.drilled is not None]
    last, backup = max(tried, key=lambda pair: pair[0].at, default=(None, None))
    return None if last is None or last.is_good else backup


def last_drill(found: Sequence[Listed]) -> datetime | None:
    """When the newest drill of any of these was made, or None."""
    return max((one.drilled.at for one in found if one.drilled is not None), default=None)


def prune(engine: Engine, place: Place, *, now: datetime, actor: Actor) -> Pruned:
    """Delete this ledger's backups that are not to be kept, and what is left of backups that were never completed.

    The newest good one is always kept, and never does a bad one take another's place. A bad one stays for 30 days after
    its drill, so that somebody can find out why.

    Raises:
        NotAllowed: the actor may not manage this product.
    """
    actor.require(May.MANAGE)
    found = own_of(place, engine)
    usable = [one.backup for one in found if one.state is not State.BAD]
    kept = retention.kept([made.made_at for made in usable])
    names = {made.name for made in usable if made.made_at in kept}
    names |= {next((one.backup.name for one in found if one.state is State.GOOD), "")}
    names |= {one.backup.name for one in found if one.is_bad_since(now - BAD_ARE_KEPT)}
    old = [one.backup for one in found if one.backup.name not in names]
    for made in old:
        place.delete(made)
    halves = place.delete_halves(older_than=name_at(now - _HALF_IS_GIVEN_UP))
    return Pruned(tuple(made.name for made in old), halves + _delete_scratch(now))


def _delete_scratch(now: datetime) -> int:
    """Delete what processes that were killed have left in the folder for temporary files."""
    left = 0
    for folder in Path(gettempdir()).glob(f"{SCRATCH_PREFIX}*"):
        changed = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        if changed < now - _HALF_IS_GIVEN_UP:
            shutil.rmtree(folder, ignore_errors=True)
            left += 1
    return left
