"""Runs PostgreSQL's own programs, ends one that hangs, and tells a damaged backup from what else can fail."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import URL

from credits_core import settings
from credits_core.operations.backups.refusals import BackupImpossible
from credits_core.values.text import counted

DEBIANS = Path("/usr/lib/postgresql")
_CONNECTION = {"host": "PGHOST", "port": "PGPORT", "username": "PGUSER", "password": "PGPASSWORD"}
# In English whatever the machine speaks: `_SURROUNDINGS` knows what they say.
_ALWAYS = {"LC_ALL": "C", "PGCONNECT_TIMEOUT": "30"}
_REASON = re.compile(r"error:|ERROR:|FATAL:|PANIC:")
_SURROUNDINGS = re.compile(
    r"connection to server|connection to database|could not connect|could not translate host"
    r"|server closed the connection|terminating connection|no connection to the server|lost synchronization"
    r"|the database system is|authentication failed|no password supplied|too many (clients|connections)"
    r"|connection slots|(database|role) \"[^\"]*\" does not exist|permission denied|must be (owner|superuser|member)"
    r"|no space left on device|disk quota exceeded|read-only file system|input/output error"
    r"|out of (shared )?memory|due to (statement|lock) timeout|due to user request|unsupported version"
)


def require() -> None:
    """Do nothing where the programs are that make and restore backups.

    Raises:
        BackupImpossible: one is missing on this machine.
    """
    for name in ("pg_dump", "pg_restore"):
        _newest(name)


def run(name: str, arguments: Sequence[str], *, url: URL | None = None) -> str | None:
    """Run a program to its end, with the connection of `url`, and return None, or what it says is wrong with its input.

    Nothing that it starts outlives it.

    Raises:
        BackupImpossible: it is missing, was killed, did not end within `CREDITS_BACKUP_MINUTES`, or could not work
            here for want of a connection, a permission, room or memory, or because it is too old for its input.
    """
    minutes = settings.backup_minutes()
    command = [_newest(name), *arguments]
    try:
        process = subprocess.Popen(  # noqa: S603
            command,
            env=settings.environment_of_a_process() | _ALWAYS | ({} if url is None else _told(url)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a group of its own, which ends as a whole
        )
    except OSError as error:
        raise BackupImpossible(f"{command[0]} cannot be started: {error.strerror}. Nothing was changed.") from None
    with process:
        try:
            said = process.communicate(timeout=minutes * 60)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:
            _end(process)
            raise BackupImpossible(
                f"{name} did not end within {counted(minutes, 'minute')}, so it was stopped. The ledger is as it was. "
                "Look whether the database answers and what holds its locks. CREDITS_BACKUP_MINUTES allows more time."
            ) from None
        except BaseException:
            _end(process)
            raise
    if process.returncode < 0:
        raise BackupImpossible(
            f"{name} was ended by {signal.Signals(-process.returncode).name}, often for want of memory. Nothing was "
            "changed; try again."
        )
    if process.returncode == 0:
        return None
    reason = _reason(said)
    if _SURROUNDINGS.search(reason.lower()):
        raise BackupImpossible(f"{name} could not work: {reason}. Nothing was changed; mend that and try again.")
    return f"{name} says: {reason}"


def _newest(name: str) -> str:
    """The newest of these programs on this machine: an older one refuses to dump a newer server."""
    debians = sorted(DEBIANS.glob(f"*/bin/{name}"), key=lambda path: path.parent.parent.name.zfill(3))
    found = str(debians[-1]) if debians else shutil.which(name)
    if found is None:
        raise BackupImpossible(
            f"{name} is missing on this machine. Install Debian's package postgresql-client; nothing was backed up or "
            "restored."
        )
    return found


def _told(url: URL) -> dict[str, str]:
    told = {variable: str(value) for name, variable in _CONNECTION.items() if (value := getattr(url, name)) is not None}
    return told | {f"PG{name.upper()}": value for name, value in url.query.items() if isinstance(value, str)}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process, stopped or not, and all that it has started."""
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _reason(said: str) -> str:
    """The first line that names an error, or else the last one: below it stand hints, and the statement.

    >>> _reason("pg_restore: error: could not execute query: ERROR:  no such type\\nCommand was: CREATE TABLE a (b c);")
    'pg_restore: error: could not execute query: ERROR:  no such type'
    >>> _reason("")
    'nothing'
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if _REASON.search(line)), lines[-1] if lines else "nothing").rstrip(".")
