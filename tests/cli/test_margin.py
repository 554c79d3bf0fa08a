"""The command `margin`: what it prints, and how it ends."""

import json

from sqlalchemy import Engine

from tests.support import world
from tests.support.commands import Commands


def test_what_loses_most_comes_first_with_what_would_mend_it(commands: Commands, sqlite_engine: Engine) -> None:
    for user_id in ("ada", "cara"):
        world.add(sqlite_engine, user_id, 10_000, key=f"fund-{user_id}")
    world.charge(sqlite_engine, world.HAIKU, key="run")
    world.charge(sqlite_engine, world.run_by("cara", world.HAIKU_WITH_FEE), key="fee")
    code, out, _ = commands("margin", "--card-fee-bps", "2000")
    assert (code, out.splitlines()) == (
        0,
        [
            "cara: paid $0.001251, models $0.00025, creators $0.0008, card fee $0.000251, left -$0.00005; 20 % more on"
            " its models' cost would mend it",
            "ada: paid $0.0003, models $0.00025, creators $0.00, card fee $0.00006, left -$0.00001; 4 % more on its"
            " models' cost would mend it",
            "in all, 2 users: paid $0.001551, models $0.0005, creators $0.0008, card fee $0.000311, left -$0.00006",
        ],
    )
    told = json.loads(commands("margin", "--by", "model", "--card-fee-bps", "0", "--json")[1])
    assert (told["by"], told["in_all"]["left_credits"]) == ("model", 251)
    assert [row["name"] for row in told["rows"]] == ["claude-3-haiku"]


def test_what_makes_no_sense_is_one_line_on_stderr(commands: Commands, sqlite_engine: Engine) -> None:
    assert commands("margin", "--by", "colour")[2] == (
        "error: by: must be one of user, model, prompt, creator, month, not 'colour'\n"
    )
    assert commands("margin", "--from", "2026-02-02", "--to", "2026-02-01")[2] == (
        "error: from: must not be after to\n"
    )
