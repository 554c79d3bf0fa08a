"""The only writer of entries and balances. Takes balanced movements, writes them in the caller's unit of work.

Key first, balances second: the entry's row claims the idempotency key by its unique constraint, then a conditional
update changes every user's balance, then the other rows follow. A refusal raises, and the caller rolls the unit of work
back.

The statements are written once in Core and compiled once per dialect, and run on the driver's own connection inside
SQLAlchemy's transaction: building and compiling them per call costs more than the durable commit itself
(docs/measured.md has the figures).
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import IntEnum
from functools import cache

from sqlalchemy import (
    Connection,
    SmallInteger,
    Table,
    Text,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.expression import Executable

from credits_core.ledger.movements import Movement
from credits_core.ledger.receipts import PostedTransaction
from credits_core.ledger.refusals import AccountLooksAlike, BalanceTooLarge, InsufficientCredits, UnknownUser
from credits_core.ledger.requests import ChargeRequest, NewEntry
from credits_core.pricing.models import RunPrice
from credits_core.pricing.quote import Quote
from credits_core.pricing.units import usage_text
from credits_core.store.kinds import TransactionType, is_platform
from credits_core.store.statements import InsertClass, Statement
from credits_core.store.tables import Base, CreditTransaction, JournalEntry, PromptRun, UnlockAnswer, UserCredits
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.days import to_microseconds
from credits_core.values.fields import folded_id, is_broken_by_spreadsheet, require_new_user_id


def _table(of: type[Base]) -> Table:
    table = of.__table__
    assert isinstance(table, Table)
    return table


class _Opening(IntEnum):
    """Whether credits may open the account that they are given to."""

    NEVER = 0
    UNLIKE_OTHERS = 1
    LIKE_ANOTHER = 2


_THREE_PRICES_OF_EARLIER_VERSIONS = (None, None, None)
_users, _entries = _table(UserCredits), _table(JournalEntry)
_transactions, _runs, _answers = _table(CreditTransaction), _table(PromptRun), _table(UnlockAnswer)


def _names(table: Table, *, without: str = "") -> list[str]:
    return [column.name for column in table.c if column.name != without]


def _claim_statement(insert_: InsertClass) -> Executable:
    given = {name: bindparam(name, type_=_entries.c[name].type) for name in _names(_entries, without="id")}
    # A key that was answered without an entry is taken as well.
    answered = exists().where(_answers.c.idempotency_key == bindparam("idempotency_key", type_=Text))
    chosen = select(*given.values()).where(~answered)
    if insert_ is postgresql.Insert:
        # The entry gets its number after the users are locked: the condition cannot be left out of the plan.
        locks = select(func.count(_LOCK_USER).label("users")).subquery()
        chosen = chosen.select_from(locks).where(locks.c.users >= literal_column("0"))
    row = insert_(_entries).from_select(list(given), chosen)
    return row.on_conflict_do_nothing(index_elements=["idempotency_key"]).returning(_entries.c.id)


def _take_statement(_: InsertClass) -> Executable:
    return (
        update(_users)
        .where(_users.c.user_id == bindparam("account_id"), _users.c.balance_credits >= bindparam("taken_credits"))
        .values(balance_credits=_users.c.balance_credits - bindparam("taken_credits"))
        .returning(_users.c.balance_credits)
    )


def _give_statement(insert_: InsertClass) -> Executable:
    given = {name: bindparam(name, type_=_users.c[name].type) for name in _names(_users)}
    opening = bindparam("opening", type_=SmallInteger)
    other = _users.alias()
    is_there = exists().where(other.c.user_id == given["user_id"])
    is_like_another = exists().where(func.lower(other.c.user_id) == func.lower(given["user_id"]))
    may_be_given = (
        is_there
        | (opening == literal_column(str(int(_Opening.LIKE_ANOTHER))))
        | ((opening == literal_column(str(int(_Opening.UNLIKE_OTHERS)))) & ~is_like_another)
    )
    row = insert_(_users).from_select(list(given), select(*given.values()).where(may_be_given))
    return row.on_conflict_do_update(
        index_elements=["user_id"],
        set_={"balance_credits": _users.c.balance_credits + row.excluded.balance_credits},
        where=_users.c.balance_credits <= literal_column(str(MAX_CREDITS)) - row.excluded.balance_credits,
    ).returning(_users.c.balance_credits)


# PostgreSQL's advisory locks, because a user who is paid for the first time has no row to lock yet. The users come in
# one order for all, Python's, so that nobody waits in a circle; a server may order texts differently.
_EACH_USER_ID = func.unnest(bindparam("user_ids", type_=postgresql.ARRAY(Text))).column_valued("user_id")
_LOCK_USER = func.pg_advisory_xact_lock(func.hashtextextended(_EACH_USER_ID, literal_column("0")))
_LOCK_USERS = Statement(["user_ids"], lambda _: select(_LOCK_USER))
_CLAIM_KEY = Statement([*_names(_entries, without="id"), "user_ids"], _claim_statement)
_TAKE = Statement(["account_id", "taken_credits"], _take_statement)
_GIVE = Statement([*_names(_users), "opening"], _give_statement)
_ADD_RUN = Statement(_names(_runs), lambda _: insert(_runs).values({name: bindparam(name) for name in _names(_runs)}))


@cache
def _add_transactions(count: int) -> Statement:
    rows = [{name: f"{name}_{position}" for name in _names(_transactions)} for position in range(count)]
    return Statement(
        [parameter for row in rows for parameter in row.values()],
        lambda _: insert(_transactions).values(
            [{name: bindparam(parameter) for name, parameter in row.items()} for row in rows]
        ),
    )


def claim_key(connection: Connection, entry: NewEntry, user_ids: Iterable[str]) -> int | None:
    """The new entry's id, or None when this idempotency key was used before: by an entry, or by an unlock's answer.

    `user_ids` are the users whose balances the entry will change; ids that differ only in case are locked as one, so
    that two units of work cannot open two such accounts. On PostgreSQL this waits for units of work that have
    claimed the same key or are changing the balance of one of these users. So a user's balances follow each other in
    the order of the entries' ids. On SQLite there is one writer at a time.
    """
    row = _CLAIM_KEY.run(
        connection,
        (
            entry.type.value,
            entry.idempotency_key,
            entry.request_hash,
            entry.actor,
            entry.description,
            entry.refunds_entry_id,
            to_microseconds(entry.created_at),
            _locked_as(user_ids),
        ),
    ).fetchone()
    return None if row is None else int(row[0])


def _locked_as(user_ids: Iterable[str]) -> list[str]:
    return sorted({folded_id(user_id) for user_id in user_ids})


def post(
    connection: Connection, entry_id: int, *, created_at: datetime, movements: list[Movement], distinct: bool = False
) -> tuple[PostedTransaction, ...]:
    """Apply the movements of a claimed entry to the balances and write its transactions, in the movements' order.

    Users who receive credits get an account when they have none. Use only users for whom the key was claimed. With
    `distinct`, a new account may differ from another one only in upper and lower case.

    Raises:
        UnknownUser: a user who pays has no account.
        InsufficientCredits: a user holds fewer credits than they would pay.
        BalanceTooLarge: a user would hold more than 2^53-1 credits.
        AccountLooksAlike: a new account would differ from another one only in upper and lower case.
        InvalidRequest: a new account's id looks like one that a spreadsheet has broken.
    """
    created_at_us = to_microseconds(created_at)
    parameters: list[object] = []
    posted = []
    sum_credits = 0
    for position, movement in enumerate(movements):
        account_id, type_, amount_credits = movement.account_id, movement.type, movement.amount_credits
        after_credits = None if is_platform(account_id) else _move(connection, movement, created_at_us, distinct)
        parameters += (entry_id, position, account_id, type_.value, amount_credits, after_credits, created_at_us)
        posted.append(PostedTransaction(account_id, type_, amount_credits, after_credits))
        sum_credits += amount_credits
    assert sum_credits == 0, "the movements of an entry sum to zero"
    _add_transactions(len(movements)).run(connection, parameters)
    return tuple(posted)


def _move(connection: Connection, movement: Movement, created_at_us: int, distinct: bool) -> int:
    account_id, amount_credits = movement.account_id, movement.amount_credits
    if amount_credits < 0:
        row = _TAKE.run(connection, (account_id, -amount_credits)).fetchone()
        if row is None:
            raise InsufficientCredits(account_id, balance_of(connection, account_id), -amount_credits)
    else:
        field = "creator_id" if movement.type is TransactionType.CREATOR_PAYMENT else "user_id"
        return _give(connection, account_id, amount_credits, created_at_us, field=field, distinct=distinct)
    return int(row[0])


def _give(
    connection: Connection, user_id: str, amount_credits: int, created_at_us: int, *, field: str, distinct: bool
) -> int:
    opening = _Opening.LIKE_ANOTHER if distinct else _Opening.UNLIKE_OTHERS
    if is_broken_by_spreadsheet(user_id):
        opening = _Opening.NEVER
    row = _GIVE.run(connection, (user_id, amount_credits, created_at_us, int(opening))).fetchone()
    if row is not None:
        return int(row[0])
    known = look_alikes(connection, [user_id]).get(folded_id(user_id), [])
    if user_id in known:
        raise BalanceTooLarge(user_id, amount_credits, MAX_CREDITS)
    require_new_user_id(field, user_id)
    raise AccountLooksAlike(user_id, known[0])


def look_alikes(connection: Connection, user_ids: Iterable[str]) -> dict[str, list[str]]:
    """The accounts whose ids are these but for upper and lower case, by their folded id, the oldest first."""
    rows = connection.execute(
        select(_users.c.user_id)
        .where(func.lower(_users.c.user_id).in_(_locked_as(user_ids)))
        .order_by(_users.c.created_at_us, _users.c.user_id)
    )
    found: dict[str, list[str]] = {}
    for user_id in rows.scalars():
        found.setdefault(folded_id(user_id), []).append(user_id)
    return found


def add_run(
    connection: Connection,
    entry_id: int,
    *,
    request: ChargeRequest,
    quote: Quote,
    price_list: int | None,
    created_at: datetime,
) -> None:
    """Write the run of a claimed entry with everything it was priced with."""
    fixed = quote.price if isinstance(quote.price, RunPrice) else None
    by_unit = None if isinstance(quote.price, RunPrice) else quote.price
    _ADD_RUN.run(
        connection,
        (
            entry_id,
            request.user_id,
            request.prompt_id,
            quote.model_id,
            request.creator_id,
            quote.plan.id,
            request.input_tokens,
            request.output_tokens,
            None if fixed is None else fixed.run_price_credits,
            *_THREE_PRICES_OF_EARLIER_VERSIONS,
            quote.inference_cost_credits,
            quote.creator_fee_credits,
            quote.platform_markup_credits,
            quote.total_credits,
            quote.creator_share_credits,
            to_microseconds(created_at),
            None if request.usage is None else usage_text(request.usage),
            None if by_unit is None else by_unit.text,
            quote.service_tier,
            None if request.model_id == quote.model_id else request.model_id,
            None if request.used_at is None else to_microseconds(request.used_at),
            price_list,
        ),
    )


def balance_of(connection: Connection, user_id: str) -> int:
    """The user's balance in credits, as this unit of work sees it.

    Raises:
        UnknownUser: the user has no account.
    """
    found = connection.execute(select(_users.c.balance_credits).where(_users.c.user_id == user_id)).scalar()
    if found is None:
        raise UnknownUser(user_id)
    return int(found)


def lock_balances(connection: Connection, user_ids: Collection[str]) -> dict[str, int]:
    """The balances, in credits, of the users who have an account, locked until this unit of work ends."""
    lock_users(connection, user_ids)
    rows = connection.execute(select(_users.c.user_id, _users.c.balance_credits).where(_users.c.user_id.in_(user_ids)))
    return {row.user_id: row.balance_credits for row in rows}


def lock_users(connection: Connection, user_ids: Collection[str]) -> None:
    """Make others that would change these users' balances wait until this unit of work ends; on SQLite all wait."""
    if connection.dialect.name == "postgresql":
        # The table before the users, as an insert locks them. In the other order, `daily_totals.catch_up` would wait
        # for charges, the charges for these users, and this unit of work for `catch_up`: a deadlock of a second.
        connection.execute(text("LOCK TABLE journal_entries IN ROW EXCLUSIVE MODE"))
        _LOCK_USERS.run(connection, (_locked_as(user_ids),))


def lock_everyone(connection: Connection) -> None:
    """Make every other writer wait until this unit of work ends; it may then claim keys for no user in particular.

    For an import: PostgreSQL's table of locks has no room for tens of thousands of users one by one.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE journal_entries IN SHARE ROW EXCLUSIVE MODE"))


def open_account(connection: Connection, user_id: str, created_at: datetime, *, distinct: bool = False) -> None:
    """Open an account with 0 credits for a user who has no account yet; otherwise change nothing.

    Raises:
        AccountLooksAlike, InvalidRequest: as `post`.
    """
    _give(connection, user_id, 0, to_microseconds(created_at), field="user_id", distinct=distinct)


def circulating_credits(connection: Connection) -> int:
    """The sum of all users' balances, in credits."""
    return int(connection.execute(select(func.coalesce(func.sum(_users.c.balance_credits), 0))).scalar_one())
