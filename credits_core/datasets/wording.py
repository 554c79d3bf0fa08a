"""What a replay of a data set says: what was assumed, and what it can tell. For the command and the screens alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from credits_core.datasets.folder import DataSet
from credits_core.datasets.sums import Sums
from credits_core.lab.replay import report
from credits_core.lab.replay.result import Counterfactual
from credits_core.values.text import counted


@dataclass(frozen=True, slots=True)
class OfData:
    """A replay of a data set: which, under which live plan it is "recorded", and what rows of sums are taken as."""

    data_set: DataSet
    live_plan_id: str
    sums: Sums | None

    @property
    def same(self) -> str:
        """What a plan without any difference gives, as `report.headline` ends its sentence."""
        return f"the amounts of {self.live_plan_id}, the live plan"

    @property
    def assumed(self) -> str:
        """What rows of sums were taken as; empty without any."""
        if not self.data_set.has_sums:
            return ""
        rows = f"{rows_of_sums(self.data_set)}. "
        if self.sums is Sums.EQUAL_RUNS:
            return f"{rows}Assumed: each is as many equal runs as it has requests."
        return f"{rows}Assumed: each is one run."

    def limits(self) -> Iterator[str]:
        """What a reader has to know about a replay of this data set."""
        yield (
            f"The runs are of {self.data_set.file}, and nobody was charged for them here. They are compared with what "
            f"{self.live_plan_id}, the live plan, charges for the same runs."
        )
        yield "Every run has the inference cost of the time when it took place, at the live price list."
        yield "A data set knows no balances, so nobody runs out of credits, and there are no refunds or unlocks."
        if self.assumed:
            yield self.assumed
        if self.data_set.free_runs:
            free = counted(self.data_set.free_runs, "run")
            yield f"{free} came from the caller's own cache: the inference cost is 0."
        if self.data_set.refused:
            rows = counted(self.data_set.rows, "row")
            yield f"{self.data_set.refused:,} of {rows} could not be used and are left out."

    def lines(self, found: Counterfactual, scope: str) -> Iterator[str]:
        """The whole replay as text to read in a terminal."""
        yield f"{found.plan_id}, {self.data_set.name}, {scope}: {counted(found.runs, 'run')}"
        if self.assumed:
            yield self.assumed
        yield report.headline(found, same=self.same)
        yield ""
        yield from report.figures(found, recorded=self.live_plan_id[:20])
        yield ""
        yield from self.limits()

    def as_json(self) -> dict[str, Any]:
        """What JSON of a replay says beside its figures."""
        sums = self.sums.value if self.sums and self.data_set.has_sums else None
        return {"data": self.data_set.name, "recorded_plan": self.live_plan_id, "sums": sums}


def rows_of_sums(data_set: DataSet) -> str:
    """How many rows are sums, and of how many requests, as far as the log counts them."""
    are = "1 row is the sum" if data_set.sum_rows == 1 else f"{data_set.sum_rows:,} rows are sums"
    of = f"{data_set.sum_requests:,} requests" if data_set.sum_requests else "several requests"
    return f"{are} of {of}"
