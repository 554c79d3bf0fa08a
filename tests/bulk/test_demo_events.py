"""What happens in the demo world and when, before anything is written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from credits_core import settings
from credits_core.bulk.demo_events import Adjust, Event, Join, Purchase, Refund, Unlock, events
from credits_core.bulk.demo_world import DemoWorld, load_demo_world
from credits_core.lab.scenario.workload import load_workloads
from credits_core.ledger.requests import ChargeRequest

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> DemoWorld:
    return load_demo_world()


def drawn(world: DemoWorld, ends_at: datetime) -> list[Event]:
    return events(world, load_workloads(settings.WORKLOADS_FILE), ends_at)


@pytest.mark.parametrize(
    ("ends_at", "first_day"),
    [
        (MIDNIGHT, datetime(2026, 10, 24, tzinfo=UTC)),
        (MIDNIGHT - timedelta(hours=1), datetime(2026, 10, 24, tzinfo=UTC)),
        (MIDNIGHT - timedelta(hours=23), datetime(2026, 10, 24, tzinfo=UTC)),
        (MIDNIGHT + timedelta(hours=1), datetime(2026, 10, 25, tzinfo=UTC)),
    ],
)
def test_the_month_has_thirty_days_the_last_of_which_is_the_day_of_the_end(
    world: DemoWorld, ends_at: datetime, first_day: datetime
) -> None:
    found = drawn(world, ends_at)
    assert first_day <= found[0].at < first_day + timedelta(hours=1)
    assert found[-1].at < ends_at
    assert [event.at for event in found] == sorted(event.at for event in found)


def test_what_happens_at_the_end_itself_is_no_part_of_it(world: DemoWorld) -> None:
    last = drawn(world, MIDNIGHT)[-1]
    assert drawn(world, last.at)[-1].at < last.at
    assert drawn(world, last.at + timedelta(seconds=1))[-1] == last


def test_an_earlier_end_of_the_same_day_only_leaves_out_what_comes_later(world: DemoWorld) -> None:
    noon = MIDNIGHT - timedelta(hours=12)
    assert drawn(world, noon) == [event for event in drawn(world, MIDNIGHT) if event.at < noon]


def test_a_week_later_the_same_happens_a_week_later(world: DemoWorld) -> None:
    week = timedelta(days=7)
    assert drawn(world, MIDNIGHT + week) == [replace(event, at=event.at + week) for event in drawn(world, MIDNIGHT)]


def test_everybody_has_joined_before_anything_else_happens_to_them(world: DemoWorld) -> None:
    joined: dict[str, datetime] = {}
    for event in drawn(world, MIDNIGHT):
        match event.what:
            case Join(person):
                joined[person.id] = event.at
                continue
            case ChargeRequest(user_id=user_id):
                pass
            case Purchase(user) | Unlock(user):
                user_id = user.id
            case Adjust(case) | Refund(case):
                user_id = case.user_id
        assert joined[user_id] < event.at
    assert len(joined) == 72


def test_every_key_is_one_of_a_kind_and_says_that_it_is_the_demos(world: DemoWorld) -> None:
    keys = [event.key for event in drawn(world, MIDNIGHT)]
    assert len(keys) == len(set(keys)) > 3_000
    assert {key.split(":")[0] for key in keys} == {"demo"}


def test_a_user_with_prompts_of_their_own_runs_no_others(world: DemoWorld) -> None:
    runs = [event.what for event in drawn(world, MIDNIGHT) if isinstance(event.what, ChargeRequest)]
    assert {run.prompt_id for run in runs if run.user_id == "yuki"} == {
        "logo-sketch",
        "market-scan",
        "unit-test-writer",
        "quick-answer",
    }
    assert len({run.prompt_id for run in runs if run.user_id == "ada"}) > 20
