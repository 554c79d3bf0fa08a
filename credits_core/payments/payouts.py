"""Payouts: a cycle says of every creator whether it pays, each payout is carried out, and ends paid or failed.

As `ledger.actions`, these never commit. That a second person approves a cycle is `ledger.payouts.approve`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, func, insert, select

from credits_core.ledger import accounts
from credits_core.ledger import payouts as ledger
from credits_core.ledger.payouts import Due
from credits_core.payments import destinations
from credits_core.payments.destinations import Terms
from credits_core.payments.payout_rules import PayoutRules, Standing, decide
from credits_core.payments.refusals import PayoutEnded, PayoutsGoingOn, UnknownPayout
from credits_core.reports import sums
from credits_core.store.kinds import (
    DestinationKind,
    EntryType,
    Part,
    PayoutNews,
    PayoutStep,
    TransactionType,
    Verdict,
    part_account,
)
from credits_core.store.tables import (
    Payout,
    PayoutApproval,
    PayoutCycle,
    PayoutMove,
    PayoutReport,
    PayoutTerms,
    UserPart,
)
from credits_core.values.days import DayRange, date_at, day_of, number_of_day, to_microseconds
from credits_core.values.fields import require_text
from credits_core.values.roles import Actor, May, system
from credits_core.values.time_zones import TimeZone

PAYING = system("payouts")
"""Who carries out what was approved."""
_AT_ONCE = 500


class State(NamedTuple):
    """What became of one creator in one cycle, as it is shown. `reason` is given where a payout failed."""

    word: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """What a cycle says of one creator, in credits, with the rules that it was made by, and what became of it.

    `payout_id` is None in a preview. `terms` is where it goes.
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
    state: State


# --- what creators have ---------------------------------------------------------------------------------------------


def standings(
    connection: Connection, first_waiting_day: date, zone: TimeZone, *, creator_id: str | None = None
) -> Iterator[tuple[str, Standing, Terms | None]]:
    """What every creator with earnings left has, in the order of their ids; or this one alone.

    Reads the daily tables once, and then the creators in blocks.
    """
    creators = [creator_id] if creator_id is not None else _creators(connection, zone)
    waiting = _waiting(connection, first_waiting_day, zone, creator_id)
    for begin in range(0, len(creators), _AT_ONCE):
        block = creators[begin : begin + _AT_ONCE]
        owed = {account_id: -credits for account_id, credits in connection.execute(_debts(block))}
        terms = destinations.newest(connection, block)
        for one in block:
            left_credits = ledger.earned_left(connection, one)
            if left_credits:
                found = terms.get(one)
                yield (
                    one,
                    Standing(
                        left_credits,
                        min(waiting.get(one, 0), left_credits),
                        owed.get(part_account(one, Part.DEBT), 0),
                        found is not None and found.paused_because is not None,
                        found is not None and found.kind is not None,
                    ),
                    found,
                )


def waiting_credits(connection: Connection, creator_id: str, first_waiting_day: date, zone: TimeZone) -> int:
    """What a creator earned from this day on by runs and unlocks that were not refunded, in credits."""
    return _waiting(connection, first_waiting_day, zone, creator_id).get(creator_id, 0)


def _creators(connection: Connection, zone: TimeZone) -> list[str]:
    totals = sums.totals_of(connection, DayRange(zone=zone), type_=TransactionType.CREATOR_PAYMENT)
    return sorted(connection.execute(select(totals.c.account_id).distinct()).scalars())


def _waiting(connection: Connection, first: date, zone: TimeZone, creator_id: str | None) -> dict[str, int]:
    works = sums.works_of(connection, DayRange(first, None, zone))
    kinds = [EntryType.PROMPT_RUN.value, EntryType.FLOW_UNLOCK.value]
    shares = func.sum(works.c.creator_share_credits - works.c.refunded_share_credits)
    found = select(works.c.creator_id, shares).where(works.c.entry_type.in_(kinds), works.c.creator_id != "")
    if creator_id is not None:
        found = found.where(works.c.creator_id == creator_id)
    return {creator: int(credits) for creator, credits in connection.execute(found.group_by(works.c.creator_id))}


