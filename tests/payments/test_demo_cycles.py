"""Twelve payout cycles of the demo world, with refunds after payouts, against a plain program.

Of each creator and cycle: paid + spent + carried - owed is what was earned, less what was given back.
"""

from collections import defaultdict
from dataclasses import dataclass, field
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
from tests.support import world as ledger_world
from tests.support.demo import ENDS_AT
from tests.support.paying_out import approve, carry_out, pay_to, propose
from tests.support.plain_sql import rows

CYCLES = 12
REFUNDS_A_CYCLE = 6
RULES = PayoutRules(waiting_days=3, threshold_credits=200_000, reserve_bps=500, payday=1)
CLOSED = "noor"
CHARGES = (
    "SELECT entry_id, user_id, creator_id, creator_share_credits, total_credits, created_at_us FROM prompt_runs"
    " UNION ALL SELECT entry_id, user_id, creator_id, creator_share_credits, unlock_fee_credits, created_at_us"
    " FROM unlocked_flows ORDER BY 1"
)
ADDED = (
    "SELECT entry_id, account_id, amount_credits FROM credit_transactions"
    " WHERE type IN ('credit_purchase', 'grant') AND position = 0"
)
REFUNDED = "SELECT id, refunds_entry_id FROM journal_entries WHERE refunds_entry_id IS NOT NULL"


@dataclass
class Charge:
    """A run or an unlock: who paid how much, and whose share is how much."""

    payer: str
    creator: str
    share: int
    total: int
    at: datetime


@dataclass
class Creator:
    """What a creator has of earnings and of other credits, and what became of the rest."""

    left: int = 0
    other: int = 0
    owed: int = 0
    spent: int = 0
    paid: int = 0
    netted: int = 0
    earned: int = 0
    back_from_other: int = 0


@dataclass
class Plain:
    """What creators have, what waits and what is to be paid, by a plain program over the rows of what happened."""

    of: dict[str, Creator] = field(default_factory=lambda: defaultdict(Creator))
    charges: dict[int, Charge] = field(default_factory=dict)
    back: set[int] = field(default_factory=set)
    seen: int = 0

    def follow(self, engine: Engine) -> None:
        """Take in what has happened since."""
        for entry, payer, creator, share, total, at_us in rows(engine, CHARGES):
            at = datetime.fromtimestamp(int(str(at_us)) / 1e6, tz=UTC)
            self.charges[int(str(entry))] = Charge(str(payer), str(creator), int(str(share)), int(str(total)), at)
        added = {int(str(entry)): (str(who), int(str(credits))) for entry, who, credits in rows(engine, ADDED)}
        refunds = {int(str(entry)): int(str(original)) for entry, original in rows(engine, REFUNDED)}
        for entry_id in sorted({*self.charges, *added, *refunds}):
            if entry_id <= self.seen:
                continue
            if entry_id in added:
                who, credits = added[entry_id]
                self.of[who].other += credits
            elif entry_id in refunds:
                self._refund(refunds[entry_id])
            else:
                self._charge(self.charges[entry_id])
            self.seen = entry_id

    def _charge(self, one: Charge) -> None:
        payer = self.of[one.payer]
        from_other = min(payer.other, one.total)
        payer.other -= from_other
        payer.left -= one.total - from_other
        payer.spent += one.total - from_other
        creator = self.of[one.creator]
        netted = min(creator.owed, one.share)
        creator.owed -= netted
        creator.netted += netted
        creator.left += one.share - netted
        creator.earned += one.share

    def _refund(self, entry_id: int) -> None:
        one = self.charges[entry_id]
        self.back.add(entry_id)
        self.of[one.payer].other += one.total  # no creator is refunded here
        creator = self.of[one.creator]
        from_left = min(creator.left, one.share)
        from_other = min(creator.other, one.share - from_left)
        creator.left -= from_left
        creator.other -= from_other
        creator.back_from_other += from_other
        creator.owed += one.share - from_left - from_other
        creator.earned -= one.share

    def cycle(self, now: datetime, creators: set[str]) -> dict[str, tuple[int, int, int, int, int]]:
        """By creator: left, waiting, in reserve, owed, and to be paid."""
        first_waiting = now.date() - timedelta(days=RULES.waiting_days - 1)
        waiting = defaultdict[str, int](int)
        for entry_id, one in self.charges.items():
            if one.at.date() >= first_waiting and entry_id not in self.back:
                waiting[one.creator] += one.share
        found = {}
        for creator in creators:
            has = self.of[creator]
            waits = min(waiting[creator], has.left)
            reserve = ((has.left - waits) * RULES.reserve_bps + 9_999) // 10_000
            payable = (has.left - waits - reserve - has.owed) // 10_000 * 10_000
            if has.left or has.owed:
                amount = payable if payable >= RULES.threshold_credits else 0
                found[creator] = (has.left, waits, reserve, has.owed, amount)
        return found

    def pay(self, creator: str, amount: int, arrived: int) -> None:
        """A payout was set aside, with what was owed, and arrived or came back."""
        has = self.of[creator]
        if amount:
            has.left -= has.owed
            has.netted += has.owed
            has.owed = 0
        has.left -= arrived
        has.paid += arrived

    def to_refund(self, creators: set[str], spend_later: set[str]) -> list[int]:
        """The runs and unlocks with the largest shares of creators who were paid, and spend nothing later."""
        may = [
            entry_id
            for entry_id, one in self.charges.items()
            if entry_id not in self.back and one.payer not in creators and one.creator not in spend_later
            if one.share and self.of[one.creator].paid
        ]
        return sorted(may, key=lambda entry_id: -self.charges[entry_id].share)[:REFUNDS_A_CYCLE]


