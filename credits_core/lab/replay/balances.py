"""Follows users' balances through time, with changed amounts: which charges would they have covered? Pure.

`follow` is the rule: one event after the other, in plain whole numbers. `follow_quickly` gives the same result: it adds
everything up at once as if nothing were refused, and follows step by step only where a balance would fall below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from credits_core.values.arrays import Credits

Flags = npt.NDArray[np.bool_]
NOBODY = -1
ADDED, CHARGED, REFUNDED, REFUNDED_OWED = 0, 1, 2, 3
"""The kinds of event: credits from or to outside, a run or an unlock, and the refund of one of those.

What a creator has spent of a refunded share the platform bears (`REFUNDED`), or the creator owes (`REFUNDED_OWED`)."""
_BEYOND_ANY_BALANCE = 2**62
_SHORT = 2**15 - 1


@dataclass(frozen=True, slots=True)
class Events:
    """What moves users' credits, in the order of the ledger; arrays of one length. Accounts are numbers from 0.

    `payer` is the account that pays, is refunded, or to which credits are added. `creator` is the account that receives
    the share, or `NOBODY`. `amount_credits` is what a charge takes and its refund gives back, or what is added; when
    added credits are refunded, it is negative. For a refund, `charge` is the position of the event that it refunds, or
    -1 when that event came before all of these.
    """

    kind: Credits
    payer: Credits
    creator: Credits
    amount_credits: Credits
    share_credits: Credits
    charge: Credits


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of each event: whether it happened, and what the platform paid towards a refund, in credits."""

    happened: Flags
    borne_credits: Credits


def follow(events: Events, starting_credits: list[int], owed_credits: Sequence[int] = ()) -> Followed:
    """Walk the events in order from these balances, one per account, and what creators owe, if anybody owes anything.

    A charge happens when the payer's balance covers it; then the creator receives the share. Added credits are refunded
    only when the balance covers them. When a charge did not happen, neither does its refund. Otherwise the payer
    receives the amount first, then the creator gives back the share, but at most the balance, and the platform pays the
    rest, or the creator owes it. Later shares pay what is owed first.

    >>> def column(*numbers): return np.array(numbers, np.int64)
    >>> events = Events(kind=column(ADDED, CHARGED, CHARGED), payer=column(0, 0, 1), creator=column(-1, 1, -1),
    ...     amount_credits=column(250, 300, 80), share_credits=column(0, 80, 0), charge=column(-1, -1, -1))
    >>> follow(events, [0, 0]).happened.tolist()  # 250 do not cover 300, so the creator has no 80 to spend
    [True, False, False]
    """
    balances = list(starting_credits)
    owed = list(owed_credits) or [0] * len(balances)
    happened = [True] * len(events.kind)
    borne_credits = [0] * len(events.kind)
    rows = zip(
        events.kind.tolist(),
        events.payer.tolist(),
        events.creator.tolist(),
        events.amount_credits.tolist(),
        events.share_credits.tolist(),
        events.charge.tolist(),
        strict=True,
    )
    for position, (kind, payer, creator, amount_credits, share_credits, charge) in enumerate(rows):
        if kind == CHARGED:
            if balances[payer] < amount_credits:
                happened[position] = False
                continue
            balances[payer] -= amount_credits
            if share_credits:
                paid_credits = min(owed[creator], share_credits)
                owed[creator] -= paid_credits
                balances[creator] += share_credits - paid_credits
        elif kind == ADDED:
            if balances[payer] + amount_credits < 0:
                happened[position] = False
                continue
            balances[payer] += amount_credits
        elif charge >= 0 and not happened[charge]:
            happened[position] = False
        else:
            balances[payer] += amount_credits
            if share_credits:
                back_credits = min(share_credits, balances[creator])
                balances[creator] -= back_credits
                if kind == REFUNDED:
                    borne_credits[position] = share_credits - back_credits
                else:
                    owed[creator] += share_credits - back_credits
    return Followed(np.array(happened, np.bool_), np.array(borne_credits, np.int64))


