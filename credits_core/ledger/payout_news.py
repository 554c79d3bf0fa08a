"""What became of a payout: who says so, what it does with the credits, and whether it may be said at all.

As `ledger.actions`: in the caller's unit of work, and never commits.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, exists, insert, select

from credits_core.ledger import payouts
from credits_core.ledger.payouts import Due
from credits_core.ledger.refusals import PayoutAtGateway, PayoutEnded, UnknownPayout
from credits_core.store.kinds import DestinationKind, PayoutNews, PayoutStep
from credits_core.store.tables import Payout, PayoutFileLine, PayoutMove, PayoutReport, PayoutTerms
from credits_core.values.days import to_microseconds
from credits_core.values.fields import require_text
from credits_core.values.refusals import NeedsApproval
from credits_core.values.roles import Actor, May

_LONGEST_REFERENCE = 255


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
    """Keep what a person was told of a payout, and move its credits: out of the ledger when it is paid, back when it
    failed. The same news again change nothing.

    A transfer that is in a file for the bank is paid or has failed; one that is in no file yet can only be called back,
    as failed. A payout through the gateway can fail only after it was paid, as when the money was sent back: before
    that the gateway knows. One that is paid can fail later.

    Raises:
        NotAllfound: the actor may not move credits.
        UnknownPayout: there is no such payout.
        InvalidRequest: the reason of a failure is missing, or a text is too long.
        PayoutEnded: it was not set aside yet, it failed before, or it is said to be paid and no bank was told.
        PayoutAtGateway: only the gateway knows.
        NeedsApproval: the actor is a person, says that what was handed over has failed, and no other has proposed it.
    """
    actor.require(May.MOVE_CREDITS)
    found = due(connection, payout_id)
    reason = require_text("reason", reason) if news is PayoutNews.FAILED else ""
    reference = require_text("reference", reference, minimum=0, longest=_LONGEST_REFERENCE)
    payouts.lock_cycles(connection)  # nobody writes it into a file meanwhile
    payouts.lock(connection, found.creator_id)
    before = reported(connection, payout_id)
    if news in before:
        return
    is_bank = _destination(connection, payout_id) is DestinationKind.BANK
    if not is_bank and PayoutNews.PAID not in before:
        raise PayoutAtGateway(payout_id)
    if news is PayoutNews.PAID and not _is_in_file(connection, payout_id):
        raise PayoutEnded(payout_id, "in no file for the bank yet", news.value)
    if news is PayoutNews.FAILED and actor.needs_second() and was_handed_over(connection, payout_id):
        raise NeedsApproval(found.amount_credits, 0)
    _end(connection, found, news, before, reference, reason, now, actor)


def answer(
    connection: Connection, payout_id: int, *, reference: str, failed_because: str, now: datetime, actor: Actor
) -> PayoutNews:
    """Keep what the gateway answered to a payout, as `report`: paid, unless it says why it failed.

    Raises:
        NotAllfound: the actor may not move credits.
        UnknownPayout: there is no such payout.
        PayoutEnded: it was not set aside yet, or it failed before.
    """
    actor.require(May.MOVE_CREDITS)
    found = due(connection, payout_id)
    news = PayoutNews.FAILED if failed_because else PayoutNews.PAID
    payouts.lock(connection, found.creator_id)
    before = reported(connection, payout_id)
    if news not in before:
        _end(connection, found, news, before, reference[:_LONGEST_REFERENCE], failed_because, now, actor)
    return news


def stop(
    connection: Connection, payout_id: int, news: PayoutNews, *, reason: str = "", now: datetime, actor: Actor
) -> None:
    """Keep that a payout ended before it was set aside: `SHORT`, or `STOPPED` for a reason. Nothing is moved.

    Raises:
        NotAllfound: the actor may not move credits.
        UnknownPayout: there is no such payout.
        PayoutEnded: it was set aside, or it ended before.
    """
    actor.require(May.MOVE_CREDITS)
    found = due(connection, payout_id)
    payouts.lock(connection, found.creator_id)
    if has_stopped(connection, payout_id) or payouts.steps_of(connection, payout_id):
        raise PayoutEnded(payout_id, "decided", news.value)
    _keep(connection, payout_id, news, "", reason, now, actor)


def due(connection: Connection, payout_id: int) -> Due:
    """The payout with this number.

    Raises:
        UnknownPayout: there is none, or it pays nothing.
    """
    found = connection.execute(
        select(Payout.id, Payout.creator_id, Payout.amount_credits).where(
            Payout.id == payout_id, Payout.amount_credits > 0
        )
    ).one_or_none()
    if found is None:
        raise UnknownPayout(payout_id)
    return Due(*found)


def reported(connection: Connection, payout_id: int) -> set[PayoutNews]:
    """What became known of it."""
    kinds = select(PayoutReport.kind).where(PayoutReport.payout_id == payout_id)
    return {PayoutNews(kind) for kind in connection.execute(kinds).scalars()}


def was_handed_over(connection: Connection, payout_id: int) -> bool:
    """Whether a bank or a gateway has it, or had it: then the money may have moved."""
    is_bank = _destination(connection, payout_id) is DestinationKind.BANK
    return not is_bank or _is_in_file(connection, payout_id)


def has_stopped(connection: Connection, payout_id: int) -> bool:
    """Whether it ended before it was set aside."""
    return not reported(connection, payout_id).isdisjoint({PayoutNews.SHORT, PayoutNews.STOPPED})


def has_move(step: PayoutStep) -> ColumnElement[bool]:
    """The condition for payouts that took this step."""
    return exists().where(PayoutMove.payout_id == Payout.id, PayoutMove.step == step.value)


def is_reported(*news: PayoutNews) -> ColumnElement[bool]:
    """The condition for payouts of which one of these became known."""
    return exists().where(PayoutReport.payout_id == Payout.id, PayoutReport.kind.in_([one.value for one in news]))


def _destination(connection: Connection, payout_id: int) -> DestinationKind:
    kind = select(PayoutTerms.destination_kind).join(Payout, Payout.terms_id == PayoutTerms.id)
    return DestinationKind(str(connection.execute(kind.where(Payout.id == payout_id)).scalar_one()))


def _is_in_file(connection: Connection, payout_id: int) -> bool:
    return (
        connection.execute(select(PayoutFileLine.id).where(PayoutFileLine.payout_id == payout_id)).first() is not None
    )


def _end(
    connection: Connection,
    of: Due,
    news: PayoutNews,
    before: set[PayoutNews],
    reference: str,
    reason: str,
    now: datetime,
    actor: Actor,
) -> None:
    if PayoutStep.SET_ASIDE not in payouts.steps_of(connection, of.payout_id):
        raise PayoutEnded(of.payout_id, "not set aside", news.value)
    if PayoutNews.FAILED in before:
        raise PayoutEnded(of.payout_id, "failed", news.value)
    _keep(connection, of.payout_id, news, reference, reason, now, actor)
    move = payouts.pay if news is PayoutNews.PAID else payouts.give_back
    move(connection, of, now=now, actor=actor)


def _keep(
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
