"""What the processes of the kill tests run: backups and restores, one after the other. Imports no pytest."""

import os
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from credits_core.operations.backups import create, drill, restore
from credits_core.operations.backups.place import place_at
from credits_core.pricing.models import ModelRegistry
from credits_core.store import database
from credits_core.values.progress import finish
from tests.support.actors import TESTER


def back_up_and_restore_until_killed(answers: Pipe, url: str, folder: str, models: ModelRegistry) -> None:
    """Back the ledger up, restore the backup over the last one restored, and try it, again and again. Never returns.

    Writes a line once the first round is over. On PostgreSQL nothing is restored but in the drill.
    """
    engine, where = database.create_engine_for(url), place_at(str(Path(folder, "backups")))
    while True:
        made = finish(create.creating(engine, where, recipients=(), now=datetime.now(UTC), actor=TESTER))
        if engine.dialect.name == "sqlite":
            finish(
                restore.restoring(
                    where,
                    made.name,
                    into=f"sqlite:///{Path(folder, 'restored.db')}",
                    replace=True,
                    identity_file=None,
                    now=datetime.now(UTC),
                    actor=TESTER,
                )
            )
        finish(
            drill.drilling(
                engine,
                where,
                made.name,
                scratch_url=None,
                identity_file=None,
                models=models,
                clock=lambda: datetime.now(UTC),
                actor=TESTER,
            )
        )
        os.write(answers.fileno(), b"round\n")
