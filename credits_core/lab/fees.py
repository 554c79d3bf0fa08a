"""Compares a creator's fee per run with a one-time unlock: who receives what, and from how many runs each pays. Pure.

Two ways to be paid are compared. With a **fee per run** every run costs its price with the fee. With a **one-time
unlock** the user pays the unlock price once, and every run then costs its price without a creator fee, with the
platform's markup. Prices come from `pricing.quote_many` and shares from the plan.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector import shape
from credits_core.lab.inspector.shape import Inversion
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote_many import QuoteArrays, quote_costs
from credits_core.values.arrays import Credits
from credits_core.values.credits import MAX_CREDITS, div_ceil, div_floor, require_credits
from credits_core.values.text import format_bps, format_credits

MAX_FEE_CREDITS = 1_000_000_000
"""Largest creator fee and unlock price that can be compared: $1,000."""
MAX_RUNS = 1_000_000
"""Most runs of one user that can be compared."""
_LARGEST_SCALE_CREDITS = 10**12


@dataclass(frozen=True, slots=True)
class Parties:
    """What a user pays and who receives it, in credits: `user = inference + creator + platform`."""

    user_credits: int
    inference_credits: int
    creator_credits: int
    platform_credits: int

    def times(self, count: int) -> "Parties":
        """These amounts, multiplied by `count`."""
        return Parties(
            self.user_credits * count,
            self.inference_credits * count,
            self.creator_credits * count,
            self.platform_credits * count,
        )

    def plus(self, other: "Parties") -> "Parties":
        """The sum of both."""
        return Parties(
            self.user_credits + other.user_credits,
            self.inference_credits + other.inference_credits,
            self.creator_credits + other.creator_credits,
            self.platform_credits + other.platform_credits,
        )


@dataclass(frozen=True, slots=True)
class FeeDesign:
    """A creator fee and an unlock price under one plan, for runs of one inference cost, and who pays and earns what.

    `run_with_fee` and `run_without_fee` are one run each, `unlock` is only the unlock. `inversion` holds the fees that
    make this run cheaper for the user than no fee; None when no fee does. With a fee of
    `platform_break_even_fee_credits` or more the platform receives at least as much as without a fee; None when no fee
    is enough.
    """

    plan: PricePlan
    inference_cost_credits: int
    fee_credits: int
    unlock_fee_credits: int
    run_with_fee: Parties
    run_without_fee: Parties
    unlock: Parties
    inversion: Inversion | None
    platform_break_even_fee_credits: int | None

    @property
    def extra_per_run_credits(self) -> int:
        """How much more a run with the fee costs the user than a run after unlocking; negative when it costs less."""
        return self.run_with_fee.user_credits - self.run_without_fee.user_credits

    @property
    def user_break_even_runs(self) -> int | None:
        """The smallest number of runs at which paying the fee each time costs the user at least as much as unlocking.

        That is the smallest n with n × price with fee ≥ unlock price + n × price without fee. None when there is no
        such number, because a run with the fee costs no more than a run without.
        """
        if self.extra_per_run_credits <= 0:
            return None
        return div_ceil(self.unlock_fee_credits, self.extra_per_run_credits)

    @property
    def creator_break_even_runs(self) -> int | None:
        """The smallest number of runs whose fees bring the creator more than one unlock.

        That is the smallest n with n × share of the fee > share of the unlock price. None when the creator has no share
        of the fee.
        """
        if not self.run_with_fee.creator_credits:
            return None
        return div_floor(self.unlock.creator_credits, self.run_with_fee.creator_credits) + 1

    def after_runs_with_fee(self, runs: int) -> Parties:
        """What that many runs with the fee cost the user, and who receives it.

        Raises:
            InvalidRequest: the runs are not 0 to 1,000,000, or an amount is above 2^53-1 credits.
        """
        return _within_bounds(self.run_with_fee.times(_require_runs(runs)))

    def after_runs_unlocked(self, runs: int) -> Parties:
        """What unlocking and then that many runs cost the user, and who receives it.

        Raises:
            InvalidRequest: as `after_runs_with_fee`.
        """
        return _within_bounds(self.unlock.plus(self.run_without_fee.times(_require_runs(runs))))

    def month_unlocked(self, runs: int, *, runs_per_user: int) -> tuple[int, Parties]:
        """A month of `runs` runs, when each user unlocks first and runs `runs_per_user` times: the users, and the sums.

        The last user may run less often. Runs are 0 to 1,000,000; 0 runs per user count as 1.

        Raises:
            InvalidRequest: as `after_runs_with_fee`.
        """
        users = div_ceil(_require_runs(runs), max(1, _require_runs(runs_per_user)))
        return users, _within_bounds(self.unlock.times(users).plus(self.run_without_fee.times(runs)))

    def fee_split(self, text_of: Callable[[int], str] = format_credits) -> str:
        """Who gets what of the fee that the creator asks, said to the creator. `text_of` writes an amount."""
        if not self.fee_credits:
            return f"You ask no fee: you get nothing, PromptFlow {text_of(self.run_with_fee.platform_credits)}."
        said = self._split(self.fee_credits, self.run_with_fee, text_of)
        on_top_credits = self.run_with_fee.user_credits - self.inference_cost_credits - self.fee_credits
        if on_top_credits:
            said += f" The user pays {text_of(on_top_credits)} of that on top of your fee."
        return said

    def unlock_split(self, text_of: Callable[[int], str] = format_credits) -> str:
        """Who gets what of the unlock price, said to the creator. `text_of` writes an amount."""
        return self._split(self.unlock_fee_credits, self.unlock, text_of)

    def _split(self, asked_credits: int, parties: Parties, text_of: Callable[[int], str]) -> str:
        return (
            f"You ask {text_of(asked_credits)}: you get {text_of(parties.creator_credits)} "
            f"({format_bps(self.plan.creator_share_bps)}), PromptFlow {text_of(parties.platform_credits)}."
        )

    @property
    def is_inverted(self) -> bool:
        """Whether the chosen fee makes the run cheaper for the user than no fee."""
        return self.extra_per_run_credits < 0

    @property
    def telling_fees(self) -> tuple[int | None, ...]:
        """The fees that a chart over fees should include, because something changes there; None where there is none."""
        largest_credits = self.inversion.largest_fee_credits if self.inversion else None
        return 1, largest_credits, self.platform_break_even_fee_credits, self.fee_credits

    def worthwhile_unlock_credits(self, runs: int) -> int:
        """The largest unlock price with which unlocking costs the user no more than paying the fees; 0 for none.

        Raises:
            InvalidRequest: as `after_runs_with_fee`.
        """
        return max(0, self.extra_per_run_credits) * _require_runs(runs)

    @property
    def break_even_sentences(self) -> tuple[str, str]:
        """From how many runs an unlock pays off for the user, and from how many a fee earns the creator more."""
        user_runs, creator_runs = self.user_break_even_runs, self.creator_break_even_runs
        if user_runs is None:
            user = "Unlocking never saves the user money, because this fee does not make a run dearer."
        else:
            user = f"{_from_run(user_runs)}, an unlock costs the user no more than a per-run fee."
        if creator_runs is None:
            return (
                user,
                "A per-run fee never earns the creator more than an unlock, because the creator gets none of this fee.",
            )
        return user, f"{_from_run(creator_runs)}, a per-run fee earns the creator more than an unlock."

    @property
    def sentences(self) -> tuple[str, str]:
        """What a fee does to the user's price, and the fee at which the platform earns as much as without one."""
        makes_cheaper = "makes this run cheaper than no fee."
        if self.inversion is None:
            user = "No creator fee makes this run cheaper."
        elif self.inversion.largest_fee_credits == 1:
            user = f"A fee of 1 credit {makes_cheaper}"
        else:
            user = f"A fee of 1 to {self.inversion.largest_fee_credits:,} credits {makes_cheaper}"
        if self.platform_break_even_fee_credits is None:
            return user, "We never break even with a fee, because the creator gets all of it."
        if self.platform_break_even_fee_credits == 1:
            return user, "With any fee we earn at least as much as without one."
        return user, f"We only break even at a fee of {self.platform_break_even_fee_credits:,}."


