"""The kinds of entry, transaction, source and rule, and the platform's own accounts. Pure."""

from enum import StrEnum

PLATFORM_REVENUE = "platform:revenue"
PLATFORM_INFERENCE = "platform:inference"
PLATFORM_REFUNDED_INFERENCE = "platform:refunded_inference"
PLATFORM_PAYMENTS_IN = "platform:payments_in"
PLATFORM_GRANTS = "platform:grants"
PLATFORM_ADJUSTMENTS = "platform:adjustments"
PLATFORM_EXPIRED = "platform:expired"
PLATFORM_PAYOUTS = "platform:payouts"
PLATFORM_PREFIX = "platform:"
"""A user's id cannot have a colon, so no user can be mistaken for one of the platform's own accounts."""


class Part(StrEnum):
    """The parts of a user's credits that the user cannot spend, each an account beside the user's own, `ada:held`.

    `HELD`: set aside for runs whose cost is not known yet. `FROZEN`: of a payment that is disputed. `WAITING`: earned
    too recently to be paid out. `PAYABLE`: earned, and due with the next payout. `RESERVED`: earned, and kept back in
    case of refunds. `IN_PAYOUT`: on the way to the user's bank. `DEBT`: owed to the platform, and so never positive.
    """

    HELD = "held"
    FROZEN = "frozen"
    WAITING = "waiting"
    PAYABLE = "payable"
    RESERVED = "reserved"
    IN_PAYOUT = "in_payout"
    DEBT = "debt"


class EntryType(StrEnum):
    """The kinds of journal entry, frequent ones first, because the database's check tries them in this order.

    `TRANSFER` moves credits from one part of a user to another one; `EXPIRY` takes credits whose time is over. `BONUS`
    comes with a purchase. `REVERSAL` takes back what a purchase added, because its money went back, or adds it again.
    `PAYOUT` pays a creator's earnings out, or takes a payout back that did not arrive. A `PARTIAL_REFUND` leaves
    something of its entry to refund, a `REFUND` nothing.
    """

    PROMPT_RUN = "prompt_run"
    FLOW_UNLOCK = "flow_unlock"
    CREDIT_PURCHASE = "credit_purchase"
    GRANT = "grant"
    ADJUSTMENT = "adjustment"
    REFUND = "refund"
    TRANSFER = "transfer"
    EXPIRY = "expiry"
    BONUS = "bonus"
    REVERSAL = "reversal"
    PAYOUT = "payout"
    PARTIAL_REFUND = "partial_refund"


REFUNDS = frozenset({EntryType.REFUND, EntryType.PARTIAL_REFUND})
"""The kinds of entry that give back what another entry moved, all of it, its rest, or a part."""


class TransactionType(StrEnum):
    """The kinds of credit transaction (specification, section 1), the frequent ones first."""

    PROMPT_RUN = "prompt_run"
    INFERENCE_COST = "inference_cost"
    PLATFORM_REVENUE = "platform_revenue"
    CREATOR_PAYMENT = "creator_payment"
    FLOW_UNLOCK = "flow_unlock"
    CREDIT_PURCHASE = "credit_purchase"
    GRANT = "grant"
    ADJUSTMENT = "adjustment"
    REFUND = "refund"
    TRANSFER = "transfer"
    EXPIRY = "expiry"
    BONUS = "bonus"
    REVERSAL = "reversal"
    PAYOUT = "payout"


FREQUENT_TYPES = frozenset(
    {
        TransactionType.PROMPT_RUN,
        TransactionType.INFERENCE_COST,
        TransactionType.PLATFORM_REVENUE,
        TransactionType.CREATOR_PAYMENT,
    }
)
"""The types of transaction that runs have."""


class RefundRule(StrEnum):
    """Who bears the inference cost of a refunded run, the present rule first.

    `PLATFORM_BEARS_COST`: the platform, because the provider is paid all the same, unless the refund says that the
    provider gave the cost back. `COST_BOOKED_BACK`, the rule of earlier versions: booked back as if the provider had.
    """

    PLATFORM_BEARS_COST = "platform_bears_cost"
    COST_BOOKED_BACK = "cost_booked_back"


class CreditSource(StrEnum):
    """Why credits are added to a user's balance."""

    PURCHASE = "purchase"
    GRANT = "grant"
    ADJUSTMENT = "adjustment"
    BONUS = "bonus"


