"""What a payout cycle says of a creator, in a sentence: whether it pays, or the rule that says no with its numbers.

Pure.
"""

from datetime import date, timedelta

from credits_core.payments.payout_rules import CREDITS_PER_CENT
from credits_core.payments.payouts import Explained
from credits_core.store.kinds import Verdict
from credits_core.values.credits import div_floor
from credits_core.values.text import both, format_usd_rounded

VERDICTS: dict[Verdict, str] = {
    Verdict.PAID_OUT: "Paid",
    Verdict.PAUSED: "Paused",
    Verdict.ALL_WAITING: "All waiting",
    Verdict.OWED: "Debt first",
    Verdict.RESERVED: "In reserve",
    Verdict.BELOW_THRESHOLD: "Below threshold",
    Verdict.NO_DESTINATION: "No destination",
}
_STATES = {
    "preview": "would be paid",
    "proposed": "is proposed",
    "approved": "is approved, and will be set aside within a minute",
    "on the way": "is on the way",
    "paid": "was paid",
    "failed": "did not arrive and is the creator's again",
    "not covered": "was not paid, because what was payable did not cover it any more",
    "stopped": "was not paid",
}


def result(one: Explained) -> str:
    """What became of a creator in a cycle, in a word or two."""
    if one.verdict is not Verdict.PAID_OUT:
        return VERDICTS[one.verdict]
    if one.payout_id is None:
        return "Would be paid"
    return one.state.word.capitalize()


def in_short(one: Explained) -> str:
    """Where the payout goes, or the numbers of the rule that says no, for a narrow column.

    >>> from credits_core.payments.payout_rules import Standing
    >>> from credits_core.payments.payouts import State
    >>> has = Standing(5_000_000, 0, 0, 0, False, True)
    >>> in_short(Explained(1, 1, "ben", has, Verdict.BELOW_THRESHOLD, 0, 10_000_000, 7, date(2026, 3, 2), None,
    ...     False, State("nothing")))
    '$5.00 payable, $10.00 needed'
    """
    debt = f"{format_usd_rounded(one.netted_credits)} paid a debt" if one.netted_credits else ""
    return ", ".join(text for text in (_in_short(one), debt) if text)


def _in_short(one: Explained) -> str:
    standing = one.standing
    payable = f"{format_usd_rounded(standing.payable_credits)} payable"
    if one.verdict is Verdict.PAID_OUT:
        if one.state.reason or one.terms is None:
            return one.state.reason
        return f"To {one.terms.shown}{', for the first time' if one.is_first_time else ''}"
    if one.verdict is Verdict.PAUSED:
        return "" if one.terms is None else one.terms.paused_because or ""
    if one.verdict is Verdict.ALL_WAITING:
        return f"Earned on {one.first_waiting_day:%Y-%m-%d} or later"
    if one.verdict is Verdict.NO_DESTINATION:
        return f"{payable}, no account yet"
    owed = f", {format_usd_rounded(standing.owed_credits)} owed" if standing.owed_credits else ""
    reserved = f", {format_usd_rounded(standing.reserved_credits)} in reserve" if standing.reserved_credits else ""
    needed = "" if one.verdict is Verdict.OWED else f", {format_usd_rounded(one.threshold_credits)} needed"
    return f"{payable}{reserved}{owed}{needed}"


def on_payday(one: Explained, payday: date) -> str:
    """What a creator can expect on a payday of what is earned so far, in a sentence, as Markdown.

    >>> from credits_core.payments.payout_rules import Standing
    >>> from credits_core.payments.payouts import State
    >>> has = Standing(5_004_000, 0, 0, 0, False, True)
    >>> few = Explained(1, 1, "ben", has, Verdict.BELOW_THRESHOLD, 0, 10_000_000, 7, date(2026, 3, 2), None,
    ...     False, State("preview"))
    >>> on_payday(few, date(2026, 4, 1))
    '**Not paid on 1 April 2026:** $5.00 of the $10.00 needed.'
    """
    return f"{_on_payday(one, payday)}{_netted(one)}"


