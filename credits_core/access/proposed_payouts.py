"""What can be proposed about payouts: to carry out a cycle, and to say that a payout failed."""

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Connection

from credits_core.access.approving import Approval
from credits_core.ledger import payout_news, payouts
from credits_core.store.kinds import PayoutNews
from credits_core.values.roles import May
from credits_core.values.text import both, counted


@dataclass(frozen=True, slots=True)
class PayOut:
    """Pay creators what a payout cycle says."""

    kind: ClassVar[str] = "payouts"
    asks: ClassVar[May] = May.PROPOSE_PAYOUTS
    approves: ClassVar[May] = May.APPROVE_MONEY
    cycle_id: int

    @property
    def subject(self) -> str:
        """The cycle."""
        return f"payout cycle {self.cycle_id}"

    @property
    def only_once(self) -> tuple[str | int, ...]:
        """The cycle."""
        return (self.cycle_id,)

    @property
    def says(self) -> str:
        """What is proposed."""
        return "Carry out {subject}"

    def effect(self, connection: Connection) -> list[str]:
        """How many creators are paid, how much, and how many of them to an account that was never paid before."""
        found = payouts.cycle(connection, self.cycle_id)
        says = [f"{both(found.total_credits)} to {counted(found.payouts, 'creator')}."]
        if found.first_time:
            says.append(f"{counted(found.first_time, 'payout')} to an account that was never paid before.")
        return says

    def basis(self, connection: Connection) -> tuple[str | int, ...]:
        """Whether it is still the newest cycle, and whether somebody approved it in another way."""
        found = payouts.cycle(connection, self.cycle_id)
        return (found.is_newest, found.is_approved)

    def carry_out(self, connection: Connection, approval: Approval) -> int | None:
        """Approve it. The job for payouts pays."""
        payouts.approve(connection, self.cycle_id, now=approval.now, actor=approval.actor)
        return None


@dataclass(frozen=True, slots=True)
class FailPayout:
    """Say that a payout has failed which a bank or a gateway has, or had. Its credits are the creator's again."""

    kind: ClassVar[str] = "payout_failed"
    asks: ClassVar[May] = May.MOVE_CREDITS
    approves: ClassVar[May] = May.APPROVE_MONEY
    payout_id: int

    @property
    def subject(self) -> str:
        """The payout."""
        return f"payout {self.payout_id}"

    @property
    def only_once(self) -> tuple[str | int, ...]:
        """The payout."""
        return (self.payout_id,)

    @property
    def says(self) -> str:
        """What is proposed."""
        return "Say that {subject} failed"

    def effect(self, connection: Connection) -> list[str]:
        """Whose credits come back, and how many."""
        found = payout_news.due(connection, self.payout_id)
        return [
            f"{both(found.amount_credits)} come back to {found.creator_id}, and the next cycle pays them again.",
            "Look at the bank's or the gateway's books first: did the money really not arrive?",
        ]

    def basis(self, connection: Connection) -> tuple[str | int, ...]:
        """What is known of the payout."""
        payout_news.due(connection, self.payout_id)
        return tuple(sorted(news.value for news in payout_news.reported(connection, self.payout_id)))

    def carry_out(self, connection: Connection, approval: Approval) -> int | None:
        """Say it, for the reason of the proposal."""
        payout_news.report(
            connection,
            self.payout_id,
            PayoutNews.FAILED,
            reason=approval.reason,
            now=approval.now,
            actor=approval.actor,
        )
        return None
