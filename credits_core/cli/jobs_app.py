"""The group `jobs` of the command line: its commands with their options and help, as `main` has those of others."""

from typing import Annotated

import typer

jobs_app = typer.Typer(
    help="Jobs that run by themselves: their state, their runs, and running one now.", no_args_is_help=True
)
JobName = Annotated[str, typer.Argument(metavar="NAME", help="A job, as jobs list names it.")]


@jobs_app.command("list")
def list_jobs() -> None:
    """List every job: when it runs, its last run and its next one, and which process leads."""
    from credits_core.cli import jobs

    jobs.list_all()


@jobs_app.command("run")
def run_job(
    name: JobName,
    by_schedule: Annotated[bool, typer.Option("--by-schedule", hidden=True)] = False,
) -> None:
    """Run a job now. Exit 0 when it ended well. It never runs twice at once, in whatever process."""
    from credits_core.cli import jobs

    jobs.run(name, by_schedule=by_schedule)


@jobs_app.command("history")
def job_history(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A job; default: all.")] = None,
    limit: Annotated[int, typer.Option(help="How many runs.", min=1, max=1_000)] = 20,
) -> None:
    """List the last runs of a job, or of all, newest first."""
    from credits_core.cli import jobs

    jobs.history(name, limit)