def _on_payday(one: Explained, payday: date) -> str:
    day = f"{payday:%-d %B %Y}"
    ready = format_usd_rounded(div_floor(max(one.standing.payable_credits, 0), CREDITS_PER_CENT) * CREDITS_PER_CENT)
    if one.verdict is Verdict.PAID_OUT:
        to = "" if one.terms is None else f", to {one.terms.shown}"
        return f"**{format_usd_rounded(one.amount_credits)} is paid on {day}**{to}, of what is earned so far."
    if one.verdict is Verdict.NO_DESTINATION:
        return f"**Not paid on {day}:** no account yet. {ready} is ready."
    if one.verdict is Verdict.BELOW_THRESHOLD and not one.standing.owed_credits:
        return f"**Not paid on {day}:** {ready} of the {format_usd_rounded(one.threshold_credits)} needed."
    return f"**Not paid on {day}:** {_why(one)}"


def sentence(one: Explained) -> str:
    """Whether the creator is paid and why, in a sentence or two.

    >>> from credits_core.payments.payout_rules import Standing
    >>> from credits_core.payments.payouts import State
    >>> has = Standing(5_000_000, 0, 0, 0, False, True)
    >>> waits = Explained(1, 1, "ben", has, Verdict.BELOW_THRESHOLD, 0, 10_000_000, 7, date(2026, 3, 2), None,
    ...     False, State("nothing"))
    >>> sentence(waits)
    'Below threshold: 5,000,000 credits ($5.00) can be paid out, and a payout needs 10,000,000 credits ($10.00).'
    """
    if one.verdict is Verdict.PAID_OUT:
        why = f": {one.state.reason}" if one.state.reason else ""
        to = "" if one.terms is None else f" to {one.terms.shown}"
        less = f", less {both(one.standing.owed_credits)} owed" if one.standing.owed_credits else ""
        return f"{both(one.amount_credits)}{to} {_STATES[one.state.word]}{less}{why}".rstrip(".") + f".{_netted(one)}"
    return f"{VERDICTS[one.verdict]}: {_why(one)}{_netted(one)}"


def _netted(one: Explained) -> str:
    """That earnings paid a debt since the cycle before, for the end of a text; empty where none did."""
    if not one.netted_credits:
        return ""
    return f" Debt netted: {both(one.netted_credits)} of what was earned since the cycle before paid what was owed."


def _why(one: Explained) -> str:
    standing = one.standing
    payable = both(standing.payable_credits)
    if one.verdict is Verdict.PAUSED:
        reason = "" if one.terms is None else one.terms.paused_because or ""
        return f"payouts to this creator are paused. {reason}".rstrip(".") + "."
    if one.verdict is Verdict.ALL_WAITING:
        before = one.first_waiting_day - timedelta(days=1)
        return (
            f"all {both(standing.left_credits)} were earned after {before:%Y-%m-%d}. "
            f"Earnings wait {one.waiting_days} days, in case a run is refunded."
        )
    if one.verdict is Verdict.OWED and not standing.left_credits:
        return f"nothing is left, and the creator owes {both(standing.owed_credits)}. The next earnings pay it first."
    if one.verdict is Verdict.OWED:
        return f"{payable} can be paid out, but the creator owes {both(standing.owed_credits)}."
    if one.verdict in (Verdict.BELOW_THRESHOLD, Verdict.RESERVED):
        owed = f", less {both(standing.owed_credits)} owed" if standing.owed_credits else ""
        kept = f"{both(standing.reserved_credits)} are held back in reserve. " if standing.reserved_credits else ""
        return f"{kept}{payable} can be paid out{owed}, and a payout needs {both(one.threshold_credits)}."
    return f"{payable} can be paid out, but the creator has no account yet."
