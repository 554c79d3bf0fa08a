"""Messages go to every address; one that fails keeps no other from its message and shows no secret."""

import json
import logging
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from credits_core.notices.digest import Message
from credits_core.notices.sending import send

MESSAGE = Message("1 wrong", "No process runs the jobs.")


class _Mailbox(BaseHTTPRequestHandler):
    status = 200
    got: list[dict[str, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).got.append(json.loads(body))
        self.send_response(type(self).status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mailbox() -> Iterator[tuple[str, type[_Mailbox]]]:
    """The address of a server on this machine that takes messages, and what it got."""
    handler = type("Mailbox", (_Mailbox,), {"got": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"json://127.0.0.1:{server.server_port}/hook", handler
        server.shutdown()
        thread.join()


def test_a_message_is_taken_by_each_address(mailbox: tuple[str, type[_Mailbox]]) -> None:
    address, handler = mailbox
    assert send(MESSAGE, [address, f"{address}/second"]) == 2
    assert [(one["title"], one["message"]) for one in handler.got] == [("1 wrong", "No process runs the jobs.")] * 2


def test_without_an_address_nothing_is_sent() -> None:
    assert send(MESSAGE, []) == 0


def test_an_address_that_fails_keeps_no_other_from_its_message(
    mailbox: tuple[str, type[_Mailbox]], caplog: pytest.LogCaptureFixture
) -> None:
    address, handler = mailbox
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        refusing = f"json://ada:secretword@127.0.0.1:{closed.getsockname()[1]}/"
        with caplog.at_level(logging.ERROR, logger="promptflow.notices"):
            assert send(MESSAGE, ["nonsense", refusing, address]) == 1
    assert len(handler.got) == 1
    said = [record.getMessage() for record in caplog.records if record.name == "promptflow.notices"]
    assert said[0] == "address 1 of CREDITS_NOTIFY_URLS is no address that apprise knows"
    assert said[1].startswith("address 2 of CREDITS_NOTIFY_URLS took no message: json://ada:****@127.0.0.1")
    assert "secretword" not in caplog.text


def test_an_address_that_answers_with_an_error_took_no_message(mailbox: tuple[str, type[_Mailbox]]) -> None:
    address, handler = mailbox
    handler.status = 500
    assert send(MESSAGE, [address]) == 0


def test_an_address_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("credits_core.notices.sending._SECONDS_PER_ADDRESS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert send(MESSAGE, [f"json://127.0.0.1:{silent.getsockname()[1]}/"]) == 0
