"""What creators owe because a share was refunded after they had spent it, and what pays it: their next earnings, first.

It is in the part `ben:debt`, together with what the user owes of purchases whose money went back. Each is paid by its
own kind of credits alone: shares by earnings, purchases by purchases (`ledger.stakes`). So no order of events matters.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from credits_core.ledger import purchase_rows
from credits_core.ledger.movements import Movement, paying_debt
from credits_core.ledger.writer import Posting
from credits_core.store.kinds import Part, TransactionType, owner_of, part_account
from credits_core.store.tables import CreditTransaction, PurchaseMove, UserPart

_is_of_purchase = select(PurchaseMove.id).where(PurchaseMove.id == CreditTransaction.entry_id).exists()


def owed_credits(posting: Posting, creator_id: str) -> int:
    """What a creator of this unit of work owes for shares, in credits, after all that was decided so far."""
    debt_credits = posting.balances.get(part_account(creator_id, Part.DEBT), 0)
    if not debt_credits:
        return 0
    if creator_id not in posting.owed_of_purchases:  # it cannot change meanwhile: the user is locked
        posting.owed_of_purchases[creator_id] = purchase_rows.owed_credits(posting.connection, creator_id)
    return -debt_credits - posting.owed_of_purchases[creator_id]


def paid_first(posting: Posting, movements: list[Movement]) -> list[Movement]:
    """The movements of a run or an unlock, and those by which its creator's share pays what the creator owes."""
    for movement in movements:
        if movement.type is TransactionType.CREATOR_PAYMENT:
            paid_credits = min(owed_credits(posting, movement.account_id), movement.amount_credits)
            return paying_debt(movements, movement.account_id, paid_credits) if paid_credits else movements
    return movements


def paid_between(
    connection: Connection, creator_ids: Sequence[str] | None, *, after_us: int, until_us: int
) -> dict[str, int]:
    """What earnings paid of what each of these creators, or anybody, owed for shares: after a moment, up to another.

    In credits, by creator, without those of whom nothing was paid. Moments are in microseconds since 1970.
    """
    owing = select(UserPart.account_id).where(UserPart.account_id.endswith(f":{Part.DEBT.value}"))
    if creator_ids is not None:
        owing = owing.where(UserPart.user_id.in_(creator_ids))
    paid = (
        select(CreditTransaction.account_id, func.sum(CreditTransaction.amount_credits))
        .where(CreditTransaction.account_id.in_(owing), CreditTransaction.amount_credits > 0, ~_is_of_purchase)
        .where(CreditTransaction.created_at_us > after_us, CreditTransaction.created_at_us <= until_us)
        .group_by(CreditTransaction.account_id)
    )
    return {owner_of(account_id): int(credits) for account_id, credits in connection.execute(paid)}


def owed_before(connection: Connection, creator_id: str, entry_id: int) -> int:
    """What a creator owed for shares just before an entry, in credits, by the movements of `ben:debt`."""
    moved = select(func.coalesce(func.sum(CreditTransaction.amount_credits), 0)).where(
        CreditTransaction.account_id == part_account(creator_id, Part.DEBT),
        CreditTransaction.entry_id < entry_id,
        ~_is_of_purchase,
    )
    return -int(connection.execute(moved).scalar_one())
