"""Only public https addresses are told, and those of the list: nothing inside is asked, whatever an address says."""

import socket
from typing import Any

import pytest

from credits_core.errors import InvalidRequest
from credits_core.notices import addresses, posting

PUBLIC = "https://hooks.example.com/credits"
REFUSED = (
    ("http://hooks.example.com/", "must begin with https://, or have its host in CREDITS_WEBHOOK_HOSTS"),
    ("http://10.0.0.7/", "list 10.0.0.7 there"),
    ("http://[::1]:8080/", "list [::1]:8080 there"),
    ("ftp://hooks.example.com/", "must be an address such as"),
    ("https:///credits", "must be an address such as"),
    ("https://", "must be an address such as"),
    ("hooks.example.com", "must be an address such as"),
    ("https://hooks.example.com/ a", "must be an address such as"),
    ("https://hooks.example.com/\r\nHost: inside", "must be an address such as"),
    ("https://hööks.example.com/", "must be an address such as"),
    ("https://hooks.example.com:99999/", "must be an address such as"),
    ("https://-a.example.com/", "must be an address such as"),
    ("https://hooks.example.com/" + "a" * 500, "must be an address such as"),
    ("https://ada:secret@hooks.example.com/", "must have no name or password"),
    ("https://hooks.example.com@127.0.0.1/", "must have no name or password"),
    ("https://@hooks.example.com/", "must have no name or password"),
    ("https://hooks.example.com/#part", "must have no part after #"),
    ("https://hooks.example.com:444/", "must use port 443, not 444"),
    ("https://hooks.example.com:22/", "must use port 443, not 22"),
    ("https://127.0.0.1/", "127.0.0.1 is inside this network"),
    ("https://10.1.2.3/", "10.1.2.3 is inside this network"),
    ("https://172.16.0.1/", "172.16.0.1 is inside this network"),
    ("https://192.168.0.1/", "192.168.0.1 is inside this network"),
    ("https://169.254.169.254/latest/meta-data", "169.254.169.254 is inside this network"),
    ("https://100.64.0.1/", "100.64.0.1 is inside this network"),
    ("https://0.0.0.0/", "0.0.0.0 is inside this network"),
    ("https://224.0.0.1/", "224.0.0.1 is inside this network"),
    ("https://255.255.255.255/", "255.255.255.255 is inside this network"),
    ("https://[::1]/", "::1 is inside this network"),
    ("https://[::]/", ":: is inside this network"),
    ("https://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1 is inside this network"),
    ("https://[fe80::1]/", "fe80::1 is inside this network"),
    ("https://[fc00::1]/", "fc00::1 is inside this network"),
    ("https://[fec0::1]/", "fec0::1 is inside this network"),
    ("https://[ff02::1]/", "ff02::1 is inside this network"),
    ("https://[64:ff9b::10.0.0.1]/", "64:ff9b::10.0.0.1 is inside this network"),
    ("https://[64:ff9b::a00:1]/", "64:ff9b::a00:1 is inside this network"),
    ("https://[2002:a00:1::]/", "2002:a00:1:: is inside this network"),
    ("https://[::10.0.0.1]/", "::10.0.0.1 is inside this network"),
    ("https://[2001:db8::1]/", "2001:db8::1 is inside this network"),
)


@pytest.mark.parametrize(("address", "problem"), REFUSED)
def test_what_is_not_public_or_not_https_is_refused_with_its_reason(address: str, problem: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        addresses.parsed(address)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [PUBLIC, "https://8.8.8.8/", "https://[2606:4700::1111]/in?x=1", "https://[::ffff:8.8.8.8]/", PUBLIC + ":"],
)
def test_what_is_public_is_taken(address: str) -> None:
    assert addresses.parsed(address).port == 443


@pytest.mark.parametrize(
    ("listed", "is_taken"),
    [
        (["127.0.0.1"], True),
        (["127.0.0.1:8080"], True),
        (["127.0.0.1:8081"], False),
        (["127.0.0.2"], False),
        (["localhost"], False),
    ],
)
def test_a_listed_host_may_be_inside_without_https_on_its_port(listed: list[str], is_taken: bool) -> None:
    if is_taken:
        assert addresses.parsed("http://127.0.0.1:8080/hook", listed).is_listed
    else:
        with pytest.raises(InvalidRequest):
            addresses.parsed("http://127.0.0.1:8080/hook", listed)


def test_an_address_of_ipv6_is_listed_in_its_brackets() -> None:
    assert addresses.parsed("http://[::1]:8080/hook", ["[::1]:8080"]).is_listed
    with pytest.raises(InvalidRequest):
        addresses.parsed("http://[::1]:8081/hook", ["[::1]:8080"])


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Has names resolve to these addresses, one answer after the other; what was connected to is in the list."""
    left, connected = list(answers), []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        ips = [host] if host[0].isdigit() or ":" in host else left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ips]

    def connect(_: socket.socket, where: tuple[str, int]) -> None:
        connected.append(where[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return connected


@pytest.mark.parametrize("ips", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"], ["::ffff:192.168.0.1"]])
def test_a_name_with_any_address_inside_is_not_connected_to(monkeypatch: pytest.MonkeyPatch, ips: list[str]) -> None:
    connected = resolving(monkeypatch, ips)
    answer = posting.post(PUBLIC, "{}", {})
    assert (answer.status, connected) == (None, [])
    assert answer.said.startswith("Not sent: the address must be public: hooks.example.com is inside this network.")


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    # A second look at the name, as an attacker's name server wishes for, would give the address inside.
    connected = resolving(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    assert posting.post(PUBLIC, "{}", {}).status is None
    assert connected == ["8.8.8.8"]
