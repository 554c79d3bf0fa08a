"""What the command `margin` does."""

from dataclasses import asdict

import typer

from credits_core import settings
from credits_core.cli.opened import opened_ledger, print_json
from credits_core.cli.plans import day
from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.shape import CardFee
from credits_core.reports import margin as margins
from credits_core.reports.margin import By, Margin
from credits_core.store import database
from credits_core.values.days import DayRange
from credits_core.values.text import counted, format_bps, format_usd


def show(
    named: str,
    first: str | None,
    last: str | None,
    card_fee_bps: int,
    card_fee_credits: int,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Print what is left of each, what loses most first, and the sum."""
    if named not in set(By):
        raise InvalidRequest("by", f"must be one of {', '.join(By)}, not {named!r}")
    by, days = By(named), DayRange(day("from", first), day("to", last), settings.time_zone())
    if days.first and days.last and days.first > days.last:
        raise InvalidRequest("from", "must not be after to")
    with opened_ledger() as engine, database.read(engine) as connection:
        found = margins.margins(connection, days, by, CardFee(card_fee_bps, card_fee_credits))
    total = margins.in_all(found)
    if as_json:
        print_json({"by": str(by), "in_all": _fields(total), "rows": [_fields(one) for one in found[:limit]]})
        return
    for one in found[:limit]:
        mended = f"; {format_bps(one.mending_bps)} more on its models' cost would mend it" if one.mending_bps else ""
        typer.echo(f"{_line(one.name, one)}{mended}")
    if len(found) > limit:
        typer.echo(f"and {counted(len(found) - limit, 'other')}")
    typer.echo(_line(f"in all, {counted(len(found), str(by))}", total))


def _line(name: str, one: Margin) -> str:
    return (
        f"{name}: paid {format_usd(one.paid_credits)}, models {format_usd(one.inference_credits)}, creators "
        f"{format_usd(one.creators_credits)}, card fee {format_usd(one.card_fee_credits)}, left "
        f"{format_usd(one.left_credits)}"
    )


def _fields(one: Margin) -> dict[str, object]:
    return asdict(one) | {
        "creators_credits": one.creators_credits,
        "left_credits": one.left_credits,
        "mending_bps": one.mending_bps,
    }
