"""The refusals of the ledger's actions."""

from credits_core.errors import CreditsError
from credits_core.ledger.spending import SpendingLimit, key_of
from credits_core.values.text import counted


class UnknownUser(CreditsError):
    """The user has no account."""

    code = "unknown_user"
    http_status = 404

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        super().__init__(f"There is no user {user_id!r}. Add credits to create the user first.")


class UnknownEntry(CreditsError):
    """No journal entry has this id."""

    code = "unknown_entry"
    http_status = 404

    def __init__(self, entry_id: int) -> None:
        self.entry_id = entry_id
        super().__init__(f"There is no journal entry {entry_id}. Look up its number in the user's transactions.")


class InsufficientCredits(CreditsError):
    """The user has fewer credits than the action takes. Both numbers are in credits."""

    code = "insufficient_credits"
    http_status = 402

    def __init__(self, user_id: str, balance_credits: int, required_credits: int) -> None:
        self.user_id = user_id
        self.balance_credits = balance_credits
        self.required_credits = required_credits
        super().__init__(
            f"{user_id} has {balance_credits:,} credits, but this takes {required_credits:,}. {self.advice}"
        )

    @property
    def advice(self) -> str:
        """That nothing was charged, and what to do."""
        missing_credits = self.required_credits - self.balance_credits
        return f"Nothing was charged. Add at least {counted(missing_credits, 'credit')} and try again."


class SpendingLimitReached(CreditsError):
    """A user, or whoever has an API key, would spend more than the limit of the day or the month. Credits.

    `spent_credits` are those of the period, with what is held for runs that are not over yet. At `resets_at` the next
    period begins. `subject` is the user's id, or `key:NAME` for a key.
    """

    code = "spending_limit_reached"
    http_status = 402

    def __init__(self, limit: SpendingLimit, *, held_credits: int, required_credits: int) -> None:
        self.subject = limit.subject
        self.period = limit.period.value
        self.limit_credits = limit.limit_credits
        self.spent_credits = limit.spent_credits + held_credits
        self.required_credits = required_credits
        self.resets_at = f"{limit.resets_at:%Y-%m-%dT%H:%M:%SZ}"
        name = key_of(limit.subject)
        who = limit.subject if name is None else f"The key {name}"
        wait = (
            f"Wait until {limit.resets_at:%Y-%m-%d %H:%M} UTC, or have the limit raised."
            if required_credits <= limit.limit_credits
            else "Have the limit raised."
        )
        super().__init__(
            f"{who} may spend {counted(limit.limit_credits, 'credit')} a {self.period}. {self.spent_credits:,} are "
            f"spent or held, so {required_credits:,} more are too many. Nothing was charged. {wait}"
        )


class AccountLooksAlike(CreditsError):
    """A new account's id differs from another one's only in upper and lower case. `known_user_id` is the first one."""

    code = "account_looks_alike"
    http_status = 409

    def __init__(self, user_id: str, known_user_id: str) -> None:
        self.user_id = user_id
        self.known_user_id = known_user_id
        super().__init__(
            f"There is no user {user_id!r}, but there is {known_user_id!r}. Nothing was charged or added. Use "
            f"{known_user_id!r}, or say that {user_id!r} is somebody else."
        )


class AddedCreditsSpent(InsufficientCredits):
    """Added credits cannot be refunded, because the user has spent them since."""

    @property
    def advice(self) -> str:
        """That nothing was refunded, and what to do."""
        return "Nothing was refunded. The added credits are spent: first refund what they were spent on."


class BalanceTooLarge(CreditsError):
    """The account would hold more than 2^53-1 credits, the largest whole number that every browser shows exactly."""

    code = "balance_too_large"
    http_status = 422

    def __init__(self, user_id: str, amount_credits: int, maximum_credits: int) -> None:
        self.user_id = user_id
        self.amount_credits = amount_credits
        self.maximum_credits = maximum_credits
        super().__init__(
            f"{user_id} cannot hold {amount_credits:,} more credits: the largest balance is {maximum_credits:,}. "
            "Nothing was charged or added. Use a smaller amount."
        )


