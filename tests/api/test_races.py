"""Many callers at once, over HTTP, on a server of its own: nothing is charged twice, lost, or spent in the red."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.settings import load_price_book
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import live_api, live_dashboard, world
from tests.support.plain_sql import balance, scalar

REQUESTS, THREADS = 64, 32
RUN = {"user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}
"""A run of 300 credits: 250 inference + 20 % markup of 50, by the specification's plan."""


def _charge(url: str, key: str, idempotency_key: str) -> requests.Response:
    return requests.post(
        f"{url}/api/credits/charge-prompt",
        json=RUN,
        headers={"Authorization": f"Bearer {key}", "Idempotency-Key": idempotency_key},
        timeout=300,
    )


def _all_at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    start_line = threading.Barrier(THREADS)

    def worker(share: list[Callable[[], Any]]) -> list[Any]:
        start_line.wait(300)
        return [call() for call in share]

    with ThreadPoolExecutor(THREADS) as threads:
        return [
            answer for answers in threads.map(worker, [calls[n::THREADS] for n in range(THREADS)]) for answer in answers
        ]


def _assert_clean(engine: Engine) -> None:
    assert [finding for finding in invariants.check(engine, load_price_book().plans) if not finding.ok] == []


def test_64_requests_with_one_key_charge_once(engine: Engine, tmp_path: Path) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    key = live_api.make_key(engine, Role.SERVICE)
    with live_api.serving(engine, tmp_path / "api.log") as url:
        answers = _all_at_once([partial(_charge, url, key, "same")] * REQUESTS)

    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: REQUESTS - 1}
    assert Counter(answer.headers.get("Idempotent-Replayed") for answer in answers) == {None: 1, "true": REQUESTS - 1}
    assert Counter(answer.json()["replayed"] for answer in answers) == {False: 1, True: REQUESTS - 1}
    assert len({answer.text.replace('"replayed":true', '"replayed":false') for answer in answers}) == 1
    assert balance(engine, "ada") == 9_700
    _assert_clean(engine)


def test_64_requests_with_funds_for_7_charge_7(engine: Engine, tmp_path: Path) -> None:
    world.add(engine, "ada", 7 * 300 + 299, key="fund")
    key = live_api.make_key(engine, Role.SERVICE)
    with live_api.serving(engine, tmp_path / "api.log") as url:
        answers = _all_at_once([partial(_charge, url, key, f"k-{number}") for number in range(REQUESTS)])

    assert Counter(answer.status_code for answer in answers) == {201: 7, 402: REQUESTS - 7}
    charged = [answer.json()["user_balance_credits"] for answer in answers if answer.status_code == 201]
    assert sorted(charged) == [299 + 300 * left for left in range(7)]
    assert scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == 7
    assert balance(engine, "ada") == 299
    _assert_clean(engine)


def test_the_dashboard_opens_while_fifty_connections_charge(tmp_path: Path) -> None:
    # The newcomer's server: dashboard and API in one process on one port.
    with (
        live_dashboard.live_dashboard(tmp_path, CREDITS_RATE_LIMIT="1000000/minute") as live,
        live_dashboard.chromium() as browser,
    ):
        assert requests.get(f"{live.address}/api/ready", timeout=300).status_code == 200
        engine = database.create_engine_for(f"sqlite:///{live.database}")
        world.add(engine, "ada", 1_000_000_000, key="fund")
        key = live_api.make_key(engine, Role.SERVICE)
        opened = threading.Event()

        def charge_until_it_is_open(caller: int) -> list[int]:
            statuses: list[int] = []
            while not opened.is_set():
                statuses.append(_charge(live.address, key, f"{caller}-{len(statuses)}").status_code)
            return statuses

        with ThreadPoolExecutor(50) as callers:
            answers = callers.map(charge_until_it_is_open, range(50))
            try:
                page = live_dashboard.new_context(browser).new_page()
                page.goto(live.address)
                page.get_by_role("heading", name="Where users' credits went").wait_for()
            finally:
                opened.set()
            statuses = [status for of_caller in answers for status in of_caller]

        assert set(statuses) == {201}
        assert scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == len(statuses) >= 50
        assert balance(engine, "ada") == 1_000_000_000 - 300 * len(statuses)
        _assert_clean(engine)
        engine.dispose()
        assert live.complaints == []
