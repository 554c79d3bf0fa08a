"""A seal: a hash over a record, over what it names, and over the seal before it, so that a later change shows."""

import hashlib

Sealed = tuple[str | int | None, ...]


def seal(record: Sealed, named: Sealed, seal_before: str) -> str:
    """The seal of a record of a journal: `record` are its fields, `named` those of the row that it makes live.

    `seal_before` is the seal of the record before it, empty for the first.
    """
    # ascii() of texts and whole numbers is the same in every Python version.
    return hashlib.sha256(ascii((record, named, seal_before)).encode("ascii")).hexdigest()
