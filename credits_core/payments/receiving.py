"""Takes in what a gateway says: keeps each event once, and brings the user's purchases to what all events say.

The order of events, and how often each arrives, make no difference.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, Select, case, delete, func, insert, select
from sqlalchemy.orm import aliased

from credits_core.errors import InvalidRequest
from credits_core.ledger import purchases
from credits_core.ledger.purchases import Wanted
from credits_core.payments import purchased
from credits_core.payments.gateway import GatewayEvent
from credits_core.payments.purchased import Bought
from credits_core.payments.refusals import EventDiffers, UnknownPurchase
from credits_core.payments.standing import OF_MONEY, standing
from credits_core.store import database
from credits_core.store.kinds import Happened, Part, Step
from credits_core.store.tables import EventToSettle, Purchase, PurchaseEvent, PurchaseMove, UserPart
from credits_core.values.days import to_microseconds
from credits_core.values.roles import Actor, May, system

GATEWAY = system("gateway")
"""Who acts on what a gateway says, whoever told it."""
_LONGEST_NAME = 255
_LATE = timedelta(days=60)
_LARGEST_MINOR = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Received:
    """A purchase after an event. `is_new` is false for an event that was told before."""

    purchase: Bought
    is_new: bool


def keep(connection: Connection, event: GatewayEvent, *, now: datetime, actor: Actor) -> bool:
    """Keep the event alone, and return whether it is new. `settle_again` has to follow for its user.

    An event that moves money is marked as left to settle, until that is done.

    Raises:
        UnknownPurchase: there is no such purchase, or another gateway has it.
        InvalidRequest: the currency is another one, or a number or a name is out of bounds.
        EventDiffers: the gateway told this event before, with another content.
    """
    found = _bought(connection, event, actor)
    purchases.open_account(connection, found.user_id, now=now)  # who tells the same at this moment waits
    return _keep(connection, event, now, actor)


def take_in(engine: Engine, event: GatewayEvent, *, now: datetime, actor: Actor) -> Received:
    """Keep the event unless it is known, and then do what follows from it, in a unit of work each.

    So an event is not lost whose consequences take too long, are refused, or end with their process. The job for
    payments carries them out later. The user's other purchases are looked at only where they matter, such as to pay
    what is owed. Whoever tells the event is kept with it; what follows is done by the gateway, whose money it is.

    Raises:
        UnknownPurchase, InvalidRequest, EventDiffers: as `keep`; nothing is kept.
        CirculationTooLarge, BalanceTooLarge: as `ledger.actions.add_credits`; the event is kept.
    """
    is_new = database.write(engine, lambda one: keep(one, event, now=now, actor=actor))

    def settle(connection: Connection) -> Bought:
        user_id = purchased.purchase(connection, event.purchase_id).user_id
        of_all = purchases.settle(
            connection,
            user_id,
            lambda found: wanted_of(found, user_id),
            now=now,
            actor=GATEWAY,
            of_one=lambda found: _wanted(found, Purchase.id == event.purchase_id)[0],
        )
        _settled(connection, Purchase.user_id == user_id if of_all else Purchase.id == event.purchase_id)
        return purchased.purchase(connection, event.purchase_id)

    return Received(database.write(engine, settle), is_new)


def settle_again(connection: Connection, user_id: str, *, now: datetime, actor: Actor) -> None:
    """Bring a user's purchases to what all events say, after credits came back by other ways, such as a refund."""
    purchases.settle(connection, user_id, lambda found: wanted_of(found, user_id), now=now, actor=actor)
    _settled(connection, Purchase.user_id == user_id)


def _settled(connection: Connection, of: ColumnElement[bool]) -> None:
    """Note that all events of these purchases are carried out. Their user is locked, so none was kept meanwhile."""
    connection.execute(delete(EventToSettle).where(EventToSettle.purchase_id.in_(select(Purchase.id).where(of))))


def users_to_settle(connection: Connection, *, after: str, limit: int, now: datetime) -> list[str]:
    """Users for whom something may be left to do, in alphabetical order after one of them.

    An event of theirs was kept and not carried out. Or they owe something, something of them is frozen or disputed, or
    in the last 60 days a payment went back of which not all of its bonus is taken: it may have been held then.
    """
    owing = select(UserPart.user_id).where(
        select(Purchase.id).where(Purchase.user_id == UserPart.user_id).exists(),  # others owe for refunded shares
        UserPart.balance_credits != 0,
        UserPart.account_id.endswith(f":{Part.DEBT.value}") | UserPart.account_id.endswith(f":{Part.FROZEN.value}"),
    )
    left = select(Purchase.user_id).join(EventToSettle, EventToSettle.purchase_id == Purchase.id)
    every = owing.union(left, _disputed(), _bonus_left(to_microseconds(now - _LATE))).subquery()
    wanted = select(every.c.user_id).where(every.c.user_id > after).order_by(every.c.user_id).limit(limit)
    return list(connection.execute(wanted).scalars())


