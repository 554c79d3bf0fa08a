"""The kinds of entry, transaction, source and rule, and the platform's own accounts. Pure."""

from enum import StrEnum

PLATFORM_REVENUE = "platform:revenue"
PLATFORM_INFERENCE = "platform:inference"
PLATFORM_REFUNDED_INFERENCE = "platform:refunded_inference"
PLATFORM_PAYMENTS_IN = "platform:payments_in"
PLATFORM_GRANTS = "platform:grants"
PLATFORM_ADJUSTMENTS = "platform:adjustments"
PLATFORM_PREFIX = "platform:"
"""A user's id cannot have a colon, so no user can be mistaken for one of the platform's own accounts."""


class EntryType(StrEnum):
    """The kinds of journal entry, frequent ones first, because the database's check tries them in this order."""

    PROMPT_RUN = "prompt_run"
    FLOW_UNLOCK = "flow_unlock"
    CREDIT_PURCHASE = "credit_purchase"
    GRANT = "grant"
    ADJUSTMENT = "adjustment"
    REFUND = "refund"


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


def is_platform(account_id: str) -> bool:
    """Whether the account is one of the platform's own. Those have no balance row: their balances are sums."""
    return account_id.startswith(PLATFORM_PREFIX)
