"""One try at a receiver: what is sent, and that no receiver can lead us elsewhere, keep us long or send us much."""

import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

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
    monkeypatch.setattr(posting.addresses, "resolved", lambda _: "127.0.0.1")
    with receiver.listening(certificate=(cert, key)) as to:
        host = f"localhost:{to.port}"
        answer = posting.post(f"https://{host}/hook", "{}", {}, listed=[host])
        assert answer.is_taken == is_taken
        assert len(to.taken) == is_taken
