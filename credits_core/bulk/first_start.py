"""How a database began: with the demo, with somebody's own data, or empty by choice; and that choice.

Why the choice is a row and the other beginnings are not: docs/decisions/0020-the-first-start.md.
"""

from datetime import datetime
from enum import Enum, auto

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.bulk import demo
from credits_core.ledger import trial_users
from credits_core.store.tables import CleanStart
from credits_core.values.days import to_microseconds
from credits_core.values.roles import Actor, May

_THE_ROW = 1


class Beginning(Enum):
    """How a database began. The first two have no entry and no account."""

    UNDECIDED = auto()
    CLEAN = auto()
    DEMO = auto()
    OWN = auto()

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been recorded yet."""
        return self in (Beginning.UNDECIDED, Beginning.CLEAN)


def beginning(connection: Connection) -> Beginning:
    """How this database began. Reads a row or three, however long the ledger is."""
    first = trial_users.first_entry(connection)
    if first is not None:
        return Beginning.DEMO if trial_users.is_of_demo(*first) else Beginning.OWN
    if demo.has_accounts(connection):
        return Beginning.OWN
    is_chosen = connection.execute(select(CleanStart.id)).first() is not None
    return Beginning.CLEAN if is_chosen else Beginning.UNDECIDED


def choose_clean(connection: Connection, *, now: datetime, actor: Actor) -> None:
    """Keep in mind that this database begins empty. A second time, it changes nothing.

    Raises:
        NotAllowed: the actor may not manage the database.
    """
    actor.require(May.MANAGE)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert(CleanStart).values(id=_THE_ROW, actor=actor.recorded, chosen_at_us=to_microseconds(now))
    connection.execute(row.on_conflict_do_nothing())
