"""Signing in with a real browser at a real provider, and what people try who should not get in."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from credits_core.access import people
from credits_core.store import database
from credits_core.values.roles import PersonRole, Way, operator
from scripts import signed_in
from tests.support import sign_in_provider
from tests.support.live_dashboard import LiveDashboard, live_dashboard, new_context
from tests.support.sign_in_provider import UNVERIFIED, Provider

pytestmark = pytest.mark.long
COOKIE = "_streamlit_user"
PAYLOAD = {
    "iss": "http://127.0.0.1:9",
    "sub": "admin@example.org",
    "aud": "promptflow-credits",
    "nonce": "made up",
    "email": "admin@example.org",
    "email_verified": True,
    "is_logged_in": True,
    "provider": "default",
}


@dataclass(frozen=True, slots=True)
class Window:
    """A person's browser window, and the dashboard that it looks at."""

    context: BrowserContext
    page: Page
    live: LiveDashboard

    def open(self) -> None:
        self.page.goto(self.live.address)

    def go_to_provider(self) -> None:
        self.open()
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Authorize Client")).to_be_visible()

    def say_who(self, email: str) -> None:
        self.page.get_by_role("button", name=email).click()

    def sign_in(self, email: str) -> None:
        self.go_to_provider()
        self.say_who(email)

    def is_inside(self) -> None:
        expect(self.page.get_by_role("heading", name="Overview", level=1)).to_be_visible()

    def is_at_the_door(self, *, says: str = "") -> None:
        expect(self.page.get_by_role("heading", name="Sign in to PromptFlow credits")).to_be_visible()
        expect(self.page.get_by_test_id("stSidebarNav")).to_have_count(0)
        if says:
            expect(self.page.get_by_text(says)).to_be_visible()

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie["name"]: cookie["value"] for cookie in self.context.cookies()}

    def put_cookie(self, name: str, text: str) -> None:
        self.context.add_cookies([{"name": name, "value": text, "url": self.live.root}])


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with sign_in_provider.running(*signed_in.PEOPLE, "eve@example.org") as provider:
        yield provider


@pytest.fixture(scope="module")
def live(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDashboard]:
    folder = tmp_path_factory.mktemp("signed-in")
    signed_in.add_people(f"sqlite:///{folder / 'credits.db'}")
    settings = signed_in.settings(folder, provider.address)
    with live_dashboard(folder, CREDITS_SIGN_IN_CHECK_SECONDS="1", **settings) as live:
        yield live


@pytest.fixture
def window(browser: Browser, live: LiveDashboard) -> Iterator[Window]:
    with closing(new_context(browser)) as context:
        yield Window(context, context.new_page(), live)


def sessions(live: LiveDashboard, email: str) -> list[bool]:
    """Whether each session of this person has ended, the oldest first."""
    found = live.rows(f"SELECT ended_at_us IS NOT NULL FROM sign_in_sessions WHERE email = '{email}' ORDER BY rowid")
    return [bool(ended) for (ended,) in found]


def change(live: LiveDashboard, sql: str) -> None:
    with closing(sqlite3.connect(live.database, timeout=30)) as connection, connection:
        connection.execute(sql)


def test_whoever_signs_in_sees_who_they_are_and_leaves_for_good(window: Window) -> None:
    window.sign_in("tester@example.org")
    window.is_inside()
    window.page.get_by_role("button", name="tester").click()
    account = window.page.get_by_test_id("stPopoverBody")
    expect(account.get_by_text("tester@example.org")).to_be_visible()
    expect(account.get_by_text("tester", exact=True)).to_be_visible()
    expect(account.get_by_role("link")).to_have_count(0)  # an address is no link to write to
    assert sessions(window.live, "tester@example.org") == [False]
    kept = window.cookies
    account.get_by_role("button", name="Sign out").click()
    window.page.get_by_role("button", name="End session").click()
    window.is_at_the_door()
    assert sessions(window.live, "tester@example.org") == [True]
    assert COOKIE not in window.cookies
    window.put_cookie(COOKIE, kept[COOKIE])  # somebody kept a copy
    window.open()
    window.is_at_the_door(says="You signed out")
    window.page.get_by_role("button", name="Sign in again").click()
    window.say_who("tester@example.org")
    window.is_inside()
    assert sessions(window.live, "tester@example.org") == [True, False]


