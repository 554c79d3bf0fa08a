"""The hashes of seals and the proof of an entry, against calculations written out here from the document alone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.audit import check_proof, seal_proofs, seals
from credits_core.audit.check_proof import ProofFails
from credits_core.audit.refusals import NotSealed
from credits_core.ledger.refusals import UnknownEntry
from credits_core.store import database
from tests.support import world
from tests.support.plain_sql import rows
from tests.support.world import HAIKU_WITH_FEE, LATER, UNLOCK


def _root(leaves: list[bytes]) -> bytes:
    """The tree of RFC 6962, section 2.1, as it is written there: split at the largest power of two below n."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + _root(leaves[:split]) + _root(leaves[split:])).digest()


_LEAVES = st.lists(st.binary(min_size=32, max_size=32), max_size=40)


@given(_LEAVES)
def test_the_root_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    assert check_proof.root_of(leaves) == _root(leaves)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 1_000])
def test_every_leaf_leads_to_the_root_by_its_path_alone(count: int) -> None:
    leaves = [sha256(bytes([number % 251, number // 251])).digest() for number in range(count)]
    root = _root(leaves)
    for index in {0, count // 2, count - 1}:
        path = check_proof.path_to(leaves, index)
        assert len(path) <= 10
        assert check_proof.root_by_path(leaves[index], index, count, path) == root
        assert check_proof.root_by_path(leaves[index], index, count, [*path, root]) is None
        assert check_proof.root_by_path(leaves[index], index, count, path[:-1]) is None or not path
        assert check_proof.root_by_path(leaves[index], count, count, path) is None
        assert check_proof.root_by_path(leaves[index - 1], index, count, path) != root or count == 1


_TEXT = st.one_of(
    st.text(max_size=20), st.sampled_from(['],["entry",[', '"entry",[1', "\\", '["entry",', "é\x7f\n\U0001f600"])
)
_CELL = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), _TEXT)
_RECORDS = st.lists(
    st.tuples(st.just("entry"), st.lists(_CELL, max_size=4), st.lists(st.lists(_CELL, max_size=3), max_size=3), _CELL),
    max_size=5,
)


@given(_RECORDS)
def test_many_entries_have_the_hashes_of_each_alone(records: list[Any]) -> None:
    """They are written as one text and cut, which no text that somebody sent may disturb."""
    alone = [sha256(b"\0" + json.dumps(record, separators=(",", ":")).encode()).digest() for record in records]
    assert check_proof.leaf_hashes(records) == alone


def test_an_entry_without_its_row_is_hashed_all_the_same() -> None:
    records = [["entry", [1], []], ["entry", None, []]]
    assert check_proof.leaf_hashes(records) == [check_proof.leaf_hash(record) for record in records]


# --- the proof of an entry ------------------------------------------------------------------------------------------


@pytest.fixture
def sealed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Eleven entries in six seals: a purchase, nine runs with a fee, and an unlock."""
    monkeypatch.setattr(seals, "MOST_IN_A_SEAL", 2)
    world.add(engine, "ada", 1_000_000, key="fund")
    for number in range(9):
        world.charge(engine, HAIKU_WITH_FEE, key=f"run-{number}")
    world.unlock(engine, UNLOCK, key="unlock")
    seals.catch_up(engine, now=LATER)
    return engine


def _proof(engine: Engine, entry_id: int, head: int | None = None) -> dict[str, Any]:
    with database.read(engine) as connection:
        return json.loads(json.dumps(seal_proofs.proof_of(connection, entry_id, head_number=head)))


def _head(engine: Engine) -> dict[str, Any]:
    with database.read(engine) as connection:
        seal = seals.newest(connection)
    assert seal is not None
    return seal_proofs.head(seal)


def test_the_hash_of_an_entry_can_be_computed_by_a_stranger(sealed: Engine) -> None:
    """From SQL and the document alone: the second entry, a run with a fee, is the second leaf of the first seal."""
    sql = "SELECT id, type, idempotency_key, request_hash, actor, description, refunds_entry_id, created_at_us"
    entry = list(rows(sealed, f"{sql} FROM journal_entries WHERE id = 2")[0])
    transactions = [
        [*row[:-1], row[-1]]
        for row in rows(
            sealed,
            "SELECT position, account_id, type, amount_credits, balance_after_credits, t.created_at_us, u.created_at_us"
            " FROM credit_transactions t LEFT JOIN user_credits u ON u.user_id = account_id WHERE entry_id = 2"
            " ORDER BY position",
        )
    ]
    run = list(
        rows(
            sealed,
            "SELECT user_id, prompt_id, model_id, creator_id, plan_id, input_tokens, output_tokens, run_price_credits,"
            " input_usd_per_mtok, output_usd_per_mtok, request_usd_per_thousand, inference_cost_credits,"
            " creator_fee_credits, platform_markup_credits, total_credits, creator_share_credits, created_at_us, usage,"
            " unit_prices, service_tier, asked_model, used_at_us, price_list_id FROM prompt_runs WHERE entry_id = 2",
        )[0]
    )
    text = json.dumps(["entry", entry, transactions, run, None, None], separators=(",", ":"))
    leaf = sha256(b"\0" + text.encode("ascii")).digest()
    ((leaves, root, entry_count),) = rows(sealed, "SELECT leaves, root, entry_count FROM seals WHERE number = 1")
    assert entry_count == 2
    assert bytes(leaves)[32:64] == leaf  # type: ignore[call-overload]
    cut = [bytes(leaves)[at : at + 32] for at in range(0, len(bytes(leaves)), 32)]  # type: ignore[call-overload]
    assert _root(cut).hex() == root


def test_the_hash_of_a_seal_can_be_computed_by_a_stranger(sealed: Engine) -> None:
    columns = (
        "number, last_entry_id, entry_count, record_count, records_up_to, root, previous_hash, skip_hash, sealed_at_us"
    )
    found = rows(sealed, f"SELECT {columns}, hash FROM seals ORDER BY number")
    hashes = {0: ""}
    for *values, stored in found:
        number = int(str(values[0]))
        text = json.dumps(["promptflow-credits seal 1", *values], separators=(",", ":"))
        hashes[number] = sha256(b"\x02" + text.encode("ascii")).hexdigest()
        assert stored == hashes[number]
        assert values[6] == hashes[number - 1]
        assert values[7] == hashes[number & (number - 1)]
    assert len(found) == 6


@pytest.mark.parametrize("entry_id", [1, 2, 5, 11])
def test_an_entry_is_proved_by_the_head_alone(sealed: Engine, entry_id: int) -> None:
    proof, head = _proof(sealed, entry_id), _head(sealed)
    said = f"entry {entry_id} is as sealed in seal {(entry_id + 1) // 2}, and seal 6 with the hash {head['hash']} names"
    assert check_proof.check(proof, head).startswith(said)
    assert check_proof.check(proof, {"hash": head["hash"]}).startswith(said)


def test_a_proof_leads_to_the_head_that_somebody_kept(sealed: Engine) -> None:
    with database.read(sealed) as connection:
        kept = seals.numbered(connection, 5)
        assert kept is not None
    head = seal_proofs.head(kept)
    assert "and seal 5 with" in check_proof.check(_proof(sealed, 3, head=5), head)
    with pytest.raises(ProofFails, match="leads to seal 6, your head is seal 5: export it again with --head 5"):
        check_proof.check(_proof(sealed, 3), head)


def test_what_is_not_sealed_has_no_proof(sealed: Engine) -> None:
    last = world.charge(sealed, HAIKU_WITH_FEE, key="new").entry_id
    with pytest.raises(NotSealed, match=f"Entry {last} is not sealed yet"):
        _proof(sealed, last)
    with pytest.raises(NotSealed, match="No seal up to 2 covers entry 9"):
        _proof(sealed, 9, head=2)
    with pytest.raises(NotSealed):
        _proof(sealed, 9, head=99)
    with pytest.raises(UnknownEntry):
        _proof(sealed, 99)


def _change(proof: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    changed = deepcopy(proof)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def _every_place(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else None
    if inside is None:
        return [path]
    return [found for step, value in inside for found in _every_place(value, (*path, step))]


def test_no_value_of_a_proof_can_be_changed(sealed: Engine) -> None:
    proof, head = _proof(sealed, 2), _head(sealed)
    unproved = []
    for path in _every_place(proof):
        place: Any = proof
        for step in path:
            place = place[step]
        other = f"{place[:-1]}{'0' if place[-1:] != '0' else '1'}" if isinstance(place, str) else (place or 0) + 1
        try:
            check_proof.check(_change(proof, path, other), head)
            unproved.append(path)
        except ProofFails:
            continue
    assert unproved == []


_BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "a value is left out": lambda proof: proof["record"]["entry"].pop("actor"),
    "a value is added": lambda proof: proof["record"]["entry"].update(note="x"),
    "a transaction is left out": lambda proof: proof["record"]["transactions"].pop(),
    "the run is left out": lambda proof: proof["record"].update(run=None),
    "a seal of the chain is left out": lambda proof: proof["chain"].pop(1),
    "the chain is empty": lambda proof: proof["chain"].clear(),
    "the path is cut": lambda proof: proof["path"].pop(),
    "the path is no hexadecimal": lambda proof: proof["path"].append("x"),
    "the index is none": lambda proof: proof.update(index=None),
    "nothing is left": lambda proof: proof.clear(),
}


@pytest.mark.parametrize("done", _BROKEN)
def test_a_broken_proof_fails_in_one_sentence(sealed: Engine, done: str) -> None:
    proof, head = _proof(sealed, 2), _head(sealed)
    _BROKEN[done](proof)
    with pytest.raises(ProofFails):
        check_proof.check(proof, head)


def test_a_proof_by_another_head_fails(sealed: Engine) -> None:
    proof = _proof(sealed, 2)
    with pytest.raises(ProofFails, match="seal 6 does not have the hash that your head"):
        check_proof.check(proof, {"hash": "0" * 64})
    for hash_ in ("", "x" * 64, None, 7):
        with pytest.raises(ProofFails):
            check_proof.check(proof, {"hash": hash_})


def test_the_checker_runs_alone_with_nothing_but_python(sealed: Engine, tmp_path: Path) -> None:
    alone = shutil.copy(str(check_proof.__file__), tmp_path / "check_proof.py")
    head, proof = tmp_path / "head.json", tmp_path / "proof.json"
    head.write_text(json.dumps(_head(sealed)), encoding="utf-8")
    proof.write_text(json.dumps(_proof(sealed, 4)), encoding="utf-8")

    def check(*arguments: object) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", str(alone), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        return done.returncode, done.stdout + done.stderr

    code, said = check(proof, "--against", head)
    assert (code, said.startswith("ok    entry 4 is as sealed in seal 2, and seal 6 with the hash ")) == (0, True)
    assert check(proof, "--head", _head(sealed)["hash"])[0] == 0
    proof.write_text(proof.read_text("utf-8").replace('"actor": "tester"', '"actor": "mallory"'), encoding="utf-8")
    assert check(proof, "--against", head) == (1, "WRONG entry 4 is not what seal 2 sealed\n")
    proof.write_text("{", encoding="utf-8")
    assert check(proof, "--against", head)[0] == 1
    assert check(proof)[0] == 2


def test_the_time_of_the_seal_is_in_the_head(sealed: Engine) -> None:
    assert _head(sealed)["sealed_at"] == "2026-03-01T13:00:00+00:00"
