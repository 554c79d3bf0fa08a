"""Whether the dashboard may be served where it would be served: beyond this machine only with sign-in."""

import ipaddress
import socket
from collections.abc import Mapping

from credits_core.access.refusals import NotGuarded
from credits_core.errors import InvalidRequest
from credits_core.settings import SignIn

_KEYS = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_SHORTEST_SECRET = 32
_CALLBACK = "/oauth2callback"


def require_guarded(address: str | None, way: SignIn) -> None:
    """Do nothing where people sign in, where that was waived in so many words, or where only this machine is served.

    Without an address Streamlit serves every one of the machine.

    Raises:
        NotGuarded: other machines could reach the dashboard, and nobody would have to sign in.
    """
    if way is SignIn.LOCAL and not is_loopback(address or ""):
        raise NotGuarded(address or "any address of this machine")


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address: an IP address, the name of a host, or a Unix socket.

    >>> [is_loopback(address) for address in ("127.0.0.1", "::1", "unix:///run/credits.sock", "0.0.0.0", "::", "")]
    [True, True, True, False, False, False]
    """
    if address.startswith(("unix:", "/")):
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        pass
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(address or None, 0)} if address else set()
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found)


def require_provider(section: Mapping[str, object], *, trusted_headers: Mapping[str, object] | None = None) -> None:
    """Do nothing when the section `[auth]` of Streamlit's secrets says all that signing in needs.

    `trusted_headers` are those that Streamlit would believe about who somebody is, over what the provider said.

    Raises:
        InvalidRequest: something is missing, the cookie's secret can be guessed, or headers would be believed.
    """
    missing = [key for key in _KEYS if not isinstance(section.get(key), str) or not section[key]]
    if missing:
        raise InvalidRequest(
            ".streamlit/secrets.toml",
            f"[auth] must have {', '.join(missing)} for CREDITS_SIGN_IN=oidc: docs/sign-in.md",
        )
    if len(str(section["cookie_secret"])) < _SHORTEST_SECRET:
        raise InvalidRequest(
            ".streamlit/secrets.toml", f"cookie_secret must have {_SHORTEST_SECRET} random characters or more"
        )
    if not str(section["redirect_uri"]).endswith(_CALLBACK):
        raise InvalidRequest(".streamlit/secrets.toml", f"redirect_uri must end with {_CALLBACK}")
    if trusted_headers:
        raise InvalidRequest(
            "server.trustedUserHeaders", "must not be set: whoever can send a header could sign in as anybody"
        )
