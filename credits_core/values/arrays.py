"""The array type that holds credits, and what is done to a whole array of them."""

import numpy as np
import numpy.typing as npt

from credits_core.values.credits import BPS_PER_WHOLE

Credits = npt.NDArray[np.int64]
"""One whole number of credits, or of tokens, for each run."""
_MAX_INT64 = 2**63 - 1


def share_up(credits: Credits, bps: int) -> Credits:
    """A share of each amount in basis points (0 to 10,000), rounded up. No step can overflow.

    >>> share_up(np.array([0, 1, 10_000, 2**53]), 290).tolist()
    [0, 1, 290, 261208778387489]
    """
    wholes, rest = np.divmod(credits, BPS_PER_WHOLE)
    shares: Credits = wholes * bps - np.floor_divide(-rest * bps, BPS_PER_WHOLE)
    return shares


def share_down(credits: Credits, bps: int) -> Credits:
    """A share of each amount in basis points (0 to 1,000,000), rounded down. No amount up to 2^53 can overflow.

    >>> share_down(np.array([0, 1, 9_999, 2**53]), 290).tolist()
    [0, 0, 289, 261208778387488]
    """
    wholes, rest = np.divmod(credits, BPS_PER_WHOLE)
    shares: Credits = wholes * bps + np.floor_divide(rest * bps, BPS_PER_WHOLE)
    return shares


def difference_bps(before: Credits, after: Credits) -> Credits:
    """How much more each amount is after than before, in basis points of before, a half rounded away from zero.

    An amount that was nothing counts as one credit, so that whatever comes after it is a large increase. What is beyond
    64 bits counts as the largest number of 64 bits.

    >>> difference_bps(np.array([1_000, 3, 0, 2**53]), np.array([968, 2, 5, 2**53 + 2**52])).tolist()
    [-320, -3333, 50000, 5000]
    """
    base, difference = np.maximum(np.abs(before), 1), after - before
    if len(base) and int(np.abs(difference).max()) * 2 * BPS_PER_WHOLE + int(base.max()) > _MAX_INT64:
        base, difference = base.astype(object), difference.astype(object)  # Python's numbers, which have no bound
    sizes = np.floor_divide(np.abs(difference) * (2 * BPS_PER_WHOLE) + base, 2 * base)
    found: Credits = (np.sign(difference) * np.minimum(sizes, _MAX_INT64)).astype(np.int64)
    return found
