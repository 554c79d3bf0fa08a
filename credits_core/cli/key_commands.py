"""The group `api-key` of the command line: its commands with their options and help, as `main` has those of others."""

from typing import Annotated

import typer

from credits_core.values.roles import Role

key_app = typer.Typer(help="The keys of the API: make, list, replace and revoke them.", no_args_is_help=True)


@key_app.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Who uses the key; entries name it as api/NAME.")],
    role: Annotated[Role, typer.Option(help="admin: add, charge, refund; service: charge and read; user: read one.")],
    user_id: Annotated[str | None, typer.Option(help="Whose data a key with the role user may see.")] = None,
    expires: Annotated[str | None, typer.Option(help="UTC day from which the key is refused, e.g. 2027-01-31.")] = None,
) -> None:
    """Make a key and print it. It is shown only now: only its hash is stored."""
    from credits_core.cli import keys

    keys.create(name, role, user_id, expires)


@key_app.command("list")
def list_keys() -> None:
    """List every key that was ever made, newest first."""
    from credits_core.cli import keys

    keys.list_all()


@key_app.command("rotate")
def rotate_key(
    name: Annotated[str, typer.Option(help="The key's name, which the new key gets too.")],
    overlap: Annotated[
        str, typer.Option(help="How long the old key still works, e.g. 90m, 24h or 7d; 0: not at all. At most 30d.")
    ] = "24h",
    expires: Annotated[str | None, typer.Option(help="UTC day from which the new key is refused.")] = None,
) -> None:
    """Replace a key: make a new one under the same name, and let the old one work for a while. Prints the new one."""
    from credits_core.cli import keys

    keys.rotate(name, overlap, expires)


@key_app.command("revoke")
def revoke_key(name: Annotated[str, typer.Option(help="The key's name.")]) -> None:
    """Refuse every key with this name from now on, a replaced one too."""
    from credits_core.cli import keys

    keys.revoke(name)
