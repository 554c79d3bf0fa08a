"""What callers ask for: checks requests before anything is looked up, and makes the new entry. Reads no database."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeGuard

from credits_core.errors import InvalidRequest
from credits_core.ledger.refusals import UnknownEntry
from credits_core.pricing.units import Usage, parse_usage
from credits_core.store.kinds import EntryType
from credits_core.values.credits import require_credits
from credits_core.values.days import EARLIEST, LATEST, to_microseconds
from credits_core.values.fields import require_id, require_model_id
from credits_core.values.roles import Actor

MAX_AHEAD = timedelta(minutes=5)
"""How far the time of use may lie ahead of the ledger's clock: two machines' clocks differ a little."""
SHORTEST_HOLD, LONGEST_HOLD = timedelta(seconds=1), timedelta(days=1)
_LARGEST_ENTRY_ID = 2**63 - 1
_KEY = re.compile(r"[!-~]{1,400}")
_TIER = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A business event that is about to be posted."""

    type: EntryType
    idempotency_key: str
    request_hash: str
    actor: str
    created_at: datetime
    description: str | None = None
    refunds_entry_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One run of a prompt to be charged.

    `creator_id` and a positive `creator_fee_credits` come together or not at all. Token counts are needed for a model
    priced per token and ignored for one priced per run. With `expected_total_credits` the charge is refused when it
    would cost anything else. `used_at` is when the run took place, where that is not when it is charged; an entry is
    always dated when it is posted.
    """

    user_id: str
    prompt_id: str
    model_id: str
    creator_id: str | None = None
    creator_fee_credits: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    expected_total_credits: int | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    used_at: datetime | None = None

    @property
    def as_asked(self) -> tuple[object, ...]:
        """What the hash of the request is taken of. What came later is left out where it is not used, so that a request
        of an earlier version has the same hash."""
        asked = (
            self.user_id,
            self.prompt_id,
            self.model_id,
            self.creator_id,
            self.creator_fee_credits,
            self.input_tokens,
            self.output_tokens,
            self.expected_total_credits,
        )
        if self.used_at is not None:
            return (*asked, self.usage, self.service_tier, to_microseconds(self.used_at))
        return asked if self.usage is None and self.service_tier is None else (*asked, self.usage, self.service_tier)


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Credits to set aside for one run: the price of the most that it may use, or `asked_credits`.

    The fields are those of `ChargeRequest`. Usage or token counts are the most that is expected. After `lasts` the hold
    expires.
    """

    user_id: str
    prompt_id: str
    model_id: str
    creator_id: str | None = None
    creator_fee_credits: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    asked_credits: int | None = None
    lasts: timedelta = timedelta(minutes=15)

    @property
    def run(self) -> ChargeRequest:
        """The run that the hold is for, with the most that it may use."""
        return ChargeRequest(
            self.user_id,
            self.prompt_id,
            self.model_id,
            self.creator_id,
            self.creator_fee_credits,
            self.input_tokens,
            self.output_tokens,
            usage=self.usage,
            service_tier=self.service_tier,
        )

    @property
    def as_asked(self) -> tuple[object, ...]:
        """What the hash of the request is taken of."""
        run = (*self.run.as_asked[:7], self.usage, self.service_tier)
        return ("hold", *run, self.asked_credits, self.lasts // timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """What the run of a hold really used. A run has the hold's service tier where none is given."""

    usage: Usage | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    service_tier: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge request with its own key, time and actor, as a batch takes it; the rest as `actions.charge_prompt`."""

    request: ChargeRequest
    key: str
    now: datetime
    actor: Actor
    priced_at: datetime | None = None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class UnlockRequest:
    """One user's unlock of one flow, for a positive fee that goes to the creator and the platform."""

    user_id: str
    flow_id: str
    creator_id: str
    unlock_fee_credits: int


def check_charge(request: ChargeRequest, *, now: datetime) -> None:
    """Check every field of the request.

    Raises:
        InvalidRequest: a field cannot be accepted; a creator and a positive fee come together or not at all; the time
            of use lies more than five minutes after `now`.
    """
    for field in ("user_id", "prompt_id"):
        require_id(field, getattr(request, field))
    require_model_id("model_id", request.model_id)
    if request.usage is not None and parse_usage(dict(request.usage)) != request.usage:
        raise InvalidRequest("usage", "must be as parse_usage gives it")
    if request.service_tier is not None and not _TIER.fullmatch(request.service_tier):
        raise InvalidRequest("service_tier", "must be a word such as flex or batch, of at most 32 characters")
    fee_credits = require_credits("creator_fee_credits", request.creator_fee_credits, minimum=0)
    if request.creator_id is not None:
        require_id("creator_id", request.creator_id)
    if (request.creator_id is None) != (fee_credits == 0):
        raise InvalidRequest(
            "creator_id" if request.creator_id is None else "creator_fee_credits",
            "must be given when there is a creator fee"
            if request.creator_id is None
            else "must be positive when there is a creator",
        )
    if request.expected_total_credits is not None:
        require_credits("expected_total_credits", request.expected_total_credits)
    if request.used_at is not None:
        require_used_at(request.used_at, now=now)


def check_hold(request: HoldRequest, *, now: datetime) -> None:
    """Check every field of the request.

    Raises:
        InvalidRequest: a field cannot be accepted, as `check_charge`; usage and an amount are both given; the hold
            would last less than a second or more than a day.
    """
    check_charge(request.run, now=now)
    if request.asked_credits is not None:
        require_credits("amount_credits", request.asked_credits)
        if (request.usage, request.input_tokens, request.output_tokens) != (None, None, None):
            raise InvalidRequest("amount_credits", "must not be given together with a usage: the usage has its price")
    if not SHORTEST_HOLD <= request.lasts <= LONGEST_HOLD:
        raise InvalidRequest("expires_in_seconds", "must be from 1 to 86,400, which is a day")


def require_used_at(used_at: datetime, *, now: datetime) -> datetime:
    """The time itself, when a run can have taken place then.

    Raises:
        InvalidRequest: it has no zone, lies before 1970, or more than five minutes after `now`.
    """
    if used_at.tzinfo is None or not EARLIEST <= used_at < LATEST:
        raise InvalidRequest("used_at", f"must be a time with its zone, from 1970 to 9998, not {used_at}")
    if used_at > now + MAX_AHEAD:
        raise InvalidRequest(
            "used_at", f"must not be more than five minutes ahead of the ledger's clock, {now:%Y-%m-%d %H:%M:%S} UTC"
        )
    return used_at


def require_expiry(expires_at: datetime, *, now: datetime) -> datetime:
    """The time itself, when credits that are added now can expire then.

    Raises:
        InvalidRequest: it has no zone, lies before 1970 or after 9998, or is not after `now`.
    """
    if expires_at.tzinfo is None or not EARLIEST <= expires_at < LATEST:
        raise InvalidRequest("expires_at", f"must be a time with its zone, from 1970 to 9998, not {expires_at}")
    if expires_at <= now:
        raise InvalidRequest("expires_at", f"must be after now, {now:%Y-%m-%d %H:%M:%S} UTC")
    return expires_at


def require_entry_id(entry_id: object) -> int:
    """The number itself, when it can be an entry's number.

    Raises:
        InvalidRequest: it is not a whole number, 1 or more (True, 1.0 and "5" are not).
        UnknownEntry: it is larger than any entry's number can be.
    """
    if type(entry_id) is not int or entry_id < 1:
        raise InvalidRequest("entry_id", f"must be an entry number, 1 or more, not {entry_id!r}")
    if entry_id > _LARGEST_ENTRY_ID:
        raise UnknownEntry(entry_id)
    return entry_id


def refund_request(
    entry_id: int, reason: str, provider_refunded: object, amount_credits: int | None = None
) -> tuple[int | str, ...]:
    """What the hash of a request for a refund is taken of.

    Without an amount, and without a provider's refund, it is as in earlier versions.

    Raises:
        InvalidRequest: `provider_refunded` is neither True nor False, or the amount no whole number from 1 to 2^53-1.
    """
    if type(provider_refunded) is not bool:
        raise InvalidRequest("provider_refunded", f"must be true or false, not {provider_refunded!r}")
    if amount_credits is not None:
        return entry_id, reason, provider_refunded, require_credits("amount_credits", amount_credits)
    return (entry_id, reason, True) if provider_refunded else (entry_id, reason)


def is_key(text: object) -> TypeGuard[str]:
    """Whether `new_entry` accepts the text as an idempotency key."""
    return type(text) is str and _KEY.fullmatch(text) is not None


def new_entry(
    entry_type: EntryType,
    asked: tuple[object, ...],
    *,
    key: str,
    now: datetime,
    actor: Actor,
    description: str | None = None,
    refunds: int | None = None,
) -> NewEntry:
    """The entry that will record the request, with the request's hash, which is the same in every process.

    Raises:
        InvalidRequest: the key is not 1 to 400 visible ASCII characters, the time has no zone or is outside 1970 to
            9998, or the actor is not an id.
    """
    if not is_key(key):
        raise InvalidRequest("idempotency_key", "must be 1 to 400 visible ASCII characters")
    if now.tzinfo is None or not EARLIEST <= now < LATEST:
        raise InvalidRequest("now", f"must be a time with its zone, from 1970 to 9998, not {now}")
    recorded = require_id("actor", actor.recorded)
    return NewEntry(entry_type, key, hash_of(entry_type, asked), recorded, now, description, refunds)


def hash_of(entry_type: EntryType, asked: tuple[object, ...]) -> str:
    """The hash of a request, which is the same in every process."""
    # ascii() of a tuple of texts, whole numbers and None is the same in every Python version, and faster than JSON.
    return hashlib.sha256(ascii((entry_type.value, *asked)).encode("ascii")).hexdigest()
