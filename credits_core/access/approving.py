"""What every change is that a second person must approve, and with what it is carried out then."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from sqlalchemy import Connection

from credits_core.pricing.quote import PriceBook
from credits_core.values.roles import Actor, May


@dataclass(frozen=True, slots=True)
class Approval:
    """With what an approved change is carried out. `reason` is the proposal's, `actor` whoever approves it.

    `book_at` gives the live price book. Only a change that needs it asks: on PostgreSQL it is then kept live.
    """

    book_at: Callable[[Connection], PriceBook]
    reason: str
    key: str
    actor: Actor
    now: datetime


class ProposedChange(Protocol):
    """One change. `asks` is what whoever proposes it must be allowed, `approves` what the second person must be."""

    asks: ClassVar[May]
    approves: ClassVar[May]

    @property
    def kind(self) -> str:
        """The kind of change, as it is stored."""

    @property
    def subject(self) -> str:
        """What would be changed: a plan, a user or an entry."""

    @property
    def only_once(self) -> tuple[str | int, ...]:
        """What of it is not proposed a second time while it is open."""

    @property
    def says(self) -> str:
        """What is proposed, as a short sentence with {subject} where the subject stands."""

    def effect(self, connection: Connection) -> list[str]:
        """What it would do now, a sentence a line. Refuses as carrying it out would, as far as that can be told."""

    def basis(self, connection: Connection) -> tuple[str | int, ...]:
        """What the decision depends on. When this is another one later, the proposal is withdrawn."""

    def carry_out(self, connection: Connection, approval: Approval) -> int | None:
        """Do it, and return the entry that was posted, where one was."""
