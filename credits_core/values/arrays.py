"""The array type that holds credits."""

import numpy as np
import numpy.typing as npt

Credits = npt.NDArray[np.int64]
"""One whole number of credits, or of tokens, for each run."""
