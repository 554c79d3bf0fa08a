"""What the API answers when a path, the database or the caller is not there, and that the log knows why."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.testclient import TestClient
from starlette.types import Message

from credits_core.api.resources import Resources
from credits_core.ledger import actions
from credits_core.store import database
from tests.support import world
from tests.support.api_world import CHARGE, FORGED, Api, api_over, client_of, problem
from tests.support.plain_sql import alone_on_postgres, every_row, rows


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    with api_over(engine) as api:
        yield api


def test_a_wrong_path_and_a_wrong_method_are_problems_too(api: Api) -> None:
    assert problem(api.get("/api/credits/nothing")) == (404, "not_found")
    answer = api.client.delete("/api/credits/add", headers=api.headers("admin"))
    assert problem(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "status"), [("/api/health", 200), ("/api/ready", 200), ("/api/models", 401), ("/api/nowhere", 401)]
)
def test_head_is_answered_as_get_is(api: Api, path: str, status: int) -> None:
    head, get = api.client.head(path), api.client.get(path)
    assert head.status_code == get.status_code == status
    assert head.headers["content-length"] == get.headers["content-length"]


def test_a_database_that_cannot_be_opened_is_a_503_and_the_log_says_why(
    tmp_path: Path, api_log: pytest.LogCaptureFixture
) -> None:
    with client_of(f"sqlite:///{tmp_path}/missing/credits.db") as client:
        answers = [
            client.get(path, headers={"Authorization": f"Bearer {FORGED}"}) for path in ("/api/ready", "/api/models")
        ]

    assert [problem(answer) for answer in answers] == [(503, "database_unavailable")] * 2
    assert "missing" not in answers[0].text
    assert "missing" in str(api_log.records[0].exc_info[1])  # type: ignore[index]


def test_a_wrong_setting_of_the_demo_is_a_503_too_and_the_log_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api_log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CREDITS_DEMO", "1")
    monkeypatch.setenv("CREDITS_DEMO_END", "soon")
    with client_of(f"sqlite:///{tmp_path}/credits.db") as client:
        answer = client.get("/api/ready")

    assert problem(answer) == (503, "database_unavailable")
    assert "CREDITS_DEMO_END" in str(api_log.records[0].exc_info[1])  # type: ignore[index]


def test_a_failure_of_ours_tells_the_caller_a_number_and_the_log_the_rest(
    api: Api, monkeypatch: pytest.MonkeyPatch, api_log: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(actions, "charge_prompts", fail)
    answer = api.post("/api/credits/charge-prompt", CHARGE)

    assert problem(answer) == (500, "internal_error")
    assert "secret" not in answer.text
    (failure,) = [record for record in api_log.records if record.exc_info and hasattr(record, "request_id")]
    assert failure.request_id == answer.json()["request_id"]  # type: ignore[attr-defined]
    assert "the secret inside" in str(failure.exc_info[1])  # type: ignore[index]
    assert rows(api.engine, "SELECT COUNT(*) FROM prompt_runs") == [(0,)]


def test_a_database_that_does_not_answer_is_a_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_answer(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    monkeypatch.setattr(Resources, "charge", no_answer)
    answer = api.post("/api/credits/charge-prompt", CHARGE)
    assert problem(answer) == (503, "database_unavailable")
    assert "refused" not in answer.text


@pytest.mark.parametrize(
    "failure",
    [
        database.sqlite_driver().OperationalError("attempt to write a readonly database"),
        psycopg.OperationalError("the server is gone"),
        OSError(24, "Too many open files"),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_what_a_driver_or_a_file_says_of_a_database_out_of_reach_is_a_503_too(
    api: Api, monkeypatch: pytest.MonkeyPatch, failure: Exception, content_type: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(actions, "charge_prompts", fail)
    with TestClient(api.client.app) as strict:  # which passes on what is raised beyond the answer
        headers = api.headers("admin") | {"Idempotency-Key": "k", "Content-Type": content_type}
        answer = strict.post("/api/credits/charge-prompt", json=CHARGE, headers=headers)
    assert problem(answer) == (503, "database_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert str(failure) not in answer.text


def test_an_empty_database_is_made_ready_on_sqlite_and_not_held_open_on_postgres(empty_engine: Engine) -> None:
    with client_of(empty_engine.url.render_as_string(hide_password=False)) as client:
        answers = [client.get("/api/ready") for _ in range(5)]
        if empty_engine.dialect.name == "postgresql":
            assert [problem(answer) for answer in answers] == [(503, "database_not_ready")] * 5
            assert alone_on_postgres(empty_engine)
        else:
            assert [answer.status_code for answer in answers] == [200] * 5


def test_a_failure_while_the_key_is_looked_up_is_a_problem_and_logged(
    tmp_path: Path, api_log: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "credits.db").write_bytes(b"no database" * 1_000)
    with client_of(f"sqlite:///{tmp_path}/credits.db") as client:
        answer = client.get("/api/models", headers={"Authorization": f"Bearer {FORGED}"})

    assert problem(answer) == (500, "internal_error")
    (failure,) = [record for record in api_log.records if record.exc_info and hasattr(record, "request_id")]
    assert failure.request_id == answer.json()["request_id"]  # type: ignore[attr-defined]


def test_what_the_database_refuses_is_answered_once_and_logged_once(
    api: Api, monkeypatch: pytest.MonkeyPatch, api_log: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise IntegrityError("INSERT", {}, Exception("a rule of the table"))

    monkeypatch.setattr(actions, "charge_prompts", fail)
    with TestClient(api.client.app) as strict:  # which passes on what is raised beyond the answer
        headers = api.headers("admin") | {"Idempotency-Key": "k"}
        answer = strict.post("/api/credits/charge-prompt", json=CHARGE, headers=headers)
    assert problem(answer) == (500, "internal_error")
    assert len([record for record in api_log.records if record.exc_info]) == 1


def test_a_caller_who_goes_before_the_end_of_the_body_is_answered_nothing(api: Api) -> None:
    sent: list[Message] = []
    waiting = [{"type": "http.request", "body": b'{"user', "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), text.encode()) for name, text in api.headers("admin").items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/credits/add",
        "raw_path": b"/api/credits/add",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "scheme": "http",
    }
    before = every_row(api.engine)
    asyncio.run(api.client.app(scope, receive, send))
    assert (sent, every_row(api.engine)) == ([], before)


@pytest.mark.as_owner
def test_a_database_of_another_version_is_a_503_and_not_ready(postgres_engine: Engine) -> None:
    with api_over(postgres_engine) as api:
        with postgres_engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        assert problem(api.client.get("/api/ready")) == (503, "database_not_ready")
        assert api.client.get("/api/health").json() == {"status": "ok"}
