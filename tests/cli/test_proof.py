"""The commands `proof …` in this process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import check_proof, seals
from tests.support import busy_ledger, damage, world
from tests.support.commands import Commands
from tests.support.plain_sql import rows, scalar
from tests.support.world import HAIKU_WITH_FEE


@pytest.fixture
def ada(sqlite_engine: Engine) -> Engine:
    """Ada holds 50,000 credits and ran a prompt."""
    world.add(sqlite_engine, "ada", 50_000, key="fund")
    world.charge(sqlite_engine, HAIKU_WITH_FEE, key="run")
    return sqlite_engine


def test_a_head_is_kept_and_tells_of_a_chain_made_anew(commands: Commands, ada: Engine, tmp_path: Path) -> None:
    assert commands("proof", "head") == (
        1,
        "",
        "error: head: nothing is sealed yet. Run: python -m credits_core proof seal\n",
    )
    code, out, _ = commands("proof", "seal")
    hash_ = scalar(ada, "SELECT hash FROM seals")
    assert (code, out) == (0, f"1 new seal.\nThe newest is seal 1 with the hash {hash_}.\n")
    head = tmp_path / "head.json"
    head.write_text(commands("proof", "head", "--json")[1], encoding="utf-8")
    assert json.loads(head.read_text("utf-8"))["hash"] == hash_
    assert commands("proof", "head")[1].splitlines()[1:] == [
        f"hash {hash_}",
        "not signed",
        "not sealed yet: 0 entries, 0 other records",
    ]
    assert commands("proof", "verify", "--against", head)[:2] == (
        0,
        "ok    every seal holds: 1 over 2 entries and 1 other record\n"
        "ok    seal 1 has the hash that was kept\n"
        "      not sealed yet: 0 entries, 0 other records\n",
    )
    damage.behind_its_back(ada, "UPDATE journal_entries SET actor = 'mallory' WHERE id = 2")
    assert commands("proof", "verify")[:2] == (
        1,
        "WRONG entry 2 is not what seal 1 sealed\n      not sealed yet: 0 entries, 0 other records\n",
    )
    damage.behind_its_back(ada, "DELETE FROM seals")
    assert commands("proof", "seal")[0] == 0
    assert commands("proof", "verify")[0] == 0
    code, out, _ = commands("proof", "verify", "--against", head)
    assert (code, out.splitlines()[0]) == (
        1,
        "WRONG seal 1 is not the one whose head was kept: the record up to it was rewritten after the head was kept",
    )


def test_verify_of_the_ledger_seals_what_is_new_and_checks_the_chain(commands: Commands, ledger: Engine) -> None:
    world.add(ledger, "ada", 50_000, key="fund")
    code, out, _ = commands("verify")
    assert code == 0
    assert "ok    the chain of seals holds: 3 checked" in out.splitlines()  # the first plan and the first price list
    assert scalar(ledger, "SELECT count(*) FROM invariant_results WHERE is_ok") == out.count("ok    ")
    damage.behind_its_back(ledger, "UPDATE journal_entries SET actor = 'mallory' WHERE id = 1")
    code, out, _ = commands("verify")
    assert code == 1
    (wrong,) = [line for line in out.splitlines() if line.startswith("WRONG")]
    assert wrong.startswith("WRONG the chain of seals holds: ")
    assert scalar(ledger, "SELECT first_wrong FROM invariant_results WHERE NOT is_ok") == (
        "entry 1 is not what seal 1 sealed"
    )


def test_an_entry_is_exported_and_checked_without_the_database(commands: Commands, ada: Engine, tmp_path: Path) -> None:
    commands("proof", "seal")
    proof, head = tmp_path / "entry.json", tmp_path / "head.json"
    hash_ = scalar(ada, "SELECT hash FROM seals")
    assert commands("proof", "export", "2", "--out", proof)[:2] == (
        0,
        f"{proof}: entry 2, proved by seal 1 with the hash {hash_}\n",
    )
    assert json.loads(commands("proof", "export", "2")[1]) == json.loads(proof.read_text("utf-8"))
    head.write_text(commands("proof", "head", "--json")[1], encoding="utf-8")
    commands.use("sqlite:////nowhere/at/all.db")
    said = f"ok    entry 2 is as sealed in seal 1, and seal 1 with the hash {hash_} names that seal\n"
    assert commands("proof", "check", proof, "--against", head)[:2] == (0, said)
    assert commands("proof", "check", proof, "--head", str(hash_))[:2] == (0, said)
    proof.write_text(proof.read_text("utf-8").replace('"tester"', '"mallory"'), encoding="utf-8")
    assert commands("proof", "check", proof, "--against", head)[:2] == (1, "WRONG entry 2 is not what seal 1 sealed\n")
    assert commands("proof", "check", proof)[2] == (
        "error: proof check: needs the head that you kept: either --head HASH or --against FILE\n"
    )
    proof.write_text("[", encoding="utf-8")
    assert commands("proof", "check", proof, "--against", head)[:2] == (1, f"WRONG {proof} is no JSON\n")
    proof.write_text("[]", encoding="utf-8")
    no_object = "is no proof and no head: it holds no JSON object\n"
    assert commands("proof", "check", proof, "--against", head)[:2] == (1, f"WRONG {proof} {no_object}")
    assert commands("proof", "check", head, "--against", proof)[:2] == (1, f"WRONG {proof} {no_object}")
    assert commands("proof", "check", head, "--against", tmp_path / "gone.json")[1].startswith("WRONG ")
    for said in ("[1]", "[", '{"number": "1", "hash": "ab"}', '{"number": 1, "hash": 2}', "[" * 100_000):
        proof.write_text(said, encoding="utf-8")
        assert commands("proof", "verify", "--against", proof)[::2] == (
            1,
            f"error: {proof}: it is no head as `proof head --json` prints it; nothing was changed\n",
        )


def test_what_is_not_there_has_no_proof(commands: Commands, ada: Engine) -> None:
    assert commands("proof", "export", "2")[2].startswith("error: Entry 2 is not sealed yet.")
    assert commands("proof", "export", "9")[2].startswith("error: There is no journal entry 9.")


def test_a_key_is_made_and_signs(
    commands: Commands, ada: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    commands("proof", "seal")
    code, out, _ = commands("proof", "new-key", key)
    assert code == 0
    assert out.endswith(
        f"Set CREDITS_SEAL_KEY_FILE={key}, then run: python -m credits_core proof seal --begin-signing\n"
    )
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(key))
    code, out, _ = commands("proof", "verify")
    assert (code, "is not signed with the key" in out) == (1, True)
    assert "did not sign the newest seal" in commands("proof", "seal")[2]
    assert commands("proof", "seal", "--begin-signing", "--without-head")[1].splitlines()[2] == "1 new seal."
    assert commands("proof", "verify")[0] == 0
    monkeypatch.delenv("CREDITS_SEAL_KEY_FILE")
    assert "      1 signatures were not checked: they need another key" in commands("proof", "verify")[1].splitlines()
    assert commands("proof", "verify", "--public-key", f"{key}.pub")[0] == 0
    world.charge(ada, HAIKU_WITH_FEE, key="more")
    assert commands("proof", "seal")[2].startswith("error: CREDITS_SEAL_KEY_FILE: is not set")
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(tmp_path / "missing"))
    assert "which cannot be read" in commands("proof", "seal")[2]


@pytest.fixture
def key(commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key that every command of the test has."""
    file = tmp_path / "key"
    commands("proof", "new-key", file)
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(file))
    return file


