"""The array type that holds credits, and what is done to a whole array of them."""

import numpy as np
import numpy.typing as npt

from credits_core.values.credits import BPS_PER_WHOLE

Credits = npt.NDArray[np.int64]
"""One whole number of credits, or of tokens, for each run."""


def share_up(credits: Credits, bps: int) -> Credits:
    """A share of each amount in basis points (0 to 10,000), rounded up. No step can overflow.

    >>> share_up(np.array([0, 1, 10_000, 2**53]), 290).tolist()
    [0, 1, 290, 261208778387489]
    """
    wholes, rest = np.divmod(credits, BPS_PER_WHOLE)
    shares: Credits = wholes * bps - np.floor_divide(-rest * bps, BPS_PER_WHOLE)
    return shares
