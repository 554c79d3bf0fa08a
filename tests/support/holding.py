"""Holds in the ledger's small world, each action in a unit of work of its own."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from credits_core.ledger import hold_rows, holds
from credits_core.ledger.hold_rows import StoredHold
from credits_core.ledger.holds import Captured, Held
from credits_core.ledger.requests import CaptureRequest, HoldRequest
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import scalar
from tests.support.world import NOW

TOKENS = HoldRequest("ada", "summarise", "openai/gpt-4o", input_tokens=1_000, output_tokens=1_000)
"""A hold of 13,750 credits: 1,000 × 2.5 + 1,000 × 10 = 12,500 inference, and 10 % of it."""
USED_LESS = CaptureRequest(input_tokens=1_000, output_tokens=400)
"""What costs 7,800 of it: 2,500 + 4,000 = 6,500 inference + 20 % markup of 1,300."""
WITH_FEE = HoldRequest("ada", "summarise", "claude-3-haiku", "ben", 1_001)
"""A hold of 1,251 credits: 250 inference + 1,001 fee."""
IN_TIME, TOO_LATE = NOW + timedelta(minutes=15, microseconds=-1), NOW + timedelta(minutes=15)


def authorise(
    engine: Engine, request: HoldRequest = TOKENS, *, key: str, book: PriceBook | None = None, now: datetime = NOW
) -> Held:
    book = book or world.price_book()
    return database.write(
        engine, lambda connection: holds.authorise(connection, request, book=book, key=key, now=now, actor=TESTER)
    )


def capture(
    engine: Engine,
    hold_id: int,
    used: CaptureRequest | None = None,
    *,
    key: str,
    book: PriceBook | None = None,
    now: datetime = NOW,
) -> Captured:
    book = book or world.price_book()
    return database.write(
        engine, lambda connection: holds.capture(connection, hold_id, used, book=book, key=key, now=now, actor=TESTER)
    )


def release(engine: Engine, hold_id: int, *, key: str, now: datetime = NOW) -> Held:
    return database.write(engine, lambda connection: holds.release(connection, hold_id, key=key, now=now, actor=TESTER))


def expire(engine: Engine, *, now: datetime, limit: int = holds.MOST_AT_ONCE) -> int:
    return database.write(
        engine, lambda connection: holds.expire_overdue(connection, now=now, actor=TESTER, limit=limit)
    )


def stored(engine: Engine, hold_id: int) -> StoredHold:
    with database.read(engine) as connection:
        return hold_rows.hold(connection, hold_id)


def held(engine: Engine, user_id: str = "ada") -> object:
    """What is held of the user, in credits."""
    return scalar(engine, "SELECT balance_credits FROM user_parts WHERE account_id = :held", held=f"{user_id}:held")
