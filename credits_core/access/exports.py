"""Notes who took people's ids out of the ledger in a file. What is in the file is for who makes it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.values.roles import Actor, May


def note(
    connection: Connection, file: str, *, detail: Mapping[str, str | int | None], now: datetime, actor: Actor
) -> None:
    """Note that the actor prepares this file. `detail` says what is in it, such as the days.

    Raises:
        NotAllowed: the actor may not export people's ids.
    """
    actor.require(May.EXPORT_PEOPLE)
    activity.note(connection, Change.EXPORTED, file, actor=actor.recorded, now=now, detail=detail)
