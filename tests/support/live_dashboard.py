"""The dashboard as people meet it: a real server on a free port and a real browser, both ended with the block."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
_CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_SECONDS_TO_START = 300
PATIENCE_SECONDS = 120
_ROW, _INTO_THE_FIRST_CELL = 35, 40
"""Pixels: the height of a row and of the header, and a place within the first column."""
PATHS = (
    *(
        "/start",
        "/",
        "/balances",
        "/history",
        "/creator-earnings",
        "/explain-charge",
        "/test-credits",
        "/simulate-runs",
    ),
    *("/add-credits", "/pricing-lab", "/compare-plans", "/find-a-plan", "/replay-history", "/usage-data"),
    *("/margin", "/scenario", "/fee-designer", "/models"),
    *("/people", "/approvals", "/proof", "/operations", "/watching", "/api-console", "/webhooks", "/guide"),
    *("/buy-credits", "/checkout", "/payments", "/payouts"),
)
"""Every screen."""


@dataclass(frozen=True)
class LiveDashboard:
    """A running server, its SQLite file and what it has written to its log so far.

    `address` is that of the dashboard, with its base path; `root` is that of the server.
    """

    root: str
    address: str
    database: Path
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What a query of the SQLite file gives."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(sql).fetchall()

    @property
    def complaints(self) -> list[str]:
        """The lines of the log that tell of a warning or a failure."""
        signs = ("warning", "traceback", "error", "exception", "deprecat")
        return [line for line in self.log.splitlines() if any(sign in line.lower() for sign in signs)]


@contextmanager
def live_dashboard(
    folder: Path, app: str = "app.py", *, under: Sequence[str] = (), **settings: str
) -> Iterator[LiveDashboard]:
    """The dashboard on an empty database, started as the README says, with these settings in its environment.

    `app` is another Streamlit script to compare it with; `under` is a command that runs the server.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = f"http://127.0.0.1:{port}"
    base_path = settings.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
    address = f"{root}/{base_path}" if base_path else root
    live = LiveDashboard(root, address, folder / "credits.db", folder / "server.log")
    environment = {"CREDITS_DATABASE_URL": f"sqlite:///{live.database}", "CREDITS_DEMO": "0", **settings}
    with live.log_file.open("w") as log:
        server = subprocess.Popen(
            [*under, sys.executable, "-m", "streamlit", "run", app, f"--server.port={port}"],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(live, server)
            yield live
        finally:
            server.terminate()
            server.wait(120)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Without it the test is skipped, or fails when `REQUIRE_BROWSER=1`."""
    executable = shutil.which("chromium")
    if executable is None:
        reason = "no browser: install Debian's chromium package"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_SECONDS * 1_000)
        browser = playwright.chromium.launch(
            executable_path=executable, args=_CHROMIUM_FLAGS, timeout=PATIENCE_SECONDS * 1_000
        )
        try:
            yield browser
        finally:
            browser.close()


def new_context(browser: Browser) -> BrowserContext:
    """A person's window, who waits as long as a slow machine needs."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_SECONDS * 1_000)
    return context


def click_first_cell(page: Page, *, row: int) -> None:
    """Click the first cell of a row, from 1, of the page's first table, which is drawn on a canvas."""
    drawn = page.get_by_test_id("stDataFrame").first
    expect(drawn.locator("canvas").first).to_be_visible()
    drawn.click(position={"x": _INTO_THE_FIRST_CELL, "y": _ROW * row + _ROW // 2})


@contextmanager
def tab(browser: Browser, live: LiveDashboard) -> Iterator[Page]:
    """A new tab. Nothing in it may fail, and the server may not complain, whatever is done in it."""
    failures: list[str] = []
    context = new_context(browser)
    page = context.new_page()
    page.on("pageerror", lambda error: failures.append(error.stack or str(error)))
    try:
        yield page
    finally:
        context.close()
        if failures:  # after a test that fails, too: it is mostly why
            pytest.fail("the page failed:\n" + "\n".join(failures))
    assert live.complaints == []


def _wait_for(live: LiveDashboard, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{live.address}/_stcore/health", timeout=30):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"the dashboard did not start:\n{live.log}")