def test_a_stranger_is_told_whom_to_ask_and_comes_in_when_added(window: Window) -> None:
    window.sign_in("eve@example.org")
    expect(window.page.get_by_role("heading", name="You have no role yet")).to_be_visible()
    expect(window.page.get_by_text("admin@example.org")).to_be_visible()
    expect(window.page.get_by_test_id("stSidebarNav")).to_have_count(0)
    assert sessions(window.live, "eve@example.org") == []
    with database.opened(f"sqlite:///{window.live.database}") as engine:
        viewer, root, now = [PersonRole.VIEWER], operator(Way.CLI), datetime.now(UTC)
        database.write(
            engine, lambda connection: people.add(connection, "eve@example.org", viewer, actor=root, now=now)
        )
    window.page.get_by_role("button", name="Try again").click()
    window.is_inside()


def test_an_open_tab_shows_the_roles_of_now_and_closes_when_the_person_is_removed(window: Window) -> None:
    window.sign_in("viewer@example.org")
    window.is_inside()
    window.page.get_by_role("button", name="viewer").click()
    change(window.live, "UPDATE people SET roles = 'viewer,pricing' WHERE email = 'viewer@example.org'")
    expect(window.page.get_by_text("viewer, pricing")).to_be_visible()  # nobody has clicked
    with database.opened(f"sqlite:///{window.live.database}") as engine:
        root, now = operator(Way.CLI), datetime.now(UTC)
        database.write(engine, lambda connection: people.remove(connection, "viewer@example.org", actor=root, now=now))
    window.is_at_the_door(says="somebody ended your session")
    window.page.goto(f"{window.live.address}/history")
    window.is_at_the_door()


def test_a_session_that_is_over_is_over_in_an_open_tab_and_in_a_new_one(window: Window) -> None:
    window.sign_in("finance@example.org")
    window.is_inside()
    earlier = "UPDATE sign_in_sessions SET {0} = {0} - {1} * 3600000000 WHERE email = 'finance@example.org'"
    change(window.live, earlier.format("seen_at_us", 1))
    window.is_at_the_door(says="one hour without use")
    change(window.live, earlier.format("started_at_us", 12))
    window.open()
    window.is_at_the_door(says="lasts 12 hours")


def test_a_forged_cookie_lets_nobody_in(window: Window) -> None:
    window.sign_in("admin@example.org")
    window.is_inside()
    before = len(sessions(window.live, "admin@example.org"))
    real = window.cookies[COOKIE]
    payload = json.dumps(PAYLOAD | {"iat": int(datetime.now(UTC).timestamp()), "origin": window.live.root})
    forged = create_signed_value("another secret", COOKIE, payload).decode()
    words, signed_at, signature = real.rsplit(".", 2)
    own_words, _, _ = forged.rsplit(".", 2)
    for text in (
        forged,
        f"{own_words}.{signed_at}.{signature}",
        f"{words}.{signed_at}.{'A' * len(signature)}",
        "admin",
    ):
        assert text != real
        window.put_cookie(COOKIE, text)
        window.open()
        window.is_at_the_door()
    assert len(sessions(window.live, "admin@example.org")) == before


def test_a_callback_cannot_be_used_again_nor_by_somebody_else(window: Window, browser: Browser) -> None:
    callbacks: list[str] = []
    window.page.on("request", lambda asked: callbacks.append(asked.url) if "/oauth2callback?" in asked.url else None)
    window.go_to_provider()
    before = window.cookies
    window.say_who("admin@example.org")
    window.is_inside()
    (callback,) = callbacks
    with closing(new_context(browser)) as other:  # a link that was overheard, or sent to somebody
        thief = Window(other, other.new_page(), window.live)
        thief.page.goto(callback)
        thief.is_at_the_door()
        for name, text in before.items():  # with everything that the browser held when it came back
            thief.put_cookie(name, text)
        thief.page.goto(callback)
        thief.is_at_the_door()
    window.page.goto(callback)
    window.is_inside()  # as whom they signed in before
    assert sessions(window.live, "admin@example.org")[-1] is False


def test_a_token_for_another_sign_in_lets_nobody_in(window: Window) -> None:
    window.go_to_provider()
    asked = window.page.url
    window.page.goto(re.sub(r"nonce=[^&]+", "nonce=of-another-sign-in", asked))
    assert window.page.url != asked
    window.say_who("admin@example.org")
    window.is_at_the_door()
    assert COOKIE not in window.cookies
    assert "nonce" in window.live.log


def test_a_token_of_another_provider_lets_nobody_in(window: Window, provider: Provider) -> None:
    provider.other_issuer = "https://sign-in.example.org"
    try:
        window.sign_in("admin@example.org")
        window.is_at_the_door()
    finally:
        provider.other_issuer = None
    assert COOKIE not in window.cookies
    assert "iss" in window.live.log


def test_an_address_that_the_provider_has_not_verified_lets_nobody_in(window: Window) -> None:
    window.sign_in(UNVERIFIED)
    expect(window.page.get_by_text("The provider has not verified")).to_be_visible()
    assert sessions(window.live, UNVERIFIED) == []
