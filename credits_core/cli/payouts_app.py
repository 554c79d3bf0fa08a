"""The group `payouts` of the command line: its commands with their options and help, as `main` has those of others."""

from pathlib import Path
from typing import Annotated

import typer

payouts_app = typer.Typer(
    help="Payouts: what creators earned, paid to them in cycles that a second person approves.", no_args_is_help=True
)
Cycle = Annotated[int, typer.Argument(metavar="CYCLE", help="A cycle's number, from payouts list.", min=1)]
PayoutNumber = Annotated[int, typer.Argument(metavar="PAYOUT", help="A payout's number, from payouts show.", min=1)]
Creator = Annotated[str, typer.Argument(metavar="CREATOR", help="A creator's id.")]


@payouts_app.command("list")
def list_cycles(limit: Annotated[int, typer.Option(help="How many cycles.", min=1, max=1_000)] = 12) -> None:
    """List the newest cycles: how many creators they pay, how much, and what became of it."""
    from credits_core.cli import payouts

    payouts.list_cycles(limit)


@payouts_app.command("show")
def show_cycle(
    cycle: Cycle,
    after: Annotated[int, typer.Option(help="Go on after this payout.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="How many creators.", min=1, max=100_000)] = 100,
) -> None:
    """Say of every creator in a cycle whether it pays, how much, and the first rule that said no."""
    from credits_core.cli import payouts

    payouts.show(cycle, after, limit)


@payouts_app.command("preview")
def preview_cycle() -> None:
    """Say what a cycle of today would pay, and to whom not and why. Nothing is changed."""
    from credits_core.cli import payouts

    payouts.preview()


@payouts_app.command("explain")
def explain_creator(creator: Creator) -> None:
    """Explain the payouts of one creator: each cycle, and what a cycle of today would say."""
    from credits_core.cli import payouts

    payouts.explain(creator)


@payouts_app.command("statement")
def creator_statement(
    creator: Creator,
    month: Annotated[str, typer.Argument(metavar="MONTH", help="A month, such as 2026-03.")],
    pdf: Annotated[Path | None, typer.Option(help="Write it into this PDF file as well.", dir_okay=False)] = None,
) -> None:
    """Print a creator's monthly statement, from the opening to the closing balance, with the seal that proves it."""
    from credits_core.cli import payouts

    payouts.statement(creator, month, pdf)


@payouts_app.command("propose")
def propose_cycle() -> None:
    """Propose to pay what is payable today. Nothing is paid until somebody approves it."""
    from credits_core.cli import payouts

    payouts.propose()


@payouts_app.command("approve")
def approve_cycle(cycle: Cycle) -> None:
    """Approve a cycle. The job payouts then pays it within a minute."""
    from credits_core.cli import payouts

    payouts.approve(cycle)


@payouts_app.command("file")
def make_file(cycle: Cycle) -> None:
    """Make a file for the bank, as CSV: the transfers of a cycle that are set aside and in no file yet."""
    from credits_core.cli import payouts

    payouts.make_file(cycle)


@payouts_app.command("files")
def list_files(
    cycle: Cycle, number: Annotated[int | None, typer.Option(help="Print this file again.", min=1)] = None
) -> None:
    """List the files for the bank that were made of a cycle, or print one of them again."""
    from credits_core.cli import payouts

    payouts.list_files(cycle, number)


@payouts_app.command("paid")
def report_paid(
    payout: PayoutNumber,
    reference: Annotated[str, typer.Option(help="The bank's reference of the transfer.")] = "",
) -> None:
    """Say that a payout has arrived. Its credits leave the ledger."""
    from credits_core.cli import payouts

    payouts.paid(payout, reference)


@payouts_app.command("failed")
def report_failed(
    payout: PayoutNumber,
    reason: Annotated[str, typer.Option(help="Why it did not arrive.")],
) -> None:
    """Say that a payout did not arrive. Its credits are the creator's again."""
    from credits_core.cli import payouts

    payouts.failed(payout, reason)


@payouts_app.command("destination")
def set_destination(
    creator: Creator,
    account: Annotated[str | None, typer.Option(help="The creator's account at the payment gateway.")] = None,
    iban: Annotated[str | None, typer.Option(help="The IBAN of the creator's bank account.")] = None,
    holder: Annotated[str | None, typer.Option(help="Whose bank account it is.")] = None,
) -> None:
    """Say where a creator is paid to, from the next cycle on."""
    from credits_core.cli import payouts

    payouts.destination(creator, account, iban, holder)


@payouts_app.command("pause")
def pause_creator(
    creator: Creator, reason: Annotated[str, typer.Option(help="Why no payout is made for now.")]
) -> None:
    """Pause the payouts to one creator."""
    from credits_core.cli import payouts

    payouts.pause(creator, reason)


@payouts_app.command("resume")
def resume_creator(creator: Creator) -> None:
    """Go on with the payouts to one creator."""
    from credits_core.cli import payouts

    payouts.pause(creator, None)