def test_signing_begins_over_what_a_kept_head_shows_alone(
    commands: Commands, ada: Engine, tmp_path: Path, key: Path
) -> None:
    """Somebody without the key made the chain anew: no command that people run every day signs it."""
    commands("proof", "seal", "--begin-signing")
    head = tmp_path / "head.json"
    head.write_text(commands("proof", "head", "--json")[1], encoding="utf-8")
    old, key_id = rows(ada, "SELECT hash, key_id FROM seals")[0]
    damage.behind_its_back(
        ada,
        "UPDATE journal_entries SET actor = 'mallory' WHERE id = 2",
        "UPDATE seals SET signature = NULL, key_id = NULL, hash = 'made anew'",
    )
    damage.behind_its_back(ada, "DELETE FROM seals")
    seals.catch_up(ada, now=world.LATER)
    new = scalar(ada, "SELECT hash FROM seals")
    assert new != old
    beside = f"The head in {key}.head does not fit: seal 1 is not the one whose head was kept"
    assert commands("proof", "seal")[2].startswith(f"error: {beside}")
    assert commands("proof", "verify")[0] == 1
    code, out, error = commands("proof", "seal", "--begin-signing")
    assert (code, out) == (
        1,
        f"The key {key_id} would sign from here on, over seal 1 with the hash {new}, not signed\n"
        "and over 0 entries and 0 other records that are not sealed yet.\n",
    )
    assert error.startswith("error: --against: give a head that you kept")
    code, out, _ = commands("proof", "seal", "--begin-signing", "--against", head)
    assert (code, out.splitlines()[2][:50]) == (1, "WRONG seal 1 is not the one whose head was kept: t")
    assert rows(ada, "SELECT number, key_id FROM seals") == [(1, None)]
    assert commands("proof", "seal", "--begin-signing", "--without-head")[0] == 0
    assert rows(ada, "SELECT number, key_id FROM seals ORDER BY number") == [(1, None), (2, key_id)]
    assert commands("proof", "seal")[0] == 0


