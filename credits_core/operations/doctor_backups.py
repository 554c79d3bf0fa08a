"""The doctor's looks at what saves a ledger: room on the disk, the place of backups, their keys, backups and drills."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

from credits_core import settings
from credits_core.operations.backups import listing, packing, place
from credits_core.operations.verdicts import Findings, Now, Verdict, ago
from credits_core.store import database

_MIB_BITS = 20
_ENOUGH_BYTES, _HARDLY_BYTES = 2_048 << _MIB_BITS, 200 << _MIB_BITS
_BACKUP_EVERY = timedelta(hours=26)


def disk(database_url: str) -> Findings:
    """Whether there is room for the database and for backups."""
    folders = {}
    if (own := database.sqlite_file(database_url)) is not None:
        folders["the database"] = own.parent
    kept_in = place.place_at(settings.backup_url())
    if kept_in.is_local:
        folders["backups"] = Path(kept_in.address)
    for what, folder in folders.items():
        there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
        free = shutil.disk_usage(there).free
        said = f"{free >> _MIB_BITS:,} MiB are free for {what} in {folder}."
        if free < _HARDLY_BYTES:
            yield Verdict.WRONG, said, "Make room, or move to a larger disk."
        elif free < _ENOUGH_BYTES:
            yield Verdict.WARNING, said, "Make room soon."
        else:
            yield Verdict.OK, said, ""


def backup_place() -> Findings:
    """Whether a backup can be kept where it should be."""
    where = place.place_at(settings.backup_url())
    if not where.is_local:
        return
    folder = Path(where.address)
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        yield Verdict.WRONG, f"Backups cannot be kept in {folder}: {there} is not a folder.", "Mend CREDITS_BACKUP_URL."
    elif not os.access(there, os.W_OK | os.X_OK):
        yield (
            Verdict.WRONG,
            f"Backups cannot be kept in {folder}: this user may not write to {there}.",
            "Give it to the user who runs the product, or mend CREDITS_BACKUP_URL.",
        )


def backup_keys() -> Findings:
    """Whether backups can be locked and opened with the keys that are set."""
    recipients, identity_file = settings.backup_recipients(), settings.backup_identity_file()
    packing.require_recipients(recipients)
    if identity_file is None:
        return
    opens = packing.public_keys(identity_file)
    if recipients and not opens.intersection(recipients):
        yield (
            Verdict.WRONG,
            f"The identity in {identity_file} opens no backup made for CREDITS_BACKUP_RECIPIENT.",
            "Use the file that holds the identity of that public key.",
        )
    else:
        yield Verdict.OK, f"The identity in {identity_file} can be read.", ""


def backups(database_url: str, now: Now) -> Findings:
    """How old this ledger's newest backup is, and what the newest drill said. Only a drill that restored one counts."""
    where = place.place_at(settings.backup_url())
    found = [one for one in listing.by_url(where, database_url) if one.is_own]
    if not found:
        yield Verdict.WARNING, f"There is no backup in {where.address}.", "python -m credits_core backup create"
        return
    newest, age = found[0], now() - found[0].backup.made_at
    said = f"The newest backup, {newest.backup.name}, was made {ago(age)}."
    if age > _BACKUP_EVERY:
        yield Verdict.WRONG, said, "python -m credits_core backup create"
    else:
        yield Verdict.OK, said, ""
    bad = listing.bad_at_last(found)
    newest_drill = listing.last_drill(found)
    # Where it is no bad one, it went well.
    if bad is not None and bad.drilled is not None:
        which = "it" if bad is newest else bad.backup.name
        yield (
            Verdict.WRONG,
            f"A drill could not restore {which}: {bad.drilled.message}",
            ("python -m credits_core backup create, then backup drill"),
        )
    elif newest_drill is None or now() - newest_drill > listing.PROVED_FOR:
        if newest.backup.is_encrypted and settings.backup_identity_file() is None:
            said = "No backup was proved for a week. None can be here: only the public key is here."
            yield Verdict.WARNING, said, "Where the secret key is: python -m credits_core backup drill --elsewhere"
        else:
            yield Verdict.WARNING, "No backup was restored on trial for a week.", "python -m credits_core backup drill"
    else:
        yield Verdict.OK, f"A backup was restored on trial {ago(now() - newest_drill)}.", ""
    if not where.is_local and not newest.backup.is_encrypted:
        yield (
            Verdict.WARNING,
            "Backups leave this machine and are not encrypted.",
            "Set CREDITS_BACKUP_RECIPIENT: docs/backups.md.",
        )
