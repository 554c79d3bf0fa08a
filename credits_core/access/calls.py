"""The last answered calls: what is kept of one, how they are found again, and that only the newest are kept.

What is kept holds no API key: neither the header that it comes in, nor any text that looks like one. Nor does it hold
a provider's response, in which there can be what users wrote. Of a caller without a valid key nothing is kept but the
path and the answer's status and code, so that nobody can fill the disk.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from credits_core.access.keys import KEY_PREFIX
from credits_core.store.tables import ApiCall
from credits_core.values.days import from_microseconds, to_microseconds

LONGEST_BODY = 4 * 1024
"""How many bytes of a body are kept."""
_LONGEST_PATH, _LONGEST_METHOD, _LONGEST_TEXT = 200, 16, 1_000
_LOOKS_LIKE_A_KEY = re.compile(rf"{KEY_PREFIX}[A-Za-z0-9_-]+")
_NUMBER_AT_THE_END = re.compile("/[0-9]+$")
_INSTEAD_OF_A_KEY = f"{KEY_PREFIX}…"
_RESPONSE, _INSTEAD_OF_A_RESPONSE = "response", "not kept, because it may hold what a user wrote"


class Outcome(StrEnum):
    """What became of a call: answered, refused (the caller can do something about it), or failed (we have to)."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Content:
    """What a caller with a valid key sent and read. `answer_body` may be its beginning alone."""

    key_name: str
    query: str = ""
    idempotency_key: str = ""
    request_body: bytes = b""
    answer_body: bytes = b""
    answer_bytes: int = 0
    detail: str = ""
    entry_id: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it was answered. `code` is empty when nothing was refused; no `content` means no valid key."""

    at: datetime
    method: str
    path: str
    status: int
    code: str
    latency_ms: float
    request_id: str
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """What is kept of a body, and how many bytes it had."""

    text: str
    whole_bytes: int

    @property
    def is_cut(self) -> bool:
        """Whether only the beginning is kept."""
        return self.whole_bytes > LONGEST_BODY


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A kept call without what was said. `number` is its own, higher for later ones."""

    number: int
    at: datetime
    method: str
    path: str
    status: int
    code: str
    key_name: str
    latency_ms: float
    request_id: str
    entry_id: int | None


@dataclass(frozen=True, slots=True)
class KeptCall(ListedCall):
    """A kept call in full. `detail` is the sentence of its refusal."""

    query: str
    idempotency_key: str
    detail: str
    request: Body
    answer: Body


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list: what is None does not narrow the list. An empty `key_name` means no valid key.

    A `path` with a slash at its end is the beginning of a path.
    """

    outcome: Outcome | None = None
    code: str | None = None
    key_name: str | None = None
    path: str | None = None
    request_id: str | None = None
    entry_id: int | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the kept calls can be filtered by, in order."""

    codes: Sequence[str]
    key_names: Sequence[str]
    paths: Sequence[str]


def row_of(call: Call) -> dict[str, Any]:
    """The row to keep of a call: every text cut to its column and free of keys and of what no database takes."""
    said = call.content or Content("")
    return {
        "answered_at_us": to_microseconds(call.at),
        "request_id": call.request_id,
        "method": _safe(call.method)[:_LONGEST_METHOD],
        "path": _safe(call.path)[:_LONGEST_PATH],
        "status": call.status,
        "code": call.code,
        "key_name": said.key_name,
        "latency_us": round(call.latency_ms * 1_000),
        "entry_id": said.entry_id,
        "request_bytes": len(said.request_body),
        "answer_bytes": said.answer_bytes,
        "idempotency_key": _safe(said.idempotency_key)[:_LONGEST_TEXT],
        "query": _safe(said.query)[:_LONGEST_TEXT],
        "detail": _safe(said.detail)[:_LONGEST_TEXT],
        "request_body": _kept(_without_response(said.request_body)),
        "answer_body": _kept(said.answer_body),
    }


def keep(connection: Connection, rows: Sequence[Mapping[str, Any]], *, most: int) -> None:
    """Add rows of `row_of`, and delete the oldest calls beyond the newest `most`."""
    connection.execute(insert(ApiCall), [dict(row) for row in rows])
    delete_old(connection, most=most)


def delete_old(connection: Connection, *, most: int) -> int:
    """Delete the oldest calls beyond the newest `most`, and return how many there were."""
    newest = select(func.max(ApiCall.id)).scalar_subquery()
    return connection.execute(delete(ApiCall).where(ApiCall.id <= newest - most)).rowcount