@dataclass(frozen=True, slots=True)
class Scale:
    """Whole numbers from 0 to `last`, inclusive, in steps of `step`, for a slider or the points of a chart."""

    last: int
    step: int

    @property
    def to_ask(self) -> "Scale":
        """The part of the scale up to the largest fee that a creator can ask; a chart may show more."""
        return Scale(min(self.last, MAX_FEE_CREDITS), min(self.step, div_floor(MAX_FEE_CREDITS, 100)))

    def points(self, *through: int | None) -> Credits:
        """The scale's numbers and those of `through` that lie within it, in ascending order.

        >>> Scale(10, 5).points(1, None, 11).tolist()
        [0, 1, 5, 10]
        """
        others = [one for one in through if one is not None and 0 <= one <= self.last]
        return np.union1d(np.arange(0, self.last + 1, self.step, dtype=np.int64), np.array(others, dtype=np.int64))


def design(plan: PricePlan, inference_cost_credits: int, *, fee_credits: int, unlock_fee_credits: int) -> FeeDesign:
    """Compares a fee per run with an unlock price, for runs of this inference cost.

    The fee is 0 (none) to 10^9 credits, the unlock price 1 to 10^9.

    Raises:
        InvalidRequest: a number is out of bounds, or an amount would be above 2^53-1 credits.

    >>> from credits_core.pricing.plan import MarkupTier
    >>> plan = PricePlan("p", 8_000, (MarkupTier(None, 1_000, None),))
    >>> found = design(plan, 30_000, fee_credits=5_000, unlock_fee_credits=100_000)
    >>> found.run_with_fee.user_credits, found.run_without_fee.user_credits  # 30,000 + 5,000 and 30,000 + 10 %
    (35000, 33000)
    >>> found.user_break_even_runs, found.creator_break_even_runs  # 100,000 ÷ 2,000; more than 80,000 ÷ 4,000
    (50, 21)
    >>> found.fee_split()
    'You ask 5,000: you get 4,000 (80 %), PromptFlow 1,000.'
    >>> found.month_unlocked(1_000, runs_per_user=20)[0]  # users
    50
    >>> found.sentences[0]
    'A fee of 1 to 2,999 credits makes this run cheaper than no fee.'
    """
    require_credits("inference_cost_credits", inference_cost_credits, minimum=0)
    _require_fee("creator_fee_credits", fee_credits, minimum=0)
    _require_fee("unlock_fee_credits", unlock_fee_credits, minimum=1)
    without_fee, with_fee = _runs(over_fees(plan, inference_cost_credits, np.array([0, fee_credits], dtype=np.int64)))
    return FeeDesign(
        plan=plan,
        inference_cost_credits=inference_cost_credits,
        fee_credits=fee_credits,
        unlock_fee_credits=unlock_fee_credits,
        run_with_fee=with_fee,
        run_without_fee=without_fee,
        unlock=_unlock(plan, unlock_fee_credits),
        inversion=shape.inversion_at(plan, inference_cost_credits),
        platform_break_even_fee_credits=shape.break_even_fee(plan, inference_cost_credits),
    )


