"""What the commands about payouts do."""

from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import typer

from credits_core import settings
from credits_core.audit import seal_proofs
from credits_core.cli.opened import actor, both, opened_ledger, written
from credits_core.errors import InvalidRequest
from credits_core.ledger import payout_news
from credits_core.ledger import payouts as ledger
from credits_core.payments import (
    configured,
    creator_months,
    destinations,
    month_file,
    payout_files,
    payout_lists,
    payout_words,
    payouts,
)
from credits_core.payments.payouts import Explained
from credits_core.store import database
from credits_core.store.kinds import DestinationKind, PayoutNews
from credits_core.values.days import date_at
from credits_core.values.text import counted

_ALL = 1_000_000


def list_cycles(limit: int) -> None:
    """Print a line for each cycle, newest first."""
    with opened_ledger() as engine, database.read(engine) as connection:
        found = payout_lists.cycles(connection, limit=limit)
    for one in found:
        approved = f"approved by {one.approved_by}" if one.approved_by else "not approved"
        typer.echo(
            f"cycle {one.id}, {one.proposed_at:%Y-%m-%d %H:%M} UTC, by {one.proposed_by}: {one.state}, {approved}; "
            f"{both(one.total_credits)} to {counted(one.payouts, 'creator')} of {one.creators:,}; {one.paid:,} paid, "
            f"{one.on_the_way:,} on the way, {one.failed:,} failed, {one.not_paid:,} not paid"
        )
    if not found:
        typer.echo("No cycle was proposed yet: payouts propose.")


def show(cycle: int, after: int, limit: int) -> None:
    """Print what a cycle says of each creator."""
    with opened_ledger() as engine, database.read(engine) as connection:
        found = payout_lists.of_cycle(connection, cycle, after=after, limit=limit)
    _print(found)


def preview() -> None:
    """Print what a cycle of today would say."""
    with opened_ledger() as engine, database.read(engine) as connection:
        found = payouts.preview(connection, configured.payout_rules(), today=_today(), zone=settings.time_zone())
        _print(list(found))


def explain(creator: str) -> None:
    """Print every cycle of one creator, and what a cycle of today would say."""
    rules = configured.payout_rules()
    with opened_ledger() as engine, database.read(engine) as connection:
        today = list(payouts.preview(connection, rules, today=_today(), zone=settings.time_zone(), creator_id=creator))
        before = payout_lists.of_creator(connection, creator, limit=_ALL)
        sums = payout_lists.sums_of_creator(connection, creator)
    typer.echo(f"{creator}: {both(sums.paid_credits)} paid, {both(sums.on_the_way_credits)} on the way.")
    for one in before:
        typer.echo(f"Cycle {one.cycle_id}: {payout_words.sentence(one)}")
    if not today:
        typer.echo("Today: nothing that was earned is left.")
    for one in today:
        typer.echo(f"Today: {payout_words.sentence(one)}")
    typer.echo(f"Next payday: {rules.next_payday(_today())}.")


def statement(creator: str, month: str, pdf: Path | None) -> None:
    """Print the lines of a month, and write the file."""
    days = creator_months.month(month, settings.time_zone())
    with opened_ledger() as engine, database.read(engine) as connection:
        found = creator_months.statement(connection, creator, days, today=_today())
        seal = seal_proofs.in_words(connection)
    for label, credits in (
        *month_file.lines(found),
        *month_file.parts(found),
        *month_file.debt(found),
        *month_file.payouts(found),
    ):
        typer.echo(f"{label}: {both(credits)}")
    typer.echo(seal)
    if pdf is not None:
        pdf.write_bytes(month_file.pdf(found, seal=seal, made_at=_now()))
        typer.echo(f"Wrote {pdf}.")


