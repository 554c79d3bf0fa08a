"""The provider of the sign-in tests, `oidc-provider-mock`, whose metadata can be made to name another issuer."""

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError

from scripts import signed_in

UNVERIFIED = "unverified@example.org"
_METADATA = "/.well-known/openid-configuration"
_SECONDS_TO_START = 60


@dataclass
class Provider:
    """A running provider: where its metadata is, and the issuer that it names instead of the true one."""

    address: str
    other_issuer: str | None = None


@contextmanager
def running(*emails: str) -> Iterator[Provider]:
    """A provider that knows these people and one whose address it has not verified."""
    port = _free_port()
    known = [*(signed_in.claims(email) for email in emails), signed_in.claims(UNVERIFIED, is_verified=False)]
    with signed_in.running_provider(port, known) as real:
        until = time.monotonic() + _SECONDS_TO_START
        while _metadata(real) is None:
            assert time.monotonic() < until, "the provider does not answer"
            time.sleep(0.1)
        provider = Provider("")

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = _metadata(real) or {}
                body = json.dumps(found | ({"issuer": provider.other_issuer} if provider.other_issuer else {})).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        provider.address = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield provider
        finally:
            server.shutdown()
            server.server_close()
            thread.join(30)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _metadata(address: str) -> dict[str, object] | None:
    try:
        with urllib.request.urlopen(f"{address}{_METADATA}", timeout=10) as answer:
            found: dict[str, object] = json.load(answer)
            return found
    except (URLError, OSError):
        return None
