"""What the processes of the race and crash tests run. Imports no pytest, so that starting one is cheap."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from typing import TypeVar

from sqlalchemy import Connection, text

from credits_core.bulk.group_commit import GroupCommit
from credits_core.ledger.refusals import AlreadyRefunded, InsufficientCredits, RefundExceedsRest, SpendingLimitReached
from credits_core.ledger.requests import Charge, ChargeRequest
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER

Outcome = TypeVar("Outcome")
_MODULE = "tests.support.racers"
_START_SECONDS = 300


def processes() -> multiprocessing.context.BaseContext:
    """How processes are started: from a server that has imported this module, and as new ones where there is none."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_MODULE])
    return context


def start(target: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Pipe]:
    """A started process and the end of the pipe on which it answers; the target takes the other end first."""
    answers, sender = multiprocessing.Pipe(duplex=False)
    process = processes().Process(target=target, args=(sender, *arguments), daemon=True)  # type: ignore[attr-defined]
    process.start()
    sender.close()
    return process, answers


def answers_of(racing: Iterable[tuple[BaseProcess, Pipe]]) -> list[int]:
    """What each of these processes answers, once all of them have ended well."""
    given = []
    for process, answers in racing:
        given.append(answers.recv())
        answers.close()
        process.join()
        assert process.exitcode == 0
        process.close()
    return given


def charge_many(answers: Pipe, start_line: threading.Barrier, url: str, prefix: str, attempts: int) -> None:
    """Charge ada's run of 300 credits this many times, each with its own key, and send how many were refused."""
    engine = database.create_engine_for(url)
    with engine.connect():
        start_line.wait(_START_SECONDS)
    refused = 0
    for number in range(attempts):
        try:
            world.charge(engine, world.HAIKU, key=f"{prefix}-{number}")
        except (InsufficientCredits, SpendingLimitReached):
            refused += 1
    engine.dispose()
    answers.send(refused)
    answers.close()


def refund_in_parts(
    answers: Pipe, start_line: threading.Barrier, url: str, prefix: str, entry_id: int, amount_credits: int
) -> None:
    """Refund an entry by so many credits at a time as long as that fits, then the rest; send how much that was."""
    engine = database.create_engine_for(url)
    with engine.connect():
        start_line.wait(_START_SECONDS)
    given_back, number = 0, 0
    asked: int | None = amount_credits
    while True:
        try:
            receipt = world.refund(engine, entry_id, amount_credits=asked, key=f"{prefix}-{number}")
            given_back += receipt.transactions[0].amount_credits
        except RefundExceedsRest:
            asked = None
        except AlreadyRefunded:
            break
        number += 1
    engine.dispose()
    answers.send(given_back)
    answers.close()


def charge_until_killed(acknowledgements: Pipe, url: str, prefix: str) -> None:
    """Charge runs with a fee, one after the other, and write each one's key once it is charged. Never returns.

    A line is shorter than the pipe's atomic size, so that the reader sees all of it or nothing.
    """
    engine = database.create_engine_for(url)
    request = ChargeRequest("ada", "summarise", "claude-3-haiku", "ben", 1_001)
    number = 0
    while True:
        receipt = world.charge(engine, request, key=f"{prefix}-{number}")
        os.write(acknowledgements.fileno(), f"{receipt.idempotency_key}\n".encode())
        number += 1


def stand_in_the_way(answers: Pipe, url: str) -> None:
    """Stand still amid a unit of work that has ada's row; say so before, and once it has ended."""
    engine = database.create_engine_for(url)

    def take(connection: Connection) -> None:
        connection.execute(text("UPDATE user_credits SET balance_credits = balance_credits WHERE user_id = 'ada'"))
        answers.send("inside")
        os.kill(os.getpid(), signal.SIGSTOP)

    database.write(engine, take)
    answers.send("through")
    answers.close()


def charge_groups_until_killed(acknowledgements: Pipe, url: str, prefix: str) -> None:
    """Charge runs with a fee in groups of eight, and write each one's key once it is charged. Never returns."""
    engine = database.create_engine_for(url)
    book = world.price_book()
    group = GroupCommit(lambda: engine, lambda _: book)
    number = 0
    while True:
        numbers = range(number, number + 8)
        charges = [Charge(world.HAIKU_WITH_FEE, f"{prefix}-{one}", world.NOW, TESTER) for one in numbers]
        for receipt in [group.submit(charge) for charge in charges]:
            os.write(acknowledgements.fileno(), f"{receipt.result().idempotency_key}\n".encode())
        number += 8


def at_once(actions: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """What the actions return, each run by a thread of its own, all let go at the same moment."""
    start_line = threading.Barrier(len(actions))

    def run(action: Callable[[], Outcome]) -> Outcome:
        start_line.wait(_START_SECONDS)
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))
