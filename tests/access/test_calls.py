"""What is kept of a call, that only the newest are kept, and how they are found."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from credits_core.access import calls
from credits_core.access.calls import Call, CallFilter, Choices, Content, Outcome
from credits_core.store import database
from tests.support.plain_sql import rows, scalar

AT = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
KEY = "pfk_" + "k3Y-_" * 8 + "abc"
CHARGE = "/credits/charge-prompt"
EVERY = CallFilter()


def call(request_id: str = "r1", status: int = 200, code: str = "", *, path: str = CHARGE, **said: object) -> Call:
    content = Content(**({"key_name": "shop"} | said)) if said.get("key_name", "shop") else None  # type: ignore[arg-type]
    return Call(AT, "POST", path, status, code, 1.5, request_id, content)


def keep(engine: Engine, *kept: Call, most: int = 100) -> None:
    made = [calls.row_of(one) for one in kept]
    database.write(engine, lambda connection: calls.keep(connection, made, most=most))


def listed(engine: Engine, wanted: CallFilter = EVERY, limit: int = 100) -> list[str]:
    with database.read(engine) as connection:
        found = [one.request_id for one in calls.last_calls(connection, wanted, limit=limit)]
        assert calls.count(connection, wanted) == len(found) or len(found) == limit
        return found


def test_a_call_is_kept_with_all_that_was_said(engine: Engine) -> None:
    said = Content(
        "shop",
        query="user_id=ada",
        idempotency_key="order-9",
        request_body=b'{"user_id": "ada"}',
        answer_body=b'{"entry_id": 7}',
        answer_bytes=15,
        detail="",
        entry_id=7,
    )
    keep(engine, Call(AT, "POST", CHARGE, 201, "", 2.25, "r1", said))
    with database.read(engine) as connection:
        kept = calls.find(connection, request_id="r1")
        assert kept == calls.find(connection, number=1)
        assert calls.find(connection, request_id="r2") is None
    assert kept is not None
    assert (kept.number, kept.at, kept.method, kept.path, kept.status, kept.code) == (1, AT, "POST", CHARGE, 201, "")
    assert (kept.key_name, kept.latency_ms, kept.entry_id) == ("shop", 2.25, 7)
    assert (kept.query, kept.idempotency_key, kept.detail) == ("user_id=ada", "order-9", "")
    assert (kept.request, kept.answer) == (calls.Body('{"user_id": "ada"}', 18), calls.Body('{"entry_id": 7}', 15))
    assert not kept.request.is_cut


def test_only_the_newest_are_kept(engine: Engine) -> None:
    keep(engine, *(call(f"r{number}") for number in range(1, 6)), most=3)
    assert listed(engine) == ["r5", "r4", "r3"]
    keep(engine, call("r6"), most=3)
    assert listed(engine) == ["r6", "r5", "r4"]
    assert listed(engine, limit=2) == ["r6", "r5"]


@pytest.mark.parametrize(("size", "kept", "is_cut"), [(4_096, 4_096, False), (4_097, 4_096, True)])
def test_a_long_body_is_kept_by_its_beginning(engine: Engine, size: int, kept: int, is_cut: bool) -> None:
    keep(engine, call(request_body=b'"' + b"x" * (size - 2) + b'"', answer_body=b"y" * 4_096, answer_bytes=size))
    with database.read(engine) as connection:
        found = calls.find(connection, number=1)
    assert found is not None
    for body in (found.request, found.answer):
        assert (len(body.text), body.whole_bytes, body.is_cut) == (kept, size, is_cut)


def test_no_key_is_kept_wherever_it_was_sent(engine: Engine) -> None:
    keep(
        engine,
        call(
            path=f"/x/{KEY}",
            query=f"key={KEY}",
            idempotency_key=KEY,
            request_body=json.dumps({"a": KEY}).encode(),
            answer_body=KEY.encode(),
            detail=f"{KEY} is no id",
        ),
        # The body is cut in the middle of a key.
        call("r2", request_body=b'"' + b"x" * 4_080 + KEY.encode() + b'"'),
        call("r3", path=f"/{KEY}", key_name=""),
    )
    text = repr(rows(engine, "SELECT * FROM api_calls"))
    assert KEY[:12] not in text
    assert text.count("pfk_…") == 8


def test_a_providers_response_is_not_kept(engine: Engine) -> None:
    keep(
        engine,
        call(request_body=b'{"user_id": "ada", "response": {"text": "Dear diary"}}'),
        call("r2", request_body=b'{"user_id": "ada", "response": {"text": "Dear diary"'),
        call("r3", request_body=b'{"\\u0072esponse": "Dear diary"}'),
    )
    kept = [text for (text,) in rows(engine, "SELECT request_body FROM api_calls ORDER BY id")]
    assert json.loads(str(kept[0])) == {"user_id": "ada", "response": "not kept, because it may hold what a user wrote"}
    assert kept[1] == '{"user_id": "ada", '
    assert "diary" not in repr(kept)


def test_of_a_caller_without_a_key_nothing_but_the_path_is_kept(engine: Engine) -> None:
    keep(engine, Call(AT, "GET", "/" + "p" * 500, 401, "unauthorized", 0.1, "r1"))
    assert rows(
        engine,
        "SELECT method, path, status, code, key_name, entry_id, request_bytes, answer_bytes, idempotency_key, query,"
        " detail, request_body, answer_body FROM api_calls",
    ) == [("GET", "/" + "p" * 199, 401, "unauthorized", "", None, 0, 0, "", "", "", "", "")]


def test_what_no_database_takes_does_not_hold_up_the_others(engine: Engine) -> None:
    bad = "a\0b\ud800c"
    keep(
        engine,
        call(
            "r1", path=f"/{bad}", query=bad, idempotency_key=bad, detail=bad, request_body=b'"\xff\0', answer_body=b"\0"
        ),
        call("r2"),
    )
    assert listed(engine) == ["r2", "r1"]
    assert scalar(engine, "SELECT path FROM api_calls WHERE id = 1") == "/a\N{REPLACEMENT CHARACTER}b?c"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (CallFilter(), ["r6", "r5", "r4", "r3", "r2", "r1"]),
        (CallFilter(Outcome.ANSWERED), ["r2", "r1"]),
        (CallFilter(Outcome.REFUSED), ["r5", "r4", "r3"]),
        (CallFilter(Outcome.FAILED), ["r6"]),
        (CallFilter(code="unknown_user"), ["r5"]),
        (CallFilter(key_name="till"), ["r2"]),
        (CallFilter(key_name=""), ["r4"]),
        (CallFilter(path="/models"), ["r2"]),
        (CallFilter(path="/credits/entries/"), ["r5", "r3"]),
        (CallFilter(request_id="r3"), ["r3"]),
        (CallFilter(entry_id=17), ["r1"]),
        (CallFilter(Outcome.REFUSED, key_name="shop", path=CHARGE), []),
    ],
)
def test_calls_are_found_by_what_they_were(engine: Engine, wanted: CallFilter, found: list[str]) -> None:
    keep(
        engine,
        call("r1", 399, entry_id=17),
        call("r2", 200, path="/models", key_name="till"),
        call("r3", 400, "unknown_entry", path="/credits/entries/17"),
        call("r4", 401, "unauthorized", path="/nowhere", key_name=""),
        call("r5", 499, "unknown_user", path="/credits/entries/9"),
        call("r6", 500, "internal_error"),
    )
    assert listed(engine, wanted) == found
    with database.read(engine) as connection:
        assert calls.choices(connection) == Choices(
            ["internal_error", "unauthorized", "unknown_entry", "unknown_user"],
            ["shop", "till"],
            [CHARGE, "/credits/entries/", "/models"],
        )
