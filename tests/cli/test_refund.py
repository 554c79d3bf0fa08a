"""`refund`: a whole entry, a part of it and the rest, each with what is left."""

import json

import pytest
from sqlalchemy import Engine

from tests.support import world
from tests.support.commands import Commands
from tests.support.plain_sql import balance, rows


@pytest.fixture
def commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str, sqlite_engine: Engine
) -> Commands:
    """The commands on a ledger in which entry 2 is ada's run of 1,251 credits, of which ben got 800."""
    world.put_in_force(sqlite_engine, world.price_book().plan)
    world.add(sqlite_engine, "ada", 2_000, key="add")
    world.charge(sqlite_engine, world.HAIKU_WITH_FEE, key="run")
    found = Commands(monkeypatch, capsys)
    found.use(sqlite_url)
    return found


def test_a_part_says_who_bears_it_and_what_is_left_and_the_rest_that_nothing_is(
    commands: Commands, sqlite_engine: Engine
) -> None:
    assert commands("refund", "2", "--credits", "500", "--reason", "Half was empty") == (
        0,
        "Entry 3: ada got back 500 credits ($0.0005): ben gave back 319, PromptFlow bore 181.\n"
        "Of entry 2, 500 credits are refunded; 751 credits can still be refunded.\n",
        "",
    )
    assert commands("refund", "2", "--reason", "So was the rest") == (
        0,
        "Entry 4: ada got back 751 credits ($0.000751): ben gave back 481, PromptFlow bore 270.\n"
        "Of entry 2, 1,251 credits are refunded; nothing is left to refund.\n",
        "",
    )
    assert balance(sqlite_engine, "ada") == 2_000
    assert rows(sqlite_engine, "SELECT type FROM journal_entries WHERE id > 2 ORDER BY id") == [
        ("partial_refund",),
        ("refund",),
    ]


def test_what_is_more_than_is_left_is_refused_in_one_line(commands: Commands, sqlite_engine: Engine) -> None:
    code, out, err = commands("refund", "2", "--credits", "1252", "--reason", "Too much")
    assert (code, out) == (1, "")
    assert "Of the 1,251 credits of entry 2, 1,251 are left to refund, not 1,252." in err
    assert balance(sqlite_engine, "ada") == 749


def test_the_same_key_refunds_once_and_json_has_the_numbers(commands: Commands, sqlite_engine: Engine) -> None:
    asked = ("refund", "2", "--credits", "51", "--reason", "Late", "--provider-refunded", "--key", "ticket-1", "--json")
    code, out, _ = commands(*asked)
    assert (code, json.loads(out)) == (
        0,
        {
            "entry_id": 3,
            "refunded_entry_id": 2,
            "refunded_credits": 51,
            "left_credits": 1_200,
            "summary": "ada got back 51 credits ($0.000051): ben gave back 32, PromptFlow bore 9,"
            " the provider gave back 10.",
        },
    )
    assert commands(*asked)[1] == out
    assert balance(sqlite_engine, "ada") == 800


def test_explain_says_which_part_of_what_was_refunded(commands: Commands) -> None:
    commands("refund", "2", "--credits", "500", "--reason", "Half was empty")
    code, out, err = commands("explain", "3")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:3] == [
        "Entry 3: Refund of entry 2, refunded to ada",
        "Recalculated from the stored inputs: matches the refund exactly.",
        "ada got back 500 credits ($0.0005): ben gave back 319, PromptFlow bore 181.",
    ]
    assert "Part: 500 of 1,251 credits; 500 refunded by then, 751 left" in lines
    assert commands("explain", "2")[1].splitlines()[2] == "Refunded in part: 500 of 1,251 credits, 751 left."
