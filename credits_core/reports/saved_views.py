"""What people chose on a screen, kept by name for everybody who uses the database.

A view is the query of the screen's address, so it says what was chosen and holds no results: "last month" moves on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from credits_core.errors import InvalidRequest
from credits_core.reports.refusals import UnknownView, ViewNameTaken
from credits_core.store.tables import SavedView
from credits_core.values.days import to_microseconds
from credits_core.values.roles import Actor, May

MAX_NAME = 60
Query = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class View:
    """A saved view: its screen, its name, and the query of the screen's address."""

    id: int
    screen: str
    name: str
    query: dict[str, str | list[str]]


def views(connection: Connection, screen: str) -> list[View]:
    """The views of a screen, by their names."""
    found = connection.execute(_select().where(SavedView.screen == screen).order_by(SavedView.folded_name))
    return [_view(row) for row in found]


def save(connection: Connection, screen: str, name: str, query: Query, *, now: datetime, actor: Actor) -> View:
    """Keep what was chosen on the screen under a name.

    Raises:
        NotAllowed: the actor may not see the dashboard.
        InvalidRequest: the name does not have 1 to 60 printable characters.
        ViewNameTaken: the screen has a view with this name.
    """
    actor.require(May.SEE)
    name, kept = _checked(name), {key: text if isinstance(text, str) else [*text] for key, text in query.items()}
    values = {"screen": screen, "name": name, "folded_name": name.casefold(), "query": json.dumps(kept)}
    row = insert(SavedView).values(**values, actor=actor.recorded, saved_at_us=to_microseconds(now))
    try:
        (view_id,) = connection.execute(row.returning(SavedView.id)).one()
    except IntegrityError:
        raise ViewNameTaken(name) from None
    return View(view_id, screen, name, kept)


def rename(connection: Connection, view_id: int, name: str, *, actor: Actor) -> View:
    """Give a view another name, and return the view as it was.

    Raises:
        NotAllowed, InvalidRequest, ViewNameTaken: as `save`.
        UnknownView: it is not there any more.
    """
    actor.require(May.SEE)
    before, name = _found(connection, view_id), _checked(name)
    renamed = update(SavedView).where(SavedView.id == view_id).values(name=name, folded_name=name.casefold())
    try:
        connection.execute(renamed)
    except IntegrityError:
        raise ViewNameTaken(name) from None
    return before


def remove(connection: Connection, view_id: int, *, actor: Actor) -> View:
    """Delete a view, and return it, so that it can be saved again.

    Raises:
        NotAllowed: as `save`.
        UnknownView: it is not there any more.
    """
    actor.require(May.SEE)
    view = _found(connection, view_id)
    connection.execute(delete(SavedView).where(SavedView.id == view_id))
    return view


def _checked(name: str) -> str:
    stripped = name.strip()
    if not stripped:
        raise InvalidRequest("name", "must be given")
    if len(stripped) > MAX_NAME or not stripped.isprintable():
        raise InvalidRequest("name", f"must be at most {MAX_NAME} printable characters")
    return stripped


def _found(connection: Connection, view_id: int) -> View:
    row = connection.execute(_select().where(SavedView.id == view_id)).first()
    if row is None:
        raise UnknownView
    return _view(row)


def _select() -> Any:
    return select(SavedView.id, SavedView.screen, SavedView.name, SavedView.query)


def _view(row: Row[Any]) -> View:
    return View(row.id, row.screen, row.name, json.loads(row.query))