def is_platform(account_id: str) -> bool:
    """Whether the account is one of the platform's own. Those have no balance row: their balances are sums."""
    return account_id.startswith(PLATFORM_PREFIX)


def is_part(account_id: str) -> bool:
    """Whether the account is a part of a user beside what the user can spend, such as `ada:held`."""
    return ":" in account_id and not is_platform(account_id)


def part_account(user_id: str, part: Part) -> str:
    """The account of a part of a user.

    >>> part_account("ada", Part.HELD)
    'ada:held'
    """
    return f"{user_id}:{part}"


def owner_of(account_id: str) -> str:
    """The user to whom an account belongs; of an account of the platform, `platform`.

    >>> owner_of("ada:held"), owner_of("ada")
    ('ada', 'ada')
    """
    return account_id.partition(":")[0]


class HoldEnd(StrEnum):
    """What happens to a hold after it was made. Exactly one of these ends it.

    `CAPTURED`: the real run was charged. `RELEASED`: somebody gave the credits back. `EXPIRED`: nobody did in time.
    """

    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


class Step(StrEnum):
    """What one entry does for a purchase, by the lot that it adds to or takes from.

    `GRANTED`: the lot was added. `FROZEN` and `THAWED`: set aside while the payment is disputed, and given back.
    `TAKEN` and `RETURNED`: the payment's money went back, and came again. `LENT`: credits that are owed were put into
    the lot, so that they could be taken. `REPAID`: credits that were owed were paid from the lot.
    """

    GRANTED = "granted"
    FROZEN = "frozen"
    THAWED = "thawed"
    TAKEN = "taken"
    RETURNED = "returned"
    LENT = "lent"
    REPAID = "repaid"


class Happened(StrEnum):
    """What a gateway says has happened to a purchase.

    `OPENED`: its checkout is there. `PENDING`: the money is on its way, such as a bank transfer. `PAID`, `DECLINED`,
    `EXPIRED`: how the checkout ended. `REFUNDED` and `REFUND_FAILED`: the money of one refund went back, or came again.
    `DISPUTED`: the payer's bank asks for the money; `WON`: the platform keeps it; `LOST`: the bank does.
    """

    OPENED = "opened"
    PENDING = "pending"
    PAID = "paid"
    DECLINED = "declined"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTED = "disputed"
    WON = "won"
    LOST = "lost"


class PayoutStep(StrEnum):
    """What one entry does for a payout.

    `SET_ASIDE`: the credits were moved from what the creator can spend to what is on the way. `PAID`: they left.
    `UNPAID`: the bank sent the money back after that. `RETURNED`: the creator can spend them again.
    """

    SET_ASIDE = "set_aside"
    PAID = "paid"
    UNPAID = "unpaid"
    RETURNED = "returned"


class PayoutNews(StrEnum):
    """What became known of a payout, each once.

    `SHORT`: what is payable did not cover it any more when it was to be set aside. `STOPPED`: payouts to the creator
    were paused, or the account was changed, before that. `PAID` and `FAILED`: how it ended. One that was paid can still
    fail, when the creator's bank sends the money back.
    """

    SHORT = "short"
    STOPPED = "stopped"
    PAID = "paid"
    FAILED = "failed"


class Verdict(StrEnum):
    """Why a creator is paid in a cycle, or the first rule that says no, in the order in which the rules are asked."""

    PAID_OUT = "paid_out"
    PAUSED = "paused"
    ALL_WAITING = "all_waiting"
    OWED = "owed"
    RESERVED = "reserved"
    BELOW_THRESHOLD = "below_threshold"
    NO_DESTINATION = "no_destination"


class DestinationKind(StrEnum):
    """How a creator is paid: through the payment gateway to an account there, or by a bank transfer from a file."""

    GATEWAY = "gateway"
    BANK = "bank"


class EventKind(StrEnum):
    """What other systems can be told of. The value is the `type` of the event."""

    RUN_CHARGED = "run.charged"
    BALANCE_LOW = "balance.low"
    PURCHASE_PAID = "purchase.paid"
    HOLD_EXPIRED = "hold.expired"
    REFUND_MADE = "refund.made"
    PAYOUT_PAID = "payout.paid"
    PLAN_ACTIVATED = "plan.activated"


class DeliveryState(StrEnum):
    """Where an event stands on its way to one endpoint. `DEAD`: it was tried for three days, and is tried no more."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class SpendingPeriod(StrEnum):
    """The periods for which what somebody may spend can be limited."""

    DAY = "day"
    MONTH = "month"
