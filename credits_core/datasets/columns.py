"""The columns of a data set in its Parquet file, written and read in blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from credits_core.pricing.units import REQUESTS, UNITS
from credits_core.usage.runs import LoggedRun
from credits_core.values.arrays import Credits
from credits_core.values.days import to_microseconds

UNIT_KEYS = tuple(key for key in UNITS if key != REQUESTS)
_TEXTS = ("user", "model", "model_id", "service_tier", "creator")
NONE = -1
"""Stands for a cost that the log does not have."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One run that is kept: what the log says, the model that it was matched with, and who stands for its user."""

    run: LoggedRun
    model_id: str
    user: str


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts: the distinct ones, and for each row the number of its own."""

    names: tuple[str, ...]
    number: Credits


@dataclass(frozen=True, slots=True)
class Columns:
    """Every run of a data set, one element each. `usage` has the units that any of them used; 0 is not used.

    Costs in millionths of a credit and known costs in credits are -1 where the log has none.
    """

    line: Credits
    at_us: Credits
    user: Texts
    model: Texts
    model_id: Texts
    service_tier: Texts
    creator: Texts
    requests: Credits
    own_cost_pico: Credits
    known_cost_credits: Credits
    creator_fee_credits: Credits
    is_free: np.typing.NDArray[np.bool_]
    usage: dict[str, Credits]

    def __len__(self) -> int:
        return len(self.line)


class Writer:
    """Writes the runs of a data set, block by block."""

    def __init__(self, path: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        self._arrow: Any = pyarrow
        numbers = ("line", "at_us", "requests", "own_cost_pico", "known_cost_credits", "creator_fee_credits")
        self._schema = pyarrow.schema(
            [
                *((name, pyarrow.int64()) for name in numbers),
                ("is_free", pyarrow.bool_()),
                *((name, pyarrow.string()) for name in _TEXTS),
                *((f"usage.{key}", pyarrow.int64()) for key in UNIT_KEYS),
            ]
        )
        self._writer: Any = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, block: Sequence[Kept]) -> None:
        """Write these runs after the others."""
        runs = [kept.run for kept in block]
        usages = [dict(run.usage) for run in runs]
        used = {key for usage in usages for key in usage}
        nothing = np.zeros(len(block), np.int64)
        columns: list[Any] = [
            [run.line for run in runs],
            [to_microseconds(run.at) for run in runs],
            [run.requests for run in runs],
            [NONE if run.own_cost_pico is None else run.own_cost_pico for run in runs],
            [NONE if run.known_cost_credits is None else run.known_cost_credits for run in runs],
            [run.creator_fee_credits for run in runs],
            [run.is_free for run in runs],
            [kept.user for kept in block],
            [run.model for run in runs],
            [kept.model_id for kept in block],
            [run.service_tier or "" for run in runs],
            [run.creator for run in runs],
            *([usage.get(key, 0) for usage in usages] if key in used else nothing for key in UNIT_KEYS),
        ]
        self._writer.write_table(self._arrow.table(columns, schema=self._schema))

    def finish(self, metadata: dict[bytes, bytes]) -> None:
        """Write what the data set has, and end the file."""
        self._writer.add_key_value_metadata(metadata)
        self._writer.close()

    def close(self) -> None:
        """End the file as it is."""
        self._writer.close()


def read_columns(path: Path) -> Columns:
    """All runs of a data set."""
    from pyarrow import parquet

    table: Any = parquet.read_table(path, read_dictionary=list(_TEXTS))

    def numbers(name: str) -> Credits:
        found: Credits = table[name].to_numpy().astype(np.int64, copy=False)
        return found

    def texts(name: str) -> Texts:
        whole = table[name].unify_dictionaries().combine_chunks()
        whole = whole.chunk(0) if hasattr(whole, "num_chunks") and whole.num_chunks else whole
        if len(table) == 0:
            return Texts((), np.zeros(0, np.int64))
        return Texts(tuple(whole.dictionary.to_pylist()), whole.indices.to_numpy().astype(np.int64))

    usage = {key: numbers(f"usage.{key}") for key in UNIT_KEYS}
    return Columns(
        line=numbers("line"),
        at_us=numbers("at_us"),
        **{name: texts(name) for name in _TEXTS},
        requests=numbers("requests"),
        own_cost_pico=numbers("own_cost_pico"),
        known_cost_credits=numbers("known_cost_credits"),
        creator_fee_credits=numbers("creator_fee_credits"),
        is_free=table["is_free"].to_numpy().astype(np.bool_),
        usage={key: counts for key, counts in usage.items() if counts.any()},
    )
