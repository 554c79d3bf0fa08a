"""Who runs a command, as entries and other records keep it."""

import getpass

import pytest

from credits_core.cli.opened import actor
from credits_core.values.roles import May


def test_who_runs_a_command_is_recorded_by_the_login_name_and_may_do_everything() -> None:
    assert actor().recorded == "cli/maria"
    assert actor().may == frozenset(May)
    assert not actor().is_person


@pytest.mark.parametrize("login", ["Müller", "a b", "x" * 200, "platform:revenue", ""])
def test_a_login_name_that_cannot_be_recorded_is_left_out(login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: login)
    assert actor().recorded == "cli"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_is_recorded_without_one(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert actor().recorded == "cli"
