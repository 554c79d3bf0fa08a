"""Real threads and processes on one ledger: nobody pays twice, spends what is not there, or waits in a circle."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection, Engine

from credits_core.errors import CreditsError
from credits_core.ledger import actions
from credits_core.ledger.receipts import FlowAccess, Receipt, Unlock
from credits_core.ledger.refusals import AlreadyRefunded, InsufficientCredits, RefundExceedsRest
from credits_core.ledger.requests import ChargeRequest, UnlockRequest
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import racers, world
from tests.support.actors import TESTER
from tests.support.plain_sql import balance, contradictions, rows, scalar
from tests.support.world import HAIKU, NOW, UNLOCK


def _or_refusal(action: Callable[[], Receipt]) -> Receipt | CreditsError:
    try:
        return action()
    except CreditsError as refusal:
        return refusal


def test_of_eight_processes_exactly_the_affordable_runs_are_charged(engine: Engine) -> None:
    world.add(engine, "ada", 37 * 300 + 299, key="fund")
    url = engine.url.render_as_string(hide_password=False)
    start_line = racers.processes().Barrier(8)

    racing = [racers.start(racers.charge_many, start_line, url, f"p{number}", 10) for number in range(8)]
    assert sum(racers.answers_of(racing)) == 80 - 37
    assert scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == 37
    assert balance(engine, "ada") == 299
    assert rows(engine, "SELECT account_id, SUM(amount_credits) FROM credit_transactions GROUP BY 1 ORDER BY 1") == [
        ("ada", 299),
        ("platform:inference", 37 * 250),
        ("platform:payments_in", -(37 * 300 + 299)),
        ("platform:revenue", 37 * 50),
    ]


def test_of_eight_threads_exactly_the_affordable_runs_are_charged(engine: Engine) -> None:
    world.add(engine, "ada", 5 * 300, key="fund")
    outcomes = racers.at_once(
        [partial(_or_refusal, partial(world.charge, engine, HAIKU, key=f"k-{number}")) for number in range(8)]
    )
    assert Counter(type(outcome) for outcome in outcomes) == {Receipt: 5, InsufficientCredits: 3}
    assert balance(engine, "ada") == 0


def test_eight_clicks_with_one_key_charge_once(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    receipts = racers.at_once([partial(world.charge, engine, HAIKU, key="same")] * 8)

    assert Counter(receipt.replayed for receipt in receipts) == {False: 1, True: 7}
    assert {replace(receipt, replayed=False) for receipt in receipts} == {replace(receipts[0], replayed=False)}
    assert balance(engine, "ada") == 9_700


def test_eight_clicks_with_one_key_add_credits_once(engine: Engine) -> None:
    receipts = racers.at_once([partial(world.add, engine, "ada", 500, key="same")] * 8)
    assert Counter(receipt.replayed for receipt in receipts) == {False: 1, True: 7}
    assert balance(engine, "ada") == 500


def test_eight_unlocks_of_one_flow_are_paid_once(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    unlocks = racers.at_once([partial(world.unlock, engine, UNLOCK, key=f"k-{number}") for number in range(8)])

    assert Counter(unlock.access for unlock in unlocks) == {FlowAccess.PAID_NOW: 1, FlowAccess.UNLOCKED_BEFORE: 7}
    assert balance(engine, "ada") == 10_000 - 1_001


def test_eight_clicks_on_one_unlock_all_get_its_receipt(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    unlocks: list[Unlock] = racers.at_once([partial(world.unlock, engine, UNLOCK, key="same")] * 8)

    receipts = [unlock.receipt for unlock in unlocks if unlock.receipt is not None]
    assert Counter(receipt.replayed for receipt in receipts) == {False: 1, True: 7}
    assert {unlock.access for unlock in unlocks} == {FlowAccess.PAID_NOW}
    assert balance(engine, "ada") == 10_000 - 1_001


def test_eight_refunds_of_one_run_pay_back_once(engine: Engine) -> None:
    world.add(engine, "ada", 300, key="fund")
    charged = world.charge(engine, HAIKU, key="run")
    outcomes = racers.at_once(
        [
            partial(_or_refusal, partial(world.refund, engine, charged.entry_id, key=f"k-{number}"))
            for number in range(8)
        ]
    )
    assert Counter(type(outcome) for outcome in outcomes) == {Receipt: 1, AlreadyRefunded: 7}
    assert balance(engine, "ada") == 300


def test_of_twenty_partial_refunds_at_once_those_that_fit_are_made_and_none_passes_the_total(engine: Engine) -> None:
    world.add(engine, "ada", 1_251, key="fund")
    charged = world.charge(engine, world.HAIKU_WITH_FEE, key="run")
    outcomes = racers.at_once(
        [
            partial(_or_refusal, partial(world.refund, engine, charged.entry_id, amount_credits=100, key=f"k-{number}"))
            for number in range(20)
        ]
    )
    assert Counter(type(outcome) for outcome in outcomes) == {Receipt: 12, RefundExceedsRest: 8}
    assert balance(engine, "ada") == 1_200
    assert rows(engine, "SELECT number, through_credits FROM partial_refunds ORDER BY id") == [
        (number, 100 * number) for number in range(1, 13)
    ]


def test_processes_that_refund_in_parts_and_then_the_rest_give_back_the_total_together(engine: Engine) -> None:
    world.add(engine, "ada", 1_251, key="fund")
    charged = world.charge(engine, world.HAIKU_WITH_FEE, key="run")
    url = engine.url.render_as_string(hide_password=False)
    start_line = racers.processes().Barrier(4)
    racing = [
        racers.start(racers.refund_in_parts, start_line, url, f"p{number}", charged.entry_id, 90 + number)
        for number in range(4)
    ]
    assert sum(racers.answers_of(racing)) == balance(engine, "ada") == 1_251
    assert rows(engine, "SELECT SUM(refunded_credits), MAX(through_credits) FROM partial_refunds") == [(1_251, 1_251)]
    assert contradictions(engine) == []


def test_eight_clicks_on_one_refund_all_get_its_receipt(engine: Engine) -> None:
    world.add(engine, "ada", 300, key="fund")
    charged = world.charge(engine, HAIKU, key="run")
    outcomes = racers.at_once([partial(_or_refusal, partial(world.refund, engine, charged.entry_id, key="same"))] * 8)

    receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    assert Counter(receipt.replayed for receipt in receipts) == {False: 1, True: 7}
    assert balance(engine, "ada") == 300


def test_refunds_and_spending_of_a_share_at_once_leave_no_balance_negative(engine: Engine) -> None:
    world.add(engine, "ada", 8 * 1_251, key="fund")
    charged = [world.charge(engine, world.HAIKU_WITH_FEE, key=f"run-{number}") for number in range(8)]
    outcomes = racers.at_once(
        [partial(world.refund, engine, receipt.entry_id, key=f"refund-{receipt.entry_id}") for receipt in charged]
        + [partial(_or_refusal, partial(world.charge, engine, world.run_by("ben"), key=f"b-{n}")) for n in range(8)]
    )
    assert not any(outcome.replayed for outcome in outcomes if isinstance(outcome, Receipt))
    assert balance(engine, "ada") == 8 * 1_251
    # ben got 6,400, spent some in runs of 300 and gave the rest back; he owes what he had spent.
    runs = sum(isinstance(outcome, Receipt) for outcome in outcomes[8:])
    owed = -int(str(scalar(engine, "SELECT COALESCE(SUM(balance_credits), 0) FROM user_parts")))
    assert owed - int(str(balance(engine, "ben"))) == 300 * runs


def test_users_who_pay_each_other_in_a_circle_never_wait_in_a_circle(engine: Engine, book: PriceBook) -> None:
    # Python sorts "Ben" before "ada" and most servers "ada" before "Ben": whoever locks must agree on one order.
    for user_id in ("ada", "Ben"):
        world.add(engine, user_id, 10**9, key=f"fund-{user_id}")
    attempts = Counter[str]()

    def once(action: Callable[[Connection], object], key: str) -> None:
        def counted(connection: Connection) -> object:
            attempts[key] += 1
            return action(connection)

        database.write(engine, counted)

    def pay(user_id: str, creator_id: str) -> None:
        for number in range(12):
            key = f"{user_id}-{threading.get_ident()}-{number}"
            asked = {"book": book, "now": NOW, "actor": TESTER}
            run = ChargeRequest(user_id, "summarise", "claude-3-haiku", creator_id, 1_001)
            once(partial(actions.charge_prompt, request=run, key=f"run-{key}", **asked), f"run-{key}")  # type: ignore[arg-type]
            flow = UnlockRequest(user_id, f"flow-{key}", creator_id, 10)
            once(partial(actions.unlock_flow, request=flow, key=f"unlock-{key}", **asked), f"unlock-{key}")  # type: ignore[arg-type]
            entry_id = int(
                str(scalar(engine, "SELECT id FROM journal_entries WHERE idempotency_key = :key", key=f"run-{key}"))
            )
            back = partial(actions.refund, entry_id=entry_id, reason="Again", key=f"refund-{key}", **asked)  # type: ignore[arg-type]
            once(back, f"refund-{key}")

    racers.at_once([partial(pay, "ada", "Ben"), partial(pay, "Ben", "ada")] * 3)

    # A unit of work that lost a deadlock would have run twice.
    assert Counter(attempts.values()) == {1: 6 * 12 * 3}
