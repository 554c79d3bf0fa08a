"""Keys that are replaced under their name: the old one works until the overlap ends, and both are one caller."""

from collections import Counter
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from credits_core.access import keys as api_keys
from credits_core.access.keys import KeyRecord
from credits_core.access.refusals import KeyNameTaken, Unauthorized, UnknownKey
from credits_core.cli import main as cli
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import racers, world
from tests.support.actors import TESTER
from tests.support.plain_sql import refused, rows, scalar
from tests.support.world import LATER, NOW

OLD, NEW, NEWEST = ("pfk_" + letter * 43 for letter in "onw")
DAY = timedelta(hours=24)


def _create(engine: Engine, **fields: object) -> KeyRecord:
    asked = {"key": OLD, "role": Role.SERVICE, "now": NOW, "actor": TESTER} | fields
    return database.write(engine, lambda connection: api_keys.create_key(connection, "shop", **asked))  # type: ignore[arg-type]


def _rotate(engine: Engine, key: str = NEW, **fields: object) -> KeyRecord:
    asked = {"key": key, "now": LATER, "actor": TESTER} | fields
    return database.write(engine, lambda connection: api_keys.rotate_key(connection, "shop", **asked))  # type: ignore[arg-type]


def _works(engine: Engine, key: str, now: datetime) -> bool:
    try:
        with database.read(engine) as connection:
            api_keys.authenticate(connection, key, now=now)
    except Unauthorized:
        return False
    return True


def test_both_keys_work_until_the_overlap_ends_and_act_as_one_caller(engine: Engine) -> None:
    _create(engine)
    made = _rotate(engine)
    assert made == KeyRecord(2, "shop", Role.SERVICE, None, "pfk_nnnnnn", LATER, None, None)
    last = LATER + DAY - timedelta(microseconds=1)
    assert (_works(engine, OLD, last), _works(engine, OLD, LATER + DAY)) == (True, False)
    assert (_works(engine, NEW, last), _works(engine, NEW, LATER + 9 * DAY)) == (True, True)
    with database.read(engine) as connection:
        new, old = api_keys.list_keys(connection)
        assert (new.actor.recorded, old.actor.recorded) == ("api/shop", "api/shop")
        assert (old.replaced_at, old.expires_at, old.problem(LATER + DAY)) == (LATER, LATER + DAY, "was replaced")


@pytest.mark.parametrize(("overlap", "works"), [(timedelta(), False), (timedelta(microseconds=1), True)])
def test_an_overlap_of_nothing_stops_the_old_key_at_once(engine: Engine, overlap: timedelta, *, works: bool) -> None:
    _create(engine)
    _rotate(engine, overlap=overlap)
    assert _works(engine, OLD, LATER) is works


@pytest.mark.parametrize(
    ("overlap", "is_accepted"),
    [
        (timedelta(days=30), True),
        (timedelta(days=30, microseconds=1), False),
        (timedelta(microseconds=-1), False),
    ],
)
def test_an_overlap_is_from_0_to_30_days(engine: Engine, overlap: timedelta, *, is_accepted: bool) -> None:
    _create(engine)
    if is_accepted:
        assert _rotate(engine, overlap=overlap).id == 2
        return
    with refused(engine, InvalidRequest):
        _rotate(engine, overlap=overlap)


def test_a_new_key_has_the_role_the_user_and_the_expiry_of_the_old_one(engine: Engine) -> None:
    world.add(engine, "ada", 5, key="k-1")
    _create(engine, role=Role.USER, user_id="ada", expires_at=NOW + 2 * DAY)
    made = _rotate(engine, overlap=9 * DAY)
    assert (made.role, made.user_id, made.expires_at) == (Role.USER, "ada", NOW + 2 * DAY)
    # The overlap does not make the old key live longer.
    assert scalar(engine, "SELECT COUNT(DISTINCT expires_at_us) FROM api_keys") == 1


def test_an_expired_key_is_replaced_only_with_a_new_expiry(engine: Engine) -> None:
    _create(engine, expires_at=LATER)
    with refused(engine, InvalidRequest):
        _rotate(engine)
    _rotate(engine, expires_at=LATER + DAY)
    assert (_works(engine, OLD, LATER), _works(engine, NEW, LATER)) == (False, True)


