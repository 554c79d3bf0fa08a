"""Twelve payout cycles of the demo world against a plain program: paid + spent + carried = earned, of each creator."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from credits_core import settings
from credits_core.audit import invariants
from credits_core.bulk import demo
from credits_core.bulk.demo_world import load_demo_world
from credits_core.payments import payout_lists
from credits_core.payments.payout_rules import PayoutRules
from credits_core.payments.payouts import Explained
from credits_core.store import database
from tests.support.demo import ENDS_AT
from tests.support.paying_out import approve, carry_out, pay_to, propose
from tests.support.plain_sql import rows

CYCLES = 12
RULES = PayoutRules(waiting_days=3, threshold_credits=200_000, reserve_bps=500, payday=1)
CLOSED = "noor"
EARNED = (
    "SELECT e.id, r.creator_id, r.creator_share_credits, r.created_at_us FROM journal_entries e"
    " JOIN (SELECT entry_id, creator_id, creator_share_credits, created_at_us FROM prompt_runs"
    " UNION ALL SELECT entry_id, creator_id, creator_share_credits, created_at_us FROM unlocked_flows) r"
    " ON r.entry_id = e.id WHERE r.creator_id IS NOT NULL"
)
REFUNDED = (
    "SELECT e.refunds_entry_id, t.amount_credits FROM journal_entries e JOIN credit_transactions t ON t.entry_id = e.id"
    " WHERE e.refunds_entry_id IS NOT NULL AND t.type = 'creator_payment'"
)


class Plain:
    """What creators earned, what waits and what is to be paid, by a plain program over the rows."""

    def __init__(self) -> None:
        self.paid: dict[str, int] = defaultdict(int)

    def cycle(self, engine: Engine, now: datetime) -> dict[str, tuple[int, int, int, int, int]]:
        """By creator: earned and not spent, left, waiting, in reserve, and to be paid."""
        first_waiting = (now.date() - timedelta(days=RULES.waiting_days - 1)).isoformat()
        back = {int(str(entry_id)): -int(str(credits)) for entry_id, credits in rows(engine, REFUNDED)}
        earned, waiting = defaultdict[str, int](int), defaultdict[str, int](int)
        for entry_id, creator, share, at_us in rows(engine, EARNED):
            kept = int(str(share)) - back.get(int(str(entry_id)), 0)
            earned[str(creator)] += kept
            if datetime.fromtimestamp(int(str(at_us)) / 1e6, tz=UTC).date().isoformat() >= first_waiting:
                waiting[str(creator)] += kept
        found = {}
        for creator in earned:
            credits = earned[creator] - own_credits(engine, creator)[1]
            left = credits - self.paid[creator]
            waits = min(waiting[creator], left)
            reserve = ((left - waits) * RULES.reserve_bps + 9_999) // 10_000
            payable = (left - waits - reserve) // 10_000 * 10_000
            if left:
                found[creator] = (credits, left, waits, reserve, payable if payable >= RULES.threshold_credits else 0)
        return found


@pytest.mark.long
def test_twelve_cycles_of_the_demo_world_pay_what_a_plain_program_says(engine: Engine) -> None:
    world, book = load_demo_world(), settings.load_price_book()
    builder, plain = demo.Builder(world, book), Plain()
    happened = demo.events_of(world, ends_at=ENDS_AT)
    begins = ENDS_AT - timedelta(days=world.days)
    paid_cycles = 0
    for number in range(1, CYCLES + 1):
        until = begins + timedelta(days=world.days) * number / CYCLES
        now = [event for event in happened if event.at < until]
        happened = happened[len(now) :]
        database.write(engine, lambda one, now=now: builder.carry_out(one, now))
        known = {str(creator) for (creator,) in rows(engine, "SELECT user_id FROM user_credits")}
        for creator in {one.id for one in world.creators} & known:
            is_closed = creator == CLOSED and number <= CYCLES // 2
            pay_to(engine, creator, f"acct_{creator}{'-closed' if is_closed else ''}")
        due = plain.cycle(engine, until)
        assert propose(engine, now=until, rules=RULES) == number
        said = {one.creator_id: one for one in explained(engine, number)}
        assert {creator: numbers(one) for creator, one in said.items()} == {
            creator: due[creator][1:] for creator in due
        }
        approve(engine, number)
        carry_out(engine, until)
        for creator, (earned, left, *_, amount) in due.items():
            arrived = amount if not (creator == CLOSED and number <= CYCLES // 2) else 0
            plain.paid[creator] += arrived
            paid_cycles += arrived > 0
            carried = left - arrived
            assert plain.paid[creator] + carried == earned
            assert balance(engine, creator) == carried + own_credits(engine, creator)[0]
    assert not happened
    assert paid_cycles > CYCLES
    assert plain.paid[CLOSED] > 0
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []


def own_credits(engine: Engine, creator: str) -> tuple[int, int]:
    """What the creator has that was bought or given, and what the creator paid with earnings after such was used up.

    The demo refunds no creator's run.
    """
    sql = "SELECT type, amount_credits FROM credit_transactions WHERE account_id = :who ORDER BY entry_id, position"
    other = spent = 0
    for kind, amount in rows(engine, sql, who=creator):
        credits = int(str(amount))
        if kind in ("prompt_run", "flow_unlock"):
            from_other = min(other, -credits)
            other, spent = other - from_other, spent - credits - from_other
        elif kind not in ("creator_payment", "transfer"):
            assert kind in ("credit_purchase", "grant"), kind
            other += credits
    return other, spent


def explained(engine: Engine, cycle_id: int) -> list[Explained]:
    with database.read(engine) as connection:
        return payout_lists.of_cycle(connection, cycle_id, limit=1_000)


def numbers(one: Explained) -> tuple[int, int, int, int]:
    has = one.standing
    return has.left_credits, has.waiting_credits, has.reserved_credits, one.amount_credits


def balance(engine: Engine, creator: str) -> int:
    sql = "SELECT sum(amount_credits) FROM credit_transactions WHERE account_id = :who"
    return int(str(rows(engine, sql, who=creator)[0][0]))