def _debts(creators: list[str]) -> Select[str, int]:
    accounts_ = [part_account(one, Part.DEBT) for one in creators]
    return select(UserPart.account_id, UserPart.balance_credits).where(UserPart.account_id.in_(accounts_))


# --- cycles ---------------------------------------------------------------------------------------------------------


def preview(
    connection: Connection, rules: PayoutRules, *, today: date, zone: TimeZone, creator_id: str | None = None
) -> Iterator[Explained]:
    """What a cycle of today would say of every creator with earnings left, or of one. No side effect.

    Raises:
        UnknownUser: there is no such creator.
    """
    if creator_id is not None:
        accounts.user(connection, creator_id)
    first = rules.first_waiting_day(today)
    for creator, standing, terms in standings(connection, first, zone, creator_id=creator_id):
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
            State("preview"),
        )


def propose(connection: Connection, rules: PayoutRules, *, now: datetime, zone: TimeZone, actor: Actor) -> int:
    """Keep a cycle with what it says of every creator with earnings left, and return its number.

    Nothing is moved. A newer cycle takes the place of one that nobody approved.

    Raises:
        NotAllowed: the actor may not propose payouts.
        PayoutsGoingOn: payouts of an approved cycle are not carried out yet.
    """
    actor.require(May.PROPOSE_PAYOUTS)
    going_on = connection.execute(select(func.count()).select_from(_APPROVED.subquery())).scalar_one()
    if going_on:
        raise PayoutsGoingOn(going_on)
    today = date_at(now, zone)
    first = rules.first_waiting_day(today)
    row = {
        "first_waiting_day": number_of_day(first),
        "waiting_days": rules.waiting_days,
        "threshold_credits": rules.threshold_credits,
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
            "owed_credits": one.standing.owed_credits,
            "amount_credits": one.amount_credits,
            "verdict": one.verdict.value,
            "terms_id": None if one.terms is None else one.terms.id,
        }
        for one in preview(connection, rules, today=today, zone=zone)
    ]
    if said:
        connection.execute(insert(Payout), said)
    return cycle_id


def to_set_aside(connection: Connection, *, limit: int) -> list[Due]:
    """Approved payouts that are not set aside yet, the oldest first; without creators whose payouts are paused now."""
    found = [Due(*row) for row in connection.execute(_APPROVED.order_by(Payout.id).limit(limit))]
    terms = destinations.newest(connection, [due.creator_id for due in found])
    return [due for due in found if terms[due.creator_id].paused_because is None]


def set_aside(connection: Connection, due: Due, *, zone: TimeZone, now: datetime, actor: Actor) -> bool:
    """Set a payout's credits aside; or report that the creator has spent them, which ends it. Whether it was done.

    What was earned on the days that waited when the cycle was proposed still waits, and so does all that came later.
    """
    first = connection.execute(
        select(PayoutCycle.first_waiting_day)
        .join(Payout, Payout.cycle_id == PayoutCycle.id)
        .where(Payout.id == due.payout_id)
    ).scalar_one()

    def waiting(found: Connection) -> int:
        return waiting_credits(found, due.creator_id, day_of(first), zone)

    is_done = ledger.set_aside(connection, due, waiting, now=now, actor=actor)
    if not is_done and PayoutNews.SHORT.value not in connection.execute(_reports_of(due.payout_id)).scalars().all():
        _report(connection, due.payout_id, PayoutNews.SHORT, "", "", now, actor)
    return is_done