class CirculationTooLarge(CreditsError):
    """All users together would hold more than 2^62 credits, half of what a 64-bit sum can hold."""

    code = "circulation_too_large"
    http_status = 422

    def __init__(self, amount_credits: int, maximum_credits: int) -> None:
        self.amount_credits = amount_credits
        self.maximum_credits = maximum_credits
        super().__init__(
            f"All users together cannot hold {amount_credits:,} more credits: the limit is {maximum_credits:,}. "
            "Nothing was added. Use a smaller amount."
        )


class IdempotencyKeyReused(CreditsError):
    """The key was used before, for a different request. It has no entry when the flow was already unlocked."""

    code = "idempotency_key_reused"
    http_status = 422

    def __init__(self, key: str, entry_id: int | None) -> None:
        self.key = key
        self.entry_id = entry_id
        used = "answered without a charge" if entry_id is None else f"recorded as entry {entry_id}"
        super().__init__(
            f"The idempotency key {key!r} was already used for a different request, {used}. "
            "Nothing was charged or changed now. Send a new key for a new request."
        )


class PriceChanged(CreditsError):
    """The price is no longer the total that the caller expects. Both numbers are in credits."""

    code = "price_changed"
    http_status = 409

    def __init__(self, expected_total_credits: int, total_credits: int) -> None:
        self.expected_total_credits = expected_total_credits
        self.total_credits = total_credits
        super().__init__(
            f"The run costs {total_credits:,} credits, not the expected {expected_total_credits:,}. "
            "Nothing was charged. Show the new price to the user and send the request again with it."
        )


class NothingToCharge(CreditsError):
    """The run costs 0 credits: the model was free for it, and nobody adds anything. The ledger has no movement of 0."""

    code = "nothing_to_charge"
    http_status = 422

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        super().__init__(
            f"This run of {model_id} costs 0 credits, so nothing was charged. Run the prompt without a charge, or set "
            "a creator fee."
        )


class RefundExceedsRest(CreditsError):
    """Less of the entry is left to refund than was asked for. All numbers are in credits."""

    code = "refund_exceeds_rest"
    http_status = 409

    def __init__(self, entry_id: int, amount_credits: int, *, left_credits: int, paid_credits: int) -> None:
        self.entry_id = entry_id
        self.amount_credits = amount_credits
        self.left_credits = left_credits
        self.paid_credits = paid_credits
        super().__init__(
            f"Of the {paid_credits:,} credits of entry {entry_id}, {left_credits:,} are left to refund, not "
            f"{amount_credits:,}. Nothing was refunded. Ask for at most {left_credits:,}."
        )


class AlreadyRefunded(CreditsError):
    """The entry was refunded before, and nothing is left to refund."""

    code = "already_refunded"
    http_status = 409

    def __init__(self, entry_id: int, refund_entry_id: int) -> None:
        self.entry_id = entry_id
        self.refund_entry_id = refund_entry_id
        super().__init__(
            f"Entry {entry_id} was already refunded, by entry {refund_entry_id}. Nothing was refunded again."
        )


class NotRefundable(CreditsError):
    """The entry is itself a refund, or no payment at all."""

    code = "not_refundable"
    http_status = 409

    def __init__(self, entry_id: int, is_payment: bool = True) -> None:
        self.entry_id = entry_id
        super().__init__(
            f"Entry {entry_id} is itself a refund and cannot be refunded. To take the credits again, charge again."
            if is_payment
            else f"Entry {entry_id} is no payment and cannot be refunded. Refund the run or the added credits."
        )


