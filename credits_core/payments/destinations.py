"""Where creators are paid to, and whether payouts to them are paused. The newest terms of a creator count.

As `ledger.actions`, these never commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select
from stdnum import iban
from stdnum.exceptions import ValidationError

from credits_core.errors import InvalidRequest
from credits_core.ledger import accounts
from credits_core.store.kinds import DestinationKind
from credits_core.store.tables import PayoutTerms
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.fields import cut_repr, require_id, require_text
from credits_core.values.roles import Actor, May

_LONGEST = 128
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Terms:
    """How a creator is paid from `since` on. Without a destination, `kind`, `address` and `holder` are None."""

    id: int
    creator_id: str
    kind: DestinationKind | None
    address: str | None
    holder: str | None
    paused_because: str | None
    actor: str
    since: datetime

    @property
    def shown(self) -> str:
        """The destination for reading; of an IBAN only its beginning and its end.

        >>> from datetime import UTC
        >>> at = datetime(2026, 3, 1, tzinfo=UTC)
        >>> Terms(1, "ben", DestinationKind.BANK, "DE89370400440532013000", "Ben", None, "cli", at).shown
        'DE89 … 3000'
        """
        if self.kind is DestinationKind.BANK and self.address is not None:
            return f"{self.address[:4]} … {self.address[-4:]}"
        return self.address or "none"


def newest(connection: Connection, creator_ids: Sequence[str]) -> dict[str, Terms]:
    """The terms that count of each of these creators who has any."""
    last = (
        select(func.max(PayoutTerms.id)).where(PayoutTerms.creator_id.in_(creator_ids)).group_by(PayoutTerms.creator_id)
    )
    return {terms.creator_id: terms for terms in _read(connection, _TERMS.where(PayoutTerms.id.in_(last)))}


def by_id(connection: Connection, ids: Sequence[int]) -> dict[int, Terms]:
    """Terms by their numbers; however many, they are read in blocks."""
    found = dict[int, Terms]()
    for begin in range(0, len(ids), _AT_ONCE):
        block = _TERMS.where(PayoutTerms.id.in_(ids[begin : begin + _AT_ONCE]))
        found |= {terms.id: terms for terms in _read(connection, block)}
    return found


def set_destination(
    connection: Connection,
    creator_id: str,
    kind: DestinationKind,
    address: str,
    *,
    holder: str | None = None,
    now: datetime,
    actor: Actor,
) -> Terms:
    """Pay a creator to an account at the gateway, or to a bank account, from now on. Cycles that were proposed keep
    theirs.

    Raises:
        NotAllowed: the actor may not propose payouts.
        UnknownUser: there is no such creator.
        InvalidRequest: the address is no IBAN, or no account at a gateway; or a bank account has no holder.
    """
    actor.require(May.PROPOSE_PAYOUTS)
    accounts.user(connection, creator_id)
    if kind is DestinationKind.BANK:
        try:
            address = iban.validate(address)
        except ValidationError:
            raise InvalidRequest(
                "iban", f"must be a valid IBAN without a typing error, not {cut_repr(address)}"
            ) from None
        holder = require_text("holder", holder or "")
        if len(holder) > _LONGEST or not holder[0].isalnum():  # a spreadsheet reads other beginnings as formulas
            raise InvalidRequest("holder", f"must begin with a letter and have at most {_LONGEST} characters")
    else:
        address = require_id("address", address)
        if holder is not None:
            raise InvalidRequest("holder", "is for bank accounts alone")
    before = newest(connection, [creator_id]).get(creator_id)
    paused_because = None if before is None else before.paused_because
    return _keep(connection, creator_id, kind, address, holder, paused_because, now, actor)


def pause(connection: Connection, creator_id: str, reason: str | None, *, now: datetime, actor: Actor) -> Terms:
    """Pause payouts to a creator for a reason, or go on with them where `reason` is None.

    Raises:
        NotAllowed: the actor may not propose payouts.
        UnknownUser: there is no such creator.
        InvalidRequest: the reason does not have 1 to 500 characters.
    """
    actor.require(May.PROPOSE_PAYOUTS)
    accounts.user(connection, creator_id)
    if reason is not None:
        reason = require_text("reason", reason)
    before = newest(connection, [creator_id]).get(creator_id)
    if before is not None and before.paused_because == reason:
        return before
    if before is None:
        return _keep(connection, creator_id, None, None, None, reason, now, actor)
    return _keep(connection, creator_id, before.kind, before.address, before.holder, reason, now, actor)


def _keep(
    connection: Connection,
    creator_id: str,
    kind: DestinationKind | None,
    address: str | None,
    holder: str | None,
    paused_because: str | None,
    now: datetime,
    actor: Actor,
) -> Terms:
    row = {
        "creator_id": creator_id,
        "destination_kind": None if kind is None else kind.value,
        "address": address,
        "holder": holder,
        "paused_because": paused_because,
        "actor": actor.recorded,
        "set_at_us": to_microseconds(now),
    }
    number = connection.execute(insert(PayoutTerms).values(row).returning(PayoutTerms.id)).scalar_one()
    return Terms(number, creator_id, kind, address, holder, paused_because, actor.recorded, now)


def _read(connection: Connection, wanted: Select[*tuple[Any, ...]]) -> list[Terms]:
    return [
        Terms(
            row.id,
            row.creator_id,
            None if row.destination_kind is None else DestinationKind(row.destination_kind),
            row.address,
            row.holder,
            row.paused_because,
            row.actor,
            from_microseconds(row.set_at_us),
        )
        for row in connection.execute(wanted)
    ]


_TERMS: Select[*tuple[Any, ...]] = select(*PayoutTerms.__table__.c)
