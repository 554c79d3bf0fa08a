"""Builds the demo world, users, creators, prompts, flows and a month of activity, only by calling `ledger.actions`.

Deterministic: `data/demo.toml` has the seed and the days, and no clock is read. The whole world is one unit of work, so
it is complete or not there at all.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, select

from credits_core.bulk.demo_usage import UsageDraw, draw_usage, parse_usage_draws
from credits_core.errors import CreditsError, DataFileInvalid, InvalidRequest
from credits_core.lab.scenario.workload import Workload, load_workloads
from credits_core.ledger import accounts, actions, entries, writer
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import InsufficientCredits
from credits_core.ledger.requests import Charge, ChargeRequest, UnlockRequest
from credits_core.plans.book import PriceBooks
from credits_core.pricing.quote import PriceBook
from credits_core.settings import DEMO_FILE, WORKLOADS_FILE
from credits_core.store.kinds import CreditSource
from credits_core.store.tables import JournalEntry

_ACTOR = "demo"
_Run = tuple[datetime, ChargeRequest]


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A user or creator. `activity` is the weight when the next run's user is drawn. Creators get only the grant."""

    id: str
    activity: int
    joined_on_day: int = 1
    purchase_credits: int = 0
    every_days: int = 1


@dataclass(frozen=True, slots=True)
class DemoPrompt:
    """A prompt of the marketplace. A fee of 0 is no fee.

    Its runs have token counts of the workload, or a usage drawn as `usage` says, or neither: a fixed price per run.
    """

    id: str
    title: str
    creator_id: str
    creator_fee_credits: int
    model_id: str
    workload: str | None = None
    usage: tuple[UsageDraw, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoFlow:
    """A flow of the marketplace with its one-time unlock fee."""

    id: str
    title: str
    creator_id: str
    unlock_fee_credits: int


@dataclass(frozen=True, slots=True)
class SupportCase:
    """What support does for a user on one day: adds `adjustment_credits`, or refunds a run when that is 0."""

    user_id: str
    day: int
    reason: str
    adjustment_credits: int = 0


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """Everything in `data/demo.toml`. Days count from 1.

    `runs_per_day` is for the prompts without a `usage`, `usage_runs_per_day` for those with one.
    """

    seed: int
    first_day: date
    days: int
    runs_per_day: int
    usage_runs_per_day: int
    users: tuple[DemoUser, ...]
    creators: tuple[DemoUser, ...]
    prompts: tuple[DemoPrompt, ...]
    flows: tuple[DemoFlow, ...]
    unlock_chance_percent: int
    grant_credits: int
    grant_reason: str
    adjustments: tuple[SupportCase, ...]
    refunds: tuple[SupportCase, ...]

    @property
    def people(self) -> tuple[DemoUser, ...]:
        """Users and creators: everyone who runs prompts."""
        return self.users + self.creators


def load_demo_world(path: Path = DEMO_FILE) -> DemoWorld:
    """The demo world of a file.

    Raises:
        DataFileInvalid: the file cannot be read as a demo world.
    """
    problems: list[str] = []
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        world = DemoWorld(
            seed=document["seed"],
            first_day=document["first_day"],
            days=document["days"],
            runs_per_day=document["runs_per_day"],
            usage_runs_per_day=document["usage_runs_per_day"],
            users=tuple(DemoUser(**row) for row in document["users"]),
            creators=tuple(DemoUser(**row) for row in document["creators"]),
            prompts=tuple(_parse_prompt(row, problems) for row in document["prompts"]),
            flows=tuple(DemoFlow(**row) for row in document["flows"]),
            unlock_chance_percent=document["unlocks"]["chance_percent"],
            grant_credits=document["grants"]["credits"],
            grant_reason=document["grants"]["reason"],
            adjustments=tuple(SupportCase(**row) for row in document["adjustments"]),
            refunds=tuple(SupportCase(**row) for row in document["refunds"]),
        )
        problems += _problems(world)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read as the demo world: {error!r}"]) from None
    if problems:
        raise DataFileInvalid(str(path), problems)
    return world


def _parse_prompt(row: dict[str, Any], problems: list[str]) -> DemoPrompt:
    prompt = DemoPrompt(**row)
    if "usage" not in row:
        return prompt
    found: list[str] = []
    draws = parse_usage_draws(row["usage"], found)
    if prompt.workload is not None:
        found.append("has a workload and a usage; give one of them")
    problems += [f"{prompt.id}: {problem}" for problem in found]
    return replace(prompt, usage=draws)


def _problems(world: DemoWorld) -> Iterator[str]:
    creators, people = {creator.id for creator in world.creators}, {person.id for person in world.people}
    for person in world.people:
        if not 1 <= person.joined_on_day <= world.days:
            yield f"{person.id} joins on day {person.joined_on_day}, not on one of the {world.days} days"
    works: tuple[DemoPrompt | DemoFlow, ...] = (*world.prompts, *world.flows)
    for work in works:
        if work.creator_id not in creators:
            yield f"{work.id} is by {work.creator_id}, who is not among the creators"
    for case in (*world.adjustments, *world.refunds):
        if case.user_id not in people:
            yield f"support does something for {case.user_id}, who is not among the people"


def is_empty(connection: Connection) -> bool:
    """Whether the ledger has no entry at all."""
    return connection.execute(select(JournalEntry.id).limit(1)).first() is None


def build_once(connection: Connection, world: DemoWorld, book: PriceBook) -> str:
    """Build the demo world unless it is already there, and return a sentence that says which.

    Raises:
        InvalidRequest: the ledger has other entries; the demo world is not mixed with them.
    """
    _wait_for_other_builders(connection, world)
    if entries.entry_by_key(connection, _grant_key(world.people[0])) is not None:
        return "The demo world is already there; nothing was changed."
    if not is_empty(connection):
        raise InvalidRequest(
            "database", "already has entries, so nothing was built; the demo world needs an empty database"
        )
    build(connection, world, book)
    return f"The demo world is built: {len(world.people)} people, {len(world.prompts)} prompts, {world.days} days."


def build(connection: Connection, world: DemoWorld, book: PriceBook) -> None:
    """Build the demo world in an empty ledger, in the caller's unit of work.

    Raises:
        DataFileInvalid: a prompt names an unknown workload, or a refund's user paid for no run that day.
    """
    workloads = load_workloads(WORKLOADS_FILE)
    unknown = {prompt.workload for prompt in world.prompts if prompt.workload} - workloads.keys()
    if unknown:
        raise DataFileInvalid(str(DEMO_FILE), [f"prompts: there is no workload {name}" for name in sorted(unknown)])
    random = Random(world.seed)  # noqa: S311 - a simulation, not a secret
    unlocks = _draw_unlocks(world, random)
    runs = _draw_runs(world, workloads, random)
    for day in range(1, world.days + 1):
        _start_day(connection, world, book, day, unlocks.get(day, []))
        charges = [
            Charge(request, f"demo:run:{day}:{number}", now) for number, (now, request) in enumerate(runs[day], 1)
        ]
        outcomes = actions.charge_prompts(connection, charges, book=book, actor=_ACTOR)
        for outcome in outcomes:
            # Some users run out of credits, as in life; any other refusal is a mistake in the file.
            if isinstance(outcome, CreditsError) and not isinstance(outcome, InsufficientCredits):
                raise outcome
        _close_day(connection, world, book, day, charges, outcomes)


def build_if_empty(connection: Connection, world: DemoWorld, books: PriceBooks) -> None:
    """Build the world if the ledger has no entries. When several processes start at once, only one builds it."""
    _wait_for_other_builders(connection, world)
    if is_empty(connection):
        build(connection, world, books.at(connection))


def _wait_for_other_builders(connection: Connection, world: DemoWorld) -> None:
    # On PostgreSQL two processes that start at once would both find the ledger empty, and the second would build over
    # the first. Whoever comes second waits here until the first world is there.
    writer.lock_balances(connection, {world.people[0].id})


def _grant_key(person: DemoUser) -> str:
    return f"demo:grant:{person.id}"


def _at(world: DemoWorld, day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    moment = datetime.combine(world.first_day, time(hour, minute, second), tzinfo=UTC)
    return moment + timedelta(days=day - 1)


def _draw_unlocks(world: DemoWorld, random: Random) -> dict[int, list[tuple[DemoUser, DemoFlow]]]:
    drawn: dict[int, list[tuple[DemoUser, DemoFlow]]] = {}
    for user in world.users:
        for flow in world.flows:
            if random.randrange(100) < world.unlock_chance_percent:
                drawn.setdefault(random.randint(user.joined_on_day, world.days), []).append((user, flow))
    return drawn


def _start_day(
    connection: Connection, world: DemoWorld, book: PriceBook, day: int, unlocks: list[tuple[DemoUser, DemoFlow]]
) -> None:
    for person in world.people:
        if day == person.joined_on_day:
            actions.add_credits(
                connection,
                person.id,
                world.grant_credits,
                source=CreditSource.GRANT,
                reason=world.grant_reason,
                key=_grant_key(person),
                now=_at(world, day, 7),
                actor=_ACTOR,
            )
        days_since = day - person.joined_on_day
        if person.purchase_credits and days_since >= 0 and days_since % person.every_days == 0:
            actions.add_credits(
                connection,
                person.id,
                person.purchase_credits,
                source=CreditSource.PURCHASE,
                key=f"demo:purchase:{day}:{person.id}",
                now=_at(world, day, 7, 30),
                actor=_ACTOR,
            )
    for user, flow in unlocks:
        if accounts.user(connection, user.id).balance_credits >= flow.unlock_fee_credits:
            actions.unlock_flow(
                connection,
                UnlockRequest(user.id, flow.id, flow.creator_id, flow.unlock_fee_credits),
                book=book,
                key=f"demo:unlock:{user.id}:{flow.id}",
                now=_at(world, day, 7, 45),
                actor=_ACTOR,
            )


def _draw_runs(world: DemoWorld, workloads: dict[str, Workload], random: Random) -> dict[int, list[_Run]]:
    """The runs of each day, in the order of their times."""
    drawn: dict[int, list[_Run]] = {day: [] for day in range(1, world.days + 1)}
    # The runs with a usage come from the generator last, so that a change of theirs leaves the others as they were.
    for runs_per_day, prompts in (
        (world.runs_per_day, [prompt for prompt in world.prompts if not prompt.usage]),
        (world.usage_runs_per_day, [prompt for prompt in world.prompts if prompt.usage]),
    ):
        for day, runs in drawn.items():
            runs += _draw_day(world, workloads, day, random, runs_per_day, prompts)
    for runs in drawn.values():
        runs.sort(key=itemgetter(0))
    return drawn


def _draw_day(
    world: DemoWorld,
    workloads: dict[str, Workload],
    day: int,
    random: Random,
    runs_per_day: int,
    prompts: Sequence[DemoPrompt],
) -> Iterator[_Run]:
    present = [person for person in world.people if person.joined_on_day <= day]
    # Twice as busy on working days, and growing over the month.
    is_weekend = (world.first_day + timedelta(days=day - 1)).weekday() >= 5
    count = runs_per_day * (60 if is_weekend else 110) * (world.days + day) // (150 * world.days) if prompts else 0
    seconds = sorted(random.randrange(8 * 3600, 22 * 3600) for _ in range(count))
    for second in seconds:
        person = random.choices(present, weights=[person.activity for person in present])[0]
        prompt = random.choice(prompts)
        input_tokens, output_tokens = workloads[prompt.workload].draw(random) if prompt.workload else (None, None)
        request = ChargeRequest(
            user_id=person.id,
            prompt_id=prompt.id,
            model_id=prompt.model_id,
            creator_id=prompt.creator_id if prompt.creator_fee_credits else None,
            creator_fee_credits=prompt.creator_fee_credits,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            usage=draw_usage(prompt.usage, random) if prompt.usage else None,
        )
        yield _at(world, day, 0) + timedelta(seconds=second), request


def _close_day(
    connection: Connection,
    world: DemoWorld,
    book: PriceBook,
    day: int,
    charges: list[Charge],
    outcomes: list[Receipt | CreditsError],
) -> None:
    for case in world.adjustments:
        if case.day == day:
            actions.add_credits(
                connection,
                case.user_id,
                case.adjustment_credits,
                source=CreditSource.ADJUSTMENT,
                reason=case.reason,
                key=f"demo:adjustment:{day}:{case.user_id}",
                now=_at(world, day, 22, 30),
                actor="support",
            )
    for case in world.refunds:
        if case.day == day:
            paid = [
                outcome.entry_id
                for charge, outcome in zip(charges, outcomes, strict=True)
                if isinstance(outcome, Receipt) and charge.request.user_id == case.user_id
            ]
            if not paid:
                raise DataFileInvalid(str(DEMO_FILE), [f"refunds: {case.user_id} paid for no run on day {day}"])
            actions.refund(
                connection,
                paid[-1],
                reason=case.reason,
                book=book,
                key=f"demo:refund:{day}:{case.user_id}",
                now=_at(world, day, 22, 45),
                actor="support",
            )
