"""Rate limits, metrics, the log and headers."""

import json
import logging
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from credits_core import logs
from credits_core.api.limits import Limiter
from credits_core.api.resources import Resources
from credits_core.audit import invariants
from credits_core.audit import log as audit_log
from credits_core.audit.finding import Finding, Since
from credits_core.errors import InvalidRequest
from credits_core.store import database
from tests.support import world
from tests.support.api_world import CHARGE, Api, api_over, problem
from tests.support.plain_sql import scalar
from tests.support.redis_server import redis_server


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    with api_over(engine) as api:
        yield api


def _metrics(api: Api, client: TestClient | None = None) -> dict[tuple[str, ...], float]:
    text = (client or api.client).get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_key_that_calls_too_often_is_told_when_to_come_back(sqlite_engine: Engine) -> None:
    with api_over(sqlite_engine, CREDITS_RATE_LIMIT="3/minute") as api:
        # Each address has the limit as well, so the calls come from several.
        callers = [TestClient(api.client.app, client=(f"10.0.0.{number}", 1)) for number in range(4)]
        answers = [caller.get("/api/models", headers=api.headers("admin")) for caller in callers]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert problem(answers[3]) == (429, "rate_limited")
        assert 1 <= int(answers[3].headers["retry-after"]) <= 120
        assert answers[3].json()["retry_after_seconds"] == int(answers[3].headers["retry-after"])
        other = TestClient(api.client.app, client=("10.0.0.9", 1))
        assert other.get("/api/models", headers=api.headers("service")).status_code == 200


def test_an_address_that_guesses_keys_is_stopped(sqlite_engine: Engine) -> None:
    with api_over(sqlite_engine, CREDITS_RATE_LIMIT="3/minute") as api:
        assert [api.get("/api/models", as_="forged").status_code for _ in range(4)] == [401, 401, 401, 429]
        assert api.client.get("/api/health").status_code == 200
        assert TestClient(api.client.app, client=("10.0.0.9", 1)).get("/api/models").status_code == 401


def test_a_limit_ends_with_its_window(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.time()]
    with api_over(sqlite_engine, CREDITS_RATE_LIMIT="2/minute") as api:
        monkeypatch.setattr(time, "time", lambda: now[0])
        assert [api.get("/api/models").status_code for _ in range(3)] == [200, 200, 429]
        now[0] += 121  # the window slides: what was counted in one weighs in the next
        assert api.get("/api/models").status_code == 200


