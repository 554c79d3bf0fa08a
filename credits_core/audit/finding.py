"""What the audit found about one invariant. `audit.invariants` lists the invariants."""

from collections.abc import Mapping
from dataclasses import dataclass

from credits_core.pricing.plan import PricePlan

Plans = Mapping[str, PricePlan]
"""Every price plan that past runs may name, by id."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one invariant: how many things were checked, and what breaks it, one sentence each."""

    invariant: str
    checked: int
    violations: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the invariant holds."""
        return not self.violations

    def __str__(self) -> str:
        """One line: the verdict, the invariant, how many were checked, and the first violations.

        >>> str(Finding("every balance is the sum of its transactions", 1_201, ()))
        'ok    every balance is the sum of its transactions: 1,201 checked'
        >>> str(Finding("history cannot be changed", 9, ("the trigger x_no_update is missing",)))
        'WRONG history cannot be changed: 9 checked, 1 wrong: the trigger x_no_update is missing'
        """
        if self.ok:
            return f"ok    {self.invariant}: {self.checked:,} checked"
        shown = "; ".join(self.violations[:_SHOWN])
        more = f"; and {len(self.violations) - _SHOWN:,} more" if len(self.violations) > _SHOWN else ""
        return f"WRONG {self.invariant}: {self.checked:,} checked, {len(self.violations):,} wrong: {shown}{more}"
