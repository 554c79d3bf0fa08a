"""What the audit found about one invariant. `audit.invariants` lists the invariants."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from credits_core.pricing.plan import PricePlan

Plans = Mapping[str, PricePlan]
"""Every price plan that past runs may name, by id."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Since:
    """Where an audit begins: after the last entry that an earlier one found clean, with the sums that it left.

    `sums` are what the daily sums came to in all, up to the entry `summed_entry_id`: for each party, type of entry and
    type of transaction the credits received and given and the number of transactions. `circulating_credits` is what
    users held after that entry. `seal_number` is the newest seal that was checked, 0 for none.
    """

    entry_id: int = 0
    summed_entry_id: int = 0
    circulating_credits: int = 0
    sums: Mapping[tuple[str, str, str], tuple[int, int, int]] = field(default_factory=dict)
    seal_number: int = 0

    @property
    def is_beginning(self) -> bool:
        """Whether everything is checked."""
        return self.entry_id == 0


BEGINNING = Since()
"""Everything is checked."""


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