def on_the_way(
    connection: Connection, kind: DestinationKind, *, limit: int, after: int = 0, cycle_id: int | None = None
) -> list[tuple[Due, Terms]]:
    """Payouts that are set aside and have not ended, to destinations of this kind, the oldest first, after a number."""
    wanted = (
        select(Payout.id, Payout.creator_id, Payout.amount_credits, Payout.terms_id)
        .join(PayoutTerms, PayoutTerms.id == Payout.terms_id)
        .where(PayoutTerms.destination_kind == kind.value, Payout.id > after)
        .where(has_move(PayoutStep.SET_ASIDE), ~is_reported(PayoutNews.PAID, PayoutNews.FAILED))
        .order_by(Payout.id)
        .limit(limit)
    )
    if cycle_id is not None:
        wanted = wanted.where(Payout.cycle_id == cycle_id)
    found = list(connection.execute(wanted))
    terms = destinations.by_id(connection, [row.terms_id for row in found])
    return [(Due(*row[:3]), terms[row.terms_id]) for row in found]


def report(
    connection: Connection,
    payout_id: int,
    news: PayoutNews,
    *,
    reference: str = "",
    reason: str = "",
    now: datetime,
    actor: Actor,
) -> None:
    """Keep how a payout ended, and move its credits: out of the ledger when it is paid, back when it failed.

    One that is paid can fail later, when the creator's bank sends the money back. The same news again change nothing.

    Raises:
        NotAllowed: the actor may not move credits.
        UnknownPayout: there is no such payout.
        InvalidRequest: the reason of a failure is missing, or a text is too long.
        PayoutEnded: it was not set aside yet, or it failed before.
    """
    actor.require(May.MOVE_CREDITS)
    due = _due(connection, payout_id)
    if news is PayoutNews.FAILED:
        reason = require_text("reason", reason)
    if reference:
        reference = require_text("reference", reference)
    ledger.lock(connection, due.creator_id)
    reported = {PayoutNews(kind) for kind in connection.execute(_reports_of(payout_id)).scalars()}
    if news in reported:
        return
    if PayoutStep.SET_ASIDE not in ledger.steps_of(connection, payout_id):
        raise PayoutEnded(payout_id, "not set aside", news.value)
    if PayoutNews.FAILED in reported:
        raise PayoutEnded(payout_id, "failed", news.value)
    _report(connection, payout_id, news, reference, reason, now, actor)
    move = ledger.pay if news is PayoutNews.PAID else ledger.give_back
    move(connection, due, now=now, actor=actor)


def _due(connection: Connection, payout_id: int) -> Due:
    found = connection.execute(
        select(Payout.id, Payout.creator_id, Payout.amount_credits).where(
            Payout.id == payout_id, Payout.amount_credits > 0
        )
    ).one_or_none()
    if found is None:
        raise UnknownPayout(payout_id)
    return Due(*found)


def _report(
    connection: Connection, payout_id: int, news: PayoutNews, reference: str, reason: str, now: datetime, actor: Actor
) -> None:
    row = {
        "payout_id": payout_id,
        "kind": news.value,
        "reference": reference,
        "reason": reason,
        "actor": actor.recorded,
        "reported_at_us": to_microseconds(now),
    }
    connection.execute(insert(PayoutReport).values(row))


def _reports_of(payout_id: int) -> Select[str]:
    return select(PayoutReport.kind).where(PayoutReport.payout_id == payout_id)


def has_move(step: PayoutStep) -> ColumnElement[bool]:
    """The condition for payouts that took this step."""
    return exists().where(PayoutMove.payout_id == Payout.id, PayoutMove.step == step.value)


def is_reported(*news: PayoutNews) -> ColumnElement[bool]:
    """The condition for payouts of which one of these became known."""
    return exists().where(PayoutReport.payout_id == Payout.id, PayoutReport.kind.in_([one.value for one in news]))


_APPROVED: Select[*tuple[Any, ...]] = (
    select(Payout.id, Payout.creator_id, Payout.amount_credits)
    .join(PayoutApproval, PayoutApproval.id == Payout.cycle_id)
    .where(Payout.amount_credits > 0, ~has_move(PayoutStep.SET_ASIDE), ~is_reported(PayoutNews.SHORT))
)
"""Approved payouts that are not set aside yet."""
