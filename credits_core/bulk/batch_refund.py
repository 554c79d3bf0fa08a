"""Refunds all runs of a batch, one by one, through the ledger's one refund: who bears what is decided there alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from sqlalchemy import Connection

from credits_core.bulk.batch import Batch, Refusals, refused_with, run_key
from credits_core.bulk.pieces import for_a_while
from credits_core.errors import CreditsError
from credits_core.ledger import actions, entries, refunds
from credits_core.ledger.bearing import Bearing
from credits_core.ledger.refusals import AlreadyRefunded
from credits_core.pricing.quote import PriceBook
from credits_core.values.fields import require_text
from credits_core.values.roles import Actor, May


@dataclass(frozen=True, slots=True)
class BatchRefund:
    """What became of the runs of a batch so far. Each run is counted once.

    `refunded` counts the runs that this batch's refund has refunded, now or when it was asked for before;
    `refunded_before` those that another refund came first for; `not_charged` those that the batch never charged.
    `borne` says who bears what of the refunded runs in all, in credits.
    """

    refunded: int = 0
    refunded_before: int = 0
    not_charged: int = 0
    refused: Mapping[str, Refusals] = field(default_factory=dict)
    borne: Bearing | None = None

    @property
    def refused_count(self) -> int:
        """How many runs could not be refunded, for whatever reason."""
        return sum(refusals.count for refusals in self.refused.values())

    @property
    def runs(self) -> int:
        """How many runs have been dealt with."""
        return self.refunded + self.refunded_before + self.not_charged + self.refused_count


def refund_piece(
    connection: Connection,
    batch: Batch,
    *,
    before: BatchRefund,
    key: str,
    reason: str,
    book: PriceBook,
    now: datetime,
    actor: Actor,
) -> BatchRefund:
    """Refund the next runs of a batch in the caller's unit of work, at most a hundred, as long as a piece may take.

    `key` is the batch's own, under which it was charged. Returns the refund `before`, of all runs so far, with these
    runs added. Each refund has its own key, `KEY:NUMBER:refund`, so a run that was refunded here before is replayed:
    it counts as before, and nothing is refunded again. A refund that is refused changes nothing, and the others still
    count. A creator who has spent the share is no reason to refuse: what is spent is owed.

    Raises:
        NotAllowed: the actor may refund nobody.
        InvalidRequest: the reason does not have 1 to 500 characters.
    """
    actor.require(May.MOVE_CREDITS, May.TRY)
    require_text("reason", reason)
    numbers = batch.numbers_after(before.runs)
    charged = entries.entries_by_keys(connection, [run_key(key, number) for number in numbers])
    back = before
    for number in for_a_while(numbers):
        entry = charged.get(run_key(key, number))
        if entry is None:
            back = replace(back, not_charged=back.not_charged + 1)
            continue
        refund_key = f"{run_key(key, number)}:refund"
        try:
            posted = actions.refund(
                connection, entry[0], reason=reason, book=book, key=refund_key, now=now, actor=actor
            )
        except AlreadyRefunded:
            back = replace(back, refunded_before=back.refunded_before + 1)
        except CreditsError as refusal:
            back = replace(back, refused=refused_with(back.refused, refusal))
        else:
            borne = _together(back.borne, refunds.borne(connection, posted))
            back = replace(back, refunded=back.refunded + 1, borne=borne)
    return back


_CREDITS = [part.name for part in fields(Bearing) if part.name.endswith("_credits")]


def _together(one: Bearing | None, other: Bearing) -> Bearing:
    """Two refunds of runs of one batch, which have the same user, creator and terms, as one."""
    if one is None:
        return other
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in _CREDITS})