def over_fees(plan: PricePlan, inference_cost_credits: int, fees: Credits) -> QuoteArrays:
    """The amounts of a run of this inference cost at each of the fees.

    Raises:
        InvalidRequest: as `pricing.quote_many.quote_costs`.
    """
    costs = np.full(len(fees), inference_cost_credits, np.int64)
    return quote_costs(plan, costs, creator_fee_credits=fees)


def over_unlock_prices(found: FeeDesign, runs: int, unlock_fees: Credits) -> list[Parties]:
    """For each unlock price, what unlocking and then that many runs cost the user, and who receives it.

    Raises:
        InvalidRequest: as `FeeDesign.after_runs_unlocked`.
    """
    after_unlocking = found.run_without_fee.times(_require_runs(runs))
    prices: list[int] = unlock_fees.tolist()
    return [_within_bounds(_unlock(found.plan, price).plus(after_unlocking)) for price in prices]


def fee_scale(found: FeeDesign) -> Scale:
    """Fees from 0 to a round number that includes the inversion, the platform's break-even fee and the chosen fee.

    >>> from credits_core.pricing.plan import MarkupTier
    >>> plan = PricePlan("p", 8_000, (MarkupTier(None, 1_000, None),))
    >>> fee_scale(design(plan, 30_000, fee_credits=5_000, unlock_fee_credits=100_000))  # it breaks even at 14,996
    Scale(last=20000, step=100)
    """
    markup_credits = found.run_without_fee.platform_credits
    return _scale_to(max(found.platform_break_even_fee_credits or 0, 2 * markup_credits, found.fee_credits + 1, 1_000))


