"""The kinds of fields in the API's requests and answers, with their bounds and what to say when one is wrong.

Numbers are never converted: 1.0, "5" and true are not whole numbers.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from credits_core.payments import packs
from credits_core.pricing.units import MAX_COUNT
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.fields import ID_FORM, ID_PATTERN, MAX_TEXT, MODEL_ID_FORM, MODEL_ID_PATTERN

MAX_PAGE = 200
_ID, _MODEL_ID = rf"^{ID_PATTERN}$", rf"^{MODEL_ID_PATTERN}$"
WORDS_PATTERN, _KEY, _CURSOR = r"\S", r"^[!-~]+$", r"^[0-9]{1,18}-[0-9]{1,4}$"
TIER_PATTERN = r"^[A-Za-z0-9_-]{1,32}$"
MEANING_OF_PATTERN = {
    _ID: f"must be {ID_FORM}",
    _MODEL_ID: f"must be {MODEL_ID_FORM}",
    WORDS_PATTERN: "must not be blank",
    TIER_PATTERN: "must be a word such as flex or batch, of at most 32 characters",
    _KEY: "must be 1 to 255 visible ASCII characters",
    _CURSOR: "must be the next_cursor of the previous page",
    packs.ID_PATTERN: "must be the id of a pack, such as starter",
}
"""For each pattern, what to tell a caller whose text does not match it."""
_DIGITS = re.compile(r"[0-9]{1,18}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_YEARS = "^(19[7-9][0-9]|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(9998, 12, 31)


def _digits(text: object) -> int:
    # Query parameters are text; Pydantic alone would take "1.0", " 1" and "1_0" as well.
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    if not isinstance(text, str) or not _DIGITS.fullmatch(text):
        raise ValueError("must be a whole number written in digits")
    return int(text)


def _day(text: object) -> date:
    # Pydantic alone would read a number as seconds since 1970.
    problem = "must be a day from 1970-01-01 to 9998-12-31"
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise ValueError(problem)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(problem) from None
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise ValueError(problem)
    return day


def _time_with_zone(text: object) -> str:
    # Pydantic alone would read a number as seconds or milliseconds since 1970.
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ValueError("must be a time with its zone, such as 2026-11-16T18:15:46Z")
    return text


def _id(description: str, example: str) -> Any:
    return Field(strict=True, pattern=_ID, description=description, examples=[example])


UserId = Annotated[str, _id("The user whose credits these are.", "ada")]
PromptId = Annotated[str, _id("The prompt that is run.", "summarise")]
ModelId = Annotated[
    str,
    Field(
        strict=True,
        pattern=_MODEL_ID,
        description="A model of `GET /api/models`, by id or a name that its provider uses. A cost can be calculated "
        "for any model of the price list.",
        examples=["openai/gpt-4o"],
    ),
]
FlowId = Annotated[str, _id("The flow that is unlocked.", "weekly-report")]
CreatorId = Annotated[str, _id("The creator of the prompt or flow, who receives the creator's share.", "ben")]
Credits = Annotated[int, Field(strict=True, ge=1, le=MAX_CREDITS)]
Fee = Annotated[
    int,
    Field(strict=True, ge=0, le=MAX_CREDITS, description="The creator's fee for the run, in credits; 0 is no fee."),
]
Tokens = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=MAX_COUNT,
        description="In short for a usage with these two counts. A model with a fixed price per run does not use it.",
    ),
]
ExpectedTotal = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        le=MAX_CREDITS,
        description="The price that the user has seen. If the run costs anything else, it is refused.",
    ),
]
EntryId = Annotated[
    int, Field(strict=True, ge=1, le=2**53 - 1, description="The `entry_id` of a write or of a transaction.")
]
Words = Annotated[
    str,
    Field(
        strict=True,
        min_length=1,
        max_length=MAX_TEXT,
        pattern=WORDS_PATTERN,
        description="Printable characters, kept with the entry in the ledger.",
    ),
]
IdempotencyKeyText = Annotated[str, Field(min_length=1, max_length=255, pattern=_KEY)]
CursorText = Annotated[str, Field(pattern=_CURSOR)]
PageSize = Annotated[int, Field(ge=1, le=MAX_PAGE), BeforeValidator(_digits)]
EntryNumber = Annotated[
    int,
    # The bounds come first: after the validator they would not be in the document as JSON Schema's minimum and maximum.
    Field(ge=1, le=2**53 - 1, description="The `entry_id` of a write or of a transaction.", examples=[4_711]),
    BeforeValidator(_digits),
]
PurchaseNumber = Annotated[
    int,
    Field(ge=1, le=2**53 - 1, description="The `purchase_id` of a purchase.", examples=[12]),
    BeforeValidator(_digits),
]
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": _YEARS + "-[0-9]{2}-[0-9]{2}$"}),
]
Moment = Annotated[
    datetime,
    PlainSerializer(lambda moment: moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
PostedAt = Annotated[Moment, Field(description="When the entry was posted. Days count by this time.")]
UsedAt = Annotated[
    AwareDatetime,
    BeforeValidator(_time_with_zone),
    Field(
        description="When the run took place, with its zone; at most five minutes ahead. The entry is dated when it is "
        "posted and has today's price.",
        examples=["2026-11-16T18:15:46Z"],
    ),
]
ExpiresAt = Annotated[
    AwareDatetime,
    BeforeValidator(_time_with_zone),
    Field(
        description="From this time on, what is left of these credits cannot be spent. Without it they never expire.",
        examples=["2027-11-16T00:00:00Z"],
    ),
]
UsedAtAnswer = Annotated[
    Moment | None, Field(description="When the run took place, as the caller said; null where nobody said so.")
]