def test_a_key_is_replaced_twice_within_the_overlap_and_all_three_work(engine: Engine) -> None:
    _create(engine)
    _rotate(engine)
    _rotate(engine, NEWEST)
    assert [_works(engine, key, LATER) for key in (OLD, NEW, NEWEST)] == [True] * 3
    assert [_works(engine, key, LATER + DAY) for key in (OLD, NEW, NEWEST)] == [False, False, True]


def test_revoking_the_name_stops_the_replaced_key_too(engine: Engine) -> None:
    _create(engine)
    _rotate(engine)
    revoked = database.write(
        engine, lambda connection: api_keys.revoke_key(connection, "shop", now=LATER, actor=TESTER)
    )
    assert revoked.id == 2
    assert [_works(engine, key, LATER) for key in (OLD, NEW)] == [False, False]


@pytest.mark.parametrize(("number", "works"), [(1, [False, True]), (2, [True, False])])
def test_one_of_the_two_keys_is_revoked_alone(engine: Engine, number: int, works: list[bool]) -> None:
    _create(engine)
    _rotate(engine)
    database.write(
        engine, lambda connection: api_keys.revoke_key(connection, "shop", only_id=number, now=LATER, actor=TESTER)
    )
    assert [_works(engine, key, LATER) for key in (OLD, NEW)] == works


def test_what_cannot_be_replaced_is_refused(engine: Engine) -> None:
    with refused(engine, UnknownKey):
        _rotate(engine)
    _create(engine)
    with refused(engine, UnknownKey):
        _rotate(engine, only_id=9)
    _rotate(engine)
    with refused(engine, UnknownKey):
        _rotate(engine, NEWEST, only_id=1)
    with refused(engine, KeyNameTaken):
        _create(engine, key=NEWEST)


def test_four_rotations_at_once_leave_one_key_in_force(engine: Engine) -> None:
    _create(engine)
    keys = ["pfk_" + letter * 43 for letter in "abcd"]
    made = racers.at_once([partial(_rotate, engine, key) for key in keys])
    assert Counter(record.id for record in made) == Counter([2, 3, 4, 5])
    assert rows(engine, "SELECT id FROM api_keys WHERE replaced_at_us IS NULL") == [(5,)]


# --- command line -----------------------------------------------------------------------------------------------------


def _run(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str) -> str:
    monkeypatch.setenv("CREDITS_DATABASE_URL", url)
    result = CliRunner().invoke(cli.app, ["api-key", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_command_line_replaces_a_key_and_prints_the_new_one(
    sqlite_engine: Engine, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = partial(_run, monkeypatch, sqlite_url)
    run("create", "--name", "shop", "--role", "service")
    key = run("rotate", "--name", "shop", "--overlap", "90m").strip()
    assert _works(sqlite_engine, key, datetime.now(world.NOW.tzinfo))
    ((minutes,),) = rows(
        sqlite_engine, "SELECT (expires_at_us - replaced_at_us) / 60000000 FROM api_keys WHERE replaced_at_us > 0"
    )
    assert minutes == 90
    new, old = run("list").splitlines()
    assert new.startswith(f"shop  {key[:10]}…  service  made ")
    assert new.endswith("  active")
    assert "  replaced, works until " in old
    run("rotate", "--name", "shop", "--overlap", "0")
    assert [line.rsplit("  ", 1)[1] for line in run("list").splitlines()][:2] == ["active", "was replaced"]


@pytest.mark.parametrize("overlap", ["", "tomorrow", "24", "-1h", "31d", "1.5h", "9999999999999d"])
def test_an_overlap_that_cannot_be_meant_is_refused(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, overlap: str
) -> None:
    _run(monkeypatch, sqlite_url, "create", "--name", "shop", "--role", "admin")
    with pytest.raises(CreditsError, match="overlap"):
        _run(monkeypatch, sqlite_url, "rotate", "--name", "shop", "--overlap", overlap)
