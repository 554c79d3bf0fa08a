"""A data set as a recorded history, so that the lab replays it by the same code as the ledger's.

Recorded is what the live plan charges for each run: as if these users had been here. A data set knows no balances, so
everybody has credits enough, and nobody is refused.
"""

from dataclasses import fields, replace

import numpy as np

from credits_core.datasets.columns import Columns, read_columns
from credits_core.datasets.costs import costs
from credits_core.datasets.folder import DataSet, Folder
from credits_core.datasets.refusals import RequestsNotCounted, SumsNotSaid
from credits_core.datasets.sums import Sums, runs_of
from credits_core.lab.replay.balances import NOBODY
from credits_core.lab.replay.record import Additions, Charges, RecordedHistory, Refunds
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.quote_many import quote_costs
from credits_core.values.arrays import Credits
from credits_core.values.credits import MAX_CREDITS, div_floor
from credits_core.values.day_arrays import day_numbers, is_within
from credits_core.values.days import DayRange

_ALL_STARTING_CREDITS = 2**60
"""What all users together begin with: far more than they spend, and little enough to be added up."""


def history_of(
    folder: Folder, name: str, *, book: PriceBook, days: DayRange, sums: Sums | None = None
) -> RecordedHistory:
    """The runs of a data set on these days, priced when they took place and charged under the live plan.

    The entries are numbered from 1 in the order of the file, and the times of the runs decide their days.

    Raises:
        UnknownDataSet, DataFileInvalid: there is none of this name, or its file is damaged.
        SumsNotSaid: it has rows of several requests, and `sums` is None.
        RequestsNotCounted: such rows are wanted as equal runs, and the log does not say how many they are.
        InvalidRequest, UnknownModel, UnpricedUsage, UnpricedServiceTier: a run cannot be priced any more.
    """
    data_set = folder.named(name)
    require_said(data_set, sums)
    return recorded(read_columns(folder.file_of(name)), book=book, days=days, sums=sums or Sums.ONE_RUN)


def require_said(data_set: DataSet, sums: Sums | None) -> None:
    """Do nothing when it is said, or need not be said, what a row of sums is taken as.

    Raises:
        SumsNotSaid, RequestsNotCounted: as `history_of`.
    """
    if not data_set.has_sums:
        return
    if sums is None:
        raise SumsNotSaid(data_set.name, data_set.sum_rows, data_set.sum_requests)
    if sums is Sums.EQUAL_RUNS and data_set.uncounted_rows:
        raise RequestsNotCounted(data_set.name, data_set.uncounted_rows)


def recorded(columns: Columns, *, book: PriceBook, days: DayRange, sums: Sums) -> RecordedHistory:
    """As `history_of`, of columns that were read."""
    runs, row = runs_of(columns, sums)
    day = day_numbers(runs.at_us, days.zone)
    kept = np.flatnonzero(is_within(day, days))
    cost = costs(runs, book.models.anywhere)[kept]
    fee = columns.creator_fee_credits[row][kept]
    accounts, payer, creator = _accounts(columns, row[kept])
    return history_of_charges(
        accounts=accounts,
        models=runs.model_ids,
        plan=book.plan,
        day=day[kept],
        payer=payer,
        creator=creator,
        model=runs.model[kept],
        inference_cost_credits=cost,
        creator_fee_credits=fee,
    )


def history_of_charges(
    *,
    accounts: tuple[str, ...],
    models: tuple[str, ...],
    plan: PricePlan,
    day: Credits,
    payer: Credits,
    creator: Credits,
    model: Credits,
    inference_cost_credits: Credits,
    creator_fee_credits: Credits,
) -> RecordedHistory:
    """The history of these runs, charged under a plan, of users who all have credits enough. Entries count from 1.

    Raises:
        InvalidRequest: a total is above 2^53-1 credits.
    """
    priced = quote_costs(plan, inference_cost_credits, creator_fee_credits=creator_fee_credits)
    count, nothing, none = len(day), np.zeros(0, np.int64), np.zeros(0, np.bool_)
    each_credits = min(MAX_CREDITS, div_floor(_ALL_STARTING_CREDITS, max(1, len(accounts))))
    return RecordedHistory(
        first_entry_id=1,
        last_entry_id=count,
        accounts=accounts,
        models=models,
        plans=(plan.id,),
        starting_credits=(each_credits,) * len(accounts),
        charges=Charges(
            entry_id=np.arange(1, count + 1),
            day=day,
            payer=payer,
            creator=creator,
            model=model,
            plan=np.zeros(count, np.int64),
            inference_cost_credits=inference_cost_credits,
            creator_fee_credits=creator_fee_credits,
            platform_markup_credits=priced.platform_markup_credits,
            creator_share_credits=priced.creator_share_credits,
            is_compared=np.ones(count, np.bool_),
        ),
        refunds=Refunds(nothing, nothing, nothing, nothing, nothing, none, nothing, nothing, none),
        additions=Additions(nothing, nothing, nothing),
    )


def newest_runs(history: RecordedHistory, most: int) -> RecordedHistory:
    """The same history, or of a longer one the runs of the newest days, as many as asked for."""
    charges = history.charges
    if len(charges.entry_id) <= most:
        return history
    kept = np.sort(np.argsort(charges.day, kind="stable")[-most:])
    fewer = {one.name: getattr(charges, one.name)[kept] for one in fields(charges)}
    return replace(history, charges=Charges(**fewer))


def _accounts(columns: Columns, row: Credits) -> tuple[tuple[str, ...], Credits, Credits]:
    """The names of users and creators, and for each run the numbers of both. A user may be a creator, too."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys((*columns.user.names, *columns.creator.names)))}
    numbers.pop("", None)
    names = tuple(numbers)
    position = {name: number for number, name in enumerate(names)} | {"": NOBODY}
    payers, creators = (
        np.array([position[name] for name in texts.names] or [NOBODY], np.int64)
        for texts in (columns.user, columns.creator)
    )
    return names, payers[columns.user.number[row]], creators[columns.creator.number[row]]
