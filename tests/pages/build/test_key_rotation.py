"""Replacing a key on the screen: it asks first, shows the new key once, and lets the old one work for a while."""

from datetime import UTC, datetime

from sqlalchemy import Engine

from credits_core.access import keys as api_keys
from credits_core.access.refusals import Unauthorized
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import plain_sql
from tests.support.actors import TESTER
from tests.support.page_driver import click, click_in_row, open_page, table


def _store_key(engine: Engine, name: str) -> str:
    key, now = api_keys.new_key(), datetime.now(UTC)
    database.write(
        engine,
        lambda connection: api_keys.create_key(connection, name, key=key, role=Role.SERVICE, now=now, actor=TESTER),
    )
    return key


def _is_in_force(engine: Engine, key: str) -> bool:
    try:
        with database.read(engine) as connection:
            api_keys.authenticate(connection, key, now=datetime.now(UTC))
    except Unauthorized:
        return False
    return True


def test_a_key_is_replaced_after_asking_and_the_new_one_is_shown_once(ledger: Engine) -> None:
    old = _store_key(ledger, "shop")
    page = click_in_row(open_page("build/api_console.py"), 0, "Rotate")
    assert "A new key gets the name shop" in page.markdown[-1].value
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM api_keys") == 1
    click(page, "Make new key")
    new = next(code.value for code in page.code if code.value.startswith("pfk_"))
    assert (_is_in_force(ledger, old), _is_in_force(ledger, new)) == (True, True)
    ((hours,),) = plain_sql.rows(
        ledger, "SELECT (expires_at_us - replaced_at_us) / 3600000000 FROM api_keys WHERE replaced_at_us > 0"
    )
    assert hours == 24
    click(page, "Done")
    assert not [code for code in page.code if new in code.value]
    assert [(list(row["State"]), row["Action"], row["Rotate"]) for row in table(page)] == [
        (["Active"], "Revoke", "Rotate"),
        (["Replaced"], "Revoke", None),
    ]

    page = click_in_row(page, 1)
    click(page, "Revoke")
    assert (_is_in_force(ledger, old), _is_in_force(ledger, new)) == (False, True)
