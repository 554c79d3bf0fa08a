"""A system that is told of events: a server on this machine that keeps what it took, and fails when a test says so."""

import json
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

RESET, SILENT, TRICKLE = -1, -2, -3
"""What a receiver may do in place of a status: cut the connection, say nothing, or send a byte now and then."""


@dataclass
class Receiver:
    """What was told to it. `answers` says what it does with each event: a status, or one of the above."""

    port: int
    answers: Callable[[dict[str, Any]], int] = lambda _: 200
    taken: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    tries: int = 0
    lock: Lock = field(default_factory=Lock)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def host(self) -> str:
        """What the list of hosts has to say."""
        return f"127.0.0.1:{self.port}"

    def told(self) -> list[tuple[str, str]]:
        """The kind and the user of each event that it took."""
        return [(one["type"], one["data"].get("user_id", "")) for one in self.taken]

    def entries(self, user_id: str) -> list[int]:
        """The numbers of a user's entries in the order of their first arrival."""
        of_user = [one["data"]["entry_id"] for one in self.taken if one["data"].get("user_id") == user_id]
        return list(dict.fromkeys(of_user))


@contextmanager
def listening(certificate: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """A receiver on a free port of this machine; over TLS with a certificate and its key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            with receiver.lock:
                receiver.tries += 1
                does = receiver.answers(json.loads(body))
                if 200 <= does < 300:
                    receiver.taken.append(json.loads(body))
                    receiver.headers.append({name.lower(): text for name, text in self.headers.items()})
                    receiver.bodies.append(body)
            self._do(does)

        def _do(self, does: int) -> None:
            if does == RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            if does == SILENT:
                time.sleep(3)
                return
            if does == TRICKLE:
                for _ in range(100):
                    self.wfile.write(b"H")
                    time.sleep(0.05)
                return
            said = b"thanks" if does == 200 else b"no"
            self.send_response(does)
            if 300 <= does < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver = Receiver(server.server_address[1])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
