"""Takes the screenshots of the documents: `python -m scripts.screenshots`. Needs Debian's Chromium.

Starts the dashboard with the demo world, on a free port with a database of its own, and writes `docs/images/`. The demo
ends on a day that never changes, so that a picture changes only with its screen.
"""

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
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
CAPPED = "promptflow-v1-capped"
LAST_DAY = "2026-11-22"
SHOTS = {
    "overview": "/?days=2026-10-24&days=2026-11-22",
    "pricing-lab": "/pricing-lab",
    "compare-plans": f"/compare-plans?a=promptflow-v1&b={CAPPED}",
    "replay-history": f"/replay-history?plan={CAPPED}",
    "scenario": f"/scenario?plan={CAPPED}&scenario_runs=1000000",
    "fee-designer": "/fee-designer?fee=5000",
    "explain-charge": "/explain-charge?entry=140",
}
CHART = ".js-plotly-plot .main-svg"
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
_SECONDS_TO_START = 60


@contextmanager
def dashboard(database_url: str) -> Iterator[str]:
    """The address of a dashboard that runs until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"],
        cwd=ROOT,
        env=os.environ | {"CREDITS_DATABASE_URL": database_url, "CREDITS_DEMO": "1", "CREDITS_DEMO_END": LAST_DAY},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/_stcore/health")
        yield address
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Write every picture of `SHOTS`, 1280 pixels wide in the light theme."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        dashboard(f"sqlite:///{folder}/credits.db") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1_320}, color_scheme="light")
        for name, path in SHOTS.items():
            page.goto(address + path)
            page.wait_for_selector("h1")
            page.locator(CHART).first.wait_for()  # charts draw after the script has ended
            page.wait_for_timeout(4_000)  # and some of them slowly
            page.screenshot(path=IMAGES / f"{name}.png")
            if name == "pricing-lab":
                page.get_by_role("button", name="Save as draft").first.click()
                page.get_by_text("Saved the draft").first.wait_for()
        browser.close()


def _wait_for(url: str) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer within {_SECONDS_TO_START} seconds")


if __name__ == "__main__":
    main()