def unlock_scale(found: FeeDesign, runs: int) -> Scale:
    """Unlock prices from 0 to a round number that includes the chosen one and the extra cost of the runs' fees."""
    return _scale_to(max(2 * found.worthwhile_unlock_credits(runs), found.unlock_fee_credits + 1, 1_000))


def runs_scale(found: FeeDesign, runs: int) -> Scale:
    """Numbers of runs from 0 to a round number beyond `runs` and each break-even of at most 1,000,000 runs."""
    break_evens = (found.user_break_even_runs, found.creator_break_even_runs)
    in_reach = [one for one in break_evens if one is not None and one <= MAX_RUNS]
    return _scale_to(max(*in_reach, _require_runs(runs), 9) + 1)


def _scale_to(largest: int) -> Scale:
    """A scale up to the smallest of 1, 2, 5, 10, 20, 50… that is at least `largest` (taken as 10^12 at most)."""
    largest, power = min(largest, _LARGEST_SCALE_CREDITS), 1
    while power * 10 < largest:
        power *= 10
    last = next(power * first for first in (1, 2, 5, 10) if power * first >= largest)
    return Scale(last, max(1, div_floor(power, 100)))


def _unlock(plan: PricePlan, unlock_fee_credits: int) -> Parties:
    return Parties(unlock_fee_credits, 0, *plan.split_fee(unlock_fee_credits))


def _from_run(runs: int) -> str:
    return "From the first run" if runs == 1 else f"From {runs:,} runs per user"


def _runs(amounts: QuoteArrays) -> list[Parties]:
    platform = amounts.platform_share_credits + amounts.platform_markup_credits
    rows = zip(
        amounts.total_credits.tolist(),
        amounts.inference_cost_credits.tolist(),
        amounts.creator_share_credits.tolist(),
        platform.tolist(),
        strict=True,
    )
    return [Parties(*row) for row in rows]


def _require_fee(field: str, credits: int, *, minimum: int) -> None:
    if type(credits) is not int or not minimum <= credits <= MAX_FEE_CREDITS:
        raise InvalidRequest(field, f"must be a whole number from {minimum} to {MAX_FEE_CREDITS:,}, not {credits!r}")


def _require_runs(runs: int) -> int:
    if type(runs) is not int or not 0 <= runs <= MAX_RUNS:
        raise InvalidRequest("runs", f"must be a whole number from 0 to {MAX_RUNS:,}, not {runs!r}")
    return runs


def _within_bounds(parties: Parties) -> Parties:
    if parties.user_credits > MAX_CREDITS:
        raise InvalidRequest(
            "runs", f"would cost {parties.user_credits:,} together, above the largest amount, {MAX_CREDITS:,}"
        )
    return parties
