"""Reads what a ledger comes to, at any migration, in one snapshot."""

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select

from credits_core.operations.backups.manifest import Figures
from credits_core.store.tables import JournalEntry, Seal, UserCredits


def read(connection: Connection) -> Figures:
    """The figures of the ledger that this connection sees."""
    entries, newest = connection.execute(select(func.count(JournalEntry.id), func.max(JournalEntry.id))).one()
    balances = connection.execute(select(func.coalesce(func.sum(UserCredits.balance_credits), 0))).scalar_one()
    seal = None
    if _has_seals(connection):
        seal = connection.execute(select(Seal.number, Seal.hash).order_by(Seal.number.desc()).limit(1)).one_or_none()
    return Figures(
        schema=MigrationContext.configure(connection).get_current_revision() or "none",
        entries=entries,
        newest_entry_id=newest or 0,
        sum_of_balances_credits=int(balances),
        seal_number=0 if seal is None else seal.number,
        seal_hash="" if seal is None else seal.hash,
        first_seal_hash=first_seal_hash(connection),
    )


def first_seal_hash(connection: Connection) -> str:
    """The hash of the ledger's first seal, at any migration; empty before there is one."""
    if not _has_seals(connection):
        return ""
    return connection.execute(select(Seal.hash).order_by(Seal.number).limit(1)).scalar() or ""


def _has_seals(connection: Connection) -> bool:
    return inspect(connection).has_table(Seal.__tablename__)


def difference(was: Figures, found: Figures) -> str | None:
    """The first thing in which a restored ledger differs from its manifest, as a sentence; None when nothing does."""
    for name in Figures.__slots__:
        if name == "first_seal_hash" and not was.first_seal_hash:
            continue  # a manifest from before it was kept
        if getattr(was, name) != getattr(found, name):
            what = name.replace("_", " ")
            return f"{what} should be {getattr(was, name) or 'none'}, and is {getattr(found, name) or 'none'}"
    return None
