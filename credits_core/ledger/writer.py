"""The only writer of entries and balances. Decides in memory, and writes what it decided in bulk.

`begin` locks the users of a unit of work and reads their balances and which idempotency keys are taken. The `Posting`
that it gives decides one entry after the other, as if each had been written before the next: a refusal raises and
leaves nothing of itself. `Posting.write` then writes everything with one statement for each table. A single charge is a
posting of one entry.

The statements are written once for each database and run on the driver's own connection inside SQLAlchemy's
transaction: building and compiling them per call costs more than the durable commit itself (docs/measured.md).
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import chain, count
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Executable, Table, func, select

from credits_core.ledger import beginning, locks, parts
from credits_core.ledger.lot_book import LotBook
from credits_core.ledger.lots import Draw
from credits_core.ledger.movements import Movement
from credits_core.ledger.receipts import PostedTransaction
from credits_core.ledger.refusals import AccountLooksAlike, BalanceTooLarge, InsufficientCredits, UnknownUser
from credits_core.ledger.requests import ChargeRequest, NewEntry
from credits_core.ledger.spending_book import SpendingBook
from credits_core.pricing.models import RunPrice
from credits_core.pricing.quote import Quote
from credits_core.pricing.units import usage_text
from credits_core.store.kinds import PLATFORM_PREFIX, Part, TransactionType, is_part, owner_of
from credits_core.store.statements import RowWriter, pipelined
from credits_core.store.tables import Base, CreditTransaction, JournalEntry, PromptRun, RollupWatermark, UserCredits
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.days import to_microseconds
from credits_core.values.fields import folded_id, require_new_user_id


def _table(of: type[Base]) -> Table:
    table = of.__table__
    assert isinstance(table, Table)
    return table


_THREE_PRICES_OF_EARLIER_VERSIONS = (None, None, None)
_DEBT = f":{Part.DEBT.value}"
"""How the one account ends that may be below 0."""
_users = _table(UserCredits)


class Taken(NamedTuple):
    """Who has an idempotency key: an entry, or None for an answer without one; and the hash of the request."""

    entry_id: int | None
    request_hash: str


class Posting:
    """The entries of one unit of work: decided one after the other in memory, then written together.

    Made by `begin`. `balances` are what the users can spend, in credits, after all that was decided so far; those of
    users' other parts are among them, such as `ada:held`. `ended` are the holds that end in this unit of work.
    """

    def __init__(self, connection: Connection, found: Iterable[tuple[str, str, int, int, str]]) -> None:
        """Begin with what was found: users, taken keys, and the numbers of new entries."""
        self.connection = connection
        self.balances: dict[str, int] = {}
        self.taken: dict[str, Taken] = {}
        self._alike: dict[str, list[tuple[int, str]]] = {}
        self._opened_at_us: dict[str, int] = {}
        self._new_entries: list[tuple[int, NewEntry, list[PostedTransaction], int]] = []
        self._new_runs: list[tuple[object, ...]] = []
        self._with_parts: list[str] = []
        with_lots: list[str] = []
        limited: list[str] = []
        self._also: list[Executable] = []
        self.ended = set[int]()
        numbers = []
        for kind, text_, number, created_at_us, said in found:
            if kind == "user":
                self.balances[text_] = number
                if said:
                    self._with_parts += [text_] * ("p" in said)
                    with_lots += [text_] * ("l" in said)
                self._alike.setdefault(folded_id(text_), []).append((created_at_us, text_))
            elif kind == "number":
                numbers.append(number)
            elif kind == "limit":
                limited.append(text_)
            else:
                self.taken[text_] = Taken(number or None, said)
        if self._with_parts:
            self.balances |= parts.balances(connection, self._with_parts)
        self.lots = LotBook(connection, with_lots)
        self.spending = SpendingBook(connection, self.balances, limited)
        self._before = dict(self.balances)
        # SQLite names the first number alone: nobody else takes one meanwhile.
        self._numbers = count(numbers[0]) if connection.dialect.name == "sqlite" else iter(sorted(numbers))

    def require_user(self, user_id: str) -> None:
        """Check that the user has an account.

        Raises:
            UnknownUser: there is none.
        """
        if user_id not in self.balances:
            raise UnknownUser(user_id)

    def post(
        self,
        entry: NewEntry,
        movements: Sequence[Movement],
        *,
        distinct: bool = False,
        of: Sequence[Draw] = (),
        expires_at_us: int | None = None,
    ) -> tuple[int, tuple[PostedTransaction, ...]]:
        """Decide a new entry with these movements: its number, and its transactions in the movements' order.

        Users who receive credits get an account when they have none. Use only users and a key that `begin` was given.
        With `distinct`, a new account may differ from another one only in upper and lower case. `of` and
        `expires_at_us` say of the first user's lots what `lots.Move` says. A refusal leaves nothing of the entry.

        Raises:
            UnknownUser: a user who pays has no account.
            InsufficientCredits: a user can spend fewer credits than they would pay.
            BalanceTooLarge: a user would hold more than 2^53-1 credits.
            AccountLooksAlike: a new account would differ from another one only in upper and lower case.
            InvalidRequest: a new account's id looks like one that a spreadsheet has broken.
        """
        assert entry.idempotency_key not in self.taken, "a key is posted once"
        after: dict[str, int] = {}
        posted = []
        sum_credits = 0
        for account_id, type_, amount_credits in movements:
            balance_credits = None
            if not account_id.startswith(PLATFORM_PREFIX):
                known = after.get(account_id, self.balances.get(account_id))
                balance_credits = self._moved(account_id, type_, amount_credits, known, distinct=distinct)
                after[account_id] = balance_credits
            posted.append(PostedTransaction(account_id, type_, amount_credits, balance_credits))
            sum_credits += amount_credits
        assert sum_credits == 0, "the movements of an entry sum to zero"
        if self._with_parts:
            self._require_room(after)
        at_us = to_microseconds(entry.created_at)
        if self.lots.users:
            number = self.peek_number()
            self.lots.decide(number, entry.type, at_us, posted, of=of, expires_at_us=expires_at_us)
        entry_id = self._number()
        for account_id in after.keys() - self.balances.keys():
            if not is_part(account_id):
                self._open(account_id, at_us)
        self.balances |= after
        self.taken[entry.idempotency_key] = Taken(entry_id, entry.request_hash)
        self._new_entries.append((entry_id, entry, posted, at_us))
        return entry_id, tuple(posted)

    def peek_number(self) -> int:
        """The number that the next entry will have."""
        number = self._number()
        self._numbers = chain([number], self._numbers)
        return number

    def _number(self) -> int:
        number = next(self._numbers, None)
        if number is None:
            driver: Any = self.connection.connection.driver_connection
            (number,) = driver.execute(f"SELECT {beginning.NEXT_NUMBER}").fetchone()
        return int(number)

    def _moved(
        self, user_id: str, type_: TransactionType, amount_credits: int, known_credits: int | None, *, distinct: bool
    ) -> int:
        if known_credits is None and is_part(user_id):
            known_credits = 0
        if known_credits is None:
            if amount_credits < 0:
                raise UnknownUser(user_id)
            field = "creator_id" if type_ is TransactionType.CREATOR_PAYMENT else "user_id"
            self._check_new(user_id, field=field, distinct=distinct)
            return amount_credits
        after_credits = known_credits + amount_credits
        if after_credits < 0 and not user_id.endswith(_DEBT):
            raise InsufficientCredits(user_id, known_credits, -amount_credits)
        if after_credits > MAX_CREDITS:
            raise BalanceTooLarge(user_id, amount_credits, MAX_CREDITS)
        return after_credits

    def _require_room(self, after: dict[str, int]) -> None:
        """Check that what users have in other parts can always come back to what they can spend."""
        for user_id in self._with_parts:
            before = {account: self.balances[account] for account in self.balances if owner_of(account) == user_id}
            now = before | {account: after[account] for account in after if owner_of(account) == user_id}
            if sum(now.values()) > max(MAX_CREDITS, sum(before.values())):
                raise BalanceTooLarge(user_id, sum(now.values()) - sum(before.values()), MAX_CREDITS)

    def _check_new(self, user_id: str, *, field: str, distinct: bool) -> None:
        require_new_user_id(field, user_id)
        alike = self._alike.get(folded_id(user_id))
        if alike and not distinct:
            raise AccountLooksAlike(user_id, min(alike)[1])

    def _open(self, user_id: str, at_us: int) -> None:
        self._opened_at_us[user_id] = at_us
        self._alike.setdefault(folded_id(user_id), []).append((at_us, user_id))

    def open_account(self, user_id: str, created_at: datetime, *, distinct: bool = False) -> None:
        """Open an account with 0 credits for a user who has no account yet; otherwise change nothing.

        Raises:
            AccountLooksAlike, InvalidRequest: as `post`.
        """
        if user_id not in self.balances:
            self._check_new(user_id, field="user_id", distinct=distinct)
            self._open(user_id, to_microseconds(created_at))
            self.balances[user_id] = 0

    def add_run(
        self, entry_id: int, *, request: ChargeRequest, quote: Quote, price_list: int | None, created_at: datetime
    ) -> None:
        """Add the run of an entry, with everything it was priced with."""
        fixed = quote.price if isinstance(quote.price, RunPrice) else None
        by_unit = None if isinstance(quote.price, RunPrice) else quote.price
        self._new_runs.append(
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
            )
        )

    def also(self, *statements: Executable) -> None:
        """Write these as well, after the entries: rows that name them, each statement for one row."""
        self._also += statements

    def write(self) -> None:
        """Write everything that was decided: accounts and balances, entries, transactions and runs.

        On PostgreSQL a key may have been taken meanwhile by an entry of other users. Then the database refuses, and
        `database.write` carries out the whole unit of work again.
        """
        if not (self._new_entries or self._opened_at_us):
            return  # all were refused or carried out before
        changed = [
            (self.balances[user_id], user_id, before_credits)
            for user_id, before_credits in self._before.items()
            if self.balances[user_id] != before_credits and ":" not in user_id
        ]
        rows = (self._account_rows(), self._entry_rows(), self._transaction_rows(), self._new_runs)
        driver: Any = self.connection.connection.driver_connection
        if self.connection.dialect.name == "postgresql":
            in_json = (table.as_json(some) for table, some in zip(_WRITTEN, rows, strict=True))
            (changes,) = driver.execute(_WRITE_POSTGRESQL, (json.dumps(changed), *in_json)).fetchone()
        else:
            changes = driver.executemany(_CHANGE_BALANCE, changed).rowcount if changed else 0
            for table, some in zip(_WRITTEN, rows, strict=True):
                table.insert_on_sqlite(driver, some)
        if changes != len(changed):
            raise RuntimeError("a balance has changed although its user was locked")
        self.lots.write()
        parts.write(self.connection, self._before, self.balances)
        self.spending.write()
        for statement in self._also:
            if self.connection.execute(statement).rowcount == 0:
                raise RuntimeError("a row has changed although its user was locked")

    def _account_rows(self) -> list[tuple[object, ...]]:
        return [(user_id, self.balances[user_id], at_us, False, False) for user_id, at_us in self._opened_at_us.items()]

    def _entry_rows(self) -> list[tuple[object, ...]]:
        return [
            (
                entry_id,
                entry.type._value_,
                entry.idempotency_key,
                entry.request_hash,
                entry.actor,
                entry.description,
                entry.refunds_entry_id,
                at_us,
            )
            for entry_id, entry, _, at_us in self._new_entries
        ]

    def _transaction_rows(self) -> list[tuple[object, ...]]:
        return [
            (entry_id, position, account_id, type_._value_, amount_credits, after_credits, at_us)
            for entry_id, _, posted, at_us in self._new_entries
            for position, (account_id, type_, amount_credits, after_credits) in enumerate(posted)
        ]


_WRITTEN = tuple(RowWriter(_table(of)) for of in (UserCredits, JournalEntry, CreditTransaction, PromptRun))
# The balance that was read is a condition, so that no credits are lost should anybody forget to lock a user.
_CHANGE_BALANCE = "UPDATE user_credits SET balance_credits = ? WHERE user_id = ? AND balance_credits = ?"
_CHANGE_BALANCES_JSON = (
    "UPDATE user_credits SET balance_credits = (given ->> 0)::bigint FROM json_array_elements(%s::json) AS given"
    " WHERE user_id = given ->> 1 AND balance_credits = (given ->> 2)::bigint RETURNING 1"
)
_NEW_ROWS = ", ".join(f"new_{number} AS ({table.insert_json})" for number, table in enumerate(_WRITTEN))
_WRITE_POSTGRESQL = f"WITH changed AS ({_CHANGE_BALANCES_JSON}), {_NEW_ROWS} SELECT count(*) FROM changed"


class Question(Protocol):
    """Something else to be asked of the database in the same trip."""

    def send(self) -> None:
        """Send it; the answer comes afterwards."""


def begin(
    connection: Connection,
    user_ids: Iterable[str],
    keys: Collection[str],
    *,
    everyone_is_locked: bool = False,
    numbers: int | None = None,
    first: Question | None = None,
    spenders: Collection[str] = (),
) -> Posting:
    """Lock these users and read what is decided by: their balances, and which of these idempotency keys are taken.

    `user_ids` are the users whose balances the entries will change; ids that differ only in case are locked as one, so
    that two units of work cannot open two such accounts. On PostgreSQL this waits for units of work that are changing
    the balance of one of these users, and the new entries get their numbers after that. So a user's balances follow
    each other in the order of the entries' numbers. On SQLite there is one writer at a time. With `everyone_is_locked`,
    the unit of work has called `locks.lock_everyone`. `first` is sent before all that. PostgreSQL gives a number for
    each key, or as many as `numbers`, and never gives one again; more are asked for one by one. Of `spenders`, who
    pay or who charge, the spending limits are read.
    """
    folded, wanted, limited = locks.locked_as(user_ids), list(keys), list(spenders)
    with pipelined(connection):
        if first is not None:
            first.send()
        if not everyone_is_locked:
            locks.lock(connection, folded)
        found = beginning.read(connection, folded, wanted, limited, numbers=len(wanted) if numbers is None else numbers)
    return Posting(connection, found.fetchall())


def balance_of(connection: Connection, user_id: str) -> int:
    """The user's balance in credits, as this unit of work sees it.

    Raises:
        UnknownUser: the user has no account.
    """
    found = connection.execute(select(_users.c.balance_credits).where(_users.c.user_id == user_id)).scalar()
    if found is None:
        raise UnknownUser(user_id)
    return int(found)


def circulating_credits(connection: Connection) -> int:
    """The sum of all users' balances, in credits: what the watermark row says, and what was moved after it."""
    watermark = select(RollupWatermark.entry_id).scalar_subquery()
    # Only users' transactions have a balance.
    moved = select(func.coalesce(func.sum(CreditTransaction.amount_credits), 0)).where(
        CreditTransaction.entry_id > watermark, CreditTransaction.balance_after_credits.is_not(None)
    )
    kept = select(RollupWatermark.circulating_credits).scalar_subquery()
    return int(connection.execute(select(kept + moved.scalar_subquery())).scalar_one())
