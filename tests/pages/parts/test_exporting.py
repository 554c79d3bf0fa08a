"""Files with people's ids that are made when somebody asks for them: asked who that is at that moment."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from credits_core.access import people
from credits_core.store import database
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import PersonRole, Way, operator
from tests.support import paying_out, signed_in, world
from tests.support.page_driver import downloads, open_page
from tests.support.plain_sql import rows

FINA = "fina@example.org"
FILE = "statement-all-creators-all-days.csv"


@pytest.mark.parametrize("how", ["stays", "removed", "made a viewer", "signed out"])
def test_whoever_may_not_have_it_any_more_does_not_get_it(ledger: Engine, how: str) -> None:
    signed_in.add(ledger, FINA, PersonRole.FINANCE)
    signed_in.add(ledger, "ann@example.org", PersonRole.ADMIN)
    root, now = operator(Way.CLI), world.NOW
    world.charge(ledger, world.HAIKU_WITH_FEE, key="run")
    with signed_in.signed_in(FINA), downloads() as caught:
        open_page("explore/creator_earnings.py", period="all")
        if how == "removed":
            database.write(ledger, lambda one: people.remove(one, FINA, actor=root, now=now))
        elif how == "made a viewer":
            database.write(ledger, lambda one: people.change_roles(one, FINA, [PersonRole.VIEWER], actor=root, now=now))
        elif how == "signed out":
            database.write(ledger, lambda one: one.exec_driver_sql("UPDATE sign_in_sessions SET ended_at_us = 1"))
        if how == "stays":
            assert b"ben" in caught.files[FILE]()
        else:
            with pytest.raises(NotAllowed):
                caught.files[FILE]()
    noted = [(FILE, f"dashboard/{FINA}")] if how == "stays" else []
    assert rows(ledger, "SELECT subject, actor FROM activity WHERE kind = 'exported'") == noted


def test_a_file_that_is_made_outside_of_a_screen_warns_of_nothing(
    ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    paying_out.earn(ledger, 20_000_000, now=datetime.now(UTC))
    with downloads() as downloaded:
        open_page("explore/creator_earnings.py", creator="ben")
    assert len(downloaded.files) == 4
    caplog.clear()
    for make in downloaded.files.values():
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
    assert "ScriptRunContext" not in caplog.text
