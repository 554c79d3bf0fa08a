"""Where the dashboard may be served, and what must be set before people can sign in."""

import pytest

from credits_core import settings
from credits_core.access import guard
from credits_core.access.refusals import NotGuarded
from credits_core.errors import InvalidRequest
from credits_core.settings import SignIn

AUTH: dict[str, object] = {
    "redirect_uri": "https://credits.example.org/oauth2callback",
    "cookie_secret": "0123456789abcdef" * 2,
    "client_id": "credits",
    "client_secret": "secret",
    "server_metadata_url": "https://sign-in.example.org/.well-known/openid-configuration",
}


@pytest.mark.parametrize(
    ("address", "is_of_this_machine"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("unix:///run/credits.sock", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("::ffff:192.0.2.7", False),
        ("no-such-host.invalid", False),
        ("", False),
        (None, False),
    ],
)
def test_without_sign_in_only_this_machine_is_served(address: str | None, *, is_of_this_machine: bool) -> None:
    guard.require_guarded(address, SignIn.OIDC)
    guard.require_guarded(address, SignIn.NONE)
    if is_of_this_machine:
        guard.require_guarded(address, SignIn.LOCAL)
        return
    with pytest.raises(NotGuarded, match="CREDITS_SIGN_IN=oidc"):
        guard.require_guarded(address, SignIn.LOCAL)


def test_what_a_provider_needs_must_be_there() -> None:
    guard.require_provider(AUTH)
    for key in AUTH:
        for wrong in ("", None, 7):
            with pytest.raises(InvalidRequest, match=key):
                guard.require_provider({**AUTH, key: wrong})
    with pytest.raises(InvalidRequest, match="32 random"):
        guard.require_provider({**AUTH, "cookie_secret": "x" * 31})
    with pytest.raises(InvalidRequest, match="oauth2callback"):
        guard.require_provider({**AUTH, "redirect_uri": "https://credits.example.org/"})


def test_no_header_may_say_who_somebody_is() -> None:
    with pytest.raises(InvalidRequest, match="as anybody"):
        guard.require_provider(AUTH, trusted_headers={"X-Forwarded-User": "email"})


def test_the_way_to_sign_in_is_one_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDITS_SIGN_IN", raising=False)
    assert settings.sign_in() is SignIn.LOCAL
    for given, way in (("", SignIn.LOCAL), ("oidc", SignIn.OIDC), ("none-at-my-own-risk", SignIn.NONE)):
        monkeypatch.setenv("CREDITS_SIGN_IN", given)
        assert settings.sign_in() is way
    for wrong in ("OIDC", "none", "0", "off", " oidc", "local"):
        monkeypatch.setenv("CREDITS_SIGN_IN", wrong)
        with pytest.raises(InvalidRequest, match="oidc, or none-at-my-own-risk"):
            settings.sign_in()


def test_domains_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDITS_SIGN_IN_DOMAINS", raising=False)
    assert settings.sign_in_domains() == frozenset()
    monkeypatch.setenv("CREDITS_SIGN_IN_DOMAINS", "Example.org, staff.example.com,")
    assert settings.sign_in_domains() == {"example.org", "staff.example.com"}
    for wrong in ("*", "@example.org", "*.example.org", "org", "example.org;example.com"):
        monkeypatch.setenv("CREDITS_SIGN_IN_DOMAINS", wrong)
        with pytest.raises(InvalidRequest, match=r"such as example\.org"):
            settings.sign_in_domains()


def test_everybody_whose_role_was_taken_is_out_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDITS_SIGN_IN_CHECK_SECONDS", raising=False)
    assert settings.sign_in_check().seconds == 20
    for given in ("1", "30"):
        monkeypatch.setenv("CREDITS_SIGN_IN_CHECK_SECONDS", given)
        assert settings.sign_in_check().seconds == int(given)
    for wrong in ("0", "31", "-1", "1.5", "often"):
        monkeypatch.setenv("CREDITS_SIGN_IN_CHECK_SECONDS", wrong)
        with pytest.raises(InvalidRequest, match="from 1 to 30"):
            settings.sign_in_check()
