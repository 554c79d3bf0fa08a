"""The API under load: `python -m benchmarks.api_load [--alone] [--seconds 10] [--connections 32] [--rounds 3]`.

By turns, each over a scratch SQLite database of its own and a few times: direct calls of `actions.charge_prompt`; a
bare Starlette route that carries out one charge by the bare driver; the API in a process of its own; and, without
`--alone`, the server that a newcomer starts, dashboard and API on one port, while a browser opens the overview again
and again.
The servers are loaded by `wrk`, each request with its own idempotency key. Fails when an answer is not 201, when a
charge that was answered is not in the ledger, when the audit finds something, or when the dashboard does not open. Each
ratio at the end is the median over the rounds.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, func, select

from credits_core.audit import invariants
from credits_core.ledger import actions
from credits_core.ledger.requests import ChargeRequest
from credits_core.settings import load_price_book
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.store.tables import PromptRun
from credits_core.values.roles import Role, system
from tests.support import live_api, live_dashboard

_BENCH = system("bench")
_USERS = 50
_PLENTY_CREDITS = 10**12
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_DIRECT_CHARGES = 2_000
Wrk = Callable[[str, str], dict[str, float]]
"""Loads the server at an address with a key, and says what became of it."""
_SCRIPT = """
local threads = {{}}
function setup(thread) thread:set("id", #threads); table.insert(threads, thread) end
function init() sent, other = 0, 0 end
function request()
  sent = sent + 1
  local body = string.format('{{"user_id":"user-%d","prompt_id":"load","model_id":"openai/gpt-4o",'
    .. '"input_tokens":1020,"output_tokens":129,"creator_id":"creator","creator_fee_credits":1001}}', sent % {users})
  return wrk.format("POST", "/api/credits/charge-prompt", {{
    ["Authorization"] = "Bearer {key}", ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = string.format("load-%d-%d", id, sent)}}, body)
end
function response(status) if status ~= 201 then other = other + 1 end end
function done(summary, latency, requests)
  local others = 0
  for _, thread in ipairs(threads) do others = others + thread:get("other") end
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format('RESULT {{"answers":%d,"other":%d,"failed":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f}}\\n',
    summary.requests, others, failed, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3))
end
"""


def _fund(engine: Engine) -> None:
    for number in range(_USERS):
        database.write(
            engine,
            lambda connection, number=number: actions.add_credits(  # type: ignore[misc]
                connection,
                f"user-{number}",
                _PLENTY_CREDITS,
                source=CreditSource.PURCHASE,
                key=f"fund-{number}",
                now=_NOW,
                actor=_BENCH,
            ),
        )


def _direct_rate(engine: Engine) -> float:
    book = load_price_book()
    start = time.perf_counter()
    for number in range(_DIRECT_CHARGES):
        request = ChargeRequest(f"user-{number % _USERS}", "load", "openai/gpt-4o", "creator", 1_001, 1_020, 129)
        database.write(
            engine,
            lambda connection, request=request, number=number: actions.charge_prompt(  # type: ignore[misc]
                connection, request, book=book, key=f"direct-{number}", now=_NOW, actor=_BENCH
            ),
        )
    return _DIRECT_CHARGES / (time.perf_counter() - start)


def _migrated(path: Path) -> Engine:
    engine = database.create_engine_for(f"sqlite:///{path}")
    database.migrate(engine)
    _fund(engine)
    return engine


def _open_pages(address: str, stop: threading.Event, seconds_to_open: list[float]) -> None:
    with live_dashboard.chromium() as browser:
        while not stop.is_set():
            page = browser.new_page()
            start = time.perf_counter()
            page.goto(address)
            page.get_by_text("Where users' credits went", exact=True).wait_for(timeout=60_000)
            seconds_to_open.append(time.perf_counter() - start)
            page.close()
            stop.wait(2)


def _load(address: str, key: str, *, folder: Path, seconds: int, connections: int) -> dict[str, float]:
    script = folder / "charge.lua"
    script.write_text(_SCRIPT.format(key=key, users=_USERS), encoding="utf-8")
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is missing: install Debian's package wrk")
    ran = subprocess.run(
        [wrk, "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", str(script), address],
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith("RESULT ")]
    result: dict[str, float] = json.loads(line.removeprefix("RESULT "))
    return result


def _alone(folder: Path, wrk: Wrk) -> dict[str, float]:
    """The API in a process of its own."""
    engine = _migrated(folder / "alone.db")
    with live_api.serving(engine, folder / "alone.log") as address:
        result = wrk(address, live_api.make_key(engine, Role.SERVICE))
    _require_all_there(engine, result)
    return result


def _beside_the_dashboard(folder: Path, wrk: Wrk) -> dict[str, float]:
    """The API in the dashboard's process, while a browser opens the overview again and again."""
    with live_dashboard.live_dashboard(folder, CREDITS_RATE_LIMIT="100000000/minute") as live:
        engine = _migrated(live.database)
        key = live_api.make_key(engine, Role.SERVICE)
        stop, seconds_to_open = threading.Event(), list[float]()
        browser = threading.Thread(target=_open_pages, args=(live.address, stop, seconds_to_open))
        browser.start()
        result = wrk(live.address, key)
        stop.set()
        browser.join()
        complaints = live.complaints
    _require_all_there(engine, result)
    if complaints or not seconds_to_open:
        sys.exit(f"failed: the dashboard was not opened, or complains: {complaints[:3]}")
    print(f"dashboard opened {len(seconds_to_open)} times, in {statistics.median(seconds_to_open):.1f} s (median)")
    return result


