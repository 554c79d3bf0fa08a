"""What can be proposed: changes that a second person must approve. Each says what it does and carries itself out.

A change is kept as JSON, so that it is carried out as it was proposed, whoever looks at it later.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection

from credits_core.access.approving import Approval, ProposedChange
from credits_core.access.proposed_payouts import FailPayout, PayOut
from credits_core.access.refusals import UnknownProposalKind
from credits_core.ledger import actions, alike, bearing, refunds, writer
from credits_core.ledger.refusals import UnknownUser
from credits_core.plans import actions as plan_actions
from credits_core.plans import records
from credits_core.plans.records import PlanRecord
from credits_core.plans.refusals import DraftChanged, UnknownPlan
from credits_core.prices import lists, offers
from credits_core.pricing.plan_difference import plan_difference
from credits_core.store.kinds import CreditSource
from credits_core.values.credits import require_credits
from credits_core.values.roles import May
from credits_core.values.text import both


@dataclass(frozen=True, slots=True)
class MakePlanLive:
    """Make this revision of a price plan live."""

    kind: ClassVar[str] = "make_plan_live"
    asks: ClassVar[May] = May.PROPOSE_PLANS
    approves: ClassVar[May] = May.APPROVE_PLANS
    plan_id: str
    revision: int

    @property
    def subject(self) -> str:
        """The plan's id."""
        return self.plan_id

    @property
    def only_once(self) -> tuple[str | int, ...]:
        """The plan, with its revision."""
        return (self.plan_id, self.revision)

    @property
    def says(self) -> str:
        """What is proposed."""
        return "Make {subject} live"

    def effect(self, connection: Connection) -> list[str]:
        """How the plan differs from the live one, a rule a line."""
        plan, live = self._found(connection)
        return [f"{plan.plan.id} in place of {live.plan.id}.", *plan_difference(live.plan, plan.plan)]

    def basis(self, connection: Connection) -> tuple[str | int, ...]:
        """The live plan, and the revision of this one."""
        plan, live = self._found(connection)
        return (live.plan.id, plan.revision)

    def carry_out(self, connection: Connection, approval: Approval) -> int | None:
        """Make it live, in place of the plan that is live now."""
        plan, live = self._found(connection)
        plan_actions.activate(
            connection, plan, reason=approval.reason, now=approval.now, actor=approval.actor, in_place_of=live.plan.id
        )
        return None

    def _found(self, connection: Connection) -> tuple[PlanRecord, PlanRecord]:
        stored = records.plans(connection)
        if self.plan_id not in stored:
            raise UnknownPlan(self.plan_id, sorted(stored))
        plan = stored[self.plan_id]
        if plan.revision != self.revision:
            raise DraftChanged(self.plan_id, self.revision, plan.revision)
        return plan, next(iter(stored.values()))


@dataclass(frozen=True, slots=True)
class MakePricesLive:
    """Make a version of the price list live."""

    kind: ClassVar[str] = "make_prices_live"
    asks: ClassVar[May] = May.PROPOSE_PLANS
    approves: ClassVar[May] = May.APPROVE_PLANS
    price_list: int

    @property
    def subject(self) -> str:
        """The version's number."""
        return f"price list {self.price_list}"

    @property
    def only_once(self) -> tuple[str | int, ...]:
        """The version."""
        return (self.price_list,)

    @property
    def says(self) -> str:
        """What is proposed."""
        return "Make {subject} live"

    def effect(self, connection: Connection) -> list[str]:
        """Which models come (+), go (-), or change their price (~)."""
        compared = offers.compare(connection, self.price_list)
        return [f"Price list {self.price_list} in place of {compared.live}.", *compared.differences]

    def basis(self, connection: Connection) -> tuple[str | int, ...]:
        """The live list."""
        return (offers.live_list(connection),)

    def carry_out(self, connection: Connection, approval: Approval) -> int | None:
        """Make it live."""
        lists.activate(connection, self.price_list, reason=approval.reason, now=approval.now, actor=approval.actor)
        return None


@dataclass(frozen=True, slots=True)
class AddCredits:
    """Add credits to a user's balance."""

    kind: ClassVar[str] = "add_credits"
    asks: ClassVar[May] = May.MOVE_CREDITS
    approves: ClassVar[May] = May.APPROVE_MONEY
    user_id: str
    amount_credits: int
    source: CreditSource
    distinct: bool = False

    @property
    def subject(self) -> str:
        """The user."""
        return self.user_id

    @property
    def only_once(self) -> tuple[str | int, ...]:
        """How much for whom, and of what kind; not whether the user is said to be distinct."""
        return (self.user_id, self.amount_credits, self.source.value)

    @property
    def says(self) -> str:
        """What is proposed."""
        return f"Add {both(self.amount_credits)} to {{subject}}"

    def effect(self, connection: Connection) -> list[str]:
        """The user's balance before and after."""
        require_credits("amount_credits", self.amount_credits)
        before = self._balance_credits(connection)
        if before is None:
            alike.require_may_open(connection, self.user_id, distinct=self.distinct)
        held = "A new user" if before is None else f"{self.user_id} has {both(before)}"
        after = (before or 0) + self.amount_credits
        return [f"{self.source.value.capitalize()} of {both(self.amount_credits)}.", f"{held}, then {both(after)}."]

    def basis(self, connection: Connection) -> tuple[str | int, ...]:
        """Whether the user has an account. The balance may move: users go on running prompts."""
        return ("new" if self._balance_credits(connection) is None else "known",)

    def carry_out(self, connection: Connection, approval: Approval) -> int | None:
        """Add them."""
        receipt = actions.add_credits(
            connection,
            self.user_id,
            self.amount_credits,
            source=CreditSource(self.source),
            reason=approval.reason,
            key=approval.key,
            now=approval.now,
            actor=approval.actor,
            distinct=self.distinct,
        )
        return receipt.entry_id

    def _balance_credits(self, connection: Connection) -> int | None:
        try:
            return writer.balance_of(connection, self.user_id)
        except UnknownUser:
            return None


