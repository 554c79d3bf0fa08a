"""What the command `doctor` does: print what was examined, and what to do about it."""

from dataclasses import asdict
from datetime import UTC, datetime

import typer

from credits_core import settings
from credits_core.cli.opened import print_json
from credits_core.operations import doctor
from credits_core.operations.verdicts import Verdict


def examine(*, as_json: bool) -> None:
    """Print a line for each finding, with what to do below it. Exit 1 when something is wrong."""
    found = doctor.examine(settings.database_url(), lambda: datetime.now(UTC))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            mark = one.verdict.value if one.verdict is Verdict.OK else one.verdict.value.upper()
            typer.echo(f"{mark:<8} {one.subject}: {one.said}")
            if one.to_do:
                typer.echo(f"{'':<8} → {one.to_do}")
    if any(one.verdict is Verdict.WRONG for one in found):
        raise typer.Exit(1)
