"""What happens in the demo world and when, in the order of time. Pure: drawn from the seed, the days and the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from random import Random

from credits_core.bulk.demo_usage import draw_usage
from credits_core.bulk.demo_world import DemoFlow, DemoPrompt, DemoUser, DemoWorld, SupportCase
from credits_core.lab.scenario.workload import Workload
from credits_core.ledger.requests import ChargeRequest

_BUSY = (0, 1, 1, 1, 2, 3, 5, 7, 9, 10, 10, 9, 8, 9, 10, 10, 9, 8, 7, 6, 5, 4, 3, 2)
"""How much happens in each hour of a day, UTC. The first hour is for joining, so everybody of that day is there."""
_JOINING_SECONDS = 3_000
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Join:
    """A person gets the welcome grant."""

    person: DemoUser


@dataclass(frozen=True, slots=True)
class Purchase:
    """A user buys credits."""

    user: DemoUser


@dataclass(frozen=True, slots=True)
class Unlock:
    """A user unlocks a flow, if the balance is enough."""

    user: DemoUser
    flow: DemoFlow


@dataclass(frozen=True, slots=True)
class Adjust:
    """Support adds credits."""

    case: SupportCase


@dataclass(frozen=True, slots=True)
class Refund:
    """Support refunds the user's latest paid run."""

    case: SupportCase


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at a time, with the idempotency key that it is posted under."""

    at: datetime
    key: str
    what: Join | Purchase | Unlock | ChargeRequest | Adjust | Refund


def events(world: DemoWorld, workloads: Mapping[str, Workload], ends_at: datetime) -> list[Event]:
    """Everything that happens before `ends_at` (exclusive), whose day is the last one of the world.

    A month that ends at the end of the 22nd has its last day on the 22nd, and so has one that ends at noon of it; that
    one is the same up to noon.
    """
    last_day = (ends_at - timedelta(microseconds=1)).astimezone(UTC).date()
    first_day = last_day - timedelta(days=world.days - 1)
    found = [
        *_joins_and_purchases(world, first_day),
        *_unlocks(world, first_day),
        *(event for day in range(1, world.days + 1) for event in _runs(world, workloads, first_day, day)),
        *_support(world, first_day),
    ]
    return sorted((event for event in found if event.at < ends_at), key=attrgetter("at"))


def _random(world: DemoWorld, subject: str) -> Random:
    # One generator for each subject, so that a change of one leaves the others as they were.
    return Random(f"{world.seed}:{subject}")  # noqa: S311 - a simulation, not a secret


def _on(first_day: date, day: int, seconds: int) -> datetime:
    return datetime.combine(first_day, time(), UTC) + timedelta(days=day - 1, seconds=seconds)


def _second(random: Random) -> int:
    (hour,) = random.choices(range(24), weights=_BUSY)
    return hour * 3_600 + random.randrange(3_600)


def _joins_and_purchases(world: DemoWorld, first_day: date) -> Iterator[Event]:
    random = _random(world, "joins")
    for person in world.people:
        joining = random.randrange(_JOINING_SECONDS)
        yield Event(_on(first_day, person.joined_on_day, joining), grant_key(person), Join(person))
        if not person.purchase_credits:
            continue
        for day in range(person.joined_on_day, world.days + 1, person.every_days):
            later = _second(random)
            seconds = joining + 60 if day == person.joined_on_day else later
            yield Event(_on(first_day, day, seconds), f"demo:purchase:{day}:{person.id}", Purchase(person))


def _unlocks(world: DemoWorld, first_day: date) -> Iterator[Event]:
    random = _random(world, "unlocks")
    for user in world.users:
        for flow in world.flows:
            if random.randrange(100) < world.unlock_chance_percent:
                moment = _on(first_day, random.randint(user.joined_on_day, world.days), _second(random))
                yield Event(moment, f"demo:unlock:{user.id}:{flow.id}", Unlock(user, flow))


def _runs(world: DemoWorld, workloads: Mapping[str, Workload], first_day: date, day: int) -> Iterator[Event]:
    random = _random(world, f"runs:{day}")
    present = [person for person in world.people if person.joined_on_day <= day]
    activities = [person.activity for person in present]
    prompts = {prompt.id: prompt for prompt in world.prompts}
    # Twice as busy on working days, and growing over the month.
    is_weekend = _on(first_day, day, 0).weekday() >= _SATURDAY
    count = world.runs_per_day * (60 if is_weekend else 110) * (world.days + day) // (150 * world.days)
    for number, second in enumerate(sorted(_second(random) for _ in range(count)), 1):
        (person,) = random.choices(present, activities)
        chosen = [prompts[prompt_id] for prompt_id in person.prompts] or world.prompts
        request = _draw_run(person, chosen, workloads, random)
        yield Event(_on(first_day, day, second), f"demo:run:{day}:{number}", request)


def _draw_run(
    person: DemoUser, prompts: Sequence[DemoPrompt], workloads: Mapping[str, Workload], random: Random
) -> ChargeRequest:
    (prompt,) = random.choices(prompts, [prompt.weight for prompt in prompts])
    input_tokens, output_tokens = workloads[prompt.workload].draw(random) if prompt.workload else (None, None)
    return ChargeRequest(
        user_id=person.id,
        prompt_id=prompt.id,
        model_id=prompt.model_id,
        creator_id=prompt.creator_id if prompt.creator_fee_credits else None,
        creator_fee_credits=prompt.creator_fee_credits,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        usage=draw_usage(prompt.usage, random) if prompt.usage else None,
    )


def _support(world: DemoWorld, first_day: date) -> Iterator[Event]:
    for case in world.adjustments:
        yield Event(_on(first_day, case.day, 81_000), f"demo:adjustment:{case.day}:{case.user_id}", Adjust(case))
    for case in world.refunds:
        yield Event(_on(first_day, case.day, 81_900), f"demo:refund:{case.day}:{case.user_id}", Refund(case))


def grant_key(person: DemoUser) -> str:
    """The idempotency key of a person's welcome grant."""
    return f"demo:grant:{person.id}"
