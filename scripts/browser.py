"""Drives the dashboard for pictures: starts it, carries out steps, and waits until nothing changes any more."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Locator, Page, sync_playwright

from scripts import sample_usage

ROOT = Path(__file__).resolve().parent.parent
LAST_DAY = "2026-11-22"
"""The demo ends on a day that never changes, so that a picture changes only with its screen."""
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
TABLE = "[data-testid=stMain] [data-testid=stDataFrame]"
WIDTH = 1280
Theme = Literal["light", "dark"]
_NO_WATCHER = "--server.fileWatcherType=none"
"""Else somebody who edits a file meanwhile gets a note about it into the pictures."""
_SECONDS_TO_START = 120
_SECONDS_TO_SETTLE = 60
_HEADER_PIXELS, _ROW_PIXELS, _INTO_THE_CELL = 35, 35, 40
_IS_DRAWN = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    const charts = [...document.querySelectorAll("[data-testid=stPlotlyChart]")];
    return app?.dataset.testScriptState === "notRunning"
        && !document.querySelector("[data-testid=stSkeleton], [data-testid=stStatusWidget]")
        && charts.every(chart => chart.querySelector(".main-svg"))
        && document.fonts.status === "loaded";
}"""


class Box(NamedTuple):
    """A rectangle of the page, in pixels."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a person does or waits for. `where` is a selector of Playwright; `text` is what is typed.

    For a row `where` is a table and `text` the number of the row, from 1: its first cell is clicked. An upload gives
    the box the sample of usage data, under the name in `text`.
    """

    does: Literal["click", "type", "search", "row", "see", "go", "upload"]
    where: str
    text: str = ""


def click(where: str) -> Step:
    """A click on the first element that the selector finds."""
    return Step("click", where)


def fill(label: str, text: str) -> Step:
    """Type into the box with this label, and press Enter."""
    return Step("type", f'role=textbox[name="{label}"] >> visible=true', text)


def search(text: str) -> Step:
    """Type into "Find anything", which answers as one types."""
    return Step("search", "[data-testid=stSidebar] >> role=searchbox", text)


def upload(name: str) -> Step:
    """Choose the sample of usage data in the box for a file, under this name."""
    return Step("upload", "[data-testid=stFileUploader] input[type=file]", name)


def row(number: int) -> Step:
    """A click on the first cell of a row, from 1, of the first table that can be clicked."""
    return Step("row", TABLE, str(number))


def see(where: str) -> Step:
    """Wait until this can be seen."""
    return Step("see", where)


def go(path: str) -> Step:
    """Open another screen by its address."""
    return Step("go", path)


def button(name: str) -> str:
    """The selector of a button with exactly this name."""
    return f'role=button[name="{name}"] >> visible=true'


@contextmanager
def dashboard() -> Iterator[str]:
    """The address of a dashboard with a fresh demo, started as a newcomer would, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/credits.db"
        settings = {
            "CREDITS_DATABASE_URL": database,
            "CREDITS_BACKUP_URL": f"{folder}/backups",
            "CREDITS_USAGE_FOLDER": f"{folder}/usage",
            "CREDITS_DEMO": "1",
            "CREDITS_DEMO_END": LAST_DAY,
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", _NO_WATCHER],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=subprocess.DEVNULL,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{address}/_stcore/health")
            yield address
        finally:
            server.terminate()
            server.wait()


@contextmanager
def window(theme: Theme, *, height: int) -> Iterator[Page]:
    """A window of Debian's Chromium in this theme. Nothing in it moves by itself."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        context = browser.new_context(
            viewport={"width": WIDTH, "height": height}, color_scheme=theme, reduced_motion="reduce"
        )
        context.set_default_timeout(_SECONDS_TO_SETTLE * 1_000)
        yield context.new_page()
        browser.close()


def open_screen(page: Page, url: str) -> None:
    """Open a screen and wait until it is drawn."""
    page.goto(url)
    page.wait_for_selector("h1")
    settle(page)


def target(page: Page, step: Step) -> tuple[Locator, dict[str, int] | None]:
    """What the step clicks or types into, and where in it; without a place it is the middle."""
    if step.does != "row":
        return page.locator(step.where).first, None
    table = page.locator(step.where).first
    table.locator("canvas").first.wait_for()
    above = _HEADER_PIXELS + _ROW_PIXELS * (int(step.text) - 1)
    return table, {"x": _INTO_THE_CELL, "y": above + _ROW_PIXELS // 2}


def carry_out(page: Page, step: Step, address: str) -> None:
    """Do one step, and wait until the screen has answered."""
    if step.does == "go":
        open_screen(page, address + step.where)
        return
    found, place = target(page, step)
    if step.does == "see":
        found.scroll_into_view_if_needed()
    elif step.does == "upload":
        found.set_input_files({"name": step.text, "mimeType": "application/jsonl", "buffer": sample_usage.log()})
        page.wait_for_timeout(1_500)
    elif step.does in ("type", "search"):
        found.fill(step.text)
        if step.does == "type":
            found.press("Enter")
    else:
        found.click(position=place)  # type: ignore[arg-type]
    settle(page)


def settle(page: Page) -> bytes:
    """The picture of the window, once the script has ended, every chart is drawn and nothing moves."""
    page.mouse.move(WIDTH - 1, 1)
    until, before = time.monotonic() + _SECONDS_TO_SETTLE, b""
    while time.monotonic() < until:
        page.wait_for_function(_IS_DRAWN)
        now = page.screenshot(animations="disabled")
        if now == before:
            return now
        before = now
        page.wait_for_timeout(250)
    raise TimeoutError(f"{page.url} still moves after {_SECONDS_TO_SETTLE} seconds")


def _wait_for(url: str) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer within {_SECONDS_TO_START} seconds")
