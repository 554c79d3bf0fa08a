"""Reads what creators have for payouts: what they earned and still have, what of it waits, and what they owe."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection, Select, func, select

from credits_core.ledger import payouts as ledger
from credits_core.payments import destinations
from credits_core.payments.destinations import Terms
from credits_core.payments.payout_rules import PayoutRules, Standing
from credits_core.reports import sums
from credits_core.store.kinds import EntryType, Part, TransactionType, part_account
from credits_core.store.tables import UserPart
from credits_core.values.days import DayRange
from credits_core.values.time_zones import TimeZone

_AT_ONCE = 500


def standings(
    connection: Connection, rules: PayoutRules, today: date, zone: TimeZone, *, creator_id: str | None = None
) -> Iterator[tuple[str, Standing, Terms | None]]:
    """What every creator with earnings left, or who owes something, has, in the order of their ids; or this one alone.

    Reads the daily tables once, and then the creators in blocks.
    """
    creators = [creator_id] if creator_id is not None else _creators(connection, zone)
    waiting = _waiting(connection, rules.first_waiting_day(today), zone, creator_id)
    for begin in range(0, len(creators), _AT_ONCE):
        block = creators[begin : begin + _AT_ONCE]
        owed = {account_id: -credits for account_id, credits in connection.execute(_debts(block))}
        terms = destinations.newest(connection, block)
        left = ledger.earned_left(connection, block)
        for one in block:
            if left[one] or part_account(one, Part.DEBT) in owed:
                waits_credits = min(waiting.get(one, 0), left[one])
                found = terms.get(one)
                yield (
                    one,
                    Standing(
                        left[one],
                        waits_credits,
                        rules.reserved_credits(left[one] - waits_credits),
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
    owing = select(UserPart.account_id, UserPart.balance_credits).where(UserPart.account_id.in_(accounts_))
    return owing.where(UserPart.balance_credits != 0)
