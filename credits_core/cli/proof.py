"""What the commands about seals do: the head, sealing, checking, and proofs to hand on."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import typer

from credits_core import settings
from credits_core.audit import check_proof, heads, seal_check, seal_keys, seal_proofs, seal_workers, seals
from credits_core.audit.refusals import SealDamaged
from credits_core.audit.seal_check import Checked
from credits_core.audit.seal_keys import SealKey
from credits_core.audit.seals import StoredSeal
from credits_core.cli.opened import opened_ledger, print_json
from credits_core.errors import InvalidRequest
from credits_core.store import database
from credits_core.values.days import DayRange
from credits_core.values.progress import finish
from credits_core.values.text import counted

_SHOWN = 20


def print_head(*, as_json: bool) -> None:
    """Print the newest seal, to be kept elsewhere."""
    with opened_ledger() as engine, database.read(engine) as connection:
        seal, left = seals.newest(connection), seals.unsealed(connection)
    if seal is None:
        raise InvalidRequest("head", "nothing is sealed yet. Run: python -m credits_core proof seal")
    if not seal.is_whole():
        raise SealDamaged(seal.number, "it does not have the hash of what it says")
    if as_json:
        print_json(seal_proofs.head(seal))
        return
    typer.echo(f"seal {seal.number:,} of {seal.sealed_at:%Y-%m-%d %H:%M:%S} UTC, up to entry {seal.last_entry_id:,}")
    typer.echo(f"hash {seal.hash}")
    typer.echo("not signed" if seal.signature is None else f"signed with key {seal.key_id}: {seal.signature}")
    typer.echo(f"not sealed yet: {left.entries:,} entries, {left.records:,} other records")


def seal_now() -> None:
    """Seal everything that is not sealed yet."""
    _seal(seal_keys.configured(), begins_signing=False)


def begin_signing(against: Path | None, *, without_head: bool) -> None:
    """Say over what the key would sign, compare that with a head that was kept, and sign from there on."""
    key = seal_keys.configured()
    if key is None:
        raise InvalidRequest("CREDITS_SEAL_KEY_FILE", "is not set, so there is no key to sign with")
    head = None if against is None else heads.read(against)
    with opened_ledger() as engine, database.read(engine) as connection:
        newest, left = seals.newest(connection), seals.unsealed(connection)
        said = None if head is None else heads.against(connection, head)
    typer.echo(f"The key {key.key_id} would sign from here on, {_over(newest)}")
    typer.echo(f"and over {_entries(left.entries)} and {left.records:,} other records that are not sealed yet.")
    if said is not None:
        typer.echo(f"WRONG {said}; nothing was signed")
        raise typer.Exit(1)
    if head is not None:
        typer.echo(f"ok    seal {head.number:,} has the hash that was kept")
    elif (newest is not None or _was_signed_before(key)) and not without_head:
        raise InvalidRequest(
            "--against",
            "give a head that you kept, to show that these are the seals that were made; where nobody kept one, say "
            "--without-head. Nothing was signed",
        )
    _seal(key, begins_signing=True)


def _over(newest: StoredSeal | None) -> str:
    if newest is None:
        return "over a chain without a seal"
    signed = "not signed" if newest.key_id is None else f"signed with the key {newest.key_id}"
    return f"over seal {newest.number:,} with the hash {newest.hash}, {signed}"


def _was_signed_before(key: SealKey) -> bool:
    return key.file is not None and heads.file_beside(key.file).exists()


def _seal(key: SealKey | None, *, begins_signing: bool) -> None:
    with opened_ledger() as engine:
        with database.read(engine) as connection:
            waiting = seals.unsealed(connection).entries
        with seal_workers.for_many(engine, waiting) as hashing:
            made = seals.catch_up(
                engine, now=datetime.now(UTC), key=key, begins_signing=begins_signing, hashing=hashing
            )
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
    head = None if against is None else heads.read(against)
    with opened_ledger() as engine, database.read(engine) as connection:
        with seal_workers.for_many(engine, _sealed_entries(seals.newest(connection))) as hashing:
            checked = finish(seal_check.check(connection, key=key, hashing=hashing))
        kept = None if head is None else heads.against(connection, head)
        left = seals.unsealed(connection)
    wrong = [*([kept] if kept else []), *checked.violations]
    for sentence in wrong[:_SHOWN]:
        typer.echo(f"WRONG {sentence}")
    if len(wrong) > _SHOWN:
        typer.echo(f"and {len(wrong) - _SHOWN + checked.unnamed:,} more")
    if not wrong:
        typer.echo(f"ok    {_said(checked)}")
    if head is not None and kept is None:
        typer.echo(f"ok    seal {head.number:,} has the hash that was kept")
    if checked.unproved_signatures:
        typer.echo(f"      {checked.unproved_signatures:,} signatures were not checked: they need another key")
    typer.echo(f"      not sealed yet: {left.entries:,} entries, {left.records:,} other records")
    if wrong:
        raise typer.Exit(1)


def _sealed_entries(newest: StoredSeal | None) -> int:
    """About how many entries are sealed; a seal that was changed may say anything."""
    return newest.last_entry_id if newest is not None and newest.is_whole() else 0


def _said(checked: Checked) -> str:
    over = _entries(checked.entries)
    return f"every seal holds: {checked.seals:,} over {over} and {counted(checked.records, 'other record')}"


def _entries(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


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


def statement(user: str, out: Path, first: date | None, last: date | None, head: int | None) -> None:
    """Write the entries of a user or creator in these days with their proofs to a file."""
    days = DayRange(first, last, settings.time_zone())
    with opened_ledger() as engine, database.read(engine) as connection:
        found = seal_proofs.statement_of(connection, user, days, head_number=head)
    out.write_text(f"{json.dumps(found, indent=2)}\n", encoding="utf-8")
    top = found["proofs"][0]["chain"][0]
    typer.echo(
        f"{out}: {_entries(len(found['proofs']))} of {user}, proved by seal {top['number']:,} with the hash "
        f"{check_proof.seal_hash(top)}"
    )


def check(file: Path, hash_: str | None, against: Path | None) -> None:
    """Check a proof in a file against a head. Exit 0 when it holds. Asks no database."""
    if (hash_ is None) == (against is None):
        raise InvalidRequest("proof check", "needs the head that you kept: either --head HASH or --against FILE")
    try:
        head = {"hash": hash_} if against is None else check_proof.read(against)
        said = check_proof.check(check_proof.read(file), head)
    except check_proof.ProofFails as failure:
        typer.echo(f"WRONG {failure}")
        raise typer.Exit(1) from None
    typer.echo(f"ok    {said}")


def new_key(file: Path) -> None:
    """Make a key that signs seals, in a new file."""
    key = seal_keys.make(file)
    typer.echo(f"Key {key.key_id} is in {file}, which only you can read; {file}.pub checks signatures.")
    typer.echo(f"Set CREDITS_SEAL_KEY_FILE={file}, then run: python -m credits_core proof seal --begin-signing")