def follow_quickly(events: Events, starting_credits: list[int], owed_credits: Sequence[int] = ()) -> Followed:
    """The same as `follow`; the amounts of all events and balances together must stay below 2^62."""
    happened = np.ones(len(events.kind), np.bool_)
    borne_credits = np.zeros(len(events.kind), np.int64)
    unsure = _accounts_to_walk(events, starting_credits, owed_credits)
    if unsure.any():
        walked = np.flatnonzero(unsure[events.payer] | (unsure[events.creator] & (events.creator >= 0)))
        owed = [*owed_credits, 0] if owed_credits else ()
        found = follow(*_only(events, walked, unsure, starting_credits), owed)
        happened[walked], borne_credits[walked] = found.happened, found.borne_credits
    return Followed(happened, borne_credits)


def _accounts_to_walk(events: Events, starting_credits: list[int], owed_credits: Sequence[int]) -> Flags:
    # As long as no balance falls below zero when nothing is refused, nothing is refused. Where one does, a refused
    # charge or a share that is not given back changes that account alone, but for the creators whom it pays.
    unsure: Flags = lowest(events, starting_credits) < 0
    if owed_credits:
        unsure |= np.array(owed_credits, np.int64) > 0
    if not unsure.any():
        return unsure
    gives = np.zeros(len(unsure), np.bool_)  # only of those who give can anything depend on their balance
    gives[events.payer[(events.kind == CHARGED) | (events.amount_credits < 0)]] = True
    gives[events.creator[(events.kind >= REFUNDED) & (events.creator >= 0)]] = True
    # Also the creators of refunds to them: what such a creator still has decides what is borne.
    pays = (events.kind != ADDED) & (events.creator >= 0)
    pairs = np.unique(events.payer[pays] * len(unsure) + events.creator[pays])
    payers, creators = np.divmod(pairs, len(unsure))
    while True:
        reached = creators[unsure[payers] & ~unsure[creators] & gives[creators]]
        if not len(reached):
            return unsure
        unsure[reached] = True


def lowest(events: Events, starting_credits: list[int]) -> Credits:
    """The lowest balance of each account after any of its events, if every event happened in full; 2^62 without events.

    A balance below zero says that an event could not have happened like this. The amounts of all events and balances
    together must stay below 2^62.
    """
    signs = np.array([1, -1, 1, 1])[events.kind]
    accounts = np.stack([events.payer, events.creator], axis=1).ravel()
    amounts = np.stack([events.amount_credits * signs, -events.share_credits * signs], axis=1).ravel()
    is_movement = accounts >= 0
    accounts, amounts = accounts[is_movement], amounts[is_movement]
    count = len(starting_credits)
    # Short numbers are sorted by their digits, ten times as fast.
    by_account = np.argsort(accounts.astype(np.int16 if count <= _SHORT else np.int64), kind="stable")
    accounts, running = accounts[by_account], np.cumsum(amounts[by_account])
    first = np.flatnonzero(np.diff(accounts, prepend=-1))
    before = np.zeros(count, np.int64)
    before[accounts[first]] = running[first] - amounts[by_account[first]]
    running += (np.array(starting_credits, np.int64) - before)[accounts]
    found = np.full(count, _BEYOND_ANY_BALANCE, np.int64)
    if len(first):
        found[accounts[first]] = np.minimum.reduceat(running, first)
    return found


def _only(
    events: Events, positions: Credits, walked_accounts: Flags, starting_credits: list[int]
) -> tuple[Events, list[int]]:
    """The events at these positions; who is not walked pays from one account more, which covers everything."""
    payers = events.payer[positions]
    rich = len(starting_credits)
    new_position = np.full(len(events.kind), -1, np.int64)
    new_position[positions] = np.arange(len(positions))
    charges = events.charge[positions]
    return Events(
        kind=events.kind[positions],
        payer=np.where(walked_accounts[payers], payers, rich),
        creator=events.creator[positions],
        amount_credits=events.amount_credits[positions],
        share_credits=events.share_credits[positions],
        charge=np.where(charges >= 0, new_position[charges], -1),
    ), [*starting_credits, _BEYOND_ANY_BALANCE]
