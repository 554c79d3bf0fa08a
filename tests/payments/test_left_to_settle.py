"""What follows from an event is carried out though its process ended in between: by the job, whatever the event is."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from credits_core.audit import invariants
from credits_core.operations import payment_jobs
from credits_core.payments import receiving
from credits_core.payments.gateway import GatewayEvent
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import Happened
from credits_core.values.progress import finish
from tests.support import job_world, paying, plain_sql, world
from tests.support.actors import TESTER
from tests.support.killing import Killed
from tests.support.paying import buy, event, parts, tell
from tests.support.plain_sql import rows, scalar
from tests.support.world import NOW

EVERY_CALL = 12
PAID = event(Happened.PAID)
REFUNDED = event(Happened.REFUNDED, 40, about="first", at=1)
DISPUTED = event(Happened.DISPUTED, 60, about="dispute", at=2)
# What was settled before, the event that is kept alone, and what the user can spend once it is settled: by hand, of
# 1,000 credits for 100 cents.
CASES = {
    "paid": ([], PAID, 1_000),
    "refunded": ([PAID], REFUNDED, 600),
    "refunded a second time": ([PAID, REFUNDED], event(Happened.REFUNDED, 30, about="second", at=2), 300),
    "a refund that failed": ([PAID, REFUNDED], event(Happened.REFUND_FAILED, 40, about="first", at=2), 1_000),
    "disputed": ([PAID, REFUNDED], DISPUTED, 0),
    "won": ([PAID, REFUNDED, DISPUTED], event(Happened.WON, 60, about="dispute", at=3), 600),
    "lost": ([PAID, REFUNDED, DISPUTED], event(Happened.LOST, 60, about="dispute", at=3), 0),
}


def wrong(engine: Engine, book: PriceBook) -> list[str]:
    return [str(found) for found in invariants.check(engine, book.plans) if not found.ok]


def left(engine: Engine) -> object:
    return scalar(engine, "SELECT COUNT(*) FROM events_to_settle")


def settle(engine: Engine, *, now: timedelta = timedelta(minutes=1)) -> str:
    return finish(payment_jobs.settle(job_world.around(engine, now=NOW + now)))


def keep(engine: Engine, one: GatewayEvent) -> bool:
    return database.write(engine, lambda connection: receiving.keep(connection, one, now=NOW, actor=TESTER))


@pytest.mark.parametrize("case", CASES)
def test_an_event_that_was_only_kept_is_settled_by_the_job_and_the_audit_is_clean_before(
    engine: Engine, book: PriceBook, case: str
) -> None:
    before, last, spendable = CASES[case]
    buy(engine)
    for one in before:
        tell(engine, one)
    assert keep(engine, last)
    assert (left(engine), wrong(engine, book)) == (1, [])
    # However late: what a gateway says of what happened long ago is settled too.
    assert settle(engine, now=timedelta(days=90)) == "0 events told, 1 user settled."
    assert (parts(engine)[0], left(engine), wrong(engine, book)) == (spendable, 0, [])


def test_a_migration_marks_what_an_older_version_may_have_left(empty_engine: Engine, book: PriceBook) -> None:
    database.migrate(empty_engine)
    buy(empty_engine)
    for one in (PAID, REFUNDED):
        tell(empty_engine, one)
    second = event(Happened.REFUNDED, 30, about="second", at=2)
    assert keep(empty_engine, second)
    with empty_engine.begin() as connection:
        for statement in (
            "DROP TABLE spending_limits",
            "DROP TABLE events_to_settle",
            "DROP TABLE webhook_held_users",
            "DROP INDEX ix_webhook_events_user_id",
            "ALTER TABLE low_balance_progress DROP COLUMN failed_tries",
            "ALTER TABLE low_balance_progress DROP COLUMN next_try_at_us",
        ):
            connection.execute(text(statement))
        connection.execute(text("UPDATE alembic_version SET version_num = '0025'"))
    database.migrate(empty_engine)
    marked = "SELECT kind FROM purchase_events WHERE id IN (SELECT event_id FROM events_to_settle)"
    assert rows(empty_engine, marked) == [("refunded",)]
    assert wrong(empty_engine, book) == []
    assert settle(empty_engine) == "0 events told, 1 user settled."
    assert (parts(empty_engine)[0], left(empty_engine), wrong(empty_engine, book)) == (300, 0, [])


def test_what_moves_no_money_leaves_nothing_to_settle(engine: Engine) -> None:
    buy(engine)
    for kind in (Happened.OPENED, Happened.PENDING, Happened.DECLINED, Happened.EXPIRED):
        assert keep(engine, event(kind, 0))
    assert (left(engine), settle(engine)) == (0, "0 events told, 0 users settled.")


def test_news_of_one_purchase_leave_those_of_another_to_be_settled(engine: Engine, book: PriceBook) -> None:
    for key in ("first", "second"):
        buy(engine, key=key)
    assert keep(engine, PAID)
    tell(engine, event(Happened.PAID, about="another", purchase_id=2))
    assert (parts(engine), left(engine), wrong(engine, book)) == ((1_000, 0, 0), 1, [])
    assert settle(engine) == "0 events told, 1 user settled."
    assert (parts(engine), left(engine), wrong(engine, book)) == ((2_000, 0, 0), 0, [])


def test_a_mark_that_is_taken_away_behind_the_ledgers_back_is_found(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    tell(engine, PAID)
    assert keep(engine, REFUNDED)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM events_to_settle"))
    (found,) = wrong(engine, book)
    assert "has 0 taken back, but its money gives 400" in found


def test_a_mark_hides_nothing_but_the_event_that_it_is_of(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    tell(engine, PAID, REFUNDED)
    assert keep(engine, event(Happened.REFUNDED, 30, about="second", at=2))
    with plain_sql.unguarded(engine) as connection:
        connection.execute(text("UPDATE purchase_events SET amount_minor = 41 WHERE about = 'first'"))
    assert any("has 400 taken back, but its money gives 410" in one for one in wrong(engine, book))


_TAKE_IN = """
import os, sys
from credits_core.store import database
from tests.payments.test_left_to_settle import CASES
from tests.support import paying
engine = database.create_engine_for(sys.argv[1])
print(paying.tell(engine, paying.of(CASES[sys.argv[3]][1], int(sys.argv[2]))).is_new, flush=True)
os._exit(0)
"""


@pytest.mark.long
@pytest.mark.parametrize("case", ["paid", "refunded a second time", "a refund that failed"])
def test_a_process_killed_at_any_system_call_leaves_nothing_that_the_job_does_not_settle(
    engine: Engine, book: PriceBook, full: bool, tmp_path: Path, case: str
) -> None:
    killed = Killed(_TAKE_IN, tmp_path)
    url = engine.url.render_as_string(hide_password=False)
    before, _, spendable = CASES[case]
    assert killed.run(url, str(_bought(engine, "whole", before)), case).strip()
    calls, left_over = killed.calls, 0
    for place in range(0, len(calls), 1 if full else EVERY_CALL):
        user = f"u{place}"
        purchase_id = _bought(engine, user, before)
        killed.run(url, str(purchase_id), case, at=place)
        world.add(engine, user, 1, key=f"after-{place}")  # waits for what the server may still be committing
        assert wrong(engine, book) == []
        is_kept = len(paying.stored(engine, purchase_id).told) > len(before)
        left_over += bool(left(engine))
        settle(engine)
        due = spendable if is_kept else {0: 0, 1: 1_000, 2: 600}[len(before)]
        assert (parts(engine, user)[0], left(engine)) == (due + 1, 0)
    assert left_over > 0
    assert wrong(engine, book) == []


def _bought(engine: Engine, user_id: str, before: Sequence[GatewayEvent]) -> int:
    purchase_id = buy(engine, user_id, key=f"buy-{user_id}").id
    for one in before:
        tell(engine, paying.of(one, purchase_id))
    return purchase_id
