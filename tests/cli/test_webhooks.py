"""The commands about endpoints, deliveries and levels: what they print, and how they end."""

import pytest
from sqlalchemy import Engine

from credits_core.store import database
from tests.support import hooks, receiver, walked_webhooks, world
from tests.support.commands import Commands
from tests.support.hooks import look, stored
from tests.support.plain_sql import rows


def test_an_endpoint_is_added_with_a_secret_that_is_printed_once(
    commands: Commands, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver.listening() as to:
        monkeypatch.setenv("CREDITS_WEBHOOK_HOSTS", to.host)
        code, secret, err = commands("webhooks", "add", to.url, "--event", "refund.made", "--event", "run.charged")
        assert (code, secret[:6], err) == (
            0,
            "whsec_",
            "Endpoint 1 is told from now on. Its secret, shown only now:\n",
        )
        assert rows(sqlite_engine, "SELECT secret FROM webhook_endpoints") == [(secret.strip(),)]
        assert commands("webhooks", "list")[1] == f"1  {to.url}  run.charged, refund.made  active\n"
        world.add(sqlite_engine, "ada", 1_000, key="fund")
        world.charge(sqlite_engine, world.HAIKU, key="run")
        look(sqlite_engine, 1, to)
        assert to.told() == [("run.charged", "ada")]
        sent = commands("webhooks", "deliveries")[1]
        assert sent == "1  run.charged of ada  to endpoint 1  delivered  1 try  200: thanks\n"
        assert commands("webhooks", "remove", "1")[1] == "Endpoint 1 is told nothing any more\n"
        assert commands("webhooks", "list")[1] == ""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("https://10.0.0.1/",), "address: must be public: 10.0.0.1 is inside this network"),
        (("https://localhost/",), "address: must be public: localhost is inside this network"),
        (("http://8.8.8.8/",), "address: must begin with https://"),
        (("https://nowhere.invalid/",), "nowhere.invalid was not found. Check the spelling."),
        (("https://8.8.8.8/", "--event", "run.paid"), "event: must be one of run.charged, balance.low,"),
    ],
)
def test_an_address_inside_or_an_unknown_event_is_refused(
    commands: Commands, sqlite_engine: Engine, arguments: tuple[str, ...], problem: str
) -> None:
    code, out, err = commands("webhooks", "add", *arguments)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {problem}")
    assert rows(sqlite_engine, "SELECT id FROM webhook_endpoints") == []


def test_a_dead_letter_is_shown_and_sent_again_once(commands: Commands, sqlite_engine: Engine) -> None:
    database.write(sqlite_engine, walked_webhooks.prepare)
    assert commands("webhooks", "list")[1].splitlines()[1:] == ["1 dead letter: webhooks deliveries --dead"]
    assert commands("webhooks", "deliveries", "--dead")[1].startswith(
        "1  run.charged (test)  to endpoint 1  dead  10 tries"
    )
    assert commands("webhooks", "send-again", "1")[1] == "Delivery 1 is sent to endpoint 1 again\n"
    assert commands("webhooks", "deliveries", "--dead")[1] == ""
    code, _, err = commands("webhooks", "send-again", "1")
    assert (code, err[:29]) == (1, "error: There is no dead lette")


def test_a_test_event_waits_for_the_server(commands: Commands, sqlite_engine: Engine) -> None:
    database.write(sqlite_engine, walked_webhooks.prepare)
    commands("webhooks", "test", "1")
    assert [one.user_id for one in stored(sqlite_engine)] == ["", ""]
    assert commands("webhooks", "test", "2")[0] == 1


def test_a_new_secret_is_printed_and_the_old_one_signs_for_a_while(commands: Commands, sqlite_engine: Engine) -> None:
    database.write(sqlite_engine, walked_webhooks.prepare)
    secret = commands("webhooks", "rotate", "1", "--overlap", "2h")[1].strip()
    assert rows(sqlite_engine, "SELECT secret, old_secret FROM webhook_endpoints") == [(secret, hooks.SECRET)]
    assert commands("webhooks", "rotate", "1", "--overlap", "31d")[0] == 1


def test_levels_are_set_listed_and_removed(commands: Commands, sqlite_engine: Engine) -> None:
    told = "Level set: we tell when anybody's balance falls below 5,000 credits = $0.005\n"
    assert commands("low-balance", "set", "5000")[1] == told
    assert commands("low-balance", "set", "700", "--user", "ada")[0] == 1  # there is no ada yet
    world.add(sqlite_engine, "ada", 1_000, key="fund")
    told = "Level set: we tell when the balance of ada falls below 700 credits = $0.0007\n"
    assert commands("low-balance", "set", "700", "--user", "ada")[1] == told
    assert commands("low-balance", "list")[1] == "everybody  5,000 credits = $0.005\nada  700 credits = $0.0007\n"
    commands("low-balance", "remove", "5000")
    assert commands("low-balance", "list")[1] == "ada  700 credits = $0.0007\n"
    assert rows(sqlite_engine, "SELECT user_id FROM low_balance_levels") == [("ada",)]
