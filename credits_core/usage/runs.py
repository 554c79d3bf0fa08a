"""What a row of a log says: a run, nothing, or why it cannot be read. Pure."""

from dataclasses import dataclass
from datetime import datetime

from credits_core.pricing.units import Usage

NOBODY_NAMED = "unknown"
"""Stands for the user of a row that names none."""


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """What one row used, as the log tells it.

    `model` is the log's own name for it, `provider` whose model that is, where the log says so. `requests` is 1, or how
    many requests a row of sums stands for, or 0 where the log does not say how many. `own_cost_pico` is what the log
    says it cost, in millionths of a credit. `is_free` is true for an answer from the caller's own cache, which costs
    nothing. `known_cost_credits` is the inference cost of a run that was priced before.
    """

    line: int
    at: datetime
    model: str
    provider: str
    usage: Usage
    user: str = NOBODY_NAMED
    requests: int = 1
    service_tier: str | None = None
    own_cost_pico: int | None = None
    is_free: bool = False
    request_id: str = ""
    creator: str = ""
    creator_fee_credits: int = 0
    known_cost_credits: int | None = None


@dataclass(frozen=True, slots=True)
class UnusedRow:
    """A row that was understood and stands for no run: a request that failed, or a step that asked no model."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that cannot be used: the line where it begins, the column with the problem, what is in it, and why."""

    line: int
    column: str
    found: str
    reason: str


ReadRow = LoggedRun | UnusedRow | RefusedRow
