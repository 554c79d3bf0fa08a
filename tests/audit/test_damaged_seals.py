"""Seals that were changed themselves: nothing is sealed upon them, each is told, and none ends a command."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import check_proof, invariants, seal_check, seal_keys, seal_proofs, seals
from credits_core.audit.refusals import SealDamaged
from credits_core.audit.seal_check import Checked
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.values.progress import finish
from tests.support import damage, world
from tests.support.world import HAIKU, LATER

pytestmark = pytest.mark.as_owner


def _seal(engine: Engine) -> int:
    return seals.catch_up(engine, now=LATER)


def _check(engine: Engine) -> Checked:
    with database.read(engine) as connection:
        return finish(seal_check.check(connection))


CHANGED = {
    "its time": ("sealed_at_us = sealed_at_us + 1", "it does not have the hash of what it says"),
    "up to where it goes": ("last_entry_id = 9000000", "it does not have the hash of what it says"),
    "what is not JSON": ("records_up_to = 'x'", "it does not have the hash of what it says"),
}


@pytest.mark.parametrize("changed", CHANGED)
def test_nothing_is_sealed_upon_a_seal_that_was_changed(
    engine: Engine, changed: str, api_log: pytest.LogCaptureFixture
) -> None:
    values, why = CHANGED[changed]
    world.add(engine, "ada", 50_000, key="fund")
    _seal(engine)
    damage.behind_its_back(engine, f"UPDATE seals SET {values}")
    world.charge(engine, HAIKU, key="run")
    with pytest.raises(SealDamaged, match=f"Seal 1 was changed: {why}"):
        _seal(engine)
    assert seals.catch_up_quietly(engine, now=LATER) == 0
    assert "new entries cannot be sealed: Seal 1 was changed" in api_log.text
    with database.read(engine) as connection:
        assert seals.unsealed(connection) == seals.Unsealed(2, 1)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"last_entry_id": 9_000_000}, "it covers entries up to 9000000, but the newest is 2"),
        (
            {"records_up_to": '{"audit_runs":7,"plan_activations":1}'},
            "it covers audit_runs up to 7, but the newest is 0",
        ),
    ],
)
def test_nothing_is_sealed_upon_a_forged_seal_over_what_is_not_there(
    engine: Engine, header: dict[str, object], why: str
) -> None:
    """With the right hash, which everybody can compute: otherwise nothing new would ever be sealed, and nobody told."""
    world.add(engine, "ada", 50_000, key="fund")
    _seal(engine)
    with database.read(engine) as connection:
        last = seals.newest(connection)
    assert last is not None
    forged = {**last.header(), **header}
    values = {**header, "hash": check_proof.seal_hash(forged)}
    damage.behind_its_back(
        engine,
        f"UPDATE seals SET {', '.join(f'{name} = {value!r}' for name, value in values.items())}".replace(":", "\\:"),
    )
    world.charge(engine, HAIKU, key="run")
    with pytest.raises(SealDamaged, match=f"Seal 1 was changed: {why}"):
        _seal(engine)
    if "last_entry_id" in header:
        with database.read(engine) as connection:
            assert seals.unsealed(connection) == seals.Unsealed(2, 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("leaves = 'text'", "seal 1 was changed: its leaves are not those that it was made over"),
        ("leaves = 7", "seal 1 was changed: its leaves are not those that it was made over"),
        ("signature = X'00', key_id = 'k'", "the signature of seal 1 is wrong"),
        ("hash = X'00'", "the signature of seal 1 is wrong"),
        ("previous_hash = X'ff', records_up_to = X'ff'", "seal 1 does not follow from seal 0"),
    ],
)
def test_values_of_another_type_are_told_as_what_they_are(
    sqlite_engine: Engine, tmp_path: Path, values: str, said: str
) -> None:
    """SQLite keeps any type in any column."""
    key = replace(seal_keys.make(tmp_path / "key"), key_id="k")
    world.add(sqlite_engine, "ada", 50_000, key="fund")
    seals.catch_up(sqlite_engine, now=LATER, key=key, begins_signing=True)
    damage.behind_its_back(sqlite_engine, f"UPDATE seals SET {values}")
    with database.read(sqlite_engine) as connection:
        assert finish(seal_check.check(connection, key=key)).violations[0] == said
        if "leaves" in values:
            with pytest.raises(SealDamaged):
                seal_proofs.proof_of(connection, 1)


def test_a_thousand_differences_are_named_and_the_rest_is_counted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "MOST_IN_A_SEAL", 5)
    monkeypatch.setattr(seal_check, "_MOST_NAMED", 7)
    world.add(engine, "ada", 50_000, key="fund")
    for number in range(10):
        world.charge(engine, HAIKU, key=f"run-{number}")
    _seal(engine)
    damage.behind_its_back(engine, "UPDATE journal_entries SET actor = 'mallory'")
    checked = _check(engine)
    assert (len(checked.violations), checked.unnamed) == (7, 4)
    with database.read(engine) as connection:
        found = seal_check.seals_hold(connection, {})
    assert found.violations[6:] == ("entry 7 is not what seal 2 sealed", "and 4 more")


def test_a_record_that_was_changed_after_it_was_sealed_is_told_where_no_entry_is_new(
    engine: Engine, book: PriceBook
) -> None:
    """A seal over records alone covers no more entries than the one before."""
    world.add(engine, "ada", 50_000, key="fund")
    _seal(engine)
    _, since = invariants.audit(engine, book.plans)
    assert since is not None
    assert since.seal_number == 1
    damage.administered(engine)
    _seal(engine)
    damage.behind_its_back(engine, "UPDATE audit_runs SET invariants = 2 WHERE id = 1")
    with database.read(engine) as connection:
        checked = finish(seal_check.check(connection, since))
        assert (checked.seals, checked.violations) == (1, ("audit_runs 1 is not what seal 2 sealed",))
        of_an_earlier_version = finish(seal_check.check(connection, replace(since, seal_number=0)))
        assert (of_an_earlier_version.seals, of_an_earlier_version.violations) == (2, checked.violations)
    damage.behind_its_back(engine, "DELETE FROM seals WHERE number > 0")
    with database.read(engine) as connection:
        assert finish(seal_check.check(connection, since)).violations == (
            "seal 1, the last that was checked, is not there",
        )
