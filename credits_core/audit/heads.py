"""Heads of the chain of seals that were kept: by people elsewhere, and beside the key file by whoever signs.

Nobody who can write to the database alone can change what is kept there, so it tells when seals were removed or made
anew.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from credits_core.errors import DataFileInvalid
from credits_core.store.tables import Seal


@dataclass(frozen=True, slots=True)
class Head:
    """A seal that somebody kept elsewhere: its number and its hash."""

    number: int
    hash: str


def against(connection: Connection, head: Head) -> str | None:
    """What a head that was kept elsewhere says against this chain: a sentence, or None when it is part of it."""
    found = connection.execute(select(Seal.hash).where(Seal.number == head.number)).scalar_one_or_none()
    if found is None:
        return f"seal {head.number}, whose head was kept, is not there: the end of the record was removed"
    if found != head.hash:
        return (
            f"seal {head.number} is not the one whose head was kept: "
            f"the record up to it was rewritten after the head was kept"
        )
    return None


def file_beside(key_file: Path) -> Path:
    """The file beside a key file that has the newest head.

    >>> file_beside(Path("/etc/credits/seal-key")).name
    'seal-key.head'
    """
    return key_file.with_name(f"{key_file.name}.head")


def beside(key_file: Path) -> Head | None:
    """The head that is kept beside a key file; None where none is kept yet.

    Raises:
        DataFileInvalid: the file is there and holds no head, or cannot be read.
    """
    file = file_beside(key_file)
    try:
        kept = read(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataFileInvalid(str(file), [f"it cannot be read: {error.strerror}"]) from None
    return kept


def read(file: Path) -> Head:
    """The head in a file, as `proof head --json` prints it.

    Raises:
        DataFileInvalid: the file holds no head.
        OSError: it cannot be read.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        number, hash_ = found["number"], found["hash"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataFileInvalid(str(file), ["it is no head as `proof head --json` prints it"]) from None
    if type(number) is not int or type(hash_) is not str:
        raise DataFileInvalid(str(file), ["it is no head as `proof head --json` prints it"])
    return Head(number, hash_)


def keep(key_file: Path, head: Head) -> None:
    """Keep this head beside a key file, in place of the one before; whoever is killed leaves one of the two, whole.

    Raises:
        OSError: the folder cannot be written to.
    """
    file = file_beside(key_file)
    handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(f"{json.dumps({'number': head.number, 'hash': head.hash})}\n")
            opened.flush()
            os.fsync(opened.fileno())
        Path(temporary).replace(file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
