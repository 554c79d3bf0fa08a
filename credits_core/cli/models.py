"""What the commands about offered models and price lists do."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from credits_core import settings
from credits_core.cli.opened import actor, opened_ledger, price_books, print_json
from credits_core.errors import DataFileInvalid
from credits_core.prices import catalogue, lists, offers, package
from credits_core.pricing.models import Model, ModelRegistry
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.price_words import price_words
from credits_core.store import database


def list_models(search: str, *, every: bool, as_json: bool) -> None:
    """Print the offered models with their prices; with `every`, all that the price package has."""
    with opened_ledger() as engine, database.read(engine) as connection:
        offered = price_books().at(connection).models
    models = [model for model in offered.values() if search.lower() in model.id.lower()]
    if every:
        known = {*offered, *offered.ids_by_package_id}
        others, problems = catalogue.every_model(settings.PRICE_CORRECTIONS_FILE)
        models += [others[one] for one in others if search.lower() in one.lower() and one not in known]
        for problem in problems:
            typer.echo(f"left out: {problem}", err=True)
    if as_json:
        print_json([_as_json(model, offered) for model in models])
        return
    for model in models:
        typer.echo(f"{model.id}  {'offered' if model.id in offered else 'not offered'}  {price_words(model)}")


def list_lists(*, as_json: bool) -> None:
    """Print every price list, newest first, and which is live."""
    with opened_ledger() as engine, database.read(engine) as connection:
        found, journal = lists.lists(connection), lists.activations(connection)
    if as_json:
        print_json(
            {
                "lists": [
                    {
                        "number": one.number,
                        "source": one.source,
                        "saved_by": one.actor,
                        "saved_at": one.saved_at.isoformat(),
                        "is_live": one.is_live,
                    }
                    for one in found
                ],
                "journal": [
                    {
                        "number": one.number,
                        "price_list": one.price_list,
                        "reason": one.reason,
                        "actor": one.actor,
                        "activated_at": one.activated_at.isoformat(),
                    }
                    for one in journal
                ],
            }
        )
        return
    for one in found:
        state = "live" if one.is_live else "    "
        typer.echo(f"{one.number}  {state}  {one.saved_at:%Y-%m-%d %H:%M:%S}Z  {one.actor}  {one.source}")


def show(number: int | None) -> None:
    """Print a price list as TOML; without a number the live one."""
    with opened_ledger() as engine, database.read(engine) as connection:
        typer.echo(lists.text_of(connection, number or offers.live_list(connection)), nl=False)


def diff(number: int) -> None:
    """Print what would change if a price list were made live."""
    with opened_ledger() as engine, database.read(engine) as connection:
        compared = offers.compare(connection, number)
    _print_lines(compared.differences)


def refresh() -> None:
    """Save the live list with the package's prices of today as a new list, and print what would change."""
    now = datetime.now(UTC)
    with opened_ledger() as engine, database.read(engine) as connection:
        text = offers.refreshed_text(connection, corrections=settings.PRICE_CORRECTIONS_FILE, today=now.date())
    if text is None:
        typer.echo(f"All prices match {package.PACKAGE_VERSION}. Nothing was saved.")
        return
    _save(text, package.PACKAGE_VERSION, now)


def import_file(path: Path) -> None:
    """Save a file as a new price list and print what would change."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
    parse_model_registry(text, str(path))
    _save(text, path.name, datetime.now(UTC))


def activate(number: int, reason: str, live_list: int | None) -> None:
    """Print what changes and make a price list live, from the next charge on, if `live_list` is live until then."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        with database.read(engine) as connection:
            compared = offers.compare(connection, number)
        if compared.live != number:
            _print_lines(compared.differences)
        database.write(
            engine,
            lambda connection: offers.make_live(
                connection, number, expected_live=live_list, reason=reason, now=now, actor=actor()
            ),
        )
    typer.echo(f"Price list {number} is live from the next charge on")


def offer(name: str, reason: str, *, is_price_confirmed: bool) -> None:
    """Offer a model of the price package for running: a new price list, live at once."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        number, model_id = database.write(
            engine,
            lambda connection: offers.offer(
                connection,
                name,
                is_price_confirmed=is_price_confirmed,
                corrections=settings.PRICE_CORRECTIONS_FILE,
                reason=reason,
                now=now,
                actor=actor(),
            ),
        )
    typer.echo(f"{model_id} is offered from now on, by price list {number}")


def withdraw(model_id: str, reason: str) -> None:
    """Offer a model no more: a new price list, live at once. Past runs keep their price."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        number = database.write(
            engine, lambda connection: offers.withdraw(connection, model_id, reason=reason, now=now, actor=actor())
        )
    typer.echo(f"{model_id} is not offered any more, by price list {number}")


def _print_lines(differences: Iterable[str]) -> None:
    for line in [*differences] or ["No price changes"]:
        typer.echo(line)


def _save(text: str, source: str, now: datetime) -> None:
    with opened_ledger() as engine:
        number = database.write(
            engine, lambda connection: lists.save(connection, text, source=source, now=now, actor=actor())
        )
        with database.read(engine) as connection:
            compared = offers.compare(connection, number)
    _print_lines(compared.differences)
    command = f"models activate {number} --live-list {compared.live} --reason …"
    typer.echo(f"Price list {number} is saved and not live. Make it live: {command}")


def _as_json(model: Model, offered: ModelRegistry) -> dict[str, Any]:
    return {
        "id": model.id,
        "name": model.name,
        "provider": model.provider,
        "type": model.type,
        "offered": model.id in offered,
        "price": price_words(model),
        "context_tokens": model.context_tokens,
        "source": model.source,
        "checked_on": None if model.checked_on is None else model.checked_on.isoformat(),
    }
