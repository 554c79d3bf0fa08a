"""Other processes that use a demo while it is started over. Imports no pytest, so that starting one is cheap."""

import threading
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from typing import Any

from sqlalchemy import Connection, text

from credits_core import settings, startup
from credits_core.ledger import actions
from credits_core.ledger.requests import ChargeRequest
from credits_core.plans.book import PriceBooks
from credits_core.store import database
from tests.support.actors import TESTER, named

NOW = datetime(2026, 11, 26, 7, 21, tzinfo=UTC)
RUN = ChargeRequest("dev", "quick-answer", "claude-3-haiku")
"""A run of 300 credits, by a user who has thousands of times as many."""
_STATE = (
    "SELECT (SELECT COUNT(*) FROM journal_entries), (SELECT COUNT(*) FROM user_credits),"
    " (SELECT COUNT(*) FROM price_plans), (SELECT COUNT(*) FROM price_lists)"
)
_SUMS = (
    "SELECT COALESCE(SUM(amount_credits), 0), (SELECT SUM(balance_credits) FROM user_credits) -"
    " SUM(CASE WHEN account_id LIKE 'platform:%' THEN 0 ELSE amount_credits END) FROM credit_transactions"
)


def state(connection: Connection) -> tuple[int, ...]:
    """How many entries, users, plans and price lists there are, in two statements that must agree, and two sums of 0.

    The statements come one after the other, as those of a screen do.
    """
    counts, sums, again = (tuple(connection.execute(text(sql)).one()) for sql in (_STATE, _SUMS, _STATE))
    assert counts == again, "a screen has seen two databases"
    return (*counts, *map(int, sums))


def watch(answers: Pipe, url: str, started: Any, stop: Any) -> None:
    """Read again and again, and send every state that was seen, in the order of seeing them."""
    seen: list[tuple[int, ...]] = []
    with database.opened(url) as engine:
        while not stop.is_set():
            with database.read(engine) as connection:
                found = state(connection)
            if not seen or seen[-1] != found:
                seen.append(found)
            started.set()
    answers.send(seen)
    answers.close()


def charge_on(answers: Pipe, url: str, started: Any, stop: Any) -> None:
    """Charge a run again and again, as the dashboard does, and send the ids and keys of the entries, in their order."""
    books, charged = PriceBooks(settings.load_models()), []
    with database.opened(url) as engine:
        while not stop.is_set():
            key = f"dashboard:race:{len(charged)}"

            def charge(connection: Connection, key: str = key) -> int:
                book = books.at(connection)
                receipt = actions.charge_prompt(connection, RUN, book=book, key=key, now=NOW, actor=named("dashboard"))
                return receipt.entry_id

            charged.append((database.write(engine, charge), key))
            started.set()
            threading.Event().wait(0.005)
    answers.send(charged)
    answers.close()


def build_at_once(answers: Pipe, start_line: threading.Barrier, url: str) -> None:
    """Build the demo world together with others, and send whether it was this process that built it."""
    books = PriceBooks(settings.load_models())
    with database.opened(url) as engine:
        start_line.wait()
        answers.send(
            database.write(engine, lambda connection: startup.build_demo(connection, books, now=NOW, actor=TESTER)),
        )
    answers.close()
