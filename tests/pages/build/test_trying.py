"""Sending a call from the screen: it really is sent to this server, and its answer is shown."""

import http.server
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from pages.build import sending
from pages.build.examples import Example
from pages.build.sending import Answer, NoAnswer, Server
from tests.support import plain_sql
from tests.support.page_driver import choose, click, links, open_page, run
from tests.support.waiting import wait_until

KEYS_OF_ENTRIES = "SELECT idempotency_key FROM journal_entries WHERE id > 1 ORDER BY id"
BALANCE = Example("Balance", "/api/credits/balance", "", query=(("user_id", "ada"),))


def charge_page(**query: str) -> AppTest:
    """The charge of 5,400 credits, with a key to send it with: 1,000 × 2.5 + 200 × 10, and 20 % of it."""
    return click(
        open_page("build/api_console.py", example="Charge", model="openai/gpt-4o", **query), "Make a key for today"
    )


def said(page: AppTest) -> list[str]:
    """The badges, the refusal and the captions of an answer."""
    return [
        *(found.value for found in page.markdown if "badge[" in found.value),
        *(f"{error.proto.title} | {error.value}".replace("\\", "") for error in page.error),
    ]


def answer(page: AppTest) -> dict[str, object]:
    """The JSON that was answered."""
    found = [code.value for code in page.code if code.proto.language == "json"]
    answered: dict[str, object] = json.loads(found[0])
    return answered


def write_body(page: AppTest, body: str) -> AppTest:
    page.text_area[0].set_value(body)
    return run(page)


def test_a_charge_is_sent_once_and_again_it_says_that_it_was_repeated(ledger: Engine, api: str) -> None:
    page = click(charge_page(), "Send")
    assert said(page) == [":green-badge[201 Created]"]
    assert (answer(page)["total_credits"], answer(page)["replayed"]) == (5_400, False)
    assert links(page)["Entry 2"] == ("history", "to_entry=2&anew=")
    assert links(page)["Explain this charge"] == ("explain-charge", "to_entry=2&anew=")
    click(page, "Send")
    assert said(page) == [
        ":green-badge[200 OK]",
        ":blue-badge[:material/content_copy: Repeated, not charged again]",
    ]
    assert answer(page)["replayed"] is True
    assert plain_sql.balance(ledger, "ada") == 994_600
    click(click(page, "New idempotency key"), "Send")
    assert said(page) == [":green-badge[201 Created]"]
    assert plain_sql.balance(ledger, "ada") == 989_200
    first, second = (str(key) for (key,) in plain_sql.rows(ledger, KEYS_OF_ENTRIES))
    assert first != second
    for key in (first, second):
        caller, name, mark, _ = key.split(":")
        assert (caller, name[:4], mark) == ("caller", "try-", "dashboard")


def test_the_answer_says_how_to_find_the_call_again(ledger: Engine, api: str) -> None:
    page = click(charge_page(), "Send")
    kept = "SELECT request_id FROM api_calls"
    wait_until(lambda: len(plain_sql.rows(ledger, kept)) == 1)
    captions = [caption.value for caption in page.caption]
    assert f"X-Request-Id {plain_sql.scalar(ledger, kept)}" in captions
    assert any(caption.startswith("POST /api/credits/charge\\-prompt in ") for caption in captions)


def test_a_refused_charge_says_why_and_what_to_do(ledger: Engine, api: str) -> None:
    page = charge_page()
    body = {"user_id": "ada", "prompt_id": "p", "model_id": "openai/gpt-4o", "input_tokens": 400_000_000}
    click(write_body(page, json.dumps(body | {"output_tokens": 1})), "Send")
    badge, refusal = said(page)
    assert badge == ":orange-badge[402 Payment Required]"
    title, _, rest = refusal.partition(" | ")
    assert title.startswith("ada has 1,000,000 credits, but this takes ")
    assert rest.startswith("Nothing was charged")
    assert "`insufficient_credits`: let the user buy the difference, send the same request again" in rest
    assert links(page)["Balance of ada"] == ("balances", "to_user=ada&anew=")
    assert "Entry 2" not in links(page)


def test_what_is_no_json_is_sent_as_it_is(ledger: Engine, api: str) -> None:
    page = click(write_body(charge_page(), '{"user_id": '), "Send")
    assert said(page)[1].startswith("body: is not valid JSON | `invalid_request`: correct the fields")


