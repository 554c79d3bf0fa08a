"""What most commands begin with: the configured ledger and price books, and how amounts are printed."""

import getpass
import json
import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import typer
from sqlalchemy import Connection, Engine

from credits_core import logs, settings
from credits_core.plans.book import PriceBooks
from credits_core.store import database
from credits_core.values.fields import is_id
from credits_core.values.roles import Actor, Way, operator
from credits_core.values.text import counted, format_usd

Done = TypeVar("Done")


def opened_ledger() -> AbstractContextManager[Engine]:
    """The configured database, which is at the newest migration, or `DatabaseNotReady`.

    What goes wrong meanwhile is logged on stderr: stdout has what the command prints.
    """
    logs.configure(sys.stderr, logging.WARNING)
    logs.begin()
    return database.opened_ledger(settings.database_url())


def written(action: Callable[[Connection], Done]) -> Done:
    """What an action on the configured ledger returns, in one unit of work."""
    with opened_ledger() as engine:
        return database.write(engine, action)


def price_books() -> PriceBooks:
    """The price books over the models of this version."""
    return PriceBooks(settings.load_models())


def actor() -> Actor:
    """Whoever runs the command: the operator of this machine, by the login name where that can be recorded."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # the user has no name, as in some containers
        login = ""
    named = operator(Way.CLI, login)
    return named if is_id(named.recorded) else operator(Way.CLI)


def both(credits: int) -> str:
    """Credits with their exact dollar value.

    >>> both(4_425)
    '4,425 credits = $0.004425'
    """
    return f"{counted(credits, 'credit')} = {format_usd(credits)}"


def print_json(content: Any) -> None:
    """Print JSON that a person can read as well."""
    typer.echo(json.dumps(content, indent=2))
