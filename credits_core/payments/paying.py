"""Carries out what was approved: which payouts are to be set aside, and which are to be sent.

As `ledger.actions`, these never commit.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from credits_core.ledger import payout_news
from credits_core.ledger import payouts as ledger
from credits_core.ledger.payout_news import has_move, is_reported
from credits_core.ledger.payouts import Due
from credits_core.payments import destinations, standings
from credits_core.payments.destinations import Terms
from credits_core.store.kinds import DestinationKind, PayoutNews, PayoutStep
from credits_core.store.tables import Payout, PayoutApproval, PayoutCycle, PayoutTerms
from credits_core.values.days import day_of
from credits_core.values.roles import Actor, May, system
from credits_core.values.time_zones import TimeZone

PAYING = system("payouts")
"""Who carries out what was approved."""


def to_set_aside(connection: Connection, *, limit: int) -> list[Due]:
    """Approved payouts that are not decided yet, the oldest first."""
    return [Due(*row) for row in connection.execute(_APPROVED.order_by(Payout.id).limit(limit))]


def waiting_to_be_set_aside(connection: Connection) -> int:
    """How many approved payouts are not decided yet."""
    return connection.execute(select(func.count()).select_from(_APPROVED.subquery())).scalar_one()


def set_aside(connection: Connection, due: Due, *, zone: TimeZone, now: datetime, actor: Actor) -> bool:
    """Set a payout's credits aside, or keep why it ends here. Whether it was set aside.

    It ends when payouts to the creator are paused now, when the creator is paid to another account now, or when what is
    payable does not cover it any more. What was earned on the days that waited when the cycle was proposed still waits,
    and so does all that came later.

    Raises:
        NotAllowed: the actor may not move credits.
    """
    actor.require(May.MOVE_CREDITS)
    ledger.lock(connection, due.creator_id)
    if PayoutStep.SET_ASIDE in ledger.steps_of(connection, due.payout_id):
        return True
    if payout_news.has_stopped(connection, due.payout_id):
        return False
    said = connection.execute(
        select(PayoutCycle.first_waiting_day, Payout.reserved_credits, Payout.terms_id)
        .join(Payout, Payout.cycle_id == PayoutCycle.id)
        .where(Payout.id == due.payout_id)
    ).one()
    stopped_because = _stopped_because(connection, due.creator_id, said.terms_id)
    if stopped_because:
        payout_news.stop(connection, due.payout_id, PayoutNews.STOPPED, reason=stopped_because, now=now, actor=actor)
        return False

    def kept_back(found: Connection) -> int:
        first = day_of(said.first_waiting_day)
        return int(said.reserved_credits) + standings.waiting_credits(found, due.creator_id, first, zone)

    is_done = ledger.set_aside(connection, due, kept_back, now=now, actor=actor)
    if not is_done:
        payout_news.stop(connection, due.payout_id, PayoutNews.SHORT, now=now, actor=actor)
    return is_done


def to_send(connection: Connection, *, limit: int, after: int = 0) -> list[tuple[Due, Terms]]:
    """Payouts to accounts at the gateway that are set aside and have not ended, the oldest first, after a number."""
    found = list(
        connection.execute(
            select(Payout.id, Payout.creator_id, Payout.amount_credits, Payout.terms_id)
            .join(PayoutTerms, PayoutTerms.id == Payout.terms_id)
            .where(PayoutTerms.destination_kind == DestinationKind.GATEWAY.value, Payout.id > after)
            .where(has_move(PayoutStep.SET_ASIDE), ~is_reported(PayoutNews.PAID, PayoutNews.FAILED))
            .order_by(Payout.id)
            .limit(limit)
        )
    )
    terms = destinations.by_id(connection, [row.terms_id for row in found])
    return [(Due(*row[:3]), terms[row.terms_id]) for row in found]


def _stopped_because(connection: Connection, creator_id: str, terms_id: int) -> str:
    now = destinations.newest(connection, [creator_id])[creator_id]
    if now.paused_because is not None:
        return f"Payouts were paused: {now.paused_because}"
    then = destinations.by_id(connection, [terms_id])[terms_id]
    if (now.kind, now.address) != (then.kind, then.address):
        return "The account was changed after the proposal. The next cycle pays to the new one."
    return ""


# None but the newest approved cycle can have any: no cycle is proposed before all of them are decided.
_APPROVED: Select[*tuple[Any, ...]] = select(Payout.id, Payout.creator_id, Payout.amount_credits).where(
    Payout.cycle_id == select(func.max(PayoutApproval.id)).scalar_subquery(),
    Payout.amount_credits > 0,
    ~has_move(PayoutStep.SET_ASIDE),
    ~is_reported(PayoutNews.SHORT, PayoutNews.STOPPED),
)
"""Approved payouts that are not decided yet."""
