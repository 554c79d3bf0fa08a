"""Payouts in the ledger's small world: what creators earn, cycles, and what became of them."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine

from credits_core.ledger import payout_news
from credits_core.ledger import payouts as ledger_payouts
from credits_core.ledger.requests import UnlockRequest
from credits_core.operations import payout_jobs
from credits_core.payments import destinations, payout_files, payout_lists, payouts
from credits_core.payments.payout_rules import PayoutRules
from credits_core.payments.payouts import Explained
from credits_core.store import database
from credits_core.store.kinds import DestinationKind, PayoutNews
from credits_core.values.progress import finish
from credits_core.values.roles import Actor, PersonRole, person
from credits_core.values.time_zones import UTC_ZONE
from tests.support import job_world, world
from tests.support.actors import TESTER
from tests.support.plain_sql import scalar
from tests.support.world import NOW

RULES = PayoutRules(waiting_days=7, threshold_credits=1_000_000, payday=1)
LATER = NOW + timedelta(days=7)
FINANCE = person("ada@example.org", frozenset({PersonRole.FINANCE}))
OTHER = person("max@example.org", frozenset({PersonRole.FINANCE}))
IBAN = "DE89370400440532013000"


def earn(engine: Engine, fee_credits: int, *, creator: str = "ben", now: datetime = NOW, key: str = "unlock") -> int:
    """A flow is unlocked for this fee, of which the creator receives 80 %. Returns the entry."""
    world.add(engine, "payer", fee_credits, key=f"add-{key}", now=now)
    return unlock(engine, "payer", creator, fee_credits, key=key, now=now)


def unlock(engine: Engine, user: str, creator: str, fee_credits: int, *, key: str, now: datetime = NOW) -> int:
    receipt = world.unlock(engine, UnlockRequest(user, f"flow-{key}", creator, fee_credits), key=key, now=now).receipt
    assert receipt is not None
    return receipt.entry_id


def pay_to(engine: Engine, creator: str = "ben", address: str = "acct_ben") -> None:
    kind = DestinationKind.GATEWAY
    database.write(engine, lambda one: destinations.set_destination(one, creator, kind, address, now=NOW, actor=TESTER))


def propose(engine: Engine, *, now: datetime = LATER, rules: PayoutRules = RULES, actor: Actor = TESTER) -> int:
    with database.read(engine) as connection:
        draft = payouts.draft(connection, rules, now=now, zone=UTC_ZONE)
    return database.write(engine, lambda one: payouts.propose(one, draft, now=now, actor=actor))


def approve(engine: Engine, cycle_id: int = 1) -> None:
    database.write(engine, lambda one: ledger_payouts.approve(one, cycle_id, now=LATER, actor=TESTER))


def approved(engine: Engine, to: Callable[[Engine], None] = pay_to) -> None:
    """Cycle 1 is approved: it pays ben 1,600,000 credits, at the gateway or to where `to` says."""
    earn(engine, 2_000_000)
    to(engine)
    assert propose(engine) == 1
    approve(engine)


def carry_out(engine: Engine, now: datetime = LATER) -> str:
    return finish(payout_jobs.pay_out(job_world.around(engine, now=now)))


def said(engine: Engine, cycle_id: int = 1) -> list[tuple[str, str, int, str]]:
    with database.read(engine) as connection:
        found = payout_lists.of_cycle(connection, cycle_id)
    return [(one.creator_id, one.verdict.value, one.amount_credits, one.state.word) for one in found]


def has(engine: Engine, creator: str = "ben") -> tuple[object, object, object]:
    """What the creator can spend, what is on the way, and what left for all creators."""
    part = "SELECT coalesce((SELECT balance_credits FROM user_parts WHERE account_id = :account), 0)"
    gone = "SELECT coalesce(sum(amount_credits), 0) FROM credit_transactions WHERE account_id = 'platform:payouts'"
    own = "SELECT balance_credits FROM user_credits WHERE user_id = :user"
    return scalar(engine, own, user=creator), scalar(engine, part, account=f"{creator}:in_payout"), scalar(engine, gone)


def hand_over(engine: Engine, cycle_id: int = 1) -> int:
    """A file for the bank is made; returns its number."""
    return database.write(engine, lambda one: payout_files.make(one, cycle_id, now=LATER, actor=TESTER))


def pay_to_bank(engine: Engine, creator: str = "ben") -> None:
    bank = DestinationKind.BANK
    database.write(
        engine, lambda one: destinations.set_destination(one, creator, bank, IBAN, holder="Ben", now=NOW, actor=TESTER)
    )


def report(engine: Engine, news: PayoutNews, payout_id: int = 1, *, reason: str = "", reference: str = "") -> None:
    database.write(
        engine,
        lambda one: payout_news.report(
            one, payout_id, news, reason=reason, reference=reference, now=LATER, actor=TESTER
        ),
    )


def explained(engine: Engine, cycle_id: int = 1) -> list[Explained]:
    with database.read(engine) as connection:
        return payout_lists.of_cycle(connection, cycle_id)
