"""Compresses and encrypts the content of a backup, and brings it back: zstandard, then age where a key is set."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyrage
import zstandard

from credits_core.errors import InvalidRequest
from credits_core.operations.backups.manifest import Manifest
from credits_core.operations.backups.refusals import BackupDamaged, BackupLocked

_LEVEL = 6


def pack(content: Path, stored: Path, recipients: tuple[str, ...]) -> None:
    """Compress a file into another one, and encrypt that for these age recipients, where there are any.

    Raises:
        InvalidRequest: a recipient is none.
    """
    keys = [_recipient(one) for one in recipients]
    compressed = stored.with_name(f"{stored.name}.clear") if keys else stored
    with content.open("rb") as source, compressed.open("wb") as target:
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        compressor.copy_stream(source, target, size=content.stat().st_size)
    if keys:
        with compressed.open("rb") as clear, stored.open("wb") as target:
            pyrage.encrypt_io(clear, target, keys)
        compressed.unlink()


def unpack(made: Manifest, stored: Path, content: Path, identity_file: Path | None) -> None:
    """Check the stored file of a backup, decrypt and decompress it into another file.

    Raises:
        BackupDamaged: it is not what the manifest says.
        BackupLocked: it is encrypted, and the identity is missing or another one.
    """
    if stored.stat().st_size != made.stored_bytes:
        problem = f"it has {stored.stat().st_size:,} bytes instead of {made.stored_bytes:,}"
        raise BackupDamaged(made.name, problem)
    if sha256_of(stored) != made.sha256:
        raise BackupDamaged(made.name, "its content has another SHA-256 than its manifest says")
    compressed = stored
    if made.is_encrypted:
        compressed = stored.with_name(f"{stored.name}.clear")
        _decrypt(made, stored, compressed, identity_file)
    try:
        with compressed.open("rb") as source, content.open("wb") as target:
            zstandard.ZstdDecompressor().copy_stream(source, target)
    except zstandard.ZstdError as error:
        raise BackupDamaged(made.name, f"it cannot be decompressed ({error})") from None
    if content.stat().st_size != made.content_bytes:
        problem = f"it becomes {content.stat().st_size:,} bytes instead of {made.content_bytes:,}"
        raise BackupDamaged(made.name, problem)


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _recipient(text: str) -> Any:
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise InvalidRequest(
            "CREDITS_BACKUP_RECIPIENT",
            "must be a public key of age, such as age1…; nothing was backed up",
        ) from None


def require_recipients(recipients: Iterable[str]) -> None:
    """Do nothing where backups can be encrypted for all of these.

    Raises:
        InvalidRequest: one is no public key of age.
    """
    for one in recipients:
        _recipient(one)


def public_keys(identity_file: Path) -> set[str]:
    """The public keys of the identities in a file, as `age-keygen` prints them.

    Raises:
        InvalidRequest: the file cannot be read, or holds no identity of age.
    """
    try:
        return {str(key.to_public()) for key in _identities(identity_file)}
    except _NoIdentity as problem:
        raise InvalidRequest("CREDITS_BACKUP_IDENTITY_FILE", str(problem)) from None


class _NoIdentity(ValueError):
    """Why there is no identity."""


def _identities(file: Path) -> list[Any]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        keys = [pyrage.x25519.Identity.from_str(line.strip()) for line in lines if line.startswith("AGE-SECRET-KEY-")]
    except OSError as error:
        raise _NoIdentity(f"{file} cannot be read: {error.strerror or error}") from None
    except (pyrage.IdentityError, UnicodeDecodeError):
        keys = []
    if not keys:
        raise _NoIdentity(f"{file} has no identity of age")
    return keys


def _decrypt(made: Manifest, stored: Path, clear: Path, identity_file: Path | None) -> None:
    if identity_file is None:
        raise BackupLocked(made.name, "CREDITS_BACKUP_IDENTITY_FILE is not set")
    try:
        keys = _identities(identity_file)
    except _NoIdentity as problem:
        raise BackupLocked(made.name, str(problem)) from None
    try:
        with stored.open("rb") as source, clear.open("wb") as target:
            pyrage.decrypt_io(source, target, keys)
    except pyrage.DecryptError:
        raise BackupLocked(made.name, f"the identity in {identity_file} does not open it") from None
    except OSError as error:
        if error.errno is not None:  # of the system, such as a full disk: the backup may be as good as ever
            raise
        raise BackupDamaged(made.name, f"it cannot be decrypted ({error})") from None
