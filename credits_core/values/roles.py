"""Who acts, and what they may do: one table of roles, which dashboard, API and command line ask alike. Pure.

A person has roles. An API key is a system and may do what its own role says. Whoever works at the machine itself, with
the command line or without sign-in, is its operator and may do everything.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from credits_core.values.refusals import NeedsApproval, NotAllowed


class May(StrEnum):
    """One thing that somebody may do. The value ends the sentence "You may not …"."""

    SEE = "see this"
    EXPORT_PEOPLE = "export people's ids"
    TRY = "charge, add or refund credits of test users"
    CHARGE = "charge users who are not test users"
    DRAFT_PLANS = "save price plans and model prices"
    PROPOSE_PLANS = "propose to make a plan or prices live"
    APPROVE_PLANS = "approve plans and prices that another proposed"
    MOVE_CREDITS = "add, adjust or refund credits of any user"
    PROPOSE_PAYOUTS = "propose payouts"
    APPROVE_MONEY = "approve credits that another proposed to move"
    LOOK_INTO = "note that a finding was looked at"
    SET_LEVELS = "set below which balance a user is told"
    KEEP_USAGE = "bring in or delete usage of other systems"
    MANAGE = "manage people, roles, API keys and settings"


USUAL_ALONE_CREDITS = 10_000_000
"""What one person may move at once without a second one, unless it is set otherwise."""


class PersonRole(StrEnum):
    """A role of a person. Whoever has several may do what any of them may."""

    VIEWER = "viewer"
    TESTER = "tester"
    PRICING = "pricing"
    FINANCE = "finance"
    ADMIN = "admin"


MAY: dict[PersonRole, frozenset[May]] = {
    PersonRole.VIEWER: frozenset({May.SEE}),
    PersonRole.TESTER: frozenset({May.SEE, May.TRY}),
    PersonRole.PRICING: frozenset({May.SEE, May.DRAFT_PLANS, May.PROPOSE_PLANS, May.APPROVE_PLANS, May.KEEP_USAGE}),
    PersonRole.FINANCE: frozenset(
        {
            *(May.SEE, May.EXPORT_PEOPLE, May.TRY, May.MOVE_CREDITS, May.PROPOSE_PAYOUTS, May.APPROVE_MONEY),
            May.LOOK_INTO,
        }
    ),
    PersonRole.ADMIN: frozenset(May) - {May.CHARGE},
}
"""What each role may do. Nobody signed in charges a user who is not a test user: that is for the marketplace's key."""


class Role(StrEnum):
    """What an API key may do: add, charge and refund for all users (admin), charge and read for all users (service), or
    read one user, and set below which balance that one is told (user)."""

    ADMIN = "admin"
    SERVICE = "service"
    USER = "user"


_SERVICE = frozenset({May.SEE, May.EXPORT_PEOPLE, May.CHARGE, May.SET_LEVELS})
KEY_MAY: dict[Role, frozenset[May]] = {
    Role.USER: frozenset({May.SEE, May.SET_LEVELS}),
    Role.SERVICE: _SERVICE,
    Role.ADMIN: _SERVICE | {May.TRY, May.MOVE_CREDITS},
}
"""What the key of each role may do. That a user's key is about this user alone is for the API's routes."""


