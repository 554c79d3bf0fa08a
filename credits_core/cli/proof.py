"""What the commands about seals do: the head, sealing, checking, and proofs to hand on."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from credits_core.audit import check_proof, seal_check, seal_keys, seal_proofs, seal_workers, seals
from credits_core.audit.seal_check import Checked, Head
from credits_core.cli.opened import opened_ledger, print_json
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.store import database
from credits_core.values.progress import finish
from credits_core.values.text import counted

_SHOWN = 20


def print_head(*, as_json: bool) -> None:
    """Print the newest seal, to be kept elsewhere."""
    with opened_ledger() as engine, database.read(engine) as connection:
        seal, left = seals.newest(connection), seals.unsealed(connection)
    if seal is None:
        raise InvalidRequest("head", "nothing is sealed yet. Run: python -m credits_core proof seal")
    if as_json:
        print_json(seal_proofs.head(seal))
        return
    typer.echo(f"seal {seal.number:,} of {seal.sealed_at:%Y-%m-%d %H:%M:%S} UTC, up to entry {seal.last_entry_id:,}")
    typer.echo(f"hash {seal.hash}")
    typer.echo("not signed" if seal.signature is None else f"signed with key {seal.key_id}: {seal.signature}")
    typer.echo(f"not sealed yet: {left.entries:,} entries, {left.records:,} other records")


def seal_now() -> None:
    """Seal everything that is not sealed yet. With a new key, this is where signing begins."""
    with opened_ledger() as engine:
        key = seal_keys.configured()
        with database.read(engine) as connection:
            waiting = seals.unsealed(connection).entries
        with seal_workers.for_many(engine, waiting) as hashing:
            made = seals.catch_up(engine, now=datetime.now(UTC), key=key, begins_signing=True, hashing=hashing)
        with database.read(engine) as connection:
            seal, left = seals.newest(connection), seals.unsealed(connection)
    if left.entries and not made:
        typer.echo("Another process is sealing now.")
    else:
        typer.echo(f"{made:,} new {'seal' if made == 1 else 'seals'}.")
    if seal is not None:
        typer.echo(f"The newest is seal {seal.number:,} with the hash {seal.hash}.")


def verify(against: Path | None, public_key: Path | None) -> None:
    """Check the whole chain and every sealed record, and a head that was kept. Exit 0 when all of it holds."""
    key = seal_keys.configured() if public_key is None else seal_keys.read(public_key, setting="--public-key")
    head = None if against is None else _head_in(against)
    with opened_ledger() as engine, database.read(engine) as connection:
        newest = seals.newest(connection)
        with seal_workers.for_many(engine, 0 if newest is None else newest.last_entry_id) as hashing:
            checked = finish(seal_check.check(connection, key=key, hashing=hashing))
        kept = None if head is None else seal_check.against(connection, head)
        left = seals.unsealed(connection)
    wrong = [*([kept] if kept else []), *checked.violations]
    for sentence in wrong[:_SHOWN]:
        typer.echo(f"WRONG {sentence}")
    if len(wrong) > _SHOWN:
        typer.echo(f"and {len(wrong) - _SHOWN:,} more")
    if not wrong:
        typer.echo(f"ok    {_said(checked)}")
    if head is not None and kept is None:
        typer.echo(f"ok    seal {head.number:,} has the hash that was kept")
    if checked.unproved_signatures:
        typer.echo(f"      {checked.unproved_signatures:,} signatures were not checked: they need another key")
    typer.echo(f"      not sealed yet: {left.entries:,} entries, {left.records:,} other records")
    if wrong:
        raise typer.Exit(1)


def _said(checked: Checked) -> str:
    over = f"{checked.entries:,} {'entry' if checked.entries == 1 else 'entries'}"
    return f"every seal holds: {checked.seals:,} over {over} and {counted(checked.records, 'other record')}"


def export(entry_id: int, out: Path | None, head: int | None) -> None:
    """Print an entry with its proof as JSON, or write it to a file."""
    with opened_ledger() as engine, database.read(engine) as connection:
        proof = seal_proofs.proof_of(connection, entry_id, head_number=head)
    if out is None:
        print_json(proof)
        return
    out.write_text(f"{json.dumps(proof, indent=2)}\n", encoding="utf-8")
    top = proof["chain"][0]
    typer.echo(
        f"{out}: entry {entry_id:,}, proved by seal {top['number']:,} with the hash {check_proof.seal_hash(top)}"
    )


def check(file: Path, hash_: str | None, against: Path | None) -> None:
    """Check a proof in a file against a head. Exit 0 when it holds. Asks no database."""
    if (hash_ is None) == (against is None):
        raise InvalidRequest("proof check", "needs the head that you kept: either --head HASH or --against FILE")
    head = {"hash": hash_} if against is None else dict(_read_json(against))
    try:
        said = check_proof.check(_read_json(file), head)
    except check_proof.ProofFails as failure:
        typer.echo(f"WRONG {failure}")
        raise typer.Exit(1) from None
    typer.echo(f"ok    {said}")


def new_key(file: Path) -> None:
    """Make a key that signs seals, in a new file."""
    key = seal_keys.make(file)
    typer.echo(f"Key {key.key_id} is in {file}, which only you can read; {file}.pub checks signatures.")
    typer.echo(f"Set CREDITS_SEAL_KEY_FILE={file}, then run: python -m credits_core proof seal")


def _head_in(file: Path) -> Head:
    found = _read_json(file)
    try:
        return Head(int(found["number"]), str(found["hash"]))
    except (KeyError, TypeError, ValueError):
        raise DataFileInvalid(str(file), ["it is no head as `proof head --json` prints it"]) from None


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise DataFileInvalid(str(file), ["it is no JSON"]) from None
