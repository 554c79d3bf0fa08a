"""`grant-app-role`: the owner narrows the role that the product runs as."""

import pytest
from sqlalchemy import Engine, text

from credits_core.store import database
from tests.support import rows
from tests.support.commands import Commands

NAME = "credits_shop"


@pytest.mark.as_owner
def test_a_role_is_narrowed_and_the_product_runs_as_it(
    commands: Commands, postgres_engine: Engine, postgres_url: str
) -> None:
    commands.use(postgres_url)
    code, _, stderr = commands("grant-app-role", NAME)
    assert (code, stderr.splitlines()[0]) == (
        1,
        "error: role: credits_shop does not exist: make it first with CREATE ROLE … LOGIN",
    )
    with postgres_engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {NAME} LOGIN"))
    try:
        for _ in range(2):
            assert commands("grant-app-role", NAME) == (
                0,
                f"{NAME} may now run the product: it can add to history, and neither change nor delete it\n",
                "",
            )
        url = postgres_engine.url.set(username=NAME).render_as_string(hide_password=False)
        with database.opened_ledger(url) as engine:
            rows.small_world(engine)
            rows.refused(engine, "DELETE FROM journal_entries", because="permission denied")
        commands.use(url)
        code, _, stderr = commands("grant-app-role", "postgres")
        assert (code, "superuser" in stderr) == (1, True)
    finally:
        with postgres_engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {NAME}"))
            connection.execute(text(f"DROP ROLE {NAME}"))


def test_sqlite_has_no_roles(commands: Commands) -> None:
    code, _, stderr = commands("grant-app-role", NAME)
    assert (code, "SQLite has no roles" in stderr) == (1, True)