def propose() -> None:
    """Propose a cycle and print what it says in sum."""
    zone, who = settings.time_zone(), actor()
    now, rules = _now(), configured.payout_rules()
    with opened_ledger() as engine:
        with database.read(engine) as connection:
            draft = payouts.draft(connection, rules, now=now, zone=zone)
        cycle = database.write(engine, partial(payouts.propose, found=draft, now=now, actor=who))
        with database.read(engine) as connection:
            found = ledger.cycle(connection, cycle)
    typer.echo(f"Cycle {cycle} proposed: {both(found.total_credits)} to {counted(found.payouts, 'creator')}.")
    typer.echo(f"Look at it: payouts show {cycle}. Then: payouts approve {cycle}.")


def approve(cycle: int) -> None:
    """Approve a cycle."""
    found = written(lambda connection: ledger.approve(connection, cycle, now=_now(), actor=actor()))
    typer.echo(
        f"Cycle {cycle} approved: {both(found.total_credits)} to {counted(found.payouts, 'creator')}. "
        "The job payouts pays it within a minute; jobs run payouts does it now."
    )


def make_file(cycle: int) -> None:
    """Make a file of the transfers that are ready, and print it as CSV."""
    with opened_ledger() as engine:
        number = database.write(engine, lambda one: payout_files.make(one, cycle, now=_now(), actor=actor()))
        with database.read(engine) as connection:
            _, content = payout_files.file(connection, number)
    typer.echo(content.decode(), nl=False)


def list_files(cycle: int, number: int | None) -> None:
    """Print a line for each file of a cycle, or one of them again as CSV."""
    with opened_ledger() as engine, database.read(engine) as connection:
        if number is not None:
            typer.echo(payout_files.file(connection, number)[1].decode(), nl=False)
            return
        ledger.require_cycle(connection, cycle)
        found, ready = payout_files.of_cycle(connection, cycle), payout_files.ready_transfers(connection, cycle)
    for one in found:
        typer.echo(
            f"file {one.id}, {one.made_at:%Y-%m-%d %H:%M} UTC, by {one.made_by}: {counted(one.transfers, 'transfer')}, "
            f"{both(one.total_credits)}"
        )
    typer.echo(f"{counted(ready, 'transfer')} ready for a new file.")


def paid(payout: int, reference: str) -> None:
    """Note that a payout arrived."""
    _report(payout, PayoutNews.PAID, reference=reference)
    typer.echo(f"Payout {payout} is paid.")


def failed(payout: int, reason: str) -> None:
    """Note that a payout did not arrive."""
    _report(payout, PayoutNews.FAILED, reason=reason)
    typer.echo(f"Payout {payout} failed. Its credits are the creator's again.")


def destination(creator: str, account: str | None, iban: str | None, holder: str | None) -> None:
    """Keep where a creator is paid to."""
    if (account is None) == (iban is None):
        raise InvalidRequest("destination", "needs either --account or --iban")
    kind, address = (DestinationKind.GATEWAY, account) if iban is None else (DestinationKind.BANK, iban)
    found = written(
        lambda connection: destinations.set_destination(
            connection, creator, kind, address or "", holder=holder, now=_now(), actor=actor()
        )
    )
    typer.echo(f"{creator} is paid to {found.shown} from the next cycle on.")


def pause(creator: str, reason: str | None) -> None:
    """Pause payouts to a creator, or go on with them."""
    written(lambda connection: destinations.pause(connection, creator, reason, now=_now(), actor=actor()))
    typer.echo(f"Payouts to {creator} {'go on' if reason is None else 'are paused'}.")


def _report(payout: int, news: PayoutNews, *, reference: str = "", reason: str = "") -> None:
    written(
        lambda connection: payout_news.report(
            connection, payout, news, reference=reference, reason=reason, now=_now(), actor=actor()
        )
    )


def _print(found: list[Explained]) -> None:
    for one in found:
        number = "" if one.payout_id is None else f"{one.payout_id:>8} "
        typer.echo(f"{number}{one.creator_id}: {payout_words.sentence(one)}")
    paid = [one for one in found if one.amount_credits]
    total = sum(one.amount_credits for one in paid)
    typer.echo(f"{both(total)} to {counted(len(paid), 'creator')} of {len(found):,}.")


def _today() -> date:
    return date_at(_now(), settings.time_zone())


def _now() -> datetime:
    return datetime.now(UTC)