@pytest.mark.parametrize(
    ("limit", "storage", "field"),
    [
        ("many", "memory://", "CREDITS_RATE_LIMIT"),
        ("600/fortnight", "memory://", "CREDITS_RATE_LIMIT"),
        ("0/minute", "memory://", "CREDITS_RATE_LIMIT"),
        ("600/minute", "sqlite:///x", "CREDITS_RATE_LIMIT_STORAGE"),
    ],
)
def test_settings_that_cannot_be_understood_are_refused(limit: str, storage: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Limiter(limit, storage)
    assert caught.value.field == field


def test_servers_that_share_a_redis_share_the_limit(sqlite_engine: Engine, tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        limits = {"CREDITS_RATE_LIMIT": "3/minute", "CREDITS_RATE_LIMIT_STORAGE": url}
        with api_over(sqlite_engine, **limits) as first:
            assert [first.get("/api/models").status_code for _ in range(2)] == [200, 200]
            # The second server of the same database answers the same keys.
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Api, "make_key", lambda *_, **__: None)
                with api_over(sqlite_engine, **limits) as second:
                    second.keys = first.keys
                    assert [second.get("/api/models").status_code for _ in range(2)] == [200, 429]


def test_whoever_pays_does_not_wait_for_a_counter_that_is_gone(
    sqlite_engine: Engine, api_log: pytest.LogCaptureFixture
) -> None:
    world.add(sqlite_engine, "ada", 10_000, key="fund")
    with api_over(sqlite_engine, CREDITS_RATE_LIMIT_STORAGE="redis://127.0.0.1:1") as api:
        assert api.post("/api/credits/charge-prompt", CHARGE).status_code == 201
    assert "the rate limits cannot be counted" in api_log.text


def test_a_storage_that_cannot_be_understood_is_refused_without_its_password() -> None:
    with pytest.raises(InvalidRequest, match=r"not mongo:…") as caught:
        Limiter("1/minute", "mongo://user:secret@host")
    assert "secret" not in str(caught.value)


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_metrics_count_requests_refusals_entries_and_credits(api: Api) -> None:
    for key in ("one", "one", "two"):
        api.post("/api/credits/charge-prompt", CHARGE, key=key)  # 300 credits: 250 inference, 50 revenue
    api.post("/api/credits/charge-prompt", CHARGE | {"model_id": "gpt-4"})
    found = _metrics(api)

    assert found["promptflow_requests_total", "POST", "/credits/charge-prompt", "201"] == 2
    assert found["promptflow_requests_total", "POST", "/credits/charge-prompt", "200"] == 1
    assert found["promptflow_requests_total", "POST", "/credits/charge-prompt", "402"] == 1
    assert found["promptflow_request_duration_seconds_count", "/credits/charge-prompt"] == 4
    assert found["promptflow_refusals_total", "insufficient_credits"] == 1
    assert found["promptflow_entries_total", "prompt_run"] == 2  # the retry wrote nothing
    assert found["promptflow_moved_credits_total", "inference_cost"] == 500
    assert found["promptflow_moved_credits_total", "platform_revenue"] == 100
    assert found["promptflow_circulating_credits",] == 9_400
    assert found["promptflow_platform_revenue_credits",] == 100


def test_metrics_have_no_label_that_a_caller_makes_up(api: Api) -> None:
    assert api.client.request("BREW", "/api/credits/balance").status_code == 401
    assert api.client.request("BREW", "/api/credits/balance", headers=api.headers("admin")).status_code == 405
    api.get("/api/nowhere")
    assert {labels[1:] for labels in _metrics(api) if labels[0] == "promptflow_requests_total"} == {
        ("GET", "/ready", "200"),
        ("other", "none", "401"),
        ("other", "/credits/balance", "405"),
        ("GET", "none", "404"),
    }


def test_metrics_tell_when_the_ledger_was_last_proved(api: Api) -> None:
    before = _metrics(api)
    assert math.isnan(before["promptflow_last_audit_ok",])
    assert math.isnan(before["promptflow_last_audit_age_seconds",])
    findings = invariants.check(api.engine, world.price_book().plans)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    database.write(api.engine, lambda connection: audit_log.record(connection, findings, now=an_hour_ago))
    after = _metrics(api)
    assert after["promptflow_last_audit_ok",] == 1
    assert 3_600 <= after["promptflow_last_audit_age_seconds",] < 3_700
    broken = [Finding("sums", 1, ("something",)), *findings]
    database.write(api.engine, lambda connection: audit_log.record(connection, broken, now=an_hour_ago))
    assert _metrics(api)["promptflow_last_audit_ok",] == 0


def test_an_audit_of_what_is_new_is_no_whole_audit_for_the_metrics(api: Api) -> None:
    assert math.isnan(_metrics(api)["promptflow_last_whole_audit_age_seconds",])
    now = datetime.now(UTC)
    for ago, since in ((timedelta(hours=2), Since(0)), (timedelta(hours=1), Since(2))):
        database.write(
            api.engine,
            lambda connection, at=now - ago, since=since: audit_log.record(connection, [], now=at, since=since),
        )
    after = _metrics(api)
    assert 3_600 <= after["promptflow_last_audit_age_seconds",] < 3_700
    assert 7_200 <= after["promptflow_last_whole_audit_age_seconds",] < 7_300


def test_metrics_keep_the_daily_totals_caught_up(api: Api) -> None:
    api.post("/api/credits/charge-prompt", CHARGE)
    counted = "SELECT SUM(transaction_count) FROM daily_totals"
    assert int(str(scalar(api.engine, counted))) == 2  # of the first credits alone
    assert _metrics(api)["promptflow_circulating_credits",] == 9_700
    assert int(str(scalar(api.engine, counted))) == 2 + 3


def test_metrics_seal_what_is_new_and_name_the_newest_seal(api: Api) -> None:
    found = _metrics(api)
    assert found["promptflow_newest_seal_number",] == 1  # over the first credits, made for this answer
    assert found["promptflow_unsealed_entries",] == 0
    assert 0 <= found["promptflow_newest_seal_age_seconds",] < 100
    api.post("/api/credits/charge-prompt", CHARGE)
    assert _metrics(api)["promptflow_newest_seal_number",] == 2
    assert scalar(api.engine, "SELECT entry_count FROM seals WHERE number = 2") == 1


def test_metrics_are_told_even_where_nothing_can_be_sealed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", "/nowhere/key")
    found = _metrics(api)
    assert math.isnan(found["promptflow_newest_seal_number",])
    assert found["promptflow_unsealed_entries",] == 1


def test_without_the_database_metrics_tell_what_this_process_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.post("/api/credits/charge-prompt", CHARGE)

    async def no_answer(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    monkeypatch.setattr(Resources, "read", no_answer)
    found = _metrics(api)
    assert found["promptflow_entries_total", "prompt_run"] == 1
    assert math.isnan(found["promptflow_circulating_credits",])


def test_metrics_are_for_this_machine_and_for_who_has_the_key(sqlite_engine: Engine) -> None:
    with api_over(sqlite_engine, CREDITS_METRICS_KEY="open sesame") as api:
        elsewhere = TestClient(api.client.app, client=("10.0.0.9", 1))
        assert api.client.get("/metrics").status_code == 200
        assert elsewhere.get("/metrics").status_code == 401
        assert elsewhere.get("/metrics", headers={"Authorization": "Bearer open sesam"}).status_code == 401
        assert elsewhere.get("/metrics", headers={"Authorization": "Bearer open sesame"}).status_code == 200
        two = [("Authorization", "Bearer open sesame"), ("Authorization", "Bearer open sesame")]
        assert elsewhere.get("/metrics", headers=two).status_code == 401
        # A proxy on this machine calls from here for somebody elsewhere.
        for header in ("X-Forwarded-For", "Forwarded"):
            assert api.client.get("/metrics", headers={header: "for=10.0.0.9"}).status_code == 401


def test_without_a_metrics_key_nobody_elsewhere_reads_the_metrics(sqlite_engine: Engine) -> None:
    with api_over(sqlite_engine) as api:
        elsewhere = TestClient(api.client.app, client=("10.0.0.9", 1))
        assert elsewhere.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


# --- log -------------------------------------------------------------------------------------------------------------


def test_the_log_has_a_json_line_for_each_write_and_refusal_and_never_a_key(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("promptflow")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logs.configure()  # to the output of this test
    (handler,) = logger.handlers

    api.get("/api/credits/balance", user_id="ada")
    answer = api.post("/api/credits/charge-prompt", CHARGE, as_="service", key="order-1")
    api.post("/api/credits/charge-prompt", CHARGE, as_="service", key="order-1")
    too_dear = api.post("/api/credits/charge-prompt", CHARGE | {"model_id": "gpt-4"})
    api.get("/api/models", as_="forged")
    handler.flush()
    logger.removeHandler(handler)
    printed = capsys.readouterr().out

    written, replayed, refused = [json.loads(line) for line in printed.splitlines()]
    assert (written["message"], replayed["message"], refused["message"]) == ("written", "replayed", "refused")
    assert refused["request_id"] == too_dear.headers["x-request-id"]
    assert (refused["method"], refused["route"]) == ("POST", "/credits/charge-prompt")
    assert (refused["code"], refused["key_name"]) == ("insufficient_credits", "admin")
    assert written["request_id"] == answer.headers["x-request-id"]
    assert (written["entry_id"], written["entry_type"], written["amount_credits"]) == (2, "prompt_run", -300)
    assert (written["actor"], written["key_name"], written["level"]) == ("api/service", "service", "INFO")
    assert written["latency_ms"] > 0
    assert datetime.fromisoformat(written["time"]).tzinfo is not None
    assert all(key not in printed for key in api.keys.values())
    assert "pfk_" not in printed


# --- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/credits/balance?user_id=ada", "/api/nowhere", "/api/health", "/api/docs"])
def test_every_answer_has_the_security_headers(api: Api, path: str) -> None:
    headers = api.client.get(path, headers=api.headers("admin")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert len(headers["x-request-id"]) == 32


def test_whoever_opens_the_api_in_a_browser_comes_to_its_documentation(api: Api) -> None:
    assert api.client.get("/api").url.path == "/api/docs"


def test_the_documentation_loads_nothing_from_elsewhere(api: Api) -> None:
    page = api.client.get("/api/docs")
    assert "https://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/api/static-offline-docs/{asset}" in page.text
        assert api.client.get(f"/api/static-offline-docs/{asset}").status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_other_origins_may_not_call_unless_they_are_named(sqlite_engine: Engine) -> None:
    ask = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    with api_over(sqlite_engine) as closed:
        answer = closed.client.options("/api/credits/add", headers=ask)
        assert answer.status_code == 401
        assert "access-control-allow-origin" not in answer.headers
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Api, "make_key", lambda *_, **__: None)
        with api_over(sqlite_engine, CREDITS_CORS_ORIGINS="https://shop.example") as opened:
            answer = opened.client.options("/api/credits/add", headers=ask)
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"
            sent = {"Access-Control-Request-Headers": "authorization,content-type,idempotency-key"}
            assert opened.client.options("/api/credits/add", headers=ask | sent).status_code == 200
            told = opened.client.get("/api/health", headers={"Origin": "https://shop.example"}).headers
            assert "Idempotent-Replayed" in told["access-control-expose-headers"]
            other = opened.client.options("/api/credits/add", headers=ask | {"Origin": "https://evil.example"})
            assert "access-control-allow-origin" not in other.headers
