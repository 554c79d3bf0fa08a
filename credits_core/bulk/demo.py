"""Builds the demo world, users, creators, prompts, flows and a month of activity, only by calling `ledger.actions`.

The same file and end give the same ledger, entry for entry; no clock is read. The whole world is one unit of work, so
it is complete or not there at all.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection, select

from credits_core.bulk.demo_events import Adjust, Event, Join, Purchase, Refund, Unlock, events, grant_key
from credits_core.bulk.demo_world import DemoFlow, DemoUser, DemoWorld, SupportCase
from credits_core.errors import CreditsError, DataFileInvalid, InvalidRequest
from credits_core.lab.scenario.workload import load_workloads
from credits_core.ledger import actions, entries, locks
from credits_core.ledger.movements import Movement, for_prompt_run
from credits_core.ledger.receipts import PostedTransaction
from credits_core.ledger.requests import Charge, ChargeRequest, UnlockRequest
from credits_core.ledger.trial_users import DEMO_ACTOR, first_entry
from credits_core.plans.book import PriceBooks
from credits_core.pricing.quote import PriceBook
from credits_core.settings import DEMO_FILE, WORKLOADS_FILE
from credits_core.store.kinds import CreditSource
from credits_core.store.tables import UserCredits
from credits_core.values.roles import Actor, May, system

_ACTOR = system(DEMO_ACTOR)
_SUPPORT = system("support")


def is_empty(connection: Connection) -> bool:
    """Whether the ledger has no entry at all."""
    return first_entry(connection) is None


def has_accounts(connection: Connection) -> bool:
    """Whether anybody has an account, maybe an empty one."""
    return connection.execute(select(UserCredits.user_id).limit(1)).first() is not None


def build_once(connection: Connection, world: DemoWorld, book: PriceBook, *, ends_at: datetime, actor: Actor) -> str:
    """Build the demo world unless it is already there, and return a sentence that says which.

    Raises:
        NotAllowed: the actor may not manage the database.
        InvalidRequest: the ledger has other entries; the demo world is not mixed with them.
    """
    actor.require(May.MANAGE)
    _wait_for_other_builders(connection, world)
    if entries.entry_by_key(connection, grant_key(world.people[0])) is not None:
        return "The demo world is already there; nothing was changed."
    if not is_empty(connection):
        raise InvalidRequest(
            "database", "already has entries, so nothing was built; the demo world needs an empty database"
        )
    build(connection, world, book, ends_at=ends_at)
    return f"The demo world is built: {summary(world)}."


def summary(world: DemoWorld) -> str:
    """How large a world is.

    >>> from credits_core.bulk.demo_world import load_demo_world
    >>> summary(load_demo_world())
    '60 users, 12 creators, 31 prompts, 30 days'
    """
    return f"{len(world.users)} users, {len(world.creators)} creators, {len(world.prompts)} prompts, {world.days} days"


def build(connection: Connection, world: DemoWorld, book: PriceBook, *, ends_at: datetime) -> None:
    """Build the demo world in an empty ledger, in the caller's unit of work. Its entries are all before `ends_at`.

    Raises:
        DataFileInvalid: a prompt names an unknown workload, or a refund's user has paid for no run yet.
    """
    Builder(world, book).carry_out(connection, events_of(world, ends_at=ends_at))


def events_of(world: DemoWorld, *, ends_at: datetime) -> list[Event]:
    """What happens in the world, in order, up to `ends_at`.

    Raises:
        DataFileInvalid: a prompt names an unknown workload.
    """
    workloads = load_workloads(WORKLOADS_FILE)
    unknown = {prompt.workload for prompt in world.prompts if prompt.workload} - workloads.keys()
    if unknown:
        raise DataFileInvalid(str(DEMO_FILE), [f"prompts: there is no workload {name}" for name in sorted(unknown)])
    return events(world, workloads, ends_at)


def build_if_empty(
    connection: Connection, world: DemoWorld, books: PriceBooks, *, ends_at: datetime, actor: Actor
) -> bool:
    """Build the world if there is no entry and no account, and return whether it was built.

    When several processes or people want it at once, only one of them builds it.

    Raises:
        NotAllowed: the actor may not manage the database.
    """
    actor.require(May.MANAGE)
    book = books.at(connection)  # before the users' locks, in the order in which everybody takes them
    _wait_for_other_builders(connection, world)
    is_free = is_empty(connection) and not has_accounts(connection)
    if is_free:
        build(connection, world, book, ends_at=ends_at)
    return is_free


def _wait_for_other_builders(connection: Connection, world: DemoWorld) -> None:
    # On PostgreSQL two processes that start at once would both find the ledger empty, and the second would build over
    # the first. Whoever comes second waits here until the first world is there.
    locks.lock_users(connection, [world.people[0].id])


class Builder:
    """Carries out events one after the other, in one unit of work or more. Knows every balance of those who pay,
    because nobody else lets them pay.

    Some users run out of credits, as in life: what they cannot pay is not asked for.
    """

    _connection: Connection

    def __init__(self, world: DemoWorld, book: PriceBook) -> None:
        """Begin in an empty ledger."""
        self._world = world
        self._book = book
        self._balances_credits: Counter[str] = Counter()
        self._latest_paid_runs: dict[str, int] = {}

    def carry_out(self, connection: Connection, happened: Iterable[Event]) -> None:
        """Carry out these events in the caller's unit of work.

        Raises:
            DataFileInvalid: a refund's user has paid for no run yet.
        """
        self._connection = connection
        for is_run, together in groupby(happened, lambda event: isinstance(event.what, ChargeRequest)):
            if is_run:
                self._run([(event, event.what) for event in together if isinstance(event.what, ChargeRequest)])
            else:
                for event in together:
                    self._one(event)

    def _run(self, runs: Iterable[tuple[Event, ChargeRequest]]) -> None:
        charges = []
        for event, request in runs:
            priced = actions.quote_prompt(request, self._book, now=event.at)
            if priced.total_credits <= self._balances_credits[request.user_id]:
                self._moved(for_prompt_run(priced, request.user_id, request.creator_id))
                charges.append(Charge(request, event.key, event.at, _ACTOR))
        for outcome in actions.charge_prompts(self._connection, charges, book=self._book):
            if isinstance(outcome, CreditsError):
                raise outcome
            self._latest_paid_runs[outcome.transactions[0].account_id] = outcome.entry_id

    def _one(self, event: Event) -> None:
        match event.what:
            case Join(person):
                self._add(event, person.id, self._world.grant_credits, CreditSource.GRANT, self._world.grant_reason)
            case Purchase(user):
                self._add(event, user.id, user.purchase_credits, CreditSource.PURCHASE)
            case Adjust(case):
                self._add(event, case.user_id, case.adjustment_credits, CreditSource.ADJUSTMENT, case.reason, _SUPPORT)
            case Unlock(user, flow):
                self._unlock(event, user, flow)
            case Refund(case):
                self._refund(event, case)

    def _add(
        self,
        event: Event,
        user_id: str,
        amount_credits: int,
        source: CreditSource,
        reason: str = "",
        actor: Actor = _ACTOR,
    ) -> None:
        receipt = actions.add_credits(
            self._connection,
            user_id,
            amount_credits,
            source=source,
            reason=reason,
            key=event.key,
            now=event.at,
            actor=actor,
        )
        self._moved(receipt.transactions)

    def _unlock(self, event: Event, user: DemoUser, flow: DemoFlow) -> None:
        if flow.unlock_fee_credits <= self._balances_credits[user.id]:
            request = UnlockRequest(user.id, flow.id, flow.creator_id, flow.unlock_fee_credits)
            unlocked = actions.unlock_flow(
                self._connection, request, book=self._book, key=event.key, now=event.at, actor=_ACTOR
            )
            assert unlocked.receipt is not None, "each user unlocks a flow of somebody else, once"
            self._moved(unlocked.receipt.transactions)

    def _refund(self, event: Event, case: SupportCase) -> None:
        entry_id = self._latest_paid_runs.pop(case.user_id, None)
        if entry_id is None:
            raise DataFileInvalid(str(DEMO_FILE), [f"refunds: {case.user_id} has paid for no run on day {case.day}"])
        receipt = actions.refund(
            self._connection,
            entry_id,
            reason=case.reason,
            book=self._book,
            key=event.key,
            now=event.at,
            actor=_SUPPORT,
        )
        self._moved(receipt.transactions)

    def _moved(self, movements: Iterable[Movement | PostedTransaction]) -> None:
        for movement in movements:
            self._balances_credits[movement.account_id] += movement.amount_credits
