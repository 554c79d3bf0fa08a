"""A counter of requests that does not answer: who waits for it, for how long, and when it is asked again."""

import asyncio
import selectors
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from credits_core.api.limits import Limiter
from credits_core.api.refusals import RateLimited
from tests.support.redis_server import redis_server


async def _hang_up(*limiters: Limiter) -> None:
    for limiter in limiters:
        await limiter._shared.storage.bridge.storage.aclose()  # type: ignore[union-attr]


class PatientLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes on only when nothing happens, so that a busy machine does not make it late."""

    def __init__(self) -> None:
        self._seconds = 0.0
        selector = selectors.DefaultSelector()
        super().__init__(selector)
        select = selector.select

        def select_quickly(timeout: float | None = None) -> list[Any]:
            found = select(min(timeout or 0, 0.1))
            if not found:
                self._seconds += timeout or 0
            return found

        selector.select = select_quickly  # type: ignore[assignment,method-assign]

    def time(self) -> float:
        return self._seconds


def test_nobody_waits_long_for_a_counter_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, asyncio.Runner(loop_factory=PatientLoop) as runner:
        limiter = Limiter("1/minute", f"redis://127.0.0.1:{mute.getsockname()[1]}")
        runner.run(asyncio.wait_for(limiter.count("key", "1"), timeout=4))  # by itself the library waits for five


def test_a_counter_that_does_not_answer_is_waited_for_once_in_a_while() -> None:
    now, longest_seconds = [0], 0.0

    async def count(limiter: Limiter, caller: str) -> float:
        begun = time.monotonic()
        await limiter.count("key", caller)
        return time.monotonic() - begun

    with socket.create_server(("127.0.0.1", 0)) as mute, asyncio.Runner() as runner:
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}"
        limiter = Limiter("3/minute", url, clock=lambda: now[0])
        assert 0.9 < runner.run(count(limiter, "ada")) < 2
        for caller in ("ada", "ada", "ben"):  # counted by this process meanwhile
            longest_seconds = max(longest_seconds, runner.run(count(limiter, caller)))
        with pytest.raises(RateLimited):
            runner.run(count(limiter, "ada"))
        assert longest_seconds < 0.5
        now[0] = 29
        assert runner.run(count(limiter, "cleo")) < 0.5
        now[0] = 30

        async def two_at_once() -> list[float]:
            return sorted(await asyncio.gather(count(limiter, "dora"), count(limiter, "emil")))

        quick, slow = runner.run(two_at_once())  # one of them finds out for both
        assert quick < 0.5
        assert 0.9 < slow < 2
        assert runner.run(count(limiter, "dora")) < 0.5
        runner.run(_hang_up(limiter))


def test_a_counter_that_answers_again_is_asked_again(tmp_path: Path) -> None:
    now = [0]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    limiter = Limiter("1/minute", f"redis://127.0.0.1:{port}", clock=lambda: now[0])
    with asyncio.Runner() as runner:
        runner.run(limiter.count("key", "ada"))  # nobody listens there
        with redis_server(tmp_path, port) as url:
            another = Limiter("1/minute", url)
            now[0] = 30
            runner.run(limiter.count("key", "ada"))
            with pytest.raises(RateLimited):  # both ask the same counter
                runner.run(another.count("key", "ada"))
            with pytest.raises(RateLimited):
                runner.run(limiter.count("key", "ada"))
            runner.run(_hang_up(limiter, another))
