"""The commands about usage of other systems: bring a file in, list, delete, and what was refused."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set's name, from usage list.")]

usage_app = typer.Typer(help="Usage of other systems: bring it in, to replay it under plans.", no_args_is_help=True)


@usage_app.command("import")
def import_usage(
    file: Annotated[Path, typer.Argument(help="CSV, JSON lines, JSON or Parquet, also in gzip or zip.")],
    format_key: Annotated[
        str | None, typer.Option("--format", help="The format, such as litellm; default: told by the columns.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the data set; default: as the file.")] = None,
    model: Annotated[str, typer.Option(help="The model of rows that name none, e.g. openai/gpt-4o.")] = "",
    columns: Annotated[
        list[str] | None, typer.Option("--map", metavar="WHAT=COLUMN", help="Which column is what: time=When.")
    ] = None,
    matches: Annotated[
        list[str] | None, typer.Option("--match", metavar="NAME=MODEL", help="Which model a name of the file means.")
    ] = None,
    dates: Annotated[str | None, typer.Option(help="What 5/10/2024 is: day-first or month-first.")] = None,
    decimals: Annotated[str | None, typer.Option(help="How decimals are written: point or comma.")] = None,
    parts: Annotated[
        str | None, typer.Option(help="Cached tokens are counted inside the input, or outside: beside it.")
    ] = None,
    pseudonyms: Annotated[bool, typer.Option("--pseudonyms", help="Keep no id of a person, only pseudonyms.")] = False,
    as_json: Json = False,
) -> None:
    """Bring a file of usage in as a data set. It is kept in data/usage, not in the ledger, and charges nobody."""
    from credits_core.cli import usage

    answers = {"dates": dates, "decimals": decimals, "parts": parts}
    usage.import_file(
        file,
        format_key=format_key,
        name=name,
        model=model,
        columns=columns or [],
        matches=matches or [],
        answers={question: answer for question, answer in answers.items() if answer is not None},
        has_pseudonyms=pseudonyms,
        as_json=as_json,
    )


@usage_app.command("list")
def list_data_sets(as_json: Json = False) -> None:
    """List every data set with its rows, days, users, models and size."""
    from credits_core.cli import usage

    usage.list_data_sets(as_json=as_json)


@usage_app.command("costs")
def compare_costs(name: Name, as_json: Json = False) -> None:
    """Show what the log says that its runs cost beside our cost, by model, with the difference explained."""
    from credits_core.cli import usage

    usage.compare_costs(name, as_json=as_json)


@usage_app.command("refused")
def list_refused(name: Name, as_json: Json = False) -> None:
    """List the rows of the file that could not be used, with line, column and reason."""
    from credits_core.cli import usage

    usage.list_refused(name, as_json=as_json)


@usage_app.command("delete")
def delete_data_set(name: Name, as_json: Json = False) -> None:
    """Delete a data set for ever. The ledger never had it."""
    from credits_core.cli import usage

    usage.delete(name, as_json=as_json)