def last_calls(connection: Connection, wanted: CallFilter, *, limit: int) -> list[ListedCall]:
    """The calls that pass the filter, newest first, at most so many."""
    found = select(*_LISTED).where(*_conditions(wanted)).order_by(ApiCall.id.desc()).limit(limit)
    return [ListedCall(**_listed(row)) for row in connection.execute(found)]


def count(connection: Connection, wanted: CallFilter) -> int:
    """How many kept calls pass the filter."""
    return int(connection.execute(select(func.count(ApiCall.id)).where(*_conditions(wanted))).scalar_one())


def find(connection: Connection, *, number: int | None = None, request_id: str | None = None) -> KeptCall | None:
    """The call with this number, or else with this request id; None when there is none, or none any more."""
    asked = ApiCall.request_id == request_id if number is None else ApiCall.id == number
    row = connection.execute(select(ApiCall.__table__).where(asked).limit(1)).one_or_none()
    if row is None:
        return None
    return KeptCall(
        **_listed(row),
        query=row.query,
        idempotency_key=row.idempotency_key,
        detail=row.detail,
        request=Body(row.request_body, row.request_bytes),
        answer=Body(row.answer_body, row.answer_bytes),
    )


def choices(connection: Connection) -> Choices:
    """Which codes, names of keys and paths the kept calls have. A path that nothing is served at is no choice.

    Paths that differ in the number of an entry alone are one choice, the path before it with a slash at the end.
    """
    served = (ApiCall.key_name != "") & ApiCall.code.not_in(("not_found", "method_not_allowed"))
    codes, names, paths = (
        connection.execute(select(column).distinct().where(condition).order_by(column)).scalars().all()
        for column, condition in (
            (ApiCall.code, ApiCall.code != ""),
            (ApiCall.key_name, ApiCall.key_name != ""),
            (ApiCall.path, served),
        )
    )
    return Choices(codes, names, sorted({_NUMBER_AT_THE_END.sub("/", path) for path in paths}))


_LISTED = (
    ApiCall.id,
    ApiCall.answered_at_us,
    ApiCall.method,
    ApiCall.path,
    ApiCall.status,
    ApiCall.code,
    ApiCall.key_name,
    ApiCall.latency_us,
    ApiCall.request_id,
    ApiCall.entry_id,
)


def _listed(row: Any) -> dict[str, Any]:
    return {
        "number": row.id,
        "at": from_microseconds(row.answered_at_us),
        "latency_ms": row.latency_us / 1_000,
        **{name: getattr(row, name) for name in ("method", "path", "status", "code", "key_name", "request_id")},
        "entry_id": row.entry_id,
    }


def _conditions(wanted: CallFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.outcome is not None:
        first, end = {Outcome.ANSWERED: (0, 400), Outcome.REFUSED: (400, 500), Outcome.FAILED: (500, 1_000)}[
            wanted.outcome
        ]
        conditions.append(ApiCall.status.between(first, end - 1))
    for column, asked in (
        (ApiCall.code, wanted.code),
        (ApiCall.key_name, wanted.key_name),
        (ApiCall.request_id, wanted.request_id),
        (ApiCall.entry_id, wanted.entry_id),
    ):
        if asked is not None:
            conditions.append(column == asked)
    if wanted.path is not None:
        is_beginning = wanted.path.endswith("/")
        conditions.append(
            ApiCall.path.startswith(wanted.path, autoescape=True) if is_beginning else ApiCall.path == wanted.path
        )
    return conditions


def _kept(body: bytes) -> str:
    return _safe(body[:LONGEST_BODY].decode("utf-8", "replace"))


def _safe(text: str) -> str:
    # PostgreSQL takes no character NUL, and no database half a surrogate pair, which a field's name can hold.
    storable = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return _LOOKS_LIKE_A_KEY.sub(_INSTEAD_OF_A_KEY, storable)


def _without_response(body: bytes) -> bytes:
    """The body of a request, without the provider's response in it; of a body that is no JSON, what stands before."""
    try:
        fields = json.loads(body)
    except ValueError:
        return body.partition(b'"response"')[0]
    if not isinstance(fields, dict) or _RESPONSE not in fields:
        return body
    return json.dumps(fields | {_RESPONSE: _INSTEAD_OF_A_RESPONSE}, ensure_ascii=False, indent=2).encode(
        "utf-8", "replace"
    )
