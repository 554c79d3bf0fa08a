"""Purchases in words: states, events, steps and money, ready for Markdown."""

from credits_core.errors import DataFileInvalid
from credits_core.payments import configured
from credits_core.payments.packs import Pack
from credits_core.payments.purchased import Bought
from credits_core.payments.refusals import UnknownPack
from credits_core.payments.standing import Standing, State
from credits_core.store.kinds import Happened, Step
from credits_core.values.money import format_money
from credits_core.values.text import counted
from pages.parts.words import plain

STATES = {
    State.NEW: "Not paid yet",
    State.PENDING: "Money on its way",
    State.DECLINED: "Declined",
    State.EXPIRED: "Checkout expired",
    State.UNDERPAID: "Paid too little",
    State.PAID: "Paid",
    State.PARTLY_REFUNDED: "Partly refunded",
    State.REFUNDED: "Refunded",
    State.DISPUTED: "Disputed",
    State.LOST: "Dispute lost",
}
HAPPENED = {
    Happened.OPENED: "Checkout opened",
    Happened.PENDING: "Money on its way",
    Happened.PAID: "Paid",
    Happened.DECLINED: "Declined",
    Happened.EXPIRED: "Checkout expired",
    Happened.REFUNDED: "Refunded",
    Happened.REFUND_FAILED: "Refund failed",
    Happened.DISPUTED: "Disputed by the payer's bank",
    Happened.WON: "Dispute won",
    Happened.LOST: "Dispute lost",
}
STEPS = {
    Step.GRANTED: "Added",
    Step.FROZEN: "Frozen",
    Step.THAWED: "No longer frozen",
    Step.TAKEN: "Refunded",
    Step.RETURNED: "Added again",
    Step.LENT: "Owed, because they were spent",
    Step.REPAID: "Paid what was owed",
}
COLOURS = {State.PAID: "green", State.PENDING: "blue", State.NEW: "gray", State.DISPUTED: "orange"}


def money(amount_minor: int, currency: str) -> str:
    r"""An amount for Markdown, where a bare dollar sign would begin a formula.

    >>> money(2_000, "usd")
    '\\$20.00'
    """
    return format_money(amount_minor, currency).replace("$", r"\$")


def step(taken: Step, stands: Standing) -> str:
    """What an entry did for a purchase. Credits are refunded, or a bank took them where disputes alone were lost."""
    if taken is Step.TAKEN and stands.lost_minor:
        return "Refunded or taken by the bank" if stands.refunded_minor else "Taken by the bank"
    return STEPS[taken]


def pack_name(pack_id: str) -> str:
    """The name of a pack; of one that is not offered any more, its id."""
    try:
        return configured.packs()[pack_id].name
    except (UnknownPack, DataFileInvalid):
        return pack_id


def bonus(pack: Pack | Bought) -> str:
    """The bonus of a pack or a purchase in words; empty where there is none."""
    if not pack.bonus_credits:
        return ""
    lasts = "" if pack.bonus_days is None else f" for {counted(pack.bonus_days, 'day')}"
    return f"Plus {pack.bonus_credits:,} bonus credits{lasts}"


def title(bought: Bought) -> str:
    """A purchase as a heading."""
    return f"Purchase {bought.id}: {plain(pack_name(bought.pack_id))} for {plain(bought.user_id)}"
