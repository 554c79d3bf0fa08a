"""The file of the demo world, `data/demo.toml`: what is read from it, and every mistake in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from credits_core import settings
from credits_core.bulk.demo_world import DemoUser, load_demo_world
from credits_core.errors import DataFileInvalid


def test_a_user_runs_all_prompts_or_those_that_are_named() -> None:
    users = {user.id: user for user in load_demo_world().users}
    assert users["ada"] == DemoUser("ada", 10, 1, 20_000_000, 14)
    assert users["harbor-law"].prompts == ("data-room-review", "clause-compare", "archive-summary", "due-diligence")


def _replaced(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda _: "seed = ", "cannot be read as the demo world"),
        (lambda _: "", "KeyError('seed')"),
        (_replaced("runs_per_day", "runs"), "KeyError('runs_per_day')"),
        (_replaced("audio_seconds = [3, 90]", "seconds = 3"), "voice-notes: usage.seconds is not a unit"),
        (
            _replaced("[prompts.usage]", 'workload = "code"\n\n[prompts.usage]'),
            "support-chat: has a workload and a usage; give one of them",
        ),
        (_replaced("activity = 10", "weight = 10"), "unexpected keyword argument 'weight'"),
        (_replaced("joined_on_day = 22", "joined_on_day = 31"), "june joins on day 31, not on one of the 30 days"),
        (_replaced("joined_on_day = 22", "joined_on_day = 0"), "june joins on day 0, not on one of the 30 days"),
        (_replaced('creator_id = "noor"', 'creator_id = "nora"'), "meeting-minutes is by nora, who is not among"),
        (_replaced('user_id = "elif"', 'user_id = "elf"'), "support does something for elf, who is not among"),
        (_replaced('"clause-compare"', '"clauses"'), "harbor-law runs clauses, which is not among the prompts"),
    ],
)
def test_a_file_that_is_no_demo_world_is_refused_with_its_problem(
    tmp_path: Path, change: Callable[[str], str], problem: str
) -> None:
    path = tmp_path / "demo.toml"
    path.write_text(change(settings.DEMO_FILE.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DataFileInvalid) as caught:
        load_demo_world(path)
    assert problem in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    with pytest.raises(DataFileInvalid):
        load_demo_world(path)
    path.write_bytes(b"\xff")
    with pytest.raises(DataFileInvalid):
        load_demo_world(path)
