"""Explains a charge or a refund: recalculates every step from the stored inputs and compares it with the record.

Covers prompt runs, flow unlocks and refunds. Recorded amounts are never corrected or hidden: where one differs from
what its inputs give, both numbers are shown.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Connection

from credits_core.audit import recompute
from credits_core.audit.finding import Plans
from credits_core.audit.recompute import NotRecomputable
from credits_core.audit.refund_steps import refund_steps
from credits_core.audit.refusals import NotExplainable
from credits_core.errors import CreditsError
from credits_core.ledger import bearing, debts, entries, movements, refunds
from credits_core.ledger.bearing import Bearing
from credits_core.ledger.movements import Movement
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import UnknownEntry
from credits_core.pricing.models import RunPrice
from credits_core.pricing.refund_shares import RefundPart
from credits_core.pricing.steps import ExplainedStep, run_steps, unlock_steps
from credits_core.pricing.units import UNITS, unit_name
from credits_core.pricing.usage_price import credits_each
from credits_core.store.kinds import REFUNDS, EntryType, TransactionType
from credits_core.values.days import from_microseconds
from credits_core.values.text import counted, format_credits

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class ExplainedTransaction:
    """A transaction of the entry beside the one that follows from the inputs, in credits; positive is received.

    `recorded_credits` is None when the transaction is missing, `recomputed_credits` when it should not be there or
    cannot be computed. The platform's own accounts have no balances.
    """

    account_id: str
    type: TransactionType
    recorded_credits: int | None
    recomputed_credits: int | None
    balance_before_credits: int | None
    balance_after_credits: int | None


@dataclass(frozen=True, slots=True)
class ChargedParts:
    """What the user was charged and its parts, as recorded, in credits. An unlock has no inference cost or markup."""

    total_credits: int
    inference_cost_credits: int
    creator_share_credits: int
    platform_share_credits: int
    platform_markup_credits: int

    @property
    def platform_credits(self) -> int:
        """What the platform received: its share of the fee and the markup."""
        return self.platform_share_credits + self.platform_markup_credits


@dataclass(frozen=True, slots=True)
class Explanation:
    """One charge or refund, explained. `inputs` are what is stored of it, as pairs of a label and a text.

    `differences` has a sentence for everything that is not as the inputs say; `parts` is None when the entry's run or
    unlock is missing, and for a refund. Of a charge, `refunded_credits` were refunded by now, and `left_credits` are
    left. A refund has `borne`, who bore what by the record, unless something it needs is missing.
    """

    entry_id: int
    type: EntryType
    about: str
    user_id: str
    created_at: datetime
    inputs: tuple[tuple[str, str], ...]
    steps: tuple[ExplainedStep, ...]
    parts: ChargedParts | None
    transactions: tuple[ExplainedTransaction, ...]
    refunds_entry_id: int | None
    refunded_by_entry_id: int | None
    refunded_credits: int
    left_credits: int
    differences: tuple[str, ...]
    borne: Bearing | None = None

    @property
    def is_proved(self) -> bool:
        """Whether everything recorded is, to the credit, what the stored inputs give."""
        return not self.differences

    @property
    def verdict(self) -> str:
        """Whether the recalculation matches the charge or refund, in one sentence."""
        what = "refund" if self.type in REFUNDS else "charge"
        if self.is_proved:
            return f"Recalculated from the stored inputs: matches the {what} exactly."
        count = counted(len(self.differences), "difference")
        return f"The {what} does not match the stored inputs: {count}."


def explain(connection: Connection, entry_id: int, *, plans: Plans) -> Explanation:
    """The explanation of a prompt run, flow unlock or refund, computed again from what is stored with it.

    `plans` are all that history may name. A recorded amount that differs is no refusal but one of the `differences`.

    Raises:
        UnknownEntry: no entry has this id.
        NotExplainable: the entry is of another kind, so there is nothing to calculate.
    """
    # Without plans no quote is computed on the way, which fails for a damaged run.
    posted = entries.receipt(connection, entry_id, plans={})
    if posted.type is EntryType.PROMPT_RUN:
        return _of_run(connection, posted, plans)
    if posted.type is EntryType.FLOW_UNLOCK:
        return _of_unlock(connection, posted, plans)
    if posted.type in REFUNDS:
        return _of_refund(connection, posted)
    raise NotExplainable(entry_id, posted.type.value)


def _of_run(connection: Connection, posted: Receipt, plans: Plans) -> Explanation:
    run = entries.run_of_entry(connection, posted.entry_id)
    if run is None:
        return _missing(connection, posted, "run")
    quote = recompute.run_again(run, plans)
    steps: tuple[ExplainedStep, ...] = ()
    due: list[Movement] | NotRecomputable
    if isinstance(quote, NotRecomputable):
        due = quote
    else:
        steps = run_steps(quote, run)
        due = _paid_first(
            connection, posted.entry_id, run.creator_id, movements.for_prompt_run(quote, run.user_id, run.creator_id)
        )
    parts = ChargedParts(
        run.total_credits,
        run.inference_cost_credits,
        run.creator_share_credits,
        run.creator_fee_credits - run.creator_share_credits,
        run.platform_markup_credits,
    )
    about = f"Run of {run.prompt_id} on {run.model_id}"
    return _explained(
        connection, posted, about, user_id=run.user_id, inputs=_run_inputs(run), steps=steps, parts=parts, due=due
    )


def _of_unlock(connection: Connection, posted: Receipt, plans: Plans) -> Explanation:
    unlock = entries.unlock_of_entry(connection, posted.entry_id)
    if unlock is None:
        return _missing(connection, posted, "unlock")
    fee_credits, recorded_share_credits = unlock.unlock_fee_credits, unlock.creator_share_credits
    split = recompute.split_again(unlock.plan_id, fee_credits, plans)
    steps: tuple[ExplainedStep, ...] = ()
    due: list[Movement] | NotRecomputable
    if isinstance(split, NotRecomputable):
        due = split
    else:
        steps = unlock_steps(plans[unlock.plan_id], unlock)
        moved = movements.for_flow_unlock(
            unlock.user_id, unlock.creator_id, creator_share_credits=split[0], platform_share_credits=split[1]
        )
        due = _paid_first(connection, posted.entry_id, unlock.creator_id, moved)
    inputs = (
        ("Flow", unlock.flow_id),
        ("Price plan", unlock.plan_id),
        ("Unlock fee", f"{format_credits(fee_credits)}, asked by {unlock.creator_id}"),
    )
    parts = ChargedParts(fee_credits, 0, recorded_share_credits, fee_credits - recorded_share_credits, 0)
    return _explained(
        connection,
        posted,
        f"Unlock of {unlock.flow_id}",
        user_id=unlock.user_id,
        inputs=inputs,
        steps=steps,
        parts=parts,
        due=due,
    )


def _paid_first(connection: Connection, entry_id: int, creator_id: str | None, moved: list[Movement]) -> list[Movement]:
    """These movements, and those by which the share pays what the creator owed just before the entry."""
    share_credits = movements.shares_of(moved).creator_credits
    if creator_id is None or not share_credits:
        return moved
    paid_credits = min(debts.owed_before(connection, creator_id, entry_id), share_credits)
    return movements.paying_debt(moved, creator_id, paid_credits) if paid_credits > 0 else moved


def _of_refund(connection: Connection, posted: Receipt) -> Explanation:
    if posted.terms is None:
        return _missing(connection, posted, "rule")
    if posted.refunds_entry_id is None or (posted.type is EntryType.PARTIAL_REFUND and posted.part is None):
        return _missing(connection, posted, "part")
    try:
        original = entries.receipt(connection, posted.refunds_entry_id, plans={})
    except UnknownEntry:
        return _missing(connection, posted, "refunded entry")
    paid = refunds.movements_of(original)
    if not paid or not posted.transactions:
        return _missing(connection, posted, "transactions")
    balances = {
        user_id: entries.balance_at(connection, user_id, entry_id=posted.entry_id - 1)
        for user_id in refunds.users_of(paid)
    }
    due = movements.for_refund(paid, balances, posted.terms, posted.part)
    borne = bearing.bearing(paid, posted.transactions, posted.terms)
    explained = _explained(
        connection,
        posted,
        f"Refund of entry {original.entry_id}",
        user_id=paid[0].account_id,
        inputs=(
            ("Refunded entry", f"{original.entry_id} ({original.type.value.replace('_', ' ')})"),
            *(() if posted.part is None else (("Part", _part_words(posted.part, -paid[0].amount_credits)),)),
            ("Reason", posted.description or "none"),
            ("Rule", bearing.rule_sentence(borne)),
        ),
        steps=refund_steps(bearing.bearing(paid, due, posted.terms), borne),
        parts=None,
        due=due,
    )
    return replace(explained, borne=borne)


def _part_words(part: RefundPart, total_credits: int) -> str:
    after = f"{part.through_credits:,} refunded by then, {total_credits - part.through_credits:,} left"
    return f"{part.credits:,} of {total_credits:,} credits; {after}"


def _missing(connection: Connection, posted: Receipt, what: str) -> Explanation:
    return _explained(
        connection,
        posted,
        f"Entry without its {what}",
        user_id=posted.transactions[0].account_id if posted.transactions else "nobody",
        inputs=(),
        steps=(),
        parts=None,
        due=NotRecomputable(f"has no recorded {what}, so there are no inputs to calculate it from"),
    )


def _explained(
    connection: Connection,
    posted: Receipt,
    about: str,
    *,
    user_id: str,
    inputs: tuple[tuple[str, str], ...],
    steps: tuple[ExplainedStep, ...],
    parts: ChargedParts | None,
    due: list[Movement] | NotRecomputable,
) -> Explanation:
    transactions = tuple(_transactions(posted, [] if isinstance(due, NotRecomputable) else due))
    differences = [
        f"{step.label}: {step.recorded_credits:,} credits were recorded, but the inputs give "
        f"{step.recomputed_credits:,}."
        for step in steps
        if not step.is_equal
    ]
    if isinstance(due, NotRecomputable):
        differences.append(f"Entry {posted.entry_id} {due.reason}.")
    else:
        differences += _wrong_transactions(transactions)
    differences += _wrong_balances(connection, posted)
    return Explanation(
        entry_id=posted.entry_id,
        type=posted.type,
        about=about,
        user_id=user_id,
        created_at=posted.created_at,
        inputs=inputs,
        steps=steps,
        parts=parts,
        transactions=transactions,
        refunds_entry_id=posted.refunds_entry_id,
        refunded_by_entry_id=posted.refunded_by_entry_id,
        refunded_credits=posted.refunded_credits,
        left_credits=posted.left_credits if posted.transactions else 0,
        differences=tuple(differences),
    )


def _transactions(posted: Receipt, due: list[Movement]) -> Iterator[ExplainedTransaction]:
    due_credits = {(movement.account_id, movement.type): movement.amount_credits for movement in due}
    for one in posted.transactions:
        yield ExplainedTransaction(
            one.account_id,
            one.type,
            one.amount_credits,
            due_credits.pop((one.account_id, one.type), None),
            one.balance_before_credits,
            one.balance_after_credits,
        )
    for (account_id, type_), credits in due_credits.items():
        yield ExplainedTransaction(account_id, type_, None, credits, None, None)


def _wrong_transactions(transactions: tuple[ExplainedTransaction, ...]) -> Iterator[str]:
    for one in transactions:
        if one.recorded_credits == one.recomputed_credits:
            continue
        recorded = "no such transaction was" if one.recorded_credits is None else f"{one.recorded_credits:+,} were"
        due = "none" if one.recomputed_credits is None else f"{one.recomputed_credits:+,}"
        yield f"Transaction {one.type.value} of {one.account_id}: {recorded} recorded, but the inputs give {due}."


def _wrong_balances(connection: Connection, posted: Receipt) -> Iterator[str]:
    held_credits: dict[str, int] = {}
    for one in posted.transactions:
        if one.balance_before_credits is None or one.balance_after_credits is None:
            continue
        if one.account_id not in held_credits:
            held_credits[one.account_id] = entries.balance_at(connection, one.account_id, entry_id=posted.entry_id - 1)
        if one.balance_before_credits != held_credits[one.account_id]:
            yield (
                f"Balance of {one.account_id} before: this entry implies {one.balance_before_credits:,}, but the "
                f"previous entry left {held_credits[one.account_id]:,}."
            )
        held_credits[one.account_id] = one.balance_after_credits


def _run_inputs(run: Any) -> tuple[tuple[str, str], ...]:
    inputs = [("Prompt", run.prompt_id), ("Model", run.model_id), ("Price plan", run.plan_id)]
    if run.used_at_us is not None:
        inputs.append(("Used at", f"{from_microseconds(run.used_at_us):%Y-%m-%d %H:%M:%S} UTC"))
    if run.asked_model is not None:
        inputs.append(("Asked for as", run.asked_model))
    inputs += [(unit_name(key), f"{count:,}") for key, count in _readable(entries.usage_of_run, run) or ()]
    if run.service_tier is not None:
        inputs.append(("Service tier", run.service_tier))
    price = _readable(entries.price_of_run, run)
    if isinstance(price, RunPrice):
        inputs.append(("Price per run", f"{price.run_price_credits:,} credits"))
    elif price is not None:
        charged = _readable(lambda run: price.counts(entries.usage_of_run(run) or ()), run) or {}
        inputs += [(f"{unit_name(key)} price", _price_words(key, usd)) for key, usd in price.usd if charged.get(key, 1)]
    by = f", asked by {run.creator_id}" if run.creator_id is not None else ""
    inputs.append(("Creator fee", f"{run.creator_fee_credits:,}{by}" if run.creator_fee_credits else "none"))
    return tuple(inputs)


def _readable(read: Callable[[Any], Read], run: Any) -> Read | None:
    try:
        return read(run)
    except (CreditsError, ArithmeticError, ValueError, TypeError, AttributeError):  # damaged: the verdict says so
        return None


def _price_words(key: str, usd: Decimal) -> str:
    unit = UNITS[key]
    what = {"requests": "requests"}.get(key, key.replace("_", " "))
    return f"${usd:f} per {unit.per:,} {what}, so {credits_each(key, usd)} credits each"
