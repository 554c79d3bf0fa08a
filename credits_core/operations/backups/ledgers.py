"""Tells whose a backup is: several ledgers may keep theirs in one place, and none takes or deletes another's.

A ledger is known by the hash of its first seal. It covers the first rows of the ledger and the microsecond at which
they were sealed, and it never changes.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from credits_core.audit import seals
from credits_core.operations.backups import figures
from credits_core.operations.backups.manifest import Manifest
from credits_core.store import database


def own(found: Sequence[Manifest], engine: Engine | None) -> frozenset[str]:
    """The names of those of these backups that are of the ledger of this engine.

    Its newest seal is in the ledger's chain. So the backups of a copy that was restored elsewhere are not, once it has
    sealed something of its own. Older manifests have this seal alone.
    `engine` is None where the ledger cannot be asked, as after a disaster. Then all that name a ledger are, if they
    name the same one; and if none names any, all are.
    """
    if engine is None:
        named = {made.figures.first_seal_hash for made in found} - {""}
        only = next(iter(named), "")
        return frozenset(made.name for made in found if len(named) < 2 and made.figures.first_seal_hash == only)
    with database.read(engine) as connection:
        first = figures.first_seal_hash(connection)
        return frozenset(made.name for made in found if _is_of(made, first, connection))


def _is_of(made: Manifest, first_seal_hash: str, connection: Connection) -> bool:
    figures_ = made.figures
    if figures_.first_seal_hash not in ("", first_seal_hash):
        return False
    if not figures_.seal_number:
        return figures_.first_seal_hash == first_seal_hash
    # A copy that was restored elsewhere begins with the same seal, and goes its own way from then on.
    seal = seals.numbered(connection, figures_.seal_number) if first_seal_hash else None
    return seal is not None and seal.hash == figures_.seal_hash
