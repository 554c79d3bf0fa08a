"""What changes the live price list: offer a model, withdraw one, and make a saved list live.

Whoever changes the live list names the one that they saw, or has the change made to the one that is live while nobody
else can make another live. So nobody undoes the change of another person unseen. Like the ledger's actions, these never
commit and never ask for the time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from credits_core.prices import lists
from credits_core.prices.list_toml import differences, refreshed, with_model, without_model
from credits_core.prices.refusals import LiveListChanged, NoLivePriceList
from credits_core.values.roles import Actor, May

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Compared:
    """A price list beside the live one, by their numbers, and what would change: a line for each model."""

    number: int
    live: int
    differences: tuple[str, ...]


def live_list(connection: Connection) -> int:
    """The number of the live list.

    Raises:
        NoLivePriceList: the database was not migrated to its end.
    """
    live = lists.live_list(connection)
    if live is None:
        raise NoLivePriceList
    return live


def offer(
    connection: Connection,
    name: str,
    *,
    is_price_confirmed: bool = False,
    corrections: Path,
    reason: str,
    now: datetime,
    actor: Actor,
) -> tuple[int, str]:
    """Offer a model of the price package from the next charge on, and return the new live list and the model's id.

    Where another person must approve it, the list is saved and not live: it is to be proposed (`access.proposals`).

    Raises:
        NotAllowed: the actor may not make prices live.
        UnknownModel, AmbiguousModel, NoPrice: no model has the name, several have it, or it has no price.
        InvalidRequest: the model is offered already, or the reason is not 1 to 500 characters.
        PriceNotConfirmed: a price is above 1,000 dollars, and nobody has confirmed it.
    """
    actor.require(May.PROPOSE_PLANS)
    text, model_id = _of_the_live_list(
        connection,
        lambda live: with_model(live, name, corrections, now.date(), is_price_confirmed=is_price_confirmed),
    )
    return _save_live(connection, text, f"{model_id} offered", reason, now, actor), model_id


def withdraw(connection: Connection, model_id: str, *, reason: str, now: datetime, actor: Actor) -> int:
    """Offer a model no more from the next charge on, and return the new live list. Past runs keep their price.

    Where another person must approve it, the list is saved and not live, as with `offer`.

    Raises:
        NotAllowed: the actor may not make prices live.
        NotOffered: the live list does not have it.
        InvalidRequest: it is the last model, or the reason is not 1 to 500 characters.
    """
    actor.require(May.PROPOSE_PLANS)
    text = _of_the_live_list(connection, lambda live: without_model(live, model_id))
    return _save_live(connection, text, f"{model_id} withdrawn", reason, now, actor)


def make_live(
    connection: Connection, number: int, *, expected_live: int | None, reason: str, now: datetime, actor: Actor
) -> None:
    """Make a saved list live from the next charge on. `expected_live` is the live list that it was compared with.

    Raises:
        LiveListChanged: another list is live, so its changes would be undone unseen.
        NotAllowed, InvalidRequest, UnknownPriceList, PriceListLive: as `lists.activate`.
    """
    actor.require(May.PROPOSE_PLANS)
    lists.lock(connection)
    live = live_list(connection)
    lists.text_of(connection, number)
    if live not in (expected_live, number):
        (record,) = (one for one in lists.lists(connection) if one.is_live)
        newest = lists.activations(connection)[0]
        raise LiveListChanged(
            number, expected_live, live, source=record.source, actor=newest.actor, activated_at=newest.activated_at
        )
    lists.activate(connection, number, reason=reason, now=now, actor=actor)


def compare(connection: Connection, number: int) -> Compared:
    """What would change if this list were made live.

    Raises:
        UnknownPriceList, DataFileInvalid: as `lists.models_of`.
    """
    live = live_list(connection)
    changes = differences(lists.models_of(connection, live), lists.models_of(connection, number))
    return Compared(number, live, tuple(changes))


def refreshed_text(connection: Connection, *, corrections: Path, today: date) -> str | None:
    """The live list with the package's prices of today, to be saved as a new one; None when no price has changed.

    Raises:
        DataFileInvalid: the package has no such model, or no price for it. Every model with a problem is listed.
    """
    before = lists.text_of(connection, live_list(connection))
    text, changes = refreshed(before, "the live price list", corrections, today)
    return text if changes else None


def _of_the_live_list(connection: Connection, change: Callable[[str], Result]) -> Result:
    # A change takes some 0.2 seconds, and charges wait for the lock. So it is made before, and once more only if
    # another list went live meanwhile.
    seen = live_list(connection)
    changed = change(lists.text_of(connection, seen))
    lists.lock(connection)
    live = live_list(connection)
    return changed if live == seen else change(lists.text_of(connection, live))


def _save_live(connection: Connection, text: str, source: str, reason: str, now: datetime, actor: Actor) -> int:
    number = lists.save(connection, text, source=source, now=now, actor=actor)
    if not actor.needs_second():
        lists.activate(connection, number, reason=reason, now=now, actor=actor)
    return number
