"""A balance that falls below a level is told once, and again only after it was above: not with every run."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from credits_core.errors import InvalidRequest
from credits_core.ledger.refusals import UnknownUser
from credits_core.ledger.requests import ChargeRequest
from credits_core.notices import low_balance
from credits_core.notices.digest import Message
from credits_core.notices.low_balance import EVERYBODY
from credits_core.operations import webhook_jobs
from credits_core.store import database
from credits_core.store.kinds import EventKind
from tests.support import hooks, receiver, world
from tests.support.actors import TESTER
from tests.support.holding import USED_LESS, WITH_FEE, authorise, capture, release
from tests.support.hooks import look
from tests.support.plain_sql import rows
from tests.support.world import HAIKU, NOW

FALLS = "SELECT user_id, content FROM webhook_events WHERE kind = 'balance.low' ORDER BY id"


def level(engine: Engine, level_credits: int, user_id: str = EVERYBODY) -> None:
    database.write(engine, lambda one: low_balance.set_level(one, user_id, level_credits, now=NOW, actor=TESTER))


def falls(engine: Engine) -> list[tuple[str, int, int]]:
    """The user, the level and the balance of each fall that was written down, after a look."""
    webhook_jobs.look_at_balances(engine, now=NOW)
    said = [(str(user), json.loads(str(content))) for user, content in rows(engine, FALLS)]
    return [(user, content["level_credits"], content["balance_credits"]) for user, content in said]


def run(engine: Engine, key: str, user_id: str = "ada") -> None:
    world.charge(engine, world.run_by(user_id), key=key)


def test_a_fall_is_told_once_and_again_only_after_the_balance_was_at_the_level(engine: Engine) -> None:
    level(engine, 1_000)
    world.add(engine, "ada", 1_300, key="fund")
    run(engine, "one")  # 1,000: at the level is not below it
    assert falls(engine) == []
    run(engine, "two")  # 700
    run(engine, "three")  # 400
    assert falls(engine) == [("ada", 1_000, 700)]
    world.add(engine, "ada", 599, key="nearly")  # 999
    run(engine, "four")  # 699
    assert falls(engine) == [("ada", 1_000, 700)]
    world.add(engine, "ada", 301, key="again")  # 1,000
    run(engine, "five")  # 700
    assert falls(engine) == [("ada", 1_000, 700), ("ada", 1_000, 700)]


def test_one_run_can_fall_below_several_levels_and_a_users_own_stand_for_everybodys(engine: Engine) -> None:
    for user in ("ada", "ben", "cara"):
        world.add(engine, user, 1_250, key=f"fund-{user}")
    level(engine, 900)
    level(engine, 50, "ben")
    for levels in (1_200, 1_100):
        level(engine, levels, "ada")
    for user in ("ada", "ben", "cara"):
        run(engine, f"one-{user}", user)  # 950
        run(engine, f"two-{user}", user)  # 650
    assert falls(engine) == [("ada", 1_200, 950), ("ada", 1_100, 950), ("cara", 900, 650)]


def test_a_level_of_nobody_is_refused(engine: Engine) -> None:
    with pytest.raises(UnknownUser):
        level(engine, 50, "ada")
    world.add(engine, "ada", 100, key="fund")
    level(engine, 50, "ada")


def test_what_was_there_before_the_level_is_not_told(engine: Engine) -> None:
    world.add(engine, "ada", 1_300, key="fund")
    run(engine, "one")
    level(engine, 1_200)
    run(engine, "two")
    assert falls(engine) == []
    level(engine, 500)
    run(engine, "three")
    assert falls(engine) == [("ada", 500, 400)]


def test_a_held_run_is_told_once_when_it_is_held_and_not_again_when_it_is_charged(engine: Engine) -> None:
    level(engine, 10_000)
    world.add(engine, "ada", 20_000, key="fund")
    hold = authorise(engine, key="hold").hold.id  # 6,250
    assert falls(engine) == [("ada", 10_000, 6_250)]
    capture(engine, hold, key="capture")  # back to 20,000 and at once down to 6,250
    assert falls(engine) == [("ada", 10_000, 6_250)]


def test_a_held_run_that_costs_less_arms_the_level_again(engine: Engine) -> None:
    level(engine, 10_000)
    world.add(engine, "ada", 20_000, key="fund")
    capture(engine, authorise(engine, key="hold").hold.id, USED_LESS, key="capture")  # 12,200
    release(engine, authorise(engine, WITH_FEE, key="hold-2").hold.id, key="release")
    assert falls(engine) == [("ada", 10_000, 6_250)]


def test_a_creator_who_runs_their_own_prompt_falls_by_what_the_run_costs_in_all(engine: Engine) -> None:
    level(engine, 1_000)
    world.add(engine, "ben", 1_300, key="fund")
    # 250 inference + 1,001 fee, of which 800 come back at once: 1,300 - 1,251 + 800 = 849
    world.charge(engine, ChargeRequest("ben", "summarise", "claude-3-haiku", "ben", 1_001), key="own")
    assert falls(engine) == [("ben", 1_000, 849)]


def test_operators_are_told_in_one_message_and_again_after_growing_pauses_where_nobody_took_it(engine: Engine) -> None:
    sent: list[Message] = []
    level(engine, 1_000)
    for user in ("ada", "ben"):
        world.add(engine, user, 1_000, key=f"fund-{user}")
        run(engine, f"run-{user}", user)
    hours = 3_600
    # 5 seconds, 5 and 30 minutes and 2 hours after the try before, and every 2 hours from then on.
    tried = [0, 5, 305, 2_105, 2_105 + 2 * hours, 2_105 + 4 * hours]
    looks = [(0, 0, 0), *((0, 0, at + off) for at in tried[1:] for off in (-1, 0)), (1, 0, tried[-1] + 1)]
    for taken, told, seconds in (*looks, (1, 2, tried[-1] + 2 * hours), (1, 0, tried[-1] + 3 * hours)):
        now = NOW + timedelta(seconds=seconds)

        def send(message: Message, taken: int = taken) -> int:
            sent.append(message)
            return taken

        assert webhook_jobs.look_at_balances(engine, now=now, send=send) == told
    assert [one.title for one in sent] == ["PromptFlow credits: 2 low balances"] * (len(tried) + 1)
    assert sent[0].body.splitlines() == [
        "ada can spend 700 credits, less than the level of 1,000 (entry 2).",
        "ben can spend 700 credits, less than the level of 1,000 (entry 4).",
    ]


def test_an_endpoint_is_told_of_a_fall_once(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to, [EventKind.BALANCE_LOW])
        level(engine, 1_000)
        world.add(engine, "ada", 1_000, key="fund")
        run(engine, "one")
        for _ in range(2):
            webhook_jobs.look_at_balances(engine, now=NOW)
            look(engine, 1, to)
        assert [one["data"] for one in to.taken] == [
            {"user_id": "ada", "level_credits": 1_000, "balance_credits": 700, "entry_id": 2, "set_by": "operator"}
        ]


def test_a_level_is_1_to_the_largest_amount_and_a_user_has_at_most_five(engine: Engine) -> None:
    for refused in (0, -1, 2**53):
        with pytest.raises(InvalidRequest):
            level(engine, refused)
    world.add(engine, "ada", 100, key="fund")
    for number in range(1, 6):
        level(engine, number, "ada")
    level(engine, 5, "ada")
    with pytest.raises(InvalidRequest, match="at most 5 levels"):
        level(engine, 6, "ada")
    database.write(engine, lambda one: low_balance.remove_level(one, "ada", 5, now=NOW, actor=TESTER))
    with pytest.raises(InvalidRequest, match="must be a level that was set"):
        database.write(engine, lambda one: low_balance.remove_level(one, "ada", 5, now=NOW, actor=TESTER))
    level(engine, 6, "ada")
    with database.read(engine) as connection:
        assert [one.level_credits for one in low_balance.levels(connection)] == [6, 4, 3, 2, 1]


def test_without_a_level_nothing_is_read_and_a_later_look_begins_at_the_level(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="fund")
    for number in range(2):
        world.charge(engine, HAIKU, key=f"run-{number}", now=NOW + timedelta(minutes=number))
    assert falls(engine) == []
    level(engine, 200)
    world.charge(engine, HAIKU, key="last")
    assert falls(engine) == [("ada", 200, 100)]
