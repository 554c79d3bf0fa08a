"""The charges behind a figure of a replay: of a day, a user, a creator, a model, or a size of change. Pure."""

from dataclasses import dataclass

import numpy as np

from credits_core.lab.replay.balances import Flags
from credits_core.lab.replay.counterfactual import Outcome, ReplayedRun, replayed
from credits_core.lab.replay.record import UNLOCK, RecordedHistory
from credits_core.lab.replay.result import UNLOCKS_NAME
from credits_core.values.arrays import Credits


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which charges: of this day, user, creator or model (or the unlocks), or with a change in this range.

    Days count from 1970-01-01. `change_credits` are the least and the largest change of a run's total, both inclusive;
    refused runs are not in it.
    """

    day: int | None = None
    user: str | None = None
    creator: str | None = None
    model: str | None = None
    change_credits: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The wanted charges that change most, and how many there are in all."""

    in_all: int
    charges: tuple[ReplayedRun, ...]


def listing(history: RecordedHistory, outcome: Outcome, wanted: Wanted, *, limit: int) -> Listing:
    """At most `limit` of the wanted charges: refused ones first, then the largest changes of what is paid or received.

    Equal changes are in the order of the ledger.
    """
    charges, priced = history.charges, outcome.priced
    found = np.flatnonzero(_is_wanted(history, outcome, wanted))
    if wanted.creator is None:
        change = priced.total_credits - charges.total_credits
    else:
        change = priced.creator_share_credits - charges.creator_share_credits
    by_size = np.lexsort((charges.entry_id[found], -np.abs(change[found]), outcome.happened[found]))
    return Listing(len(found), tuple(replayed(history, outcome, found[by_size[:limit]])))


def _is_wanted(history: RecordedHistory, outcome: Outcome, wanted: Wanted) -> Flags:
    charges = history.charges
    is_wanted: Flags = charges.is_compared.copy()
    if wanted.day is not None:
        is_wanted &= charges.day == wanted.day
    if wanted.user is not None:
        is_wanted &= _is(charges.payer, history.accounts, wanted.user)
    if wanted.creator is not None:
        is_wanted &= _is(charges.creator, history.accounts, wanted.creator)
    if wanted.model == UNLOCKS_NAME:
        is_wanted &= charges.model == UNLOCK
    elif wanted.model is not None:
        is_wanted &= _is(charges.model, history.models, wanted.model)
    if wanted.change_credits is not None:
        least, largest = wanted.change_credits
        change = outcome.priced.total_credits - charges.total_credits
        is_wanted &= (change >= least) & (change <= largest) & outcome.happened & (charges.model != UNLOCK)
    return is_wanted


def _is(column: Credits, names: tuple[str, ...], name: str) -> Flags:
    found: Flags = column == (names.index(name) if name in names else len(names))
    return found
