"""How long a screen takes to appear, as ratios to an empty Streamlit page: `python -m benchmarks.screens`.

One browser opens every screen and the empty page by turns, each in a window of its own, so that nothing is kept.
Painted is the first thing that is seen; complete is when the script has ended, no skeleton is left and every chart is
drawn. The ledger is the demo month; with `--database FILE`, a copy of that SQLite ledger. The last line printed is
`ratio N.NN`: the slowest screen until it is complete.

Before that, a second table: on screens where people try numbers, one input is changed several times. It says how long
it takes from the key or click to the last thing that changes on the screen; the bound we aim at is 400 ms. The first
line is of the empty page with one input, to see what the machine needs for any change.
"""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support.live_dashboard import PATHS, LiveDashboard, chromium, live_dashboard, new_context

_EMPTY_PAGE = "import streamlit as st\n\nst.title('Empty')\nif st.query_params:\n    st.write(st.text_input('Input'))\n"
_ONE_INPUT = "/?input=1"
"""The empty page with an input, whose text it shows."""
_COMPLETE = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    const charts = [...document.querySelectorAll("[data-testid=stPlotlyChart]")];
    return app && app.dataset.testScriptState === "notRunning" && document.querySelector("h1")
        && !document.querySelector("[data-testid=stSkeleton]")
        && charts.every(chart => chart.querySelector(".main-svg")) && performance.now();
}"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def _times_ms(browser: Browser, live: LiveDashboard, path: str) -> tuple[float, float]:
    """Milliseconds until the page is painted and until it is complete."""
    with new_context(browser) as context:
        page = context.new_page()
        page.goto(f"{live.address}{path}")
        complete_ms = page.wait_for_function(_COMPLETE, polling="raf").json_value()
        painted_ms = page.wait_for_function(_PAINTED, polling="raf").json_value()  # told after the frame is drawn
        return float(painted_ms), float(complete_ms)


_WATCH = """() => {
    const main = document.querySelector("[data-testid=stMain]"), app = document.querySelector("[data-testid=stApp]");
    window.asked = window.changed = 0;
    const ask = () => { window.asked = window.changed = performance.now(); };
    addEventListener("keydown", event => { if (event.key === "Enter") ask(); }, true);
    addEventListener("pointerdown", ask, true);
    const note = () => { window.changed = performance.now(); };
    new MutationObserver(note).observe(main, {childList: true, characterData: true, subtree: true});
    new MutationObserver(note).observe(app, {attributeFilter: ["data-test-script-state"]});
}"""
_QUIET_MS = 700
"""So long after the last change, a screen is finished."""
_FINISHED = f"() => window.changed > window.asked && performance.now() - window.changed > {_QUIET_MS}"


def _type(label: str, texts: tuple[str, str], page: Page, number: int) -> None:
    box = page.get_by_role("textbox", name=label).first
    box.fill(texts[number % 2])
    box.press("Enter")


def _choose(labels: tuple[str, str], page: Page, number: int) -> None:
    page.get_by_test_id("stMain").get_by_text(labels[number % 2], exact=True).first.click()


_CHANGES: dict[str, Callable[[Page, int], None]] = {
    _ONE_INPUT: partial(_type, "Input", ("one", "two")),
    "/test-credits?prompt=free-form&model=openai/gpt-4o": partial(_type, "Input tokens", ("1500", "1600")),
    "/compare-plans": partial(_type, "Tier 1: markup", ("21 %", "22 %")),
    "/fee-designer": partial(_type, "Runs per user", ("30", "40")),
    "/": partial(_choose, ("7 days", "This month")),
}


def _changes_ms(browser: Browser, live: LiveDashboard, path: str, times: int) -> list[float]:
    """Milliseconds from each change of an input until the screen is finished; the first change is not counted."""
    with new_context(browser) as context:
        page = context.new_page()
        page.goto(f"{live.address}{path}")
        page.wait_for_function(_COMPLETE, polling="raf")
        page.wait_for_timeout(_QUIET_MS)
        page.evaluate(_WATCH)
        took_ms = []
        for number in range(times + 1):
            _CHANGES[path](page, number)
            page.wait_for_function(_FINISHED, polling="raf")
            took_ms.append(float(page.evaluate("() => window.changed - window.asked")))
        return took_ms[1:]


def main() -> None:
    """Print a line for each screen; the ratio of the slowest one is the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each screen is opened")
    parser.add_argument("--changes", type=int, default=10, help="how often an input is changed")
    parser.add_argument("--only-changes", action="store_true", help="the second table alone")
    parser.add_argument("--database", type=Path, help="a SQLite ledger instead of the demo month")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        empty_folder, ours_folder = Path(folder) / "empty", Path(folder) / "ours"
        empty_folder.mkdir()
        ours_folder.mkdir()
        script = empty_folder / "empty.py"
        script.write_text(_EMPTY_PAGE, encoding="utf-8")
        if arguments.database:
            shutil.copy(arguments.database, ours_folder / "credits.db")
        demo = "0" if arguments.database else "1"
        with (
            chromium() as browser,
            live_dashboard(empty_folder, app=str(script)) as empty,
            live_dashboard(ours_folder, CREDITS_DEMO=demo) as ours,
        ):
            _times_ms(browser, empty, "/")
            slowest = 0.0
            print(f"{'screen':<20}{'painted':>10}{'complete':>10}{'ms':>8}")
            for path in () if arguments.only_changes else PATHS:
                _times_ms(browser, ours, path)  # what a process reads once
                pairs = [
                    (_times_ms(browser, ours, path), _times_ms(browser, empty, "/")) for _ in range(arguments.rounds)
                ]
                painted = statistics.median(one[0] / other[0] for one, other in pairs)
                complete = statistics.median(one[1] / other[1] for one, other in pairs)
                took_ms = statistics.median(one[1] for one, _ in pairs)
                slowest = max(slowest, complete)
                print(f"{path:<20}{painted:>10.2f}{complete:>10.2f}{took_ms:>8.0f}", flush=True)
            print(f"{'one input changed':<54}{'median':>8}{'longest':>9}")
            for path in _CHANGES:
                changes_ms = _changes_ms(browser, empty if path == _ONE_INPUT else ours, path, arguments.changes)
                print(f"{path:<54}{statistics.median(changes_ms):>8.0f}{max(changes_ms):>9.0f}", flush=True)
    if not arguments.only_changes:
        print(f"ratio {slowest:.2f}")


if __name__ == "__main__":
    main()