class Way(StrEnum):
    """How an actor came."""

    DASHBOARD = "dashboard"
    API = "api"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts and what they may do. `recorded` is the text that entries and other records keep, such as `api/shop`.

    `is_person` is true for somebody signed in: only such a person needs a second one where four eyes are asked for,
    which is to move more than `alone_up_to_credits` at once, and to make a plan or prices live; with `has_second`
    another one has proposed just this. Users whose ids begin with `test_prefix` are test users for this actor; an empty
    prefix begins no id.
    """

    recorded: str
    may: frozenset[May]
    is_person: bool = False
    test_prefix: str = ""
    alone_up_to_credits: int = USUAL_ALONE_CREDITS
    has_second: bool = False

    def require(self, *any_of: May) -> None:
        """Do nothing for an actor who may do one of these.

        Raises:
            NotAllowed: the actor may do none of them.
        """
        if self.may.isdisjoint(any_of):
            raise NotAllowed(self.recorded, any_of[0], who_may(any_of[0]))

    def needs_second(self, amount_credits: int | None = None) -> bool:
        """Whether another person must approve what this one does. `amount_credits` is what it moves; None for plans.

        >>> ada = person("ada@example.org", frozenset({PersonRole.FINANCE}))
        >>> ada.needs_second(10_000_000), ada.needs_second(10_000_001), ada.needs_second()
        (False, True, True)
        """
        if not self.is_person or self.has_second:
            return False
        return amount_credits is None or amount_credits > self.alone_up_to_credits

    def require_second(self, amount_credits: int | None = None, *, instead: str = "Propose it instead") -> None:
        """Do nothing when the actor may do this alone, or another person has proposed it.

        `instead` says what one can do: to propose it, unless that cannot be proposed.

        Raises:
            NeedsApproval: another person must approve it.
        """
        if self.needs_second(amount_credits):
            raise NeedsApproval(amount_credits, self.alone_up_to_credits, instead)

    def approving(self) -> "Actor":
        """The same actor, while carrying out what another has proposed. For `access.proposals` alone."""
        return replace(self, has_second=True)


def name_in(recorded: str) -> str:
    """Who a record names, whichever way they came.

    >>> name_in("dashboard/ada@example.org"), name_in("dashboard")
    ('ada@example.org', 'dashboard')
    """
    return recorded.partition("/")[2] or recorded


def is_person(recorded: str) -> bool:
    """Whether a record names somebody who was signed in.

    >>> is_person("dashboard/ada@example.org"), is_person("dashboard"), is_person("cli/root")
    (True, False, False)
    """
    return recorded.startswith(f"{Way.DASHBOARD}/")


def who_may(action: May) -> tuple[str, ...]:
    """The roles that may do this, for a sentence that says whom to ask.

    >>> who_may(May.DRAFT_PLANS)
    ('pricing', 'admin')
    """
    return tuple(role.value for role in PersonRole if action in MAY[role])


def person(
    email: str,
    roles: frozenset[PersonRole],
    *,
    test_prefix: str = "",
    alone_up_to_credits: int = USUAL_ALONE_CREDITS,
) -> Actor:
    """Somebody signed in at the dashboard. `test_prefix` is how ids of test users begin, where that is set.

    >>> ada = person("ada@example.org", frozenset({PersonRole.TESTER}))
    >>> ada.recorded, May.TRY in ada.may, May.MANAGE in ada.may
    ('dashboard/ada@example.org', True, False)
    """
    may = frozenset[May]().union(*(MAY[role] for role in roles))
    return Actor(
        f"{Way.DASHBOARD}/{email}",
        may,
        is_person=True,
        test_prefix=test_prefix,
        alone_up_to_credits=alone_up_to_credits,
    )


def key_holder(name: str, role: Role) -> Actor:
    """Whoever calls the API with the key of this name.

    >>> shop = key_holder("shop", Role.SERVICE)
    >>> shop.recorded, May.CHARGE in shop.may, May.MOVE_CREDITS in shop.may
    ('api/shop', True, False)
    """
    return Actor(f"{Way.API}/{name}", KEY_MAY[role])


def system(name: str) -> Actor:
    """The product itself, such as its migrations and its demo: may do everything.

    >>> system("migration").recorded
    'migration'
    """
    return Actor(name, frozenset(May))


def operator(way: Way, name: str = "") -> Actor:
    """Whoever works at this machine: may do everything.

    >>> operator(Way.CLI, "root").recorded, operator(Way.DASHBOARD).recorded
    ('cli/root', 'dashboard')
    """
    return Actor(f"{way}/{name}" if name else way.value, frozenset(May))
