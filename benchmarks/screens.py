"""How long a screen takes to appear, as ratios to an empty Streamlit page: `python -m benchmarks.screens`.

One browser opens every screen and the empty page by turns, each in a window of its own, so that nothing is kept.
Painted is the first thing that is seen; complete is when the script has ended, no skeleton is left and every chart is
drawn. The ledger is the demo month; with `--database FILE`, a copy of that SQLite ledger. The last line printed is
`ratio N.NN`: the slowest screen until it is complete.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.live_dashboard import PATHS, LiveDashboard, chromium, live_dashboard, new_context

_EMPTY_PAGE = "import streamlit as st\n\nst.title('Empty')\n"
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


def main() -> None:
    """Print a line for each screen; the ratio of the slowest one is the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each screen is opened")
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
            for path in PATHS:
                _times_ms(browser, ours, path)  # what a process reads once
                pairs = [
                    (_times_ms(browser, ours, path), _times_ms(browser, empty, "/")) for _ in range(arguments.rounds)
                ]
                painted = statistics.median(one[0] / other[0] for one, other in pairs)
                complete = statistics.median(one[1] / other[1] for one, other in pairs)
                took_ms = statistics.median(one[1] for one, _ in pairs)
                slowest = max(slowest, complete)
                print(f"{path:<20}{painted:>10.2f}{complete:>10.2f}{took_ms:>8.0f}", flush=True)
    print(f"ratio {slowest:.2f}")


if __name__ == "__main__":
    main()
