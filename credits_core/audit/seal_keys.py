"""The key that signs seals, Ed25519: in a file outside the database, so that whoever writes there cannot sign.

A file with the public key stands beside it, for whoever shall check signatures and not make any.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from credits_core import settings
from credits_core.audit.check_proof import signed_text
from credits_core.errors import InvalidRequest

_SETTING = "CREDITS_SEAL_KEY_FILE"
_FOR_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class SealKey:
    """A key to check signatures with, and with its private half to sign. `key_id` is a hash of the public half.

    `file` is where the private half lies. The newest head is kept beside it.
    """

    key_id: str
    public: Ed25519PublicKey
    private: Ed25519PrivateKey | None = None
    file: Path | None = None

    def sign(self, seal_hash: str) -> str:
        """The signature of a seal, in hexadecimal."""
        assert self.private is not None, "only whoever has the private half signs"
        return self.private.sign(signed_text(seal_hash)).hex()

    def has_signed(self, seal_hash: object, signature: object) -> bool:
        """Whether this key made the signature of the seal with this hash. In a damaged database both may be no text."""
        if not (isinstance(seal_hash, str) and isinstance(signature, str)):
            return False
        try:
            self.public.verify(bytes.fromhex(signature), signed_text(seal_hash))
        except (InvalidSignature, ValueError):
            return False
        return True


def configured() -> SealKey | None:
    """The key in the file that `CREDITS_SEAL_KEY_FILE` names; None when it is not set.

    Raises:
        InvalidRequest: the file is no such key, has its public half alone, or others than its owner can read it.
    """
    path = settings.seal_key_file()
    if path is None:
        return None
    key = read(path, setting=_SETTING)
    if key.private is None:
        raise InvalidRequest(
            _SETTING,
            f"names {path}, which is a public key; the private one signs. "
            "To check signatures alone, run: python -m credits_core proof verify --public-key FILE",
        )
    return key


def read(path: Path, *, setting: str) -> SealKey:
    """The private or the public key in a file, whose name came from this setting or argument.

    Raises:
        InvalidRequest: the file is no such key, or others than its owner can read a private one.
    """
    try:
        content = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise InvalidRequest(setting, f"names {path}, which cannot be read: {error.strerror}") from None
    is_private = b"PRIVATE KEY" in content
    try:
        key = load_pem_private_key(content, None) if is_private else load_pem_public_key(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, Ed25519PublicKey):
        return SealKey(_id_of(key), key)
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidRequest(setting, f"names {path}, which is no key as `proof new-key` makes it")
    if os.name == "posix" and mode & _FOR_OTHERS:
        raise InvalidRequest(setting, f"names {path}, which others can read: chmod 600 {path}")
    return SealKey(_id_of(key.public_key()), key.public_key(), key, path)


def make(path: Path) -> SealKey:
    """Make a key, write it to a new file that only its owner can read, and its public half to a file beside it.

    Raises:
        InvalidRequest: one of the files is there already. Nothing is written over.
    """
    public_path = path.with_name(f"{path.name}.pub")
    if path.exists() or public_path.exists():
        raise InvalidRequest("FILE", f"{path} or {public_path} is there already, and a key is never written over")
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    _write(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    _write(public_path, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), mode=0o644)
    return SealKey(_id_of(public), public, private, path)


def of_a_copy() -> SealKey:
    """A key that nobody keeps, for a copy that is thrown away: nothing there gets a signature that means something."""
    private = Ed25519PrivateKey.generate()
    return SealKey(_id_of(private.public_key()), private.public_key(), private)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(file, "wb") as opened:
        opened.write(content)


def _id_of(public: Ed25519PublicKey) -> str:
    return sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]
