"""Files of transfers for the bank. Each payout is in one file alone, so a bank is never told of it twice.

As `ledger.actions`, these never commit.
"""

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, func, insert, select

from credits_core.ledger import payouts as ledger
from credits_core.ledger.payout_news import has_move, is_reported
from credits_core.payments.payout_rules import CREDITS_PER_CENT
from credits_core.payments.refusals import NothingForTheBank, UnknownPayoutFile
from credits_core.store.kinds import DestinationKind, PayoutNews, PayoutStep
from credits_core.store.tables import Payout, PayoutFile, PayoutFileLine, PayoutTerms
from credits_core.values.credits import div_floor
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.roles import Actor, May


@dataclass(frozen=True, slots=True)
class BankFile:
    """A file that was made: of which cycle, when and by whom, how many transfers it has, and how much, in credits."""

    id: int
    cycle_id: int
    made_at: datetime
    made_by: str
    transfers: int
    total_credits: int

    @property
    def name(self) -> str:
        """What it is called where it is saved."""
        return f"payouts-{self.cycle_id}-file-{self.id}.csv"


def make(connection: Connection, cycle_id: int, *, now: datetime, actor: Actor) -> int:
    """Write down that the cycle's transfers are handed to the bank, and return the number of their file.

    Those are the payouts to bank accounts that are set aside, have not ended and are in no file yet. Creators whose
    payouts are paused meanwhile are left out.

    Raises:
        NotAllowed: the actor may not move credits.
        UnknownCycle: there is none with this number.
        NothingForTheBank: every transfer is in a file, or none is ready.
    """
    actor.require(May.MOVE_CREDITS)
    ledger.require_cycle(connection, cycle_id)
    ledger.lock_cycles(connection)
    ready = connection.execute(_READY.where(Payout.cycle_id == cycle_id).order_by(Payout.id)).scalars().all()
    if not ready:
        raise NothingForTheBank(cycle_id, [one.id for one in of_cycle(connection, cycle_id)])
    row = {"cycle_id": cycle_id, "actor": actor.recorded, "made_at_us": to_microseconds(now)}
    file_id: int = connection.execute(insert(PayoutFile).values(row).returning(PayoutFile.id)).scalar_one()
    connection.execute(insert(PayoutFileLine), [{"payout_id": payout_id, "file_id": file_id} for payout_id in ready])
    return file_id


def ready_transfers(connection: Connection, cycle_id: int) -> int:
    """How many transfers of the cycle a file made now would have."""
    return connection.execute(
        select(func.count()).select_from(_READY.where(Payout.cycle_id == cycle_id).subquery())
    ).scalar_one()


def of_cycle(connection: Connection, cycle_id: int) -> list[BankFile]:
    """The files of a cycle, the oldest first."""
    return _files(connection, _FILES.where(PayoutFile.cycle_id == cycle_id))


def file(connection: Connection, file_id: int) -> tuple[BankFile, bytes]:
    """A file and what is in it, as CSV in UTF-8: the same whenever it is asked for. Amounts are in dollars with cents.

    Raises:
        UnknownPayoutFile: there is none with this number.
    """
    found = _files(connection, _FILES.where(PayoutFile.id == file_id))
    if not found:
        raise UnknownPayoutFile(file_id)
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["payout", "iban", "holder", "amount", "currency", "purpose"])
    for payout_id, address, holder, amount_credits in connection.execute(
        select(Payout.id, PayoutTerms.address, PayoutTerms.holder, Payout.amount_credits)
        .join(PayoutFileLine, PayoutFileLine.payout_id == Payout.id)
        .join(PayoutTerms, PayoutTerms.id == Payout.terms_id)
        .where(PayoutFileLine.file_id == file_id)
        .order_by(Payout.id)
    ):
        cents = div_floor(amount_credits, CREDITS_PER_CENT)
        dollars = div_floor(cents, 100)
        amount = f"{dollars}.{cents - 100 * dollars:02}"
        lines.writerow([payout_id, address, holder, amount, "USD", f"PromptFlow payout {payout_id}"])
    return found[0], text.getvalue().encode()


def _files(connection: Connection, wanted: Select[*tuple[Any, ...]]) -> list[BankFile]:
    grouped = wanted.group_by(PayoutFile.id).order_by(PayoutFile.id)
    return [
        BankFile(row.id, row.cycle_id, from_microseconds(row.made_at_us), row.actor, row[4], int(row[5]))
        for row in connection.execute(grouped)
    ]


_FILES: Select[*tuple[Any, ...]] = (
    select(
        PayoutFile.id,
        PayoutFile.cycle_id,
        PayoutFile.made_at_us,
        PayoutFile.actor,
        func.count(PayoutFileLine.id),
        func.sum(Payout.amount_credits),
    )
    .join(PayoutFileLine, PayoutFileLine.file_id == PayoutFile.id)
    .join(Payout, Payout.id == PayoutFileLine.payout_id)
)
_terms, _newest = PayoutTerms.__table__.alias(), PayoutTerms.__table__.alias()
_IS_PAUSED = (
    exists()
    .where(_newest.c.paused_because.is_not(None))
    .where(
        _newest.c.id
        == select(func.max(_terms.c.id))
        .where(_terms.c.creator_id == Payout.__table__.c.creator_id)
        .correlate(Payout.__table__)
        .scalar_subquery()
    )
)
_READY = (
    select(Payout.id)
    .join(PayoutTerms, PayoutTerms.id == Payout.terms_id)
    .where(
        PayoutTerms.destination_kind == DestinationKind.BANK.value,
        has_move(PayoutStep.SET_ASIDE),
        ~is_reported(PayoutNews.PAID, PayoutNews.FAILED),
        ~exists().where(PayoutFileLine.payout_id == Payout.id),
        ~_IS_PAUSED,
    )
)
