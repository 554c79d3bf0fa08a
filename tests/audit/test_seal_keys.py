"""Signatures of seals: who has no key cannot make the chain anew unseen."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import seal_check, seal_keys, seals
from credits_core.audit.seal_check import Checked
from credits_core.audit.seal_keys import SealKey
from credits_core.errors import InvalidRequest
from credits_core.store import database
from credits_core.values.progress import finish
from tests.support import damage, world
from tests.support.plain_sql import rows, scalar
from tests.support.world import HAIKU, LATER

pytestmark = pytest.mark.as_owner


def _seal(engine: Engine, key: SealKey | None = None, *, begins: bool = False) -> int:
    return seals.catch_up(engine, now=LATER, key=key, begins_signing=begins)


def _check(engine: Engine, key: SealKey | None = None) -> Checked:
    with database.read(engine) as connection:
        return finish(seal_check.check(connection, key=key))


@pytest.fixture
def key(tmp_path: Path) -> SealKey:
    return seal_keys.make(tmp_path / "key")


def test_a_key_signs_from_where_somebody_says_so(engine: Engine, key: SealKey) -> None:
    _seal(engine)
    world.add(engine, "ada", 50_000, key="fund")
    with pytest.raises(InvalidRequest, match="names a key that did not sign the newest seal"):
        _seal(engine, key)
    assert _seal(engine, key, begins=True) == 1
    world.charge(engine, HAIKU, key="run")
    assert _seal(engine, key) == 1
    assert [name for (name,) in rows(engine, "SELECT key_id FROM seals ORDER BY number")] == [
        None,
        key.key_id,
        key.key_id,
    ]
    assert _check(engine, key) == Checked(3, 2, 1)
    assert _check(engine) == Checked(3, 2, 1, unproved_signatures=2)


def test_a_key_signs_over_nothing_new_where_somebody_says_so(engine: Engine, key: SealKey) -> None:
    _seal(engine)
    assert _check(engine, key).violations == (f"seal 1, the newest, is not signed with the key {key.key_id}",)
    assert _seal(engine, key, begins=True) == 1
    assert _seal(engine, key, begins=True) == 0
    assert _check(engine, key) == Checked(2, 0, 1)


def test_nothing_is_sealed_without_the_key_after_a_signed_seal(engine: Engine, key: SealKey) -> None:
    _seal(engine, key, begins=True)
    world.add(engine, "ada", 50_000, key="fund")
    with pytest.raises(InvalidRequest, match="CREDITS_SEAL_KEY_FILE: is not set, but the newest seal is signed"):
        _seal(engine)
    assert scalar(engine, "SELECT count(*) FROM seals") == 1


def test_a_chain_that_was_made_anew_without_the_key_is_told_by_the_key(
    engine: Engine, key: SealKey, tmp_path: Path
) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    _seal(engine, key, begins=True)
    damage.behind_its_back(engine, "DELETE FROM seals")
    _seal(engine)
    assert _check(engine, key).violations == (f"seal 1, the newest, is not signed with the key {key.key_id}",)
    with pytest.raises(InvalidRequest):  # nor does whoever has the key put a signature on it unasked
        _seal(engine, key)
    damage.behind_its_back(engine, "DELETE FROM seals")
    _seal(engine, seal_keys.make(tmp_path / "another"), begins=True)
    assert _check(engine, key).violations == (f"seal 1, the newest, is not signed with the key {key.key_id}",)


def test_a_wrong_and_a_missing_signature_are_told(engine: Engine, key: SealKey) -> None:
    for number in range(3):
        world.add(engine, "ada", 500, key=f"add-{number}")
        _seal(engine, key, begins=True)
    damage.behind_its_back(engine, "UPDATE seals SET signature = replace(signature, 'a', 'b') WHERE number = 2")
    assert _check(engine, key).violations == ("the signature of seal 2 is wrong",)
    damage.behind_its_back(engine, "UPDATE seals SET signature = NULL, key_id = NULL WHERE number = 2")
    assert _check(engine, key).violations == ("seal 2 is not signed, but seal 1 is",)
    assert _check(engine).violations == ("seal 2 is not signed, but seal 1 is",)


def test_the_public_key_checks_and_the_private_one_is_for_its_owner_alone(key: SealKey, tmp_path: Path) -> None:
    public = seal_keys.read(tmp_path / "key.pub", setting="--public-key")
    assert public.key_id == key.key_id
    assert public.private is None
    assert public.has_signed("ab", key.sign("ab"))
    assert not public.has_signed("ac", key.sign("ab"))
    assert not public.has_signed("ab", "no hexadecimal")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(InvalidRequest, match="which others can read: chmod 600"):
        seal_keys.read(tmp_path / "key", setting="CREDITS_SEAL_KEY_FILE")
    with pytest.raises(InvalidRequest, match="is there already, and a key is never written over"):
        seal_keys.make(tmp_path / "key")
    (tmp_path / "text").write_text("x")
    for name in ("text", "missing"):
        with pytest.raises(InvalidRequest):
            seal_keys.read(tmp_path / name, setting="CREDITS_SEAL_KEY_FILE")