def test_a_changed_body_is_another_request_with_a_key_of_its_own(ledger: Engine, api: str) -> None:
    page = click(charge_page(), "Send")
    body = json.loads(page.text_area[0].value)
    click(write_body(page, json.dumps(body | {"output_tokens": 300})), "Send")
    assert answer(page)["total_credits"] == 6_600  # 5,500 and 20 % of it
    assert len(plain_sql.rows(ledger, KEYS_OF_ENTRIES)) == 2


def test_a_call_without_a_key_is_refused_and_with_a_pasted_one_answered(ledger: Engine, api: str) -> None:
    page = click(open_page("build/api_console.py"), "Send")
    assert said(page) == [
        ":orange-badge[401 Unauthorized]",
        "The request has no key | Send a valid key as: Authorization: Bearer pfk_…\n\n"
        "`unauthorized`: send a valid key as `Authorization: Bearer pfk_…`.",
    ]
    click(page, "Make a key for today")
    key = next(code.value for code in page.code if code.value.startswith("pfk_"))
    click(page, "Use another key")
    click(choose(page, api_key=f" {key} "), "Send")
    assert said(page) == [":green-badge[200 OK]"]
    assert answer(page) == {
        "user_id": "ada",
        "balance_credits": 1_000_000,
        "balance_usd": "1.000000",
        "held_credits": 0,
        "frozen_credits": 0,
        "owed_credits": 0,
    }


@pytest.mark.parametrize("typed", ["schlüssel", "a\nb", "key with blanks", "k" * 5_000])
def test_whatever_is_pasted_as_a_key_is_refused_and_no_more(ledger: Engine, api: str, typed: str) -> None:
    page = click(choose(open_page("build/api_console.py"), api_key=typed), "Send")
    assert said(page)[0] == ":orange-badge[401 Unauthorized]"


def test_a_key_for_today_is_a_service_key_that_ends_in_a_day(ledger: Engine) -> None:
    page = click(open_page("build/api_console.py"), "Make a key for today")
    ((role, hours),) = plain_sql.rows(
        ledger, "SELECT role, (expires_at_us - created_at_us + 1000000) / 3600000000 FROM api_keys"
    )
    assert (role, hours) == ("service", 24)
    assert [code.value for code in page.code if code.value.startswith("pfk_")] == [page.session_state["key:in-use"].key]


def test_a_server_that_does_not_answer_is_said(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "this_server", lambda: Server("127.0.0.1", 1))
    page = click(open_page("build/api_console.py"), "Send")
    assert page.error[0].proto.title == "No answer"
    assert "Connection refused" in page.error[0].value.replace("\\", "")


def test_an_edited_body_stands_in_the_examples(ledger: Engine) -> None:
    page = write_body(charge_page(), '{"create_distinct": true, "used_at": null}')
    in_shell, in_python = (code.value for code in page.code if "charge-prompt" in code.value)
    assert """-d '{"create_distinct": true, "used_at": null}'""" in in_shell
    assert "body = {'create_distinct': True, 'used_at': None}" in in_python
    assert "Idempotency-Key: dashboard:" in in_shell
    in_python = next(code.value for code in write_body(page, "no JSON").code if "urllib" in code.value)
    assert "body = 'no JSON'" in in_python
    assert "data=body.encode()," in in_python


# --- where it is sent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "host"),
    [(None, "127.0.0.1"), ("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.7", "10.0.0.7")],
)
def test_it_is_sent_to_the_address_that_the_server_listens_at(
    monkeypatch: pytest.MonkeyPatch, address: str | None, host: str
) -> None:
    options = {"server.address": address, "server.port": 8600, "server.sslCertFile": None}
    monkeypatch.setattr(st, "get_option", options.get)
    assert sending.this_server() == Server(host, 8600)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Server]:
    """A server with a certificate that it signed itself, for a public name."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: install Debian's package openssl")
    certificates = []
    for name in ("own", "other"):
        key, certificate = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        made += ["-subj", "/CN=credits.example.org", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(made, check=True, capture_output=True)
        certificates.append(certificate)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"user_id": "ada"}')

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates[0], tmp_path / "own.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Server("127.0.0.1", server.server_port, str(certificates[0]))
    server.shutdown()
    thread.join(120)
    server.server_close()


def test_a_server_with_a_certificate_must_show_this_one(secure: Server, tmp_path: Path) -> None:
    answered = sending.send(BALANCE, key="k", server=secure)
    assert isinstance(answered, Answer)
    assert answered.fields == {"user_id": "ada"}
    other = Server(secure.host, secure.port, str(tmp_path / "other.pem"))
    refused = sending.send(BALANCE, key="k", server=other)
    assert isinstance(refused, NoAnswer)
    assert "certificate" in refused.reason.lower()
