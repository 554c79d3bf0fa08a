"""Sends one event to one address, once, and says what came back. Follows no redirect and waits 15 seconds at most.

The limit is of all together: finding the host, connecting, agreeing on encryption, sending and reading.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from threading import Timer

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
    """Send it, and return the answer within 15 seconds. What goes wrong on the way is an answer without a status."""
    until = time.monotonic() + SECONDS_IN_ALL
    try:
        where = addresses.parsed(address, listed)
        ip = addresses.resolved(where, seconds=_left(until))
        with closing(_connected(where, ip, until)) as connection:
            return _asked(connection, where, body, headers, until)
    except InvalidRequest as refusal:
        return Answer(None, _cut(f"Not sent: the address {refusal.problem}."))
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, TimeoutError) or time.monotonic() >= until:
            return Answer(None, f"No answer within {SECONDS_IN_ALL} seconds.")
        return Answer(None, _cut(f"No answer: {error or type(error).__name__}"))


def _left(until: float) -> float:
    """The seconds until then.

    Raises:
        TimeoutError: it is over.
    """
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(where: Address, ip: str, until: float) -> socket.socket:
    """A connection to the address that was checked; the certificate must be that of the name."""
    plain = socket.create_connection((ip, where.port), timeout=min(SECONDS_BETWEEN_BYTES, _left(until)))
    if not where.is_https:
        return plain
    try:
        encrypted = _trust().wrap_socket(plain, server_hostname=where.host, do_handshake_on_connect=False)
    except BaseException:
        plain.close()
        raise
    try:
        encrypted.settimeout(min(SECONDS_BETWEEN_BYTES, _left(until)))
        encrypted.do_handshake()  # the limit is of the whole handshake
    except BaseException:
        encrypted.close()
        raise
    return encrypted


def _asked(connection: socket.socket, where: Address, body: str, headers: Mapping[str, str], until: float) -> Answer:
    # Each wait has a limit of its own; a receiver that sends a byte now and then would keep us for ever.
    watch = Timer(_left(until), _cut_off, [connection])
    watch.daemon = True
    watch.start()
    try:
        connection.settimeout(min(SECONDS_BETWEEN_BYTES, _left(until)))
        asking = http.client.HTTPConnection(where.host, where.port)
        asking.sock = connection
        sent = {"Host": where.host_header, "Content-Type": "application/json", "Accept-Encoding": "identity"}
        asking.request("POST", where.path, body=body.encode(), headers=sent | dict(headers))
        response = asking.getresponse()
        said = response.read(_BYTES_READ)
    finally:
        watch.cancel()
    return Answer(response.status, _cut(said.decode(errors="replace")))


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _cut_off(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        # Not the method of an encrypted socket, which another thread is reading from.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _cut(text: str) -> str:
    """The first words, without what cannot be printed, which a database might refuse.

    >>> _cut("ok\\x00\\n" + "!" * 300)[:6]
    'ok  !!'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_LONGEST_ANSWER].rstrip()
