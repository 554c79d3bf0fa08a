"""What a caller asks, checked before anything is looked up, and the entry that records it. Reads and writes nothing."""

import hashlib
import re
from datetime import UTC, datetime

from credits_core.errors import InvalidRequest, UnknownEntry
from credits_core.ledger import NewEntry
from credits_core.money import require_credits, require_id
from credits_core.postings import EntryType
from credits_core.pricing import ChargeRequest

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""The first moment that an entry can have, inclusive."""
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of the time that an entry can have, exclusive; a later one may not be shown in another time zone."""
_LARGEST_ENTRY_ID = 2**63 - 1
MAX_TEXT = 500
"""Longest reason or description, in characters."""
_KEY = re.compile(r"[!-~]{1,400}")


def check_charge(request: ChargeRequest) -> None:
    """Nothing, when every field of the request can be accepted.

    Raises:
        InvalidRequest: a field cannot be accepted; a creator and a positive fee come together or not at all.
    """
    for field in ("user_id", "prompt_id", "model_id"):
        require_id(field, getattr(request, field))
    fee_credits = require_credits("creator_fee_credits", request.creator_fee_credits, minimum=0)
    if request.creator_id is not None:
        require_id("creator_id", request.creator_id)
    if (request.creator_id is None) != (fee_credits == 0):
        raise InvalidRequest(
            "creator_id" if request.creator_id is None else "creator_fee_credits",
            "must be given with a creator fee"
            if request.creator_id is None
            else "must be positive when there is a creator",
        )
    if request.expected_total_credits is not None:
        require_credits("expected_total_credits", request.expected_total_credits)


def require_entry_id(entry_id: object) -> int:
    """The number itself when an entry can have it.

    Raises:
        InvalidRequest: it is not a whole number from 1 (True, 1.0 and "5" are not).
        UnknownEntry: it is larger than any entry's number can be.
    """
    if type(entry_id) is not int or entry_id < 1:
        raise InvalidRequest("entry_id", f"must be the number of an entry, from 1, not {entry_id!r}")
    if entry_id > _LARGEST_ENTRY_ID:
        raise UnknownEntry(entry_id)
    return entry_id


def require_text(field: str, text: object, *, minimum: int = 1) -> str:
    """The text without the blanks around it, when that has `minimum` to 500 printable characters.

    Raises:
        InvalidRequest: it is not such a text.
    """
    stripped = text.strip() if type(text) is str else None
    if stripped == "" and minimum:
        raise InvalidRequest(field, "must be given")
    if stripped is None or not minimum <= len(stripped) <= MAX_TEXT or not stripped.isprintable():
        raise InvalidRequest(field, f"must be at most {MAX_TEXT} printable characters")
    return stripped


def new_entry(
    entry_type: EntryType,
    asked: tuple[object, ...],
    *,
    key: str,
    now: datetime,
    actor: str,
    description: str | None = None,
    refunds: int | None = None,
) -> NewEntry:
    """The entry that would record what was asked, with the hash of it; the hash is the same in every process.

    Raises:
        InvalidRequest: the key is not 1 to 400 visible ASCII characters, the time has no zone or is outside 1970 to
            9998, or the actor is no id.
    """
    if type(key) is not str or not _KEY.fullmatch(key):
        raise InvalidRequest("idempotency_key", "must be 1 to 400 visible ASCII characters")
    if now.tzinfo is None or not EARLIEST <= now < LATEST:
        raise InvalidRequest("now", f"must be a time with its zone, from 1970 to 9998, not {now}")
    require_id("actor", actor)
    # ascii() of a tuple of texts, whole numbers and None is the same in every Python version, and faster than JSON.
    request_hash = hashlib.sha256(ascii((entry_type.value, *asked)).encode("ascii")).hexdigest()
    return NewEntry(entry_type, key, request_hash, actor, now, description, refunds)