@dataclass(frozen=True, slots=True)
class RefundEntry:
    """Refund an entry: so many credits of it, or all that is left."""

    kind: ClassVar[str] = "refund"
    asks: ClassVar[May] = May.MOVE_CREDITS
    approves: ClassVar[May] = May.APPROVE_MONEY
    entry_id: int
    provider_refunded: bool = False
    amount_credits: int | None = None

    @property
    def subject(self) -> str:
        """The entry."""
        return f"entry {self.entry_id}"

    @property
    def only_once(self) -> tuple[str | int, ...]:
        """The entry, whoever bears the cost."""
        return (self.entry_id,)

    @property
    def says(self) -> str:
        """What is proposed."""
        return (
            "Refund {subject}" if self.amount_credits is None else f"Refund {both(self.amount_credits)} of {{subject}}"
        )

    def effect(self, connection: Connection) -> list[str]:
        """Who would bear what."""
        return [bearing.sentence(self._bearing(connection), done=False)]

    def basis(self, connection: Connection) -> tuple[str | int, ...]:
        """Who would bear what, in credits: a creator may spend the share meanwhile."""
        found = self._bearing(connection)
        return (found.user_id, found.user_credits, found.creator_credits, found.platform_credits)

    def carry_out(self, connection: Connection, approval: Approval) -> int | None:
        """Refund it."""
        receipt = actions.refund(
            connection,
            self.entry_id,
            reason=approval.reason,
            provider_refunded=self.provider_refunded,
            amount_credits=self.amount_credits,
            book=approval.book_at(connection),
            key=approval.key,
            now=approval.now,
            actor=approval.actor,
        )
        return receipt.entry_id

    def _bearing(self, connection: Connection) -> bearing.Bearing:
        return refunds.preview(
            connection, self.entry_id, provider_refunded=self.provider_refunded, amount_credits=self.amount_credits
        )


@dataclass(frozen=True, slots=True)
class UnknownChange:
    """A kept change that this version does not know, as a later version may have kept it. Nobody can decide it here."""

    asks: ClassVar[May] = May.MANAGE
    approves: ClassVar[May] = May.MANAGE
    kind: str
    subject: str

    @property
    def only_once(self) -> tuple[str | int, ...]:
        """What would be changed."""
        return (self.subject,)

    @property
    def says(self) -> str:
        """What is known of it."""
        return "Something that this version does not know: {subject}"

    def effect(self, connection: Connection) -> list[str]:  # noqa: ARG002
        """Refuse: nobody knows what it would do."""
        raise UnknownProposalKind(self.kind)

    def basis(self, connection: Connection) -> tuple[str | int, ...]:  # noqa: ARG002
        """Refuse: nobody knows what it would do."""
        raise UnknownProposalKind(self.kind)

    def carry_out(self, connection: Connection, approval: Approval) -> int | None:  # noqa: ARG002
        """Refuse: nobody knows what it would do."""
        raise UnknownProposalKind(self.kind)


def title(change: ProposedChange, *, name: Callable[[str], str] = str) -> str:
    """What is proposed, as a short sentence. `name` writes texts and ids, where a reader needs them escaped.

    >>> title(AddCredits("ada", 20_000_000, CreditSource.GRANT)), title(RefundEntry(7, amount_credits=5))
    ('Add 20,000,000 credits ($20.00) to ada', 'Refund 5 credits ($0.000005) of entry 7')
    """
    before, _, after = change.says.partition("{subject}")
    return "".join(name(part) for part in (before, change.subject, after) if part)


_KINDS: dict[str, Any] = {
    one.kind: one for one in (MakePlanLive, MakePricesLive, AddCredits, RefundEntry, PayOut, FailPayout)
}
APPROVED_BY: dict[str, May] = {kind: one.approves for kind, one in _KINDS.items()}
"""What the second person must be allowed, by the kind of change."""


def to_json(change: Any) -> str:
    """The change as JSON with sorted keys, as `from_json` reads it.

    >>> to_json(RefundEntry(7))
    '{"amount_credits": null, "entry_id": 7, "provider_refunded": false}'
    """
    return json.dumps(asdict(change), sort_keys=True, ensure_ascii=False)


def from_json(kind: str, subject: str, text: str) -> ProposedChange:
    """The change that was kept; an `UnknownChange` for one that this version does not know.

    >>> from_json("add_credits", "ada", to_json(AddCredits("ada", 5, CreditSource.GRANT)))
    AddCredits(user_id='ada', amount_credits=5, source=<CreditSource.GRANT: 'grant'>, distinct=False)
    >>> from_json("pay_out", "ben", "{}")
    UnknownChange(kind='pay_out', subject='ben')
    """
    if kind not in _KINDS:
        return UnknownChange(kind, subject)
    try:
        kept = json.loads(text)
        if kind == AddCredits.kind:
            kept["source"] = CreditSource(kept["source"])
        change: ProposedChange = _KINDS[kind](**kept)
    except (KeyError, TypeError, ValueError):  # kept by another version, with other fields
        return UnknownChange(kind, subject)
    return change
