"""The commands `proof …` in this process."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support import damage, world
from tests.support.commands import Commands
from tests.support.plain_sql import scalar
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
    assert commands("proof", "check", proof, "--against", head)[2].startswith(f"error: {proof}: it is no JSON")
    proof.write_text("[]", encoding="utf-8")
    assert commands("proof", "check", proof, "--against", head)[0] == 1


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
    assert out.endswith(f"Set CREDITS_SEAL_KEY_FILE={key}, then run: python -m credits_core proof seal\n")
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(key))
    code, out, _ = commands("proof", "verify")
    assert (code, "is not signed with the key" in out) == (1, True)
    assert commands("proof", "seal")[1].startswith("1 new seal.\n")
    assert commands("proof", "verify")[0] == 0
    monkeypatch.delenv("CREDITS_SEAL_KEY_FILE")
    assert "      1 signatures were not checked: they need another key" in commands("proof", "verify")[1].splitlines()
    assert commands("proof", "verify", "--public-key", f"{key}.pub")[0] == 0
    world.charge(ada, HAIKU_WITH_FEE, key="more")
    assert commands("proof", "seal")[2].startswith("error: CREDITS_SEAL_KEY_FILE: is not set")
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(tmp_path / "missing"))
    assert "which cannot be read" in commands("proof", "seal")[2]
