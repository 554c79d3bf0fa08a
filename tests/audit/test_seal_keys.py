"""Signatures of seals: who has no key cannot make the chain anew unseen."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import heads, seal_check, seal_keys, seals
from credits_core.audit.heads import Head
from credits_core.audit.refusals import BehindTheKeptHead
from credits_core.audit.seal_check import Checked
from credits_core.audit.seal_keys import SealKey
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.store import database
from credits_core.values.progress import finish
from credits_core.worlds import breaking
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


def test_the_setting_wants_the_private_half(
    engine: Engine, key: SealKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api_log: pytest.LogCaptureFixture
) -> None:
    """With the public one a server goes on, seals nothing, and says so."""
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(tmp_path / "key.pub"))
    with pytest.raises(InvalidRequest, match=r"key\.pub, which is a public key; the private one signs"):
        seal_keys.configured()
    assert seals.catch_up_quietly(engine, now=LATER) == 0
    assert "new entries cannot be sealed: CREDITS_SEAL_KEY_FILE: names" in api_log.text
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(tmp_path / "key"))
    configured = seal_keys.configured()
    assert configured is not None
    assert (configured.key_id, configured.file) == (key.key_id, key.file)


# --- what is kept beside the key ------------------------------------------------------------------------------------


def test_whoever_has_a_key_misses_the_seals_that_were_all_removed(engine: Engine, key: SealKey) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    no_seal = (f"there is no seal, but a key that signs, {key.key_id}: all seals were removed, or signing never began",)
    assert _check(engine, key).violations == no_seal
    _seal(engine, key, begins=True)
    assert _check(engine, key).violations == ()
    damage.behind_its_back(engine, "UPDATE journal_entries SET actor = 'mallory' WHERE id = 1", "DELETE FROM seals")
    gone = "seal 1, whose head was kept, is not there: the end of the record was removed (beside the key)"
    assert _check(engine, key).violations == (*no_seal, gone)
    public = seal_keys.read(Path(f"{key.file}.pub"), setting="--public-key")
    assert _check(engine, public).violations == no_seal
    assert _check(engine).violations == ()


def test_the_audit_asks_the_key(engine: Engine, key: SealKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(key.file))
    world.add(engine, "ada", 50_000, key="fund")
    _seal(engine, key, begins=True)
    damage.behind_its_back(engine, "DELETE FROM seals")
    with database.read(engine) as connection:
        assert len(seal_check.seals_hold(connection, {}).violations) == 2
        assert seal_check.seals_of_a_copy_hold(connection, {}).violations == ()


def test_nothing_is_signed_behind_the_newest_head(
    engine: Engine, key: SealKey, monkeypatch: pytest.MonkeyPatch, api_log: pytest.LogCaptureFixture
) -> None:
    """The newest signed seal is removed and what it sealed is changed: the server does not sign the change."""
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(key.file))
    world.add(engine, "ada", 50_000, key="fund")
    _seal(engine, key, begins=True)
    world.charge(engine, HAIKU, key="run")
    assert seals.catch_up_quietly(engine, now=LATER) == 1
    damage.behind_its_back(
        engine, "UPDATE journal_entries SET actor = 'mallory' WHERE id = 2", "DELETE FROM seals WHERE number = 2"
    )
    with pytest.raises(BehindTheKeptHead, match="seal 2, whose head was kept, is not there"):
        _seal(engine, key)
    assert seals.catch_up_quietly(engine, now=LATER) == 0
    assert "new entries cannot be sealed: The head in " in api_log.text
    assert _check(engine, key).violations == (
        "seal 2, whose head was kept, is not there: the end of the record was removed (beside the key)",
    )
    assert _seal(engine, key, begins=True) == 1  # somebody compared it with a head kept elsewhere
    assert heads.beside(_file(key)) == Head(2, str(scalar(engine, "SELECT hash FROM seals WHERE number = 2")))
    assert _seal(engine, key) == 0
    assert _check(engine, key).violations == ()


def test_the_newest_head_is_kept_after_each_sealing(engine: Engine, key: SealKey, tmp_path: Path) -> None:
    assert heads.beside(_file(key)) is None
    for number in range(1, 4):
        world.add(engine, "ada", 500, key=f"add-{number}")
        _seal(engine, key, begins=number == 1)
        hash_ = scalar(engine, f"SELECT hash FROM seals WHERE number = {number}")
        assert heads.beside(_file(key)) == Head(number, str(hash_))
        assert sorted(path.name for path in tmp_path.glob("*key*")) == ["key", "key.head", "key.pub"]
    (tmp_path / "key.head").unlink()  # as with a key of an earlier version
    assert _seal(engine, key) == 0
    assert heads.beside(_file(key)) == Head(3, str(hash_))
    (tmp_path / "key.head").write_text("{}", encoding="utf-8")
    with pytest.raises(DataFileInvalid, match="it is no head"):
        _seal(engine, key)
    assert _seal(engine, key, begins=True) == 0
    assert heads.beside(_file(key)) == Head(3, str(hash_))


def test_where_no_head_can_be_kept_the_log_says_so_and_sealing_goes_on(
    engine: Engine, key: SealKey, monkeypatch: pytest.MonkeyPatch, api_log: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(heads, "keep", refused)
    assert _seal(engine, key, begins=True) == 1
    assert f"the newest head cannot be kept in {key.file}.head: Permission denied" in api_log.text


def test_a_head_that_is_newer_than_the_snapshot_is_no_false_alarm(engine: Engine, key: SealKey) -> None:
    world.add(engine, "ada", 500, key="one")
    _seal(engine, key, begins=True)
    with database.read(engine) as connection:
        seals.newest(connection)  # from here on it sees nothing new
        world.add(engine, "ada", 500, key="two")
        _seal(engine, key)
        checked = finish(seal_check.check(connection, key=key))
    assert (checked.seals, checked.violations) == (1, ())


def test_a_copy_is_sealed_with_a_key_that_nobody_keeps(
    engine: Engine, key: SealKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept beside the real key is of the real ledger."""
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(key.file))
    world.add(engine, "ada", 500, key="one")
    _seal(engine, key, begins=True)
    kept = heads.beside(_file(key))
    world.add(engine, "ada", 500, key="two")
    breaking.seal_copy(engine, now=LATER)
    assert rows(engine, "SELECT count(*) FROM seals WHERE key_id IS NOT NULL") == [(2,)]
    assert scalar(engine, "SELECT key_id FROM seals WHERE number = 2") != key.key_id
    assert heads.beside(_file(key)) == kept


def _file(key: SealKey) -> Path:
    assert key.file is not None
    return key.file
