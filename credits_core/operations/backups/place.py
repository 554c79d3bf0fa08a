"""Where backups are kept: a folder, or any address that fsspec knows, such as S3.

Half a backup is never listed. In a folder a file is written under another name, brought to the disk, and renamed. What
other places write appears as a whole; and everywhere the manifest, without which there is no backup, comes last.
"""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, TypeVar

import fsspec

from credits_core import settings
from credits_core.errors import InvalidRequest
from credits_core.operations.backups import manifest, using
from credits_core.operations.backups.manifest import Drilled, Manifest
from credits_core.operations.backups.refusals import BackupImpossible, UnknownBackup
from credits_core.store import deadline

Result = TypeVar("Result")
ANSWERS_IN_SECONDS = 30
"""How long a place may take for anything but the content of a backup."""
_HALF = ".part"
_OF_A_BACKUP = re.compile(r"credits-\d{8}T\d{6}\.\d{6}Z\.")
"""How the files of backups are named: nobody else's are ever deleted."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place for backups. `address` is for people; it has no password. `is_local`: it is a folder here."""

    address: str
    is_local: bool
    _files: Any
    _root: str

    def manifests(self) -> list[Manifest]:
        """Every backup that is complete, the newest first."""
        texts = (self._text(name) for name in self._names() if _is_manifest(name))
        found = (manifest.from_text(text) for text in texts if text is not None)
        return sorted((one for one in found if one is not None), key=lambda one: one.made_at, reverse=True)

    def named(self, name: str) -> Manifest:
        """The backup of this name.

        Raises:
            UnknownBackup: there is none.
        """
        if "/" not in name and "\\" not in name:
            text = self._text(f"{name}{manifest.SUFFIX}")
            one = None if text is None else manifest.from_text(text)
            if one is not None and one.name == name:
                return one
        raise UnknownBackup(name, self.address)

    def drilled(self, name: str) -> Drilled | None:
        """The result of the last drill of this backup, or None."""
        text = self._text(f"{name}{manifest.DRILL_SUFFIX}")
        return None if text is None else manifest.drill_from_text(text)

    def keep(self, made: Manifest, content: Path) -> None:
        """Take a backup in: first the file, at last the manifest.

        Raises:
            BackupImpossible: the place is full, or may not be written.
        """
        with using.place_named("kept in", self.address):
            self._put(made.file, content)
            self._put_text(f"{made.name}{manifest.SUFFIX}", manifest.to_text(made))

    def keep_drill(self, name: str, drilled: Drilled) -> None:
        """Write down the result of a drill beside the backup."""
        self._put_text(f"{name}{manifest.DRILL_SUFFIX}", manifest.drill_to_text(drilled))

    def fetch(self, made: Manifest, to: Path) -> None:
        """Copy the stored file of a backup to a file here.

        Raises:
            UnknownBackup: the file is not there.
            BackupImpossible: the place does not answer.
        """

        def copy() -> None:
            with self._files.open(self._path(made.file), "rb") as source, to.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)

        try:
            self._long_answer(copy)
        except FileNotFoundError:
            raise UnknownBackup(made.name, self.address) from None

    def delete(self, made: Manifest) -> None:
        """Delete a backup: first the manifest, so that half a backup is not listed meanwhile."""
        for name in (f"{made.name}{manifest.SUFFIX}", f"{made.name}{manifest.DRILL_SUFFIX}", made.file):
            self._remove(name)

    def delete_halves(self, *, older_than: str) -> int:
        """Delete what belongs to no backup and is older than this name, and return how many files that were.

        The files of a backup that is being made have a later name.
        """
        names = self._names()
        whole = {name.removesuffix(manifest.SUFFIX) for name in names if _is_manifest(name)}
        halves = [name for name in names if _OF_A_BACKUP.match(name) and _owner(name) not in whole]
        halves = [name for name in halves if _owner(name) < older_than]
        for name in halves:
            self._remove(name)
        return len(halves)

    def _answer(self, ask: Callable[[], Result]) -> Result:
        return using.answer_of(self.address, ask, seconds=deadline.remaining(ANSWERS_IN_SECONDS))

    def _long_answer(self, ask: Callable[[], Result]) -> Result:
        return using.answer_of(self.address, ask, seconds=settings.backup_minutes() * 60)

    def _names(self) -> list[str]:
        try:
            found = self._answer(lambda: self._files.ls(self._root, detail=False, refresh=True))
        except FileNotFoundError:
            return []
        return [str(path).rpartition("/")[2] for path in found]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _text(self, name: str) -> str | None:
        try:
            return str(self._answer(lambda: self._files.cat_file(self._path(name))).decode("utf-8", errors="replace"))
        except FileNotFoundError:
            return None

    def _put(self, name: str, content: Path) -> None:
        def put() -> None:
            self._files.makedirs(self._root, exist_ok=True)
            if not self.is_local:
                self._files.put_file(str(content), self._path(name))
                return
            with content.open("rb") as source:
                self._write(name, source)

        self._long_answer(put)

    def _put_text(self, name: str, text: str) -> None:
        def put() -> None:
            self._files.makedirs(self._root, exist_ok=True)
            if not self.is_local:
                self._files.pipe_file(self._path(name), text.encode())
                return
            self._write(name, BytesIO(text.encode()))

        self._answer(put)

    def _write(self, name: str, source: IO[bytes]) -> None:
        half = Path(self._path(f"{name}{_HALF}"))
        try:
            with open(half, "wb", opener=_for_its_own_user) as target:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
            half.replace(self._path(name))
        except OSError:
            half.unlink(missing_ok=True)  # on a full disk it would leave no room for the next one
            raise
        sync_folder(Path(self._root))

    def _remove(self, name: str) -> None:
        try:
            self._answer(lambda: self._files.rm_file(self._path(name)))
        except FileNotFoundError:
            return


def place_at(address: str) -> Place:
    """The place at a folder's path, or at an address such as `s3://bucket/credits`. It need not exist yet.

    Raises:
        InvalidRequest: the address is of no kind that fsspec knows.
        BackupImpossible: the package for this kind of address is not installed.
    """
    try:
        files, root = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise BackupImpossible(f"CREDITS_BACKUP_URL cannot be used: {error}.") from None
    except ValueError as error:
        raise InvalidRequest("CREDITS_BACKUP_URL", f"must be a folder or an address such as s3://…: {error}") from None
    is_local = "file" in ([files.protocol] if isinstance(files.protocol, str) else files.protocol)
    return Place(root if is_local else _without_password(address), is_local, files, root.rstrip("/"))


def _for_its_own_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # a backup that is not encrypted is the whole ledger


def sync_folder(folder: Path) -> None:
    """Bring a renamed file's name to the disk."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_password(address: str) -> str:
    """The address without what stands before an @.

    >>> _without_password("ftp://ada:secret@example.org/credits"), _without_password("s3://bucket/credits")
    ('ftp://example.org/credits', 's3://bucket/credits')
    """
    scheme, mark, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"


def _is_manifest(name: str) -> bool:
    return name.startswith("credits-") and name.endswith(manifest.SUFFIX) and not name.endswith(manifest.DRILL_SUFFIX)


def _owner(name: str) -> str:
    """The name of the backup that a file belongs to.

    >>> _owner("credits-20261127T030005.000012Z.db.zst.part")
    'credits-20261127T030005.000012Z'
    """
    return f"{name.partition('Z.')[0]}Z"