def test_signing_begins_with_a_head_that_fits(commands: Commands, ada: Engine, tmp_path: Path, key: Path) -> None:
    seals.catch_up(ada, now=world.LATER)
    head = tmp_path / "head.json"
    head.write_text(commands("proof", "head", "--json")[1], encoding="utf-8")
    code, out, _ = commands("proof", "seal", "--begin-signing", "--against", head)
    assert (code, out.splitlines()[2:4]) == (0, ["ok    seal 1 has the hash that was kept", "1 new seal."])
    assert "--begin-signing: is missing" in commands("proof", "seal", "--against", head)[2]
    assert "--begin-signing: is missing" in commands("proof", "seal", "--without-head")[2]


def test_signing_begins_only_with_a_key(commands: Commands, ada: Engine) -> None:
    assert commands("proof", "seal", "--begin-signing")[2].startswith("error: CREDITS_SEAL_KEY_FILE: is not set")


def test_a_changed_newest_seal_is_told_by_every_command(commands: Commands, ledger: Engine) -> None:
    """Text where a number belongs, which SQLite keeps: each command says what was changed, and ends with no fault."""
    world.add(ledger, "ada", 50_000, key="fund")
    commands("proof", "seal")
    damage.behind_its_back(
        ledger, "UPDATE seals SET last_entry_id = 'abc', sealed_at_us = 'abc', signature = X'00', key_id = 'x'"
    )
    world.add(ledger, "ada", 500, key="more")
    was_changed = "seal 1 was changed: it does not have the hash of what it says"
    code, out, _ = commands("verify")
    assert (code, [line for line in out.splitlines() if line.startswith("WRONG")]) == (
        1,
        [f"WRONG the chain of seals holds: 0 checked, 1 wrong: {was_changed}"],
    )
    code, out, _ = commands("proof", "verify")
    assert (code, out.splitlines()[0]) == (1, f"WRONG {was_changed}")
    assert out.splitlines()[-1].startswith("      not sealed yet: 2 entries, ")
    for command in (["head"], ["seal"], ["export", "1"]):
        assert commands("proof", *command)[::2] == (
            1,
            "error: Seal 1 was changed: it does not have the hash of what it says. Nothing was sealed. Keep a copy of "
            "the database, then run: python -m credits_core proof verify\n",
        )


def test_a_statement_is_checked_by_the_file_that_stands_alone(
    commands: Commands, sqlite_engine: Engine, tmp_path: Path
) -> None:
    busy_ledger.three_days(sqlite_engine)
    seals.catch_up(sqlite_engine, now=damage.MUCH_LATER)
    file, head = tmp_path / "ada.json", tmp_path / "head.json"
    code, out, _ = commands("proof", "statement", "ada", "--from", "2000-01-01", "--to", "2100-01-01", "--out", file)
    assert (code, out.startswith(f"{file}: "), " entries of ada, proved by seal 1 with the hash " in out) == (
        0,
        True,
        True,
    )
    head.write_text(commands("proof", "head", "--json")[1], encoding="utf-8")
    assert commands("proof", "check", file, "--against", head)[0] == 0
    alone = [sys.executable, "-I", check_proof.__file__, str(file), "--against", str(head)]
    done = subprocess.run(alone, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:5]) == (0, "ok   ")
    for arguments in (["gone.json", "--head", "x"], [str(file), "--against", "gone.json"], [str(file), "--head", "x"]):
        done = subprocess.run([*alone[:3], *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr[:6]) == (1, "", "WRONG ")
    for said in ("[1]", "[", "[" * 100_000, "7"):
        head.write_text(said, encoding="utf-8")
        done = subprocess.run(alone, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr[:6]) == (1, "", "WRONG ")