@pytest.mark.long
def test_twelve_cycles_of_the_demo_world_pay_what_a_plain_program_says(engine: Engine) -> None:
    world, book = load_demo_world(), settings.load_price_book()
    builder, plain = demo.Builder(world, book), Plain()
    happened = demo.events_of(world, ends_at=ENDS_AT)
    begins = ENDS_AT - timedelta(days=world.days)
    creators = {one.id for one in world.creators}
    paid_cycles, owing_cycles, netted_before = 0, 0, defaultdict[str, int](int)
    for number in range(1, CYCLES + 1):
        until = begins + timedelta(days=world.days) * number / CYCLES
        now = [event for event in happened if event.at < until]
        happened = happened[len(now) :]
        database.write(engine, lambda one, now=now: builder.carry_out(one, now))
        known = {str(creator) for (creator,) in rows(engine, "SELECT user_id FROM user_credits")} & creators
        is_closed = {creator: creator == CLOSED and number <= CYCLES // 2 for creator in known}
        for creator in known:
            pay_to(engine, creator, f"acct_{creator}{'-closed' if is_closed[creator] else ''}")
        plain.follow(engine)
        due = plain.cycle(until, known)
        assert propose(engine, now=until, rules=RULES) == number
        said = {one.creator_id: one for one in explained(engine, number)}
        assert {creator: numbers(one) for creator, one in said.items()} == due
        for creator, one in said.items():
            assert one.netted_credits == plain.of[creator].netted - netted_before[creator]
            netted_before[creator] = plain.of[creator].netted
        approve(engine, number)
        carry_out(engine, until)
        for creator, (*_, owed, amount) in due.items():
            plain.pay(creator, amount, 0 if is_closed[creator] else amount)
            paid_cycles += amount > 0 and not is_closed[creator]
            owing_cycles += owed > 0
            has = plain.of[creator]
            assert has.paid + has.spent + has.left - has.owed - has.back_from_other == has.earned
            assert (part(engine, creator), part(engine, f"{creator}:debt")) == (has.left + has.other, -has.owed)
        for entry_id in plain.to_refund(creators, {str(getattr(one.what, "user_id", "")) for one in happened}):
            ledger_world.refund(engine, entry_id, key=f"refund-{entry_id}", book=book, now=until)
        plain.follow(engine)
    assert not happened
    assert paid_cycles > CYCLES
    assert owing_cycles > 0
    assert sum(one.netted for one in plain.of.values()) > 0
    assert plain.of[CLOSED].paid > 0
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []


def explained(engine: Engine, cycle_id: int) -> list[Explained]:
    with database.read(engine) as connection:
        return payout_lists.of_cycle(connection, cycle_id, limit=1_000)


def numbers(one: Explained) -> tuple[int, int, int, int, int]:
    has = one.standing
    return has.left_credits, has.waiting_credits, has.reserved_credits, has.owed_credits, one.amount_credits


def part(engine: Engine, account: str) -> int:
    sql = "SELECT coalesce(sum(amount_credits), 0) FROM credit_transactions WHERE account_id = :who"
    return int(str(rows(engine, sql, who=account)[0][0]))
