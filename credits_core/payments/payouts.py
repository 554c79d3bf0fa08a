"""Payouts: what a cycle says of every creator, and how a cycle is proposed.

As `ledger.actions`, these never commit. That a second person approves a cycle is `ledger.payouts.approve`; how payouts
are carried out is in `paying`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert

from credits_core.ledger import accounts
from credits_core.ledger import payouts as ledger
from credits_core.payments import netted, paying
from credits_core.payments.destinations import Terms
from credits_core.payments.payout_rules import PayoutRules, Standing, decide
from credits_core.payments.refusals import PayoutsGoingOn
from credits_core.payments.standings import standings
from credits_core.store.kinds import Verdict
from credits_core.store.tables import Payout, PayoutCycle
from credits_core.values.days import date_at, number_of_day, to_microseconds
from credits_core.values.roles import Actor, May
from credits_core.values.time_zones import TimeZone


class State(NamedTuple):
    """What became of one creator in one cycle, as it is shown. `reason` is given where a payout failed or stopped."""

    word: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """What a cycle says of one creator, in credits, with the rules that it was made by, and what became of it.

    `payout_id` is None in a preview. `terms` is where it goes. `is_first_time` says of a payout in a cycle that the
    creator was never paid there before. `netted_credits` paid what the creator owed for refunded shares since the cycle
    before, out of earnings.
    """

    payout_id: int | None
    cycle_id: int | None
    creator_id: str
    standing: Standing
    verdict: Verdict
    amount_credits: int
    threshold_credits: int
    waiting_days: int
    first_waiting_day: date
    terms: Terms | None
    is_first_time: bool
    state: State
    netted_credits: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """What a cycle would say of every creator with earnings left, to be proposed; all of it read in one snapshot."""

    rules: PayoutRules
    first_waiting_day: date
    said: tuple[Explained, ...]


def preview(
    connection: Connection, rules: PayoutRules, *, today: date, zone: TimeZone, creator_id: str | None = None
) -> Iterator[Explained]:
    """What a cycle of today would say of every creator with earnings left or a debt, or of one. No side effect.

    Raises:
        UnknownUser: there is no such creator.
    """
    if creator_id is not None:
        accounts.user(connection, creator_id)
    first = rules.first_waiting_day(today)
    paid_of_debts = netted.netted(connection, None, None if creator_id is None else [creator_id])
    for creator, standing, terms in standings(connection, rules, today, zone, creator_id=creator_id):
        verdict, amount_credits = decide(standing, rules.threshold_credits)
        yield Explained(
            None,
            None,
            creator,
            standing,
            verdict,
            amount_credits,
            rules.threshold_credits,
            rules.waiting_days,
            first,
            terms,
            False,
            State("preview"),
            paid_of_debts.get(creator, 0),
        )


def draft(connection: Connection, rules: PayoutRules, *, now: datetime, zone: TimeZone) -> Draft:
    """What is to be proposed. Read it by `database.read`, so that nothing moves meanwhile and nobody waits."""
    today = date_at(now, zone)
    return Draft(rules, rules.first_waiting_day(today), tuple(preview(connection, rules, today=today, zone=zone)))


def propose(connection: Connection, found: Draft, *, now: datetime, actor: Actor) -> int:
    """Keep a cycle with what it says of every creator with earnings left, and return its number.

    Nothing is moved. A newer cycle takes the place of one that nobody approved. Who earns or spends after the draft was
    read loses nothing: each payout is looked at again before it is set aside.

    Raises:
        NotAllowed: the actor may not propose payouts.
        PayoutsGoingOn: payouts of an approved cycle are not carried out yet.
    """
    actor.require(May.PROPOSE_PAYOUTS)
    ledger.lock_cycles(connection)
    going_on = paying.waiting_to_be_set_aside(connection)
    if going_on:
        raise PayoutsGoingOn(going_on)
    row = {
        "first_waiting_day": number_of_day(found.first_waiting_day),
        "waiting_days": found.rules.waiting_days,
        "threshold_credits": found.rules.threshold_credits,
        "reserve_bps": found.rules.reserve_bps,
        "actor": actor.recorded,
        "proposed_at_us": to_microseconds(now),
    }
    cycle_id: int = connection.execute(insert(PayoutCycle).values(row).returning(PayoutCycle.id)).scalar_one()
    said = [
        {
            "cycle_id": cycle_id,
            "creator_id": one.creator_id,
            "left_credits": one.standing.left_credits,
            "waiting_credits": one.standing.waiting_credits,
            "reserved_credits": one.standing.reserved_credits,
            "owed_credits": one.standing.owed_credits,
            "amount_credits": one.amount_credits,
            "verdict": one.verdict.value,
            "terms_id": None if one.terms is None else one.terms.id,
        }
        for one in found.said
    ]
    if said:
        connection.execute(insert(Payout), said)
    return cycle_id
