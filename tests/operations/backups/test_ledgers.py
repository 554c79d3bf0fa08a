"""Two ledgers keep their backups in one place, and neither takes or deletes the other's."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.operations.backups import listing
from credits_core.operations.backups.refusals import NoOwnBackup
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER
from tests.support.backup_world import NIGHT, back_up, place, some_runs


def test_a_ledger_takes_and_prunes_its_own_backups_alone(sqlite_engine: Engine, tmp_path: Path) -> None:
    where = place(tmp_path)
    with database.opened(f"sqlite:///{tmp_path}/other.db") as other:
        some_runs(other)
        world.add(sqlite_engine, "ada", 5, key="one")
        theirs = [back_up(other, where, now=NIGHT + timedelta(minutes=one)) for one in range(2)]
        with pytest.raises(NoOwnBackup, match="None of the 2 backups in "):
            listing.chosen(where, "newest", sqlite_engine)
        own = [back_up(sqlite_engine, where, now=NIGHT - timedelta(minutes=one)) for one in (2, 1)]
        assert [one.is_own for one in listing.listed(where, sqlite_engine)] == [False, False, True, True]
        assert listing.chosen(where, "newest", sqlite_engine) == own[1]
        assert listing.chosen(where, "newest", other) == theirs[1]
        with pytest.raises(NoOwnBackup):  # the ledger cannot be asked, and there are two
            listing.chosen(where, "newest", None)
        assert listing.prune(sqlite_engine, where, now=NIGHT, actor=TESTER).names == (own[0].name,)
        assert [made.name for made in where.manifests()] == [theirs[1].name, theirs[0].name, own[1].name]
