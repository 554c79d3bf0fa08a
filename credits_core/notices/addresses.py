"""Which addresses may be told: https and public ones, and those of a list. Nothing inside the network is ever asked.

A name is resolved for each try, every address that it has is checked, and the connection goes to one that was checked:
so a name that means something else a moment later leads nowhere else.
"""

import ipaddress
import re
import socket
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock, Thread
from urllib.parse import urlsplit

from credits_core.errors import InvalidRequest
from credits_core.notices.refusals import HostNotFound

LONGEST = 500
_HTTPS_PORT, _HTTP_PORT = 443, 80
_FORM = re.compile(r"https?://[!-~]+")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
LOOK_UP_SECONDS = 10
_lock = Lock()
_under_way: dict[tuple[str, int], "Future[list[str]]"] = {}
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_WELL_KNOWN_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Address:
    """An address of the right form. `host` is a name or an IP address; `is_listed`: it may be inside."""

    is_https: bool
    host: str
    port: int
    path: str
    is_listed: bool

    @property
    def host_header(self) -> str:
        """What the header `Host` says.

        >>> parsed("https://[2606:4700::1]/in").host_header
        '[2606:4700::1]'
        """
        named = f"[{self.host}]" if ":" in self.host else self.host
        usual = _HTTPS_PORT if self.is_https else _HTTP_PORT
        return named if self.port == usual else f"{named}:{self.port}"


def parsed(address: str, listed: Collection[str] = ()) -> Address:
    """The parts of an address that may be told. `listed` are the hosts, with or without a port, that may be inside.

    Raises:
        InvalidRequest: it is no https address, has a port that is not listed or a name and password, or is the IP
            address of something inside.

    >>> parsed("https://hooks.example.com/credits").host
    'hooks.example.com'
    """
    try:
        parts = urlsplit(address) if _FORM.fullmatch(address) else None
        port = None if parts is None else parts.port
    except ValueError:
        parts = port = None
    if parts is None or len(address) > LONGEST or not parts.hostname:
        raise _refused("must be an address such as https://hooks.example.com/credits")
    host = parts.hostname.rstrip(".")
    if "@" in parts.netloc:
        raise _refused("must have no name or password before the host")
    if parts.fragment:
        raise _refused("must have no part after #")
    is_https = parts.scheme == "https"
    port = port or (_HTTPS_PORT if is_https else _HTTP_PORT)
    named = f"[{host}]" if ":" in host else host
    is_listed = named in listed or f"{named}:{port}" in listed
    if not is_listed:
        if not is_https:
            shown = named if port == _HTTP_PORT else f"{named}:{port}"
            raise _refused(f"must begin with https://, or have its host in CREDITS_WEBHOOK_HOSTS: list {shown} there")
        if port != _HTTPS_PORT:
            raise _refused(f"must use port {_HTTPS_PORT}, not {port}: list {named}:{port} in CREDITS_WEBHOOK_HOSTS")
    ip = _ip(host)
    if ip is None and not _NAME.fullmatch(host):
        raise _refused("must be an address such as https://hooks.example.com/credits")
    if ip is not None and not is_listed and not is_public(ip):
        raise _inside(host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(is_https, host, port, path, is_listed)


def resolved(address: Address, *, seconds: float = LOOK_UP_SECONDS) -> str:
    """An IP address of the host. All that it has must be public, unless it is listed. Waits so many seconds at most.

    Raises:
        InvalidRequest: one of them is inside.
        TimeoutError: nobody said in time what addresses the name has.
        OSError: the name has no address.
    """
    ips = _looked_up(address.host, address.port).result(seconds)
    for ip in ips:
        if not address.is_listed and not is_public(ipaddress.ip_address(ip)):
            raise _inside(address.host)
    return ips[0]


def _looked_up(host: str, port: int) -> "Future[list[str]]":
    """What is being found out about this host, or will be from now on.

    Nobody can end a question to the system about a name, which may take minutes. So it goes on in a thread of its own,
    and whoever asks the same meanwhile waits for the same answer: there is at most one such thread for each host.
    """
    asked = (host, port)
    with _lock:
        if asked in _under_way:
            return _under_way[asked]
        answer = _under_way[asked] = Future[list[str]]()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            ips = [str(given[0]).partition("%")[0] for _, _, _, _, given in found]
        except (OSError, UnicodeError) as error:  # a name that is too long for DNS is no name that has an address
            with _lock:
                del _under_way[asked]
            answer.set_exception(error if isinstance(error, OSError) else OSError(str(error)))
        else:
            with _lock:
                del _under_way[asked]
            answer.set_result(ips)

    Thread(target=ask, name=f"credits-look-up-{host}", daemon=True).start()
    return answer


def require_found(address: str, listed: Collection[str]) -> None:
    """Do nothing where the address may be told and its host can be found, which takes a moment.

    Raises:
        InvalidRequest: it may not.
        HostNotFound: nobody knows its host, or says in time where it is.
    """
    found = parsed(address, listed)
    try:
        resolved(found)
    except OSError:
        raise HostNotFound(found.host) from None


def is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an IP address is one of the public internet, also where it carries another one inside.

    >>> [is_public(ipaddress.ip_address(ip)) for ip in ("8.8.8.8", "10.0.0.1", "::ffff:10.0.0.1", "2606:4700::1")]
    [True, False, False, True]
    """
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    if ip.ipv4_mapped is not None:
        return is_public(ip.ipv4_mapped)
    if ip in _WELL_KNOWN_NAT64:
        return is_public(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF))
    if ip.sixtofour is not None:
        return is_public(ip.sixtofour)
    return ip in _GLOBAL_UNICAST and ip.is_global and ip.teredo is None


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _inside(host: str) -> InvalidRequest:
    return _refused(
        f"must be public: {host} is inside this network. List it in CREDITS_WEBHOOK_HOSTS if it may be told"
    )


def _refused(problem: str) -> InvalidRequest:
    return InvalidRequest("address", problem)
