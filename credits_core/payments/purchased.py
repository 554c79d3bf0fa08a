"""Reads purchases: what was bought, what the gateway said of it, how it stands, and what the ledger did."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from credits_core.ledger import purchase_rows
from credits_core.ledger.purchase_rows import Granted
from credits_core.ledger.stakes import Due
from credits_core.payments.refusals import UnknownPurchase
from credits_core.payments.standing import News, Standing, State, standing
from credits_core.store.kinds import Happened
from credits_core.store.tables import Purchase, PurchaseEvent, PurchaseReceipt
from credits_core.values.days import from_microseconds, to_microseconds

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Told:
    """One event as it was kept. Amount and fee are in minor units; `told_by` is who brought it."""

    event_id: str
    kind: Happened
    about: str
    amount_minor: int
    fee_minor: int
    note: str
    happened_at: datetime
    received_at: datetime
    told_by: str

    @property
    def news(self) -> News:
        """What of it says how the purchase stands."""
        return News(self.kind, self.about, self.amount_minor, to_microseconds(self.happened_at), self.event_id)


@dataclass(frozen=True, slots=True)
class Bought:
    """A purchase as it is now. Its price and the plan's fee are in minor units of its currency.

    `receipt` is the receipt's number, once it is paid. `lots` are its credits in the ledger and what has become of
    them, the bonus last; none before it is paid.
    """

    id: int
    user_id: str
    gateway: str
    pack_id: str
    price_minor: int
    fee_minor: int
    currency: str
    credits: int
    bonus_credits: int
    bonus_days: int | None
    plan_id: str
    actor: str
    created_at: datetime
    told: tuple[Told, ...]
    standing: Standing
    receipt: int | None
    receipt_at: datetime | None
    lots: tuple[Granted, ...]

    @property
    def due_minor(self) -> int:
        """What it costs: the pack's price and the plan's fee."""
        return self.price_minor + self.fee_minor

    @property
    def became(self) -> Due:
        """What has become of all its lots together: taken back, frozen and owed."""
        every = [lot.now for lot in self.lots]
        return Due(
            sum(one.taken_credits for one in every),
            sum(one.frozen_credits for one in every),
            sum(one.owed_credits for one in every),
        )

    @property
    def refunded_credits(self) -> int:
        """How many of the credits that were taken back went by refunds; banks took the others."""
        return sum(self.standing.refunded_of(lot.granted_credits, lot.now.taken_credits) for lot in self.lots)

    @property
    def checkout_url(self) -> str | None:
        """Where it is paid; None while the gateway has not answered yet, and once nobody can pay there any more."""
        if self.standing.state is State.EXPIRED:
            return None
        return next((one.note for one in self.told if one.kind is Happened.OPENED), None)

    @property
    def payments(self) -> dict[str, int]:
        """The gateway's names of its payments, the newest first, each with what was paid, in minor units."""
        paid = [one for one in self.told if one.kind is Happened.PAID]
        paid.sort(key=lambda one: (one.happened_at, one.event_id))
        newest = {one.about: one.amount_minor for one in paid}  # a correction comes after what it corrects
        return {about: newest[about] for about in reversed(newest) if newest[about]}


def purchase(connection: Connection, purchase_id: int) -> Bought:
    """One purchase.

    Raises:
        UnknownPurchase: there is none.
    """
    found = None
    if type(purchase_id) is int and 0 < purchase_id <= _LARGEST_ID:
        found = _bought(connection, _PURCHASES.where(Purchase.id == purchase_id))
    if not found:
        raise UnknownPurchase(purchase_id)
    return found[0]


def purchases_of(
    connection: Connection, user_id: str | None = None, *, before: int | None = None, limit: int = 50
) -> list[Bought]:
    """The newest purchases, of one user or of all, newest first; with `before`, those with a lower id."""
    wanted = _PURCHASES.order_by(Purchase.id.desc()).limit(limit)
    if user_id is not None:
        wanted = wanted.where(Purchase.user_id == user_id)
    if before is not None:
        wanted = wanted.where(Purchase.id < before)
    return _bought(connection, wanted)


def news_of(connection: Connection, where: ColumnElement[bool]) -> dict[int, list[News]]:
    """The news of these purchases, by purchase; nothing of those of which nothing was told."""
    found: dict[int, list[News]] = defaultdict(list)
    wanted = (
        select(
            PurchaseEvent.purchase_id,
            PurchaseEvent.kind,
            PurchaseEvent.about,
            PurchaseEvent.amount_minor,
            PurchaseEvent.happened_at_us,
            PurchaseEvent.event_id,
        )
        .join(Purchase, Purchase.id == PurchaseEvent.purchase_id)
        .where(where)
    )
    for purchase_id, kind, about, amount_minor, happened_at_us, event_id in connection.execute(wanted):
        found[purchase_id].append(News(Happened(kind), about, amount_minor, happened_at_us, event_id))
    return found


_PURCHASES: Select[Any] = select(
    Purchase.__table__, PurchaseReceipt.id.label("receipt"), PurchaseReceipt.issued_at_us
).outerjoin(PurchaseReceipt, PurchaseReceipt.purchase_id == Purchase.id)


def _bought(connection: Connection, wanted: Select[Any]) -> list[Bought]:
    rows = connection.execute(wanted).all()
    ids = [row.id for row in rows]
    told, lots = _told(connection, ids), purchase_rows.lots_of(connection, ids)
    return [_one(row, told[row.id], lots[row.id]) for row in rows]


def _told(connection: Connection, ids: Sequence[int]) -> dict[int, list[Told]]:
    found: dict[int, list[Told]] = defaultdict(list)
    events = select(PurchaseEvent.__table__).where(PurchaseEvent.purchase_id.in_(ids)).order_by(PurchaseEvent.id)
    for row in connection.execute(events):
        found[row.purchase_id].append(
            Told(
                row.event_id,
                Happened(row.kind),
                row.about,
                row.amount_minor,
                row.fee_minor,
                row.note,
                from_microseconds(row.happened_at_us),
                from_microseconds(row.received_at_us),
                row.actor,
            )
        )
    return found


def _one(row: Any, told: Sequence[Told], lots: Sequence[Granted]) -> Bought:
    return Bought(
        id=row.id,
        user_id=row.user_id,
        gateway=row.gateway,
        pack_id=row.pack_id,
        price_minor=row.price_minor,
        fee_minor=row.fee_minor,
        currency=row.currency,
        credits=row.credits,
        bonus_credits=row.bonus_credits,
        bonus_days=row.bonus_days,
        plan_id=row.plan_id,
        actor=row.actor,
        created_at=from_microseconds(row.created_at_us),
        told=tuple(told),
        standing=standing(row.price_minor + row.fee_minor, [one.news for one in told]),
        receipt=row.receipt,
        receipt_at=None if row.issued_at_us is None else from_microseconds(row.issued_at_us),
        lots=tuple(lots),
    )
