"""Draws token counts of prompt runs from the quantiles of real traces. Pure, given a random generator.

The quantiles and their source are in `data/workloads.toml`.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from credits_core.errors import DataFileInvalid
from credits_core.pricing.units import MAX_COUNT

DRAW_BITS = 32
"""A draw is a whole number from 0 (inclusive) to 2^32 (exclusive), all equally likely."""
_P50, _P95 = 0.50, 0.95
_P50_DRAW, _P95_DRAW, _DRAWS = 2**31, 95 * 2**32 // 100, 2**32


@dataclass(frozen=True, slots=True)
class TokenQuantiles:
    """The median, 95th percentile and maximum of a trace's token counts."""

    p50: int
    p95: int
    max: int

    def at(self, share: float) -> int:
        """The token count that this share (0 to 1) of runs does not exceed, on straight lines through the quantiles.

        >>> TokenQuantiles(p50=1_020, p95=4_083, max=14_050).at(0.5)
        1020
        """
        if share <= _P50:
            return 1 + int(share / _P50 * (self.p50 - 1))
        if share <= _P95:
            return self.p50 + int((share - _P50) / (_P95 - _P50) * (self.p95 - self.p50))
        return self.p95 + int((share - _P95) / (1 - _P95) * (self.max - self.p95))

    def at_draws(self, draws: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The token count for each draw, on the same lines, in whole numbers, rounded down: the same on every machine.

        >>> TokenQuantiles(p50=1_020, p95=4_083, max=14_050).at_draws(np.array([0, 2**31, 2**32 - 1])).tolist()
        [1, 1020, 14049]
        """
        low = 1 + draws * (self.p50 - 1) // _P50_DRAW
        middle = self.p50 + (draws - _P50_DRAW) * (self.p95 - self.p50) // (_P95_DRAW - _P50_DRAW)
        high = self.p95 + (draws - _P95_DRAW) * (self.max - self.p95) // (_DRAWS - _P95_DRAW)
        counts: npt.NDArray[np.int64] = np.where(draws < _P50_DRAW, low, np.where(draws < _P95_DRAW, middle, high))
        return counts


@dataclass(frozen=True, slots=True)
class Workload:
    """The token quantiles of one kind of work, from a trace with `requests` requests."""

    id: str
    requests: int
    input_tokens: TokenQuantiles
    output_tokens: TokenQuantiles

    def draw(self, random: Random) -> tuple[int, int]:
        """Input and output tokens of one run. The same generator state gives the same counts."""
        return self.input_tokens.at(random.random()), self.output_tokens.at(random.random())


def load_workloads(path: Path) -> dict[str, Workload]:
    """The workloads of a file by id.

    Raises:
        DataFileInvalid: the file cannot be read as workloads, or quantiles do not rise.
    """
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["workloads"]
        workloads = [
            Workload(
                row["id"],
                row["requests"],
                TokenQuantiles(**row["input_tokens"]),
                TokenQuantiles(**row["output_tokens"]),
            )
            for row in rows
        ]
        for workload in workloads:
            for quantiles in (workload.input_tokens, workload.output_tokens):
                if not 1 <= quantiles.p50 <= quantiles.p95 <= quantiles.max <= MAX_COUNT:
                    problem = f"{workload.id}: quantiles must rise from 1 to at most {MAX_COUNT:,}, not {quantiles}"
                    raise DataFileInvalid(str(path), [problem])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read as workloads: {error!r}"]) from None
    return {workload.id: workload for workload in workloads}
