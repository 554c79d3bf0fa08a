"""Nothing waits for ever: what the API answers while a writer, a database server or a disk stands still.

Servers of their own. Each case has its control: a server with a long deadline goes on waiting, and when what stood
still goes on, the same requests with the same keys are carried out once.
"""

import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, Engine

from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import live_api, postgres_server, racers, world
from tests.support.api_world import FORGED, client_of, problem
from tests.support.plain_sql import balance, rows, scalar
from tests.support.standing_still import backends, server_of, standing_still
from tests.support.waiting import wait_until

DEADLINE_SECONDS = 2
RUN = {"user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}
FLOW = {"user_id": "ada", "flow_id": "report", "creator_id": "ben", "unlock_fee_credits": 100}
PRICE = {"model_id": "claude-3-haiku"}


class Caller:
    """Somebody with a service key, who measures how long each answer takes."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key

    def charge(self, idempotency_key: str) -> requests.Response:
        return self._ask("POST", "/api/credits/charge-prompt", json=RUN, idempotency_key=idempotency_key)

    def unlock(self, idempotency_key: str) -> requests.Response:
        return self._ask("POST", "/api/credits/unlock-flow", json=FLOW, idempotency_key=idempotency_key)

    def status(self, method: str, path: str, **more: Any) -> int:
        answer = self._ask(method, path, **more)
        assert answer.elapsed.total_seconds() < DEADLINE_SECONDS
        return answer.status_code

    def _ask(
        self, method: str, path: str, *, key: str | None = None, idempotency_key: str = "", **more: Any
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {key or self.key}", "Idempotency-Key": idempotency_key}
        return requests.request(method, self.url + path, headers=headers, timeout=120, **more)


@contextmanager
def _a_writer_stands_still(engine: Engine) -> Iterator[Callable[[], None]]:
    """Another process does, amid a unit of work, until it is told to go on."""
    process, answers = racers.start(racers.stand_in_the_way, engine.url.render_as_string(hide_password=False))
    assert answers.poll(300)
    assert answers.recv() == "inside"
    pid = process.pid
    assert pid is not None
    until = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < until
        time.sleep(0.01)

    def go_on() -> None:
        os.kill(pid, signal.SIGCONT)
        assert answers.poll(120)
        assert answers.recv() == "through"

    try:
        yield go_on
    finally:
        process.kill()
        process.join()


def _all_refused(charges: list["Future[requests.Response]"], *, may_have_happened: bool) -> None:
    for charge in charges:
        answer = charge.result(120)
        assert answer.status_code == 503
        assert answer.json()["code"] == "deadline_passed"
        assert answer.json()["may_have_happened"] is may_have_happened
        assert answer.headers["retry-after"] == "1"
        assert DEADLINE_SECONDS <= answer.elapsed.total_seconds() < DEADLINE_SECONDS + 1


def test_a_writer_that_stands_still_delays_charges_to_their_deadline_and_nothing_else(
    engine: Engine, tmp_path: Path
) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    key = live_api.make_key(engine, Role.SERVICE)
    with (
        live_api.serving(
            engine, tmp_path / "log", CREDITS_DEADLINE_SECONDS=str(DEADLINE_SECONDS), CREDITS_KEPT_CALLS="0"
        ) as url,
        live_api.serving(
            engine, tmp_path / "log-2", CREDITS_DEADLINE_SECONDS="100", CREDITS_KEPT_CALLS="0"
        ) as patient_url,
        ThreadPoolExecutor(16) as threads,
    ):
        caller, patient = Caller(url, key), Caller(patient_url, key)
        with _a_writer_stands_still(engine) as go_on:
            charges = [threads.submit(caller.charge, f"k-{number}") for number in range(4)]
            unlocks = [threads.submit(caller.unlock, f"u-{number}") for number in range(6)]
            control = threads.submit(patient.charge, "k-patient")
            time.sleep(0.2)
            assert caller.status("GET", "/api/health") == 200
            assert caller.status("GET", "/api/credits/balance", params={"user_id": "ada"}) == 200
            assert caller.status("POST", "/api/credits/calculate-cost", json=PRICE) == 200
            assert caller.status("GET", "/api/ready") == 200
            assert caller.status("GET", "/metrics") == 200
            assert caller.status("GET", "/api/models", key=FORGED) == 401
            # On PostgreSQL the unit of work had begun, and has been rolled back: that is certain, too.
            _all_refused(charges + unlocks, may_have_happened=False)
            assert not control.done()
            go_on()
        assert control.result(120).status_code == 201
        again = [caller.charge(f"k-{number}") for number in range(4)]
    assert [answer.status_code for answer in again] == [201] * 4
    assert balance(engine, "ada") == 10_000 - 5 * 300
    assert rows(engine, "SELECT COUNT(*) FROM prompt_runs") == [(5,)]


def test_a_start_that_waits_for_a_writer_is_told_in_time_and_goes_on(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITS_DEADLINE_SECONDS", "1")
    monkeypatch.setenv("CREDITS_DEMO", "0")
    is_inside, may_end = threading.Event(), threading.Event()

    def stand_in_the_way(_: Connection) -> None:
        is_inside.set()
        assert may_end.wait(60)

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(database.write, sqlite_engine, stand_in_the_way)
        assert is_inside.wait(60)
        with client_of(sqlite_engine.url.render_as_string()) as client:
            begun = time.monotonic()
            assert problem(client.get("/api/ready")) == (503, "deadline_passed")
            assert 1 <= time.monotonic() - begun < 2
            may_end.set()
            writing.result(60)
            wait_until(lambda: client.get("/api/ready").status_code == 200)


def test_a_postgres_server_that_answers_nothing_holds_nobody(tmp_path: Path) -> None:
    binaries = postgres_server.find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL here")  # without which the other tests fail, where it is required
    with postgres_server.running_server(binaries) as server_url:
        engine = database.create_engine_for(server_url)
        database.migrate(engine)
        world.add(engine, "ada", 10_000, key="fund")
        key = live_api.make_key(engine, Role.SERVICE)
        with (
            live_api.serving(
                engine, tmp_path / "log", CREDITS_DEADLINE_SECONDS=str(DEADLINE_SECONDS), CREDITS_KEPT_CALLS="0"
            ) as url,
            live_api.serving(
                engine, tmp_path / "log-2", CREDITS_DEADLINE_SECONDS="100", CREDITS_KEPT_CALLS="0"
            ) as patient_url,
            ThreadPoolExecutor(8) as threads,
        ):
            caller, patient = Caller(url, key), Caller(patient_url, key)
            assert (caller.charge("k-0").status_code, patient.charge("k-1").status_code) == (201, 201)
            serving = backends(engine)
            with standing_still([server_of(serving[0]), *serving]):
                control = threads.submit(patient.charge, "k-2")
                refused = threads.submit(caller.charge, "k-3")
                ready = threads.submit(caller._ask, "GET", "/api/ready")
                assert caller.status("GET", "/api/health") == 200
                assert refused.result(120).json()["code"] == "deadline_passed"
                assert refused.result().elapsed.total_seconds() < DEADLINE_SECONDS + 1
                assert ready.result(120).status_code == 503
                # All its connections were thrown away, and a new one finds nobody.
                assert caller.charge("k-3").status_code == 503
                assert not control.done()
            assert control.result(120).status_code == 201
            assert caller.charge("k-3").status_code in {201, 200}
        assert scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == 4
        assert balance(engine, "ada") == 10_000 - 4 * 300
        engine.dispose()


def _obeying_permissions() -> list[str]:
    """The administrator may write any file, so the server must run without that right."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv, which Linux has")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def test_a_database_file_that_cannot_be_written_is_told_and_used_again_when_it_can(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    world.add(sqlite_engine, "ada", 10_000, key="fund")
    key = live_api.make_key(sqlite_engine, Role.SERVICE)
    sqlite_engine.dispose()
    files = [*tmp_path.glob("credits.db*")]
    for file in files:
        file.chmod(0o444)
    tmp_path.chmod(0o555)
    log = Path(f"{tmp_path}.log")
    try:
        with live_api.serving(
            sqlite_engine, log, under=_obeying_permissions(), ready="/api/health", CREDITS_KEPT_CALLS="0"
        ) as url:
            caller = Caller(url, key)
            for answer in (caller.charge("k-1"), caller._ask("GET", "/api/ready"), caller._ask("GET", "/api/models")):
                assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
                assert answer.headers["retry-after"] == "1"
                assert "credits.db" not in answer.text
            tmp_path.chmod(0o755)
            for file in files:
                file.chmod(0o644)
            assert caller.charge("k-1").status_code == 201
            assert caller.status("GET", "/api/ready") == 200
    finally:
        tmp_path.chmod(0o755)
        for file in files:
            file.chmod(0o644)
        log.unlink()


def test_a_full_disk_is_told_and_what_was_read_goes_on(sqlite_engine: Engine, tmp_path: Path) -> None:
    world.add(sqlite_engine, "ada", 10_000, key="fund")
    key = live_api.make_key(sqlite_engine, Role.SERVICE)
    with live_api.serving(sqlite_engine, tmp_path / "log", CREDITS_KEPT_CALLS="0") as url:
        caller = Caller(url, key)
        assert caller.charge("k-1").status_code == 201
        pid = _listening_on(int(url.rpartition(":")[2]))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # as if no file could grow
        answer = caller.charge("k-2")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert caller.status("GET", "/api/credits/balance", params={"user_id": "ada"}) == 200
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert caller.charge("k-2").status_code == 201
    assert balance(sqlite_engine, "ada") == 10_000 - 2 * 300


def _listening_on(port: int) -> int:
    """The process that listens on this port: a child of ours."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    for child in children:
        if str(port) in Path(f"/proc/{child}/cmdline").read_text().split("\0"):
            return int(child)
    raise AssertionError("no child of ours listens there")
