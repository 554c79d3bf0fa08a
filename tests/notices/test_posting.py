"""One try at a receiver: what is sent, and that no receiver can lead us elsewhere, keep us long or send us much."""

import socket
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from credits_core.notices import posting
from tests.support import receiver
from tests.support.receiver import RESET, SILENT, TRICKLE, Receiver


def send(to: Receiver) -> posting.Answer:
    return posting.post(to.url, '{"data":{}}', {"webhook-id": "msg_1"}, listed=[to.host])


def test_a_receiver_gets_the_body_and_the_headers_and_its_answer_is_kept() -> None:
    with receiver.listening() as to:
        assert send(to) == posting.Answer(200, "thanks")
        assert (to.bodies, to.headers[0]["webhook-id"]) == (['{"data":{}}'], "msg_1")
        assert to.headers[0]["host"] == to.host


@pytest.mark.parametrize("status", [300, 302, 307, 400, 410, 500, 503])
def test_only_a_status_of_200_to_299_takes_an_event_and_no_redirect_is_followed(status: int) -> None:
    with receiver.listening() as to:
        to.answers = lambda _: status
        answer = send(to)
        assert (answer.status, answer.is_taken, to.tries) == (status, False, 1)


@pytest.mark.parametrize("does", [RESET, SILENT, TRICKLE])
def test_a_receiver_that_cuts_or_holds_the_connection_is_left_in_time(
    monkeypatch: pytest.MonkeyPatch, does: int
) -> None:
    monkeypatch.setattr(posting, "SECONDS_BETWEEN_BYTES", 0.5)
    monkeypatch.setattr(posting, "SECONDS_IN_ALL", 1)
    with receiver.listening() as to:
        to.answers = lambda _: does
        began = time.monotonic()
        answer = send(to)
        assert (answer.status, answer.said[:9]) == (None, "No answer")
        assert time.monotonic() - began < 2.5


def limited(monkeypatch: pytest.MonkeyPatch, between: float, in_all: float) -> None:
    monkeypatch.setattr(posting, "SECONDS_BETWEEN_BYTES", between)
    monkeypatch.setattr(posting, "SECONDS_IN_ALL", in_all)


def slow_names(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[str]:
    """Has every name looked up in so many seconds; the list says which were."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def getaddrinfo(host: str, *given: Any, **named: Any) -> Any:
        if host == "localhost":
            asked.append(host)
            time.sleep(seconds)
            return really("127.0.0.1", *given, **named)
        return really(host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_takes_long_to_find_is_left_in_time_and_asked_for_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited(monkeypatch, 5, 0.4)
    asked = slow_names(monkeypatch, 2)
    with receiver.listening() as to:
        began = time.monotonic()
        for _ in range(3):
            answer = posting.post(f"http://localhost:{to.port}/", "{}", {}, listed=["localhost"])
            assert (answer.status, answer.said) == (None, "No answer within 0.4 seconds.")
        assert time.monotonic() - began < 1.8
        assert (asked, to.tries) == (["localhost"], 0)
        until = time.monotonic() + 20
        while not posting.post(f"http://localhost:{to.port}/", "{}", {}, listed=["localhost"]).is_taken:
            assert time.monotonic() < until
            slow_names(monkeypatch, 0)
    assert to.tries == 1


def test_what_finding_the_name_took_is_part_of_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 5, 1.5)
    slow_names(monkeypatch, 1)
    with receiver.listening() as to:
        to.answers = lambda _: TRICKLE
        began = time.monotonic()
        answer = posting.post(f"http://localhost:{to.port}/", "{}", {}, listed=["localhost"])
        assert (answer.said, to.tries) == ("No answer within 1.5 seconds.", 1)
        assert time.monotonic() - began < 2.2


@pytest.mark.parametrize("drips", [False, True])
def test_a_receiver_that_never_agrees_on_encryption_is_left_in_time(
    monkeypatch: pytest.MonkeyPatch, drips: bool
) -> None:
    limited(monkeypatch, 5, 0.8)
    ended = Event()

    def serve(listening: socket.socket) -> None:
        asked, _ = listening.accept()
        with asked, suppress(OSError):
            asked.sendall(b"\x16\x03\x03\x3f\xff\x02" if drips else b"")  # the beginning of a long handshake
            while not ended.wait(0.05):
                asked.sendall(b"\x00" if drips else b"")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=serve, args=[listening])
        thread.start()
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        began = time.monotonic()
        answer = posting.post(f"https://{host}/", "{}", {}, listed=[host])
        took = time.monotonic() - began
        ended.set()
        thread.join()
    assert (answer.status, answer.said[:9], took < 1.8) == (None, "No answer", True)


def test_nobody_there_is_an_answer_too() -> None:
    with receiver.listening() as to:
        pass
    assert send(to).said.startswith("No answer: ")


def certificate(folder: Path, *names: x509.GeneralName) -> tuple[Path, Path]:
    """A certificate for these names that trusts itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, secret


@pytest.mark.parametrize(("named", "is_taken"), [("localhost", True), ("another.example", False)])
def test_the_certificate_must_be_that_of_the_name_in_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str, is_taken: bool
) -> None:
    cert, key = certificate(tmp_path, x509.DNSName(named), x509.IPAddress(ip_address("127.0.0.2")))
    trust = ssl.create_default_context(cafile=str(cert))
    monkeypatch.setattr(posting, "_trust", lambda: trust)
    monkeypatch.setattr(posting.addresses, "resolved", lambda _, **__: "127.0.0.1")
    with receiver.listening(certificate=(cert, key)) as to:
        host = f"localhost:{to.port}"
        answer = posting.post(f"https://{host}/hook", "{}", {}, listed=[host])
        assert answer.is_taken == is_taken
        assert len(to.taken) == is_taken
