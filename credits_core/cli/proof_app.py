"""The commands `proof …` with their options and help. What they do is imported when they run."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from credits_core.errors import InvalidRequest

app = typer.Typer(
    help="Seals: prove that nobody rewrote the record, and hand on proofs of single entries.", no_args_is_help=True
)

_DAY = "%Y-%m-%d"


@app.command("head")
def head(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, to be kept in a file.")] = False) -> None:
    """Print the newest seal: keep it where nobody who can write to the database can write."""
    from credits_core.cli import proof

    proof.print_head(as_json=as_json)


@app.command("seal")
def seal(
    begin_signing: Annotated[
        bool, typer.Option("--begin-signing", help="Sign with the key from here on, over all seals before.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(help="To begin signing: a head that was kept, a file from proof head --json.")
    ] = None,
    without_head: Annotated[
        bool, typer.Option("--without-head", help="To begin signing: nobody kept a head; sign what is there.")
    ] = False,
) -> None:
    """Seal what is not sealed yet. Servers do that by themselves once a minute."""
    from credits_core.cli import proof

    if begin_signing:
        proof.begin_signing(against, without_head=without_head)
    elif against is not None or without_head:
        raise InvalidRequest("--begin-signing", "is missing: --against and --without-head say where signing begins")
    else:
        proof.seal_now()


@app.command("verify")
def verify(
    against: Annotated[Path | None, typer.Option(help="A head that was kept: a file from proof head --json.")] = None,
    public_key: Annotated[Path | None, typer.Option(help="The public key to check signatures with.")] = None,
) -> None:
    """Check every seal and every sealed record: finds what was rewritten since. Exit 0 when all hold."""
    from credits_core.cli import proof

    proof.verify(against, public_key)


@app.command("export")
def export(
    entry: Annotated[int, typer.Argument(metavar="ENTRY", help="Number of an entry.", min=1)],
    out: Annotated[Path | None, typer.Option(help="The file to write; default: print it.")] = None,
    head: Annotated[int | None, typer.Option(help="Prove it to this seal, not to the newest one.", min=1)] = None,
) -> None:
    """Write an entry with the proof that it is sealed, as JSON, for somebody who has only the head."""
    from credits_core.cli import proof

    proof.export(entry, out, head)


@app.command("statement")
def statement(
    user: Annotated[str, typer.Argument(metavar="USER", help="A user's or a creator's id.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    first: Annotated[
        datetime | None, typer.Option("--from", formats=[_DAY], help="First day, e.g. 2026-11-01; default: all.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=[_DAY], help="Last day, included.")] = None,
    head: Annotated[int | None, typer.Option(help="Prove it to this seal, not to the newest one.", min=1)] = None,
) -> None:
    """Write every entry of a user or creator in these days, each with its proof, for somebody who has only the head."""
    from credits_core.cli import proof

    proof.statement(user, out, first and first.date(), last and last.date(), head)


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A file from proof export or proof statement.")],
    head: Annotated[str | None, typer.Option(help="The hash of the head that you kept.")] = None,
    against: Annotated[Path | None, typer.Option(help="A file from proof head --json that you kept.")] = None,
) -> None:
    """Check a proof with the head alone, without the database. Exit 0 when it holds."""
    from credits_core.cli import proof

    proof.check(file, head, against)


@app.command("new-key")
def new_key(file: Annotated[Path, typer.Argument(help="A new file for the private key.")]) -> None:
    """Make a key that signs seals. Keep it outside the database and its backups."""
    from credits_core.cli import proof

    proof.new_key(file)
