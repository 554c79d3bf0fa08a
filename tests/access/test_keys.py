"""Keys of the API: made, found, listed and revoked; only their hash is stored. And their command line."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from credits_core.access import keys as api_keys
from credits_core.access.keys import KeyRecord
from credits_core.access.refusals import KeyNameTaken, Unauthorized, UnknownKey
from credits_core.cli import main as cli
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger.refusals import UnknownUser
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import every_row, refused, rows, scalar
from tests.support.world import LATER, NOW

KEY = "pfk_" + "k" * 43


def _create(engine: Engine, name: str = "shop", **fields: object) -> KeyRecord:
    asked = {"key": KEY, "role": Role.SERVICE, "now": NOW, "actor": TESTER} | fields
    return database.write(engine, lambda connection: api_keys.create_key(connection, name, **asked))  # type: ignore[arg-type]


def _find(engine: Engine, key: str, now: datetime = NOW) -> KeyRecord:
    with database.read(engine) as connection:
        return api_keys.authenticate(connection, key, now=now)


def _revoke(engine: Engine, name: str = "shop") -> KeyRecord:
    return database.write(engine, lambda connection: api_keys.revoke_key(connection, name, now=LATER, actor=TESTER))


def test_a_key_is_found_by_what_its_caller_sends(engine: Engine) -> None:
    made = _create(engine)
    assert made == KeyRecord(1, "shop", Role.SERVICE, None, "pfk_kkkkkk", NOW, None, None)
    assert _find(engine, KEY) == made
    assert made.actor.recorded == "api/shop"


def test_only_the_hash_of_a_key_is_stored(engine: Engine) -> None:
    _create(engine)
    assert KEY not in str(every_row(engine))
    assert scalar(engine, "SELECT key_hash FROM api_keys") == (  # printf pfk_kkk… | sha256sum
        "acc9ab6e6ebeca78013cd108c2aa4873c7c3d1a4bbf1050eb9e347575a23f8d5"
    )


def test_new_keys_are_long_and_never_the_same() -> None:
    keys = {api_keys.new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {47}


@pytest.mark.parametrize("sent", ["", "pfk_", KEY[:-1], KEY + "k", KEY.upper(), "pfk_" + "x" * 43, " " + KEY])
def test_what_is_no_key_is_nobodys(engine: Engine, sent: str) -> None:
    _create(engine)
    with pytest.raises(Unauthorized):
        _find(engine, sent)


def test_a_key_expires_at_its_moment(engine: Engine) -> None:
    assert _create(engine, expires_at=LATER).expires_at == LATER
    assert _find(engine, KEY, LATER - timedelta(microseconds=1)).name == "shop"
    with pytest.raises(Unauthorized, match="has expired"):
        _find(engine, KEY, LATER)


def test_a_revoked_key_is_refused_and_its_name_is_free_again(engine: Engine) -> None:
    _create(engine)
    assert _revoke(engine).revoked_at == LATER
    with pytest.raises(Unauthorized, match="was revoked"):
        _find(engine, KEY)
    again = _create(engine, key="pfk_" + "n" * 43)
    assert again.id == 2
    with database.read(engine) as connection:
        assert [(record.id, record.revoked_at) for record in api_keys.list_keys(connection)] == [(2, None), (1, LATER)]


@pytest.mark.parametrize(
    ("refusal", "name", "fields"),
    [
        (KeyNameTaken, "taken", {}),
        (InvalidRequest, "", {}),
        (InvalidRequest, "two words", {}),
        (InvalidRequest, "x" * 65, {}),
        (InvalidRequest, "shop", {"role": Role.USER}),
        (InvalidRequest, "shop", {"user_id": "ada"}),
        (UnknownUser, "shop", {"role": Role.USER, "user_id": "nobody"}),
        (InvalidRequest, "shop", {"expires_at": NOW}),
    ],
)
def test_a_key_that_cannot_be_made_is_refused(
    engine: Engine, refusal: type[CreditsError], name: str, fields: dict[str, object]
) -> None:
    world.add(engine, "ada", 5, key="k-1")
    _create(engine, "taken", key="pfk_" + "t" * 43)
    with refused(engine, refusal):
        _create(engine, name, **fields)


def test_a_name_of_64_characters_is_accepted(engine: Engine) -> None:
    assert _create(engine, "x" * 64).actor.recorded == "api/" + "x" * 64


def test_revoking_what_is_not_in_force_is_refused(engine: Engine) -> None:
    _create(engine)
    _revoke(engine)
    for name in ("shop", "other"):
        with refused(engine, UnknownKey):
            _revoke(engine, name)


# --- command line -----------------------------------------------------------------------------------------------------


def _run(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str) -> str:
    monkeypatch.setenv("CREDITS_DATABASE_URL", url)
    result = CliRunner().invoke(cli.app, ["api-key", *arguments], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_the_command_line_prints_a_key_once_and_lists_it_without(
    sqlite_engine: Engine, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(sqlite_engine, "ada", 5, key="k-1")
    key = _run(monkeypatch, sqlite_url, "create", "--name", "shop", "--role", "service").strip()
    assert len(key.splitlines()) == 1
    assert _find(sqlite_engine, key).role is Role.SERVICE
    _run(
        monkeypatch,
        sqlite_url,
        "create",
        "--name",
        "a",
        "--role",
        "user",
        "--user-id",
        "ada",
        "--expires",
        "2999-01-31",
    )
    assert _run(monkeypatch, sqlite_url, "revoke", "--name", "shop") == "shop is revoked\n"
    today = datetime.now(UTC).date().isoformat()
    adas, shops = _run(monkeypatch, sqlite_url, "list").splitlines()
    assert shops == f"shop  {key[:10]}…  service  made {today}  was revoked"
    assert adas.startswith("a  pfk_")
    assert adas.endswith(f"…  user ada  made {today}  until 2999-01-31  active")
    assert rows(sqlite_engine, "SELECT name, expires_at_us IS NULL FROM api_keys ORDER BY id") == [
        ("shop", 1),
        ("a", 0),
    ]


@pytest.mark.parametrize("expires", ["tomorrow", "2999-13-01", "2000-01-01"])
def test_an_expiry_that_cannot_be_meant_is_refused(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, expires: str
) -> None:
    with pytest.raises(InvalidRequest, match="expires"):
        _run(monkeypatch, sqlite_url, "create", "--name", "shop", "--role", "admin", "--expires", expires)