def _disputed() -> Select[str]:
    ended = aliased(PurchaseEvent)
    is_over = (
        select(ended.id)
        .where(
            ended.purchase_id == PurchaseEvent.purchase_id,
            ended.about == PurchaseEvent.about,
            ended.kind.in_((Happened.WON.value, Happened.LOST.value)),
        )
        .exists()
    )
    return (
        select(Purchase.user_id)
        .join(PurchaseEvent, PurchaseEvent.purchase_id == Purchase.id)
        .where(PurchaseEvent.kind == Happened.DISPUTED.value, ~is_over)
    )


def _bonus_left(since_us: int) -> Select[str]:
    """The users with a payment that went back since then of which not all of the bonus is taken."""
    taken = case(
        (PurchaseMove.step == Step.TAKEN.value, PurchaseMove.credits),
        (PurchaseMove.step == Step.RETURNED.value, -PurchaseMove.credits),
        else_=0,
    )
    taken_credits = (
        select(func.coalesce(func.sum(taken), 0))
        .where(PurchaseMove.purchase_id == Purchase.id, PurchaseMove.is_bonus)
        .scalar_subquery()
    )
    return (
        select(Purchase.user_id)
        .join(PurchaseEvent, PurchaseEvent.purchase_id == Purchase.id)
        .where(
            PurchaseEvent.happened_at_us >= since_us,
            PurchaseEvent.kind.in_((Happened.REFUNDED.value, Happened.LOST.value)),
            Purchase.bonus_credits > 0,
            taken_credits < Purchase.bonus_credits,
        )
    )


def wanted_of(connection: Connection, user_id: str) -> list[Wanted]:
    """What the events of each of a user's purchases come to, in credits."""
    return _wanted(connection, Purchase.user_id == user_id)


def _wanted(connection: Connection, where: ColumnElement[bool]) -> list[Wanted]:
    rows = connection.execute(select(Purchase.__table__).where(where).order_by(Purchase.id)).all()
    news = purchased.news_of(connection, where)
    wanted = []
    for row in rows:
        stands = standing(row.price_minor + row.fee_minor, news.get(row.id, ()))
        of_bonus = stands.parts_of(row.bonus_credits)
        wanted.append(
            Wanted(
                row.id,
                stands.is_paid,
                row.credits,
                *stands.parts_of(row.credits),
                row.bonus_credits,
                *of_bonus,
                row.bonus_days,
            )
        )
    return wanted


def _bought(connection: Connection, event: GatewayEvent, actor: Actor) -> Bought:
    actor.require(May.MOVE_CREDITS)
    _check(event)
    found = purchased.purchase(connection, event.purchase_id)
    if found.gateway != event.gateway:
        raise UnknownPurchase(event.purchase_id)
    if found.currency != event.currency:
        raise InvalidRequest("currency", f"must be {found.currency}, in which the purchase is, not {event.currency}")
    return found


def _check(event: GatewayEvent) -> None:
    for field in ("event_id", "about"):
        text = getattr(event, field)
        if not text or len(text) > _LONGEST_NAME or not text.isprintable():
            raise InvalidRequest(field, f"must be 1 to {_LONGEST_NAME} visible characters")
    for field in ("amount_minor", "fee_minor"):
        number = getattr(event, field)
        if type(number) is not int or not 0 <= number <= _LARGEST_MINOR:
            raise InvalidRequest(field, f"must be a whole number of minor units, from 0 on, not {number!r}")


def _keep(connection: Connection, event: GatewayEvent, now: datetime, actor: Actor) -> bool:
    """Keep the event, whose user is locked; false when it is known."""
    same = (PurchaseEvent.gateway == event.gateway, PurchaseEvent.event_id == event.event_id)
    told = (PurchaseEvent.purchase_id, PurchaseEvent.kind, PurchaseEvent.about, PurchaseEvent.amount_minor)
    before = connection.execute(select(*told).where(*same)).one_or_none()
    if before is not None:
        if tuple(before) != (event.purchase_id, event.kind.value, event.about, event.amount_minor):
            raise EventDiffers(event.event_id, before[0])
        return False
    row = {
        "purchase_id": event.purchase_id,
        "gateway": event.gateway,
        "event_id": event.event_id,
        "kind": event.kind.value,
        "about": event.about,
        "amount_minor": event.amount_minor,
        "fee_minor": event.fee_minor,
        "note": event.note,
        "happened_at_us": to_microseconds(event.happened_at),
        "received_at_us": to_microseconds(now),
        "actor": actor.recorded,
    }
    (number,) = connection.execute(insert(PurchaseEvent).values(row).returning(PurchaseEvent.id)).one()
    if event.kind in OF_MONEY:
        connection.execute(insert(EventToSettle).values(event_id=number, purchase_id=event.purchase_id))
    return True
