"""Opening balances of users of the former system: what an import would refuse, and one piece of the import."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from credits_core.errors import CreditsError
from credits_core.ledger import actions, entries, locks, writer
from credits_core.ledger.alike import look_alikes
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import AccountLooksAlike, BalanceTooLarge, CirculationTooLarge, IdempotencyKeyReused
from credits_core.ledger.requests import hash_of
from credits_core.ledger.writer import Posting
from credits_core.store.kinds import CreditSource, EntryType
from credits_core.store.tables import UserCredits
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.fields import folded_id, is_id, require_id
from credits_core.values.roles import Actor, May

_OPENING_REASON = "Opening balance from the former credit system"
_USERS_AT_ONCE = 500


def refusals(
    connection: Connection, opening_credits: Mapping[str, int], *, distinct: bool = False
) -> tuple[dict[str, CreditsError], bool]:
    """The refusal of each user whose row `import_opening_balances` would refuse now, and whether it has room.

    It has room when not even half of the largest circulation would be in use.

    Of users whose ids differ only in upper and lower case, all but the first are refused, unless each of them has an
    account already or `distinct` says that they are different people.

    Raises:
        CirculationTooLarge: all users together would hold more than 2^62 credits.
    """
    refused: dict[str, CreditsError] = {}
    known_by_folded: dict[str, list[str]] = {}
    new_credits = 0
    user_ids = list(opening_credits)
    for first in range(0, len(user_ids), _USERS_AT_ONCE):
        some = user_ids[first : first + _USERS_AT_ONCE]
        balances = _balances(connection, some)
        keys = {opening_balance_key(user_id): user_id for user_id in some}
        imported = {keys[key]: found for key, found in entries.entries_by_keys(connection, list(keys)).items()}
        alike = look_alikes(connection, some)
        for user_id in some:
            amount_credits = opening_credits[user_id]
            known = known_by_folded.setdefault(folded_id(user_id), alike.get(folded_id(user_id), []))
            if user_id not in known:
                if known and not distinct:
                    refused[user_id] = AccountLooksAlike(user_id, known[0])
                known.append(user_id)
            if user_id in imported:
                entry_id, request_hash = imported[user_id]
                if request_hash != opening_balance_hash(user_id, amount_credits):
                    refused[user_id] = IdempotencyKeyReused(opening_balance_key(user_id), entry_id)
            elif balances.get(user_id, 0) + amount_credits > MAX_CREDITS:
                refused[user_id] = BalanceTooLarge(user_id, amount_credits, MAX_CREDITS)
            else:
                new_credits += amount_credits
    circulating_credits = writer.circulating_credits(connection) + new_credits
    if circulating_credits > actions.MAX_CIRCULATION_CREDITS:
        raise CirculationTooLarge(new_credits, actions.MAX_CIRCULATION_CREDITS)
    return refused, 2 * circulating_credits <= actions.MAX_CIRCULATION_CREDITS


def imported_before(connection: Connection, user_ids: Iterable[str]) -> set[str]:
    """Those of these users who have their opening balance already."""
    keys = {opening_balance_key(user_id): user_id for user_id in user_ids}
    names, imported = list(keys), set[str]()
    for first in range(0, len(names), _USERS_AT_ONCE):
        some = names[first : first + _USERS_AT_ONCE]
        imported.update(keys[key] for key in entries.entries_by_keys(connection, some))
    return imported


def import_opening_balances(
    connection: Connection,
    opening_credits: Mapping[str, int],
    *,
    now: datetime,
    actor: Actor,
    distinct: bool = False,
    leaves_room: bool = False,
    pace: Callable[[Iterable[tuple[str, int]]], Iterable[tuple[str, int]]] = iter,
) -> dict[str, Receipt | CreditsError | None]:
    """Give users of the former system their credits from there, once. 0 opens an empty account, without a receipt.

    All other writers wait meanwhile, so a large import gives them here in pieces (`bulk.opening_balances`).

    Returns, for each user whom `pace` gives, a receipt, a refusal or None. It gets the users with their credits and may
    stop before the last: the others are then left for another unit of work. Each opening balance is an adjustment with
    the key `legacy:USER`, so importing again replays the receipts and changes nothing. A user who was imported before
    with another amount, or whose row cannot be accepted, gets a refusal; the caller decides whether to keep the rest.
    With `leaves_room`, the caller knows that the whole import leaves half of the largest circulation free, so that it
    need not be added up for each piece.

    Raises:
        NotAllowed: the actor may not move credits of any user.
        NeedsApproval: these users would get more than one person may move; the command line imports them.
        CirculationTooLarge: all users together would hold more than 2^62 credits.
    """
    actor.require(May.MOVE_CREDITS)
    locks.lock_everyone(connection)
    before_credits = 0 if leaves_room else writer.circulating_credits(connection)
    circulating_credits = before_credits
    keys = [opening_balance_key(user_id) for user_id in opening_credits if is_id(user_id)]
    posting = writer.begin(connection, filter(is_id, opening_credits), keys, everyone_is_locked=True)
    outcomes: dict[str, Receipt | CreditsError | None] = {}
    for user_id, amount_credits in pace(opening_credits.items()):
        try:
            outcome = _open_balance(posting, user_id, amount_credits, now=now, actor=actor, distinct=distinct)
            outcomes[user_id] = outcome
            if outcome is not None and not outcome.replayed:
                circulating_credits += amount_credits
        except CreditsError as refusal:
            outcomes[user_id] = refusal
        if circulating_credits > actions.MAX_CIRCULATION_CREDITS:
            raise CirculationTooLarge(amount_credits, actions.MAX_CIRCULATION_CREDITS)
    require_one_may_import(actor, circulating_credits - before_credits)
    posting.write()
    return outcomes


def require_one_may_import(actor: Actor, new_credits: int) -> None:
    """Do nothing when the actor may import opening balances of this sum, which cannot be proposed.

    Raises:
        NeedsApproval: it is more than one person may move.
    """
    actor.require_second(new_credits, instead="Import the file at the command line")


def opening_balance_key(user_id: str) -> str:
    """The idempotency key of a user's opening balance."""
    return f"legacy:{user_id}"


def opening_balance_hash(user_id: str, amount_credits: int) -> str:
    """The hash of the request for this opening balance, as its entry keeps it."""
    return hash_of(EntryType.ADJUSTMENT, (user_id, amount_credits, CreditSource.ADJUSTMENT.value, _OPENING_REASON))


def _balances(connection: Connection, user_ids: Collection[str]) -> dict[str, int]:
    rows = connection.execute(
        select(UserCredits.user_id, UserCredits.balance_credits).where(UserCredits.user_id.in_(user_ids))
    )
    return {row.user_id: row.balance_credits for row in rows}


def _open_balance(
    posting: Posting, user_id: str, amount_credits: int, *, now: datetime, actor: Actor, distinct: bool
) -> Receipt | None:
    if amount_credits == 0:
        posting.open_account(require_id("user_id", user_id), now, distinct=distinct)
        return None
    return actions.post_credits(
        posting,
        user_id,
        amount_credits,
        source=CreditSource.ADJUSTMENT,
        reason=_OPENING_REASON,
        key=opening_balance_key(user_id),
        now=now,
        actor=actor,
        distinct=distinct,
    )