def _bare(folder: Path, wrk: Wrk) -> dict[str, float]:
    """A bare Starlette route that carries out a bare charge on its event loop, in a process of its own."""
    path = folder / "bare.db"
    _migrated(path).dispose()
    command = ["uvicorn", "--factory", "benchmarks.bare:app", "--no-access-log"]
    with live_api.started(command, folder / "bare.log", "/", CREDITS_DATABASE_URL=f"sqlite:///{path}") as address:
        result = wrk(address, "none")
    if result["other"] or result["failed"]:  # a refusal is quicker than a charge
        sys.exit(f"failed: bare: {result['other']:.0f} answers are not 201, {result['failed']:.0f} calls had none")
    return result


def _require_all_there(engine: Engine, result: dict[str, float]) -> None:
    with database.read(engine) as connection:
        charged = connection.execute(select(func.count()).select_from(PromptRun)).scalar_one()
    wrong = [str(finding) for finding in invariants.check(engine, load_price_book().plans) if not finding.ok]
    engine.dispose()
    # A charge that was under way when wrk stopped listening is in the ledger and was not counted.
    lost = result["answers"] - result["other"] - charged
    if result["other"] or result["failed"] or lost > 0 or wrong:
        sys.exit(f"failed: {lost:.0f} charges lost; {result['other']:.0f} answers are not 201; audit {wrong[:3]}")


def main() -> None:
    """Load each server by turns, look at what became of it, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without dashboard and browser")
    arguments = parser.parse_args()
    servers = {"bare Starlette": _bare, "API alone": _alone}
    if not arguments.alone:
        servers["API beside the dashboard"] = _beside_the_dashboard
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            folder = Path(name)
            engine = _migrated(folder / "direct.db")
            rates["direct calls"].append(_direct_rate(engine))
            engine.dispose()
            wrk = partial(_load, folder=folder, seconds=arguments.seconds, connections=arguments.connections)
            for server, load in servers.items():
                result = load(folder, wrk)
                rates[server].append(result["answers"] / result["seconds"])
                print(
                    f"{server}: {rates[server][-1]:,.0f} charges/s, p50 {result['p50_ms']:.0f} ms,"
                    f" p99 {result['p99_ms']:.0f} ms"
                )
    for server, of_server in rates.items():
        print(f"{server}: {statistics.median(of_server):,.0f} charges/s")
    for one, other in (
        ("API alone", "direct calls"),
        ("API alone", "bare Starlette"),
        ("API beside the dashboard", "API alone"),
    ):
        if one in rates:
            ratio = statistics.median(ours / theirs for ours, theirs in zip(rates[one], rates[other], strict=True))
            print(f"{one} against {other}: {ratio:.2f}")


if __name__ == "__main__":
    main()
