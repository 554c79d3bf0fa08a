"""The refusals about purchases."""

from collections.abc import Mapping, Sequence

from credits_core.errors import CreditsError
from credits_core.values.money import format_money


class UnknownPack(CreditsError):
    """No pack has this id."""

    code = "unknown_pack"
    http_status = 404

    def __init__(self, pack_id: str, known_ids: Sequence[str]) -> None:
        self.pack_id = pack_id
        self.known_ids = known_ids
        super().__init__(f"There is no pack {pack_id!r}. Choose one of {', '.join(known_ids)}.")


class UnknownPurchase(CreditsError):
    """No purchase has this id."""

    code = "unknown_purchase"
    http_status = 404

    def __init__(self, purchase_id: object) -> None:
        self.purchase_id = purchase_id
        super().__init__(f"There is no purchase {purchase_id}. Use the purchase_id that making the purchase answered.")


class EventDiffers(CreditsError):
    """The gateway tells an event that it told before, with another content."""

    code = "event_differs"
    http_status = 409

    def __init__(self, event_id: str, purchase_id: int) -> None:
        self.event_id = event_id
        self.purchase_id = purchase_id
        super().__init__(
            f"Event {event_id} of purchase {purchase_id} was told before with another content. Nothing was changed. "
            "Compare it with the gateway's books on Reconciliation."
        )


class NotPaidYet(CreditsError):
    """A purchase that was not paid has no receipt."""

    code = "not_paid_yet"
    http_status = 409

    def __init__(self, purchase_id: int) -> None:
        self.purchase_id = purchase_id
        super().__init__(
            f"Purchase {purchase_id} is not paid, so it has no receipt yet. Ask again when its state is paid."
        )


class NothingToRefund(CreditsError):
    """A purchase cannot be refunded by so much: it is not paid, or that much went back before or is disputed."""

    code = "nothing_to_refund"
    http_status = 409

    def __init__(self, purchase_id: int, asked_minor: int, refundable_minor: int, currency: str) -> None:
        self.purchase_id = purchase_id
        self.asked_minor = asked_minor
        self.refundable_minor = refundable_minor
        self.currency = currency
        asked, refundable = format_money(asked_minor, currency), format_money(refundable_minor, currency)
        if not refundable_minor:
            why = f"No money of purchase {purchase_id} can go back: it is not paid, or it went back or is disputed."
        elif asked_minor > refundable_minor:
            why = f"{asked} is more than the {refundable} that can go back."
        else:
            why = f"{asked} cannot be refunded: it must be {format_money(1, currency)} to {refundable}."
        super().__init__(f"{why} Nothing was refunded.")


class GatewayFailed(CreditsError):
    """The gateway refused, or did not answer. The purchase stays as it is, and the same request may be sent again."""

    code = "gateway_failed"
    http_status = 502

    def __init__(self, gateway: str, why: str, *, may_again: bool = True) -> None:
        self.gateway = gateway
        self.why = why
        self.may_again = may_again
        again = " Send the same request again, or try later." if may_again else ""
        super().__init__(f"{gateway} did not do it: {why}{again}")


class RefundedInPart(CreditsError):
    """The gateway gave some of what was asked back, or nothing that it confirmed, and then refused or did not answer.

    `left` says what is missing of which payment, in minor units: `buying.give_back` takes it, with the same key.
    """

    code = "refunded_in_part"
    http_status = 502

    def __init__(self, purchase_id: int, currency: str, done_minor: int, left: Mapping[str, int], why: str) -> None:
        self.purchase_id = purchase_id
        self.done_minor = done_minor
        self.left = dict(left)
        self.left_minor = sum(left.values())
        self.why = why
        done, rest = format_money(done_minor, currency), format_money(self.left_minor, currency)
        super().__init__(
            f"{done} of purchase {purchase_id} was refunded. {rest} was not: {why} Refund the rest with the same key."
            if done_minor
            else f"The refund of {rest} of purchase {purchase_id} is not confirmed: {why} Ask again with the same key; "
            "it is refunded once."
        )


class EventNotSigned(CreditsError):
    """A message to the address for a gateway's events was not signed by the gateway, or too long ago."""

    code = "event_not_signed"
    http_status = 400

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        super().__init__(
            f"This message is not signed by {gateway}, or it was signed too long ago. Nothing was changed. Check the "
            "signing secret of the webhook."
        )


class PayoutsGoingOn(CreditsError):
    """The payouts of an approved cycle are not all carried out, so no other one can be proposed yet."""

    code = "payouts_going_on"
    http_status = 409

    def __init__(self, payouts: int) -> None:
        self.payouts = payouts
        super().__init__(
            f"{payouts:,} approved payouts are not carried out yet, so a new cycle would count them twice. Nothing was "
            "proposed. Wait for the job payouts, or run it: jobs run payouts."
        )


class UnknownPayoutFile(CreditsError):
    """No file for the bank has this number."""

    code = "unknown_payout_file"
    http_status = 404

    def __init__(self, file_id: int) -> None:
        self.file_id = file_id
        super().__init__(f"There is no file {file_id} for the bank. The command payouts files lists those of a cycle.")


class NothingForTheBank(CreditsError):
    """No transfer of the cycle is ready for a file. `file_ids` are the files that were made of it."""

    code = "nothing_for_the_bank"
    http_status = 409

    def __init__(self, cycle_id: int, file_ids: Sequence[int]) -> None:
        self.cycle_id = cycle_id
        self.file_ids = list(file_ids)
        made = f" What was ready is in file {', '.join(map(str, file_ids))}." if file_ids else ""
        super().__init__(
            f"No transfer of payout cycle {cycle_id} is ready for the bank.{made} No file was made: a bank is "
            "told of each transfer once."
        )