class RefundedByGateway(CreditsError):
    """A purchase added these credits. They go back when its money does."""

    code = "refunded_by_gateway"
    http_status = 409

    def __init__(self, entry_id: int, purchase_id: int) -> None:
        self.entry_id = entry_id
        self.purchase_id = purchase_id
        super().__init__(
            f"Entry {entry_id} belongs to purchase {purchase_id}. Refund the purchase instead: the credits go back "
            "together with the money."
        )


class UnknownHold(CreditsError):
    """No hold has this id."""

    code = "unknown_hold"
    http_status = 404

    def __init__(self, hold_id: int) -> None:
        self.hold_id = hold_id
        super().__init__(f"There is no hold {hold_id}. Use the hold_id that making the hold answered.")


class HoldEnded(CreditsError):
    """The hold was captured, released or has expired. `entry_id` is the entry that ended it, where it has one yet."""

    code = "hold_ended"
    http_status = 409

    def __init__(self, hold_id: int, state: str, entry_id: int | None) -> None:
        self.hold_id = hold_id
        self.state = state
        self.entry_id = entry_id
        was = "has expired" if state == "expired" else f"was already {state}"
        by = "" if entry_id is None else f", by entry {entry_id}"
        super().__init__(f"Hold {hold_id} {was}{by}. Nothing was charged or given back now. Make a new hold.")


class HoldTooSmall(CreditsError):
    """The run costs more than the hold and what its price plan allows beyond it. Both numbers are in credits.

    `is_of_usage`: the hold was made for a usage, and not for an amount, so that it can be captured without one.
    """

    code = "hold_too_small"
    http_status = 409

    def __init__(self, hold_id: int, total_credits: int, most_credits: int, *, is_of_usage: bool = True) -> None:
        self.hold_id = hold_id
        self.total_credits = total_credits
        self.most_credits = most_credits
        advice = (
            "Capture it without usage to charge what it was made for."
            if is_of_usage
            else "Release it, and charge the run instead."
        )
        super().__init__(
            f"The run costs {total_credits:,} credits, but hold {hold_id} can be charged at most {most_credits:,}. "
            f"Nothing was charged, and the hold stays open. {advice}"
        )


class UnknownCycle(CreditsError):
    """No payout cycle has this number."""

    code = "unknown_cycle"
    http_status = 404

    def __init__(self, cycle_id: object) -> None:
        self.cycle_id = cycle_id
        super().__init__(f"There is no payout cycle {cycle_id}. The screen Payouts and payouts list show all.")


class CycleReplaced(CreditsError):
    """A newer payout cycle was proposed, so an older one cannot be approved any more."""

    code = "cycle_replaced"
    http_status = 409

    def __init__(self, cycle_id: int) -> None:
        self.cycle_id = cycle_id
        super().__init__(
            f"Payout cycle {cycle_id} cannot be approved any more, because a newer one was proposed. Nothing was paid. "
            "Approve the newest one."
        )


class UnknownPayout(CreditsError):
    """No payout has this number, or it is one that pays nothing."""

    code = "unknown_payout"
    http_status = 404

    def __init__(self, payout_id: object) -> None:
        self.payout_id = payout_id
        super().__init__(
            f"There is no payout {payout_id} that pays something. The screen Payouts and payouts show list them."
        )


class PayoutEnded(CreditsError):
    """What is said of a payout does not fit what became of it."""

    code = "payout_ended"
    http_status = 409

    def __init__(self, payout_id: int, state: str, said: str) -> None:
        self.payout_id = payout_id
        self.state = state
        super().__init__(f"Payout {payout_id} is {state}, so it cannot be {said} now. Nothing was changed.")


class PayoutAtGateway(CreditsError):
    """A person says of a payout through the gateway what only the gateway knows."""

    code = "payout_at_gateway"
    http_status = 409

    def __init__(self, payout_id: int) -> None:
        self.payout_id = payout_id
        super().__init__(
            f"Payout {payout_id} goes through the gateway, which says itself whether it was paid. Nothing was changed. "
            "Once it is paid, one can say that it failed, as when the money was sent back."
        )
