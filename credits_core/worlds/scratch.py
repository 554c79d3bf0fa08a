"""A scratch ledger: a copy of this ledger, or a demo ledger, in a temporary file that is deleted at the end.

A scratch ledger is always SQLite. Whoever works on it gets its engine and nothing else, so the real ledger is out of
reach: it is read once, by SQLite's own backup, and then no more.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, func, select, text

from credits_core import startup
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.store.tables import JournalEntry
from credits_core.values.roles import system
from credits_core.values.time_zones import TimeZone

MOST_MEGABYTES = 64
"""The largest ledger that is copied: about 100,000 entries."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """A ledger to damage. `what` says in a sentence what it is a copy of."""

    engine: Engine
    what: str


@contextmanager
def scratch(engine: Engine, books: PriceBooks, *, zone: TimeZone, now: datetime) -> Iterator[Scratch]:
    """A copy of this ledger; a demo ledger where this one is empty, too large, or not SQLite. Deleted at the end."""
    with TemporaryDirectory(prefix="credits-scratch-") as folder:
        path = Path(folder).joinpath("credits.db")
        why_not = _why_not_copied(engine)
        if why_not is None:
            _copy(engine, path)
        with database.opened(f"sqlite:///{path}") as own:
            if why_not is not None:
                startup.migrate(own)
                database.write(own, partial(startup.build_demo, books=books, now=now, actor=system("scratch")))
            daily_totals.build_for(own, zone)
            with database.read(own) as connection:
                count = connection.execute(select(func.count()).select_from(JournalEntry)).scalar_one()
            begin = "A copy of this ledger" if why_not is None else f"A demo ledger, because {why_not}"
            yield Scratch(own, f"{begin}: {count:,} entries. It is thrown away afterwards.")


def _why_not_copied(engine: Engine) -> str | None:
    if engine.dialect.name != "sqlite":
        return "only SQLite ledgers are copied"
    with database.read(engine) as connection:
        pages, size = (connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size"))
        if pages * size > MOST_MEGABYTES * 1024 * 1024:
            return f"this one is larger than {MOST_MEGABYTES} MB"
        if connection.execute(select(JournalEntry.id).limit(1)).first() is None:
            return "this one has no entries yet"
    return None


def _copy(engine: Engine, path: Path) -> None:
    with database.read(engine) as connection, closing(database.sqlite_driver().connect(str(path))) as copy:
        source: Any = connection.connection.driver_connection
        source.backup(copy)
