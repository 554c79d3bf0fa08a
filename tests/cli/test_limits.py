"""The commands about spending limits: what they print, and how they end."""

from sqlalchemy import Engine

from tests.support import world
from tests.support.commands import Commands
from tests.support.plain_sql import rows


def test_limits_are_set_listed_and_removed(commands: Commands, sqlite_engine: Engine) -> None:
    world.add(sqlite_engine, "ada", 100_000, key="fund")
    commands("api-key", "create", "--name", "shop", "--role", "service")
    told = "ada may spend at most 20,000 credits = $0.02 a day\n"
    assert commands("limits", "set", "20000", "--per", "day", "--user", "ada")[1] == told
    told = "The key shop may spend at most 0 credits = $0.00 a month\n"
    assert commands("limits", "set", "0", "--per", "month", "--key", "shop")[1] == told
    listed = commands("limits", "list")[1].splitlines()
    assert [line.partition("  until ")[0] for line in listed] == [
        "ada  20,000 a day  20,000 left  (0 spent)",
        "The key shop  0 a month  0 left  (0 spent)",
    ]
    assert commands("limits", "remove", "--per", "day", "--user", "ada")[1] == "ada has no limit a day any more\n"
    assert rows(sqlite_engine, "SELECT subject, period, limit_credits FROM spending_limits") == [
        ("key:shop", "month", 0)
    ]


def test_what_makes_no_sense_is_one_line_on_stderr(commands: Commands, sqlite_engine: Engine) -> None:
    world.add(sqlite_engine, "ada", 100_000, key="fund")
    both = "error: user: must be given, or a key, and not both: --user ID or --key NAME\n"
    assert commands("limits", "set", "5", "--per", "day")[2] == both
    assert commands("limits", "set", "5", "--per", "day", "--user", "ada", "--key", "shop")[2] == both
    unknown = "error: key: must be the name of a key that was not revoked, not 'shop'\n"
    assert commands("limits", "set", "5", "--per", "day", "--key", "shop")[2] == unknown
    none = "error: period: must have a limit: ada has none for a month\n"
    assert commands("limits", "remove", "--per", "month", "--user", "ada") == (1, "", none)
    assert rows(sqlite_engine, "SELECT subject FROM spending_limits") == []
