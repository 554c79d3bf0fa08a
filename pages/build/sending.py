"""Sends a call over HTTP to the server that draws this screen, and keeps what it answered."""

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import streamlit as st

from pages.build.examples import Example

_SECONDS = 10
_EVERYWHERE = {None: "127.0.0.1", "": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound here
_HEADERS_SHOWN = ("X-Request-Id", "Idempotent-Replayed", "Retry-After")


@dataclass(frozen=True, slots=True)
class Server:
    """Where this process answers. With a `certificate` it speaks HTTPS, and must show this one."""

    host: str
    port: int
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered with, and how long that took."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    text: str
    latency_ms: float

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the body; none when it is no JSON object."""
        return fields_of(self.text)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A call that nobody answered."""

    reason: str


def this_server() -> Server:
    """The server of this process, by Streamlit's own options. A browser may have found it under another name.

    The API answers at the root, whatever base path the dashboard has.
    """
    address = st.get_option("server.address")
    return Server(_EVERYWHERE.get(address, address), st.get_option("server.port"), st.get_option("server.sslCertFile"))


def send(call: Example, *, key: str, server: Server) -> Answer | NoAnswer:
    """Send the call with this key, or without one when it is empty, and wait ten seconds at most."""
    began = time.perf_counter()
    connection = _connection(server)
    try:
        connection.request(call.method, call.url(""), call.body.encode("utf-8", "replace") or None, _headers(call, key))
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return NoAnswer(str(error) or type(error).__name__)
    finally:
        connection.close()
    shown = {name: found for name in _HEADERS_SHOWN if (found := answer.getheader(name)) is not None}
    return Answer(call.method, call.path, answer.status, shown, text, (time.perf_counter() - began) * 1000)


def fields_of(text: str) -> dict[str, Any]:
    """The fields of a JSON object; none when the text is no JSON object.

    >>> fields_of('{"user_id": "ada"}'), fields_of('{"user_id": "a'), fields_of("[1]")
    ({'user_id': 'ada'}, {}, {})
    """
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def in_words(status: int) -> str:
    """A status with its words.

    >>> in_words(201), in_words(402), in_words(499)
    ('201 Created', '402 Payment Required', '499 The caller did not wait')
    """
    if status == 499:
        return "499 The caller did not wait"
    return f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)


def _connection(server: Server) -> http.client.HTTPConnection:
    if server.certificate is None:
        return http.client.HTTPConnection(server.host, server.port, timeout=_SECONDS)
    # The certificate names the public host, and may be self-signed: so exactly this one is trusted, under any name.
    context = ssl.create_default_context(cafile=server.certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return http.client.HTTPSConnection(server.host, server.port, timeout=_SECONDS, context=context)


def _headers(call: Example, key: str) -> dict[str, str]:
    headers = {}
    if key:
        # A header takes visible ASCII alone. What else was pasted becomes a question mark, and so an unknown key.
        headers["Authorization"] = f"Bearer {''.join(one if '!' <= one <= '~' else '?' for one in key)}"
    if call.idempotency_key:
        headers["Idempotency-Key"] = call.idempotency_key
    if call.method == "POST":
        headers["Content-Type"] = "application/json"
    return headers
