"""Who and what is in the demo world: reads `data/demo.toml` and checks it. Knows no database and no day."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from credits_core.bulk.demo_usage import UsageDraw, parse_usage_draws
from credits_core.errors import DataFileInvalid
from credits_core.settings import DEMO_FILE


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A user or creator. `activity` is the weight when the next run's user is drawn. Creators get only the grant.

    `prompts` are the ids of those that this user runs; empty means all.
    """

    id: str
    activity: int
    joined_on_day: int = 1
    purchase_credits: int = 0
    every_days: int = 1
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoPrompt:
    """A prompt of the marketplace. A fee of 0 is no fee. `weight` counts when the prompt of a run is drawn.

    Its runs have token counts of the workload, or a usage drawn as `usage` says, or neither: a fixed price per run.
    """

    id: str
    title: str
    creator_id: str
    creator_fee_credits: int
    model_id: str
    workload: str | None = None
    usage: tuple[UsageDraw, ...] = ()
    weight: int = 10


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
    """Everything in `data/demo.toml`. Days count from 1; which dates they are is decided when the world is built."""

    seed: int
    days: int
    runs_per_day: int
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
            days=document["days"],
            runs_per_day=document["runs_per_day"],
            users=tuple(_parse_user(row) for row in document["users"]),
            creators=tuple(_parse_user(row) for row in document["creators"]),
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


def _parse_user(row: dict[str, Any]) -> DemoUser:
    return DemoUser(**row | {"prompts": tuple(row.get("prompts", ()))})


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
    prompts = {prompt.id for prompt in world.prompts}
    for person in world.people:
        if not 1 <= person.joined_on_day <= world.days:
            yield f"{person.id} joins on day {person.joined_on_day}, not on one of the {world.days} days"
        for prompt_id in person.prompts:
            if prompt_id not in prompts:
                yield f"{person.id} runs {prompt_id}, which is not among the prompts"
    works: tuple[DemoPrompt | DemoFlow, ...] = (*world.prompts, *world.flows)
    for work in works:
        if work.creator_id not in creators:
            yield f"{work.id} is by {work.creator_id}, who is not among the creators"
    for case in (*world.adjustments, *world.refunds):
        if case.user_id not in people:
            yield f"support does something for {case.user_id}, who is not among the people"
