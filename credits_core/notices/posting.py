"""Sends one event to one address, once, and says what came back. Follows no redirect and waits 15 seconds at most."""

import http.client
import socket
import ssl
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from threading import Timer

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from credits_core.errors import InvalidRequest
from credits_core.notices import addresses
from credits_core.notices.addresses import Address

SECONDS_BETWEEN_BYTES, SECONDS_IN_ALL = 10, 15
_BYTES_READ, _LONGEST_ANSWER = 2_000, 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, None when there was none, and the first words of the answer or why there is none."""

    status: int | None
    said: str

    @property
    def is_taken(self) -> bool:
        """Whether the receiver took the event: any status from 200 to 299."""
        return self.status is not None and 200 <= self.status < 300


def post(address: str, body: str, headers: Mapping[str, str], *, listed: Collection[str] = ()) -> Answer:
    """Send it, and return the answer. What goes wrong on the way is an answer without a status."""
    try:
        where = addresses.parsed(address, listed)
        with closing(_connection(where, addresses.resolved(where))) as connection:
            return _asked(connection, where, body, headers)
    except InvalidRequest as refusal:
        return Answer(None, _cut(f"Not sent: the address {refusal.problem}."))
    except TimeoutError:
        return Answer(None, f"No answer within {SECONDS_IN_ALL} seconds.")
    except (OSError, HTTPError, http.client.HTTPException) as error:
        return Answer(None, _cut(f"No answer: {error or type(error).__name__}"))


def _asked(connection: HTTPConnection, where: Address, body: str, headers: Mapping[str, str]) -> Answer:
    # Each wait has a limit of its own; a receiver that sends a byte now and then would keep us for ever.
    watch = Timer(SECONDS_IN_ALL, _cut_off, [connection])
    watch.daemon = True
    watch.start()
    try:
        sent = {"Host": where.host_header, "Content-Type": "application/json", "Accept-Encoding": "identity"}
        connection.request("POST", where.path, body=body.encode(), headers=sent | dict(headers), preload_content=False)
        response = connection.getresponse()
        said = response.read(_BYTES_READ, decode_content=False)
    finally:
        watch.cancel()
    return Answer(response.status, _cut(said.decode(errors="replace")))


def _connection(where: Address, ip: str) -> HTTPConnection:
    """A connection to the address that was checked; the certificate must be that of the name."""
    if not where.is_https:
        return HTTPConnection(ip, where.port, timeout=SECONDS_BETWEEN_BYTES)
    return HTTPSConnection(
        ip, where.port, timeout=SECONDS_BETWEEN_BYTES, ssl_context=_trust(), server_hostname=where.host
    )


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _cut_off(connection: HTTPConnection) -> None:
    if connection.sock is not None:
        # Not the method of an encrypted socket, which another thread is reading from.
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _cut(text: str) -> str:
    """The first words, without what cannot be printed, which a database might refuse.

    >>> _cut("ok\\x00\\n" + "!" * 300)[:6]
    'ok  !!'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_LONGEST_ANSWER].rstrip()
