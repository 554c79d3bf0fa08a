"""The current price book: the models, the live plan and every plan that was ever live."""

from sqlalchemy import Connection, func, select

from credits_core.plans.records import parse_stored
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.quote import PriceBook
from credits_core.store.statements import Statement
from credits_core.store.tables import PlanActivation, StoredPlan

_newest_activation = Statement([], lambda _: select(func.max(PlanActivation.id)))


class PriceBooks:
    """Gives the current price book, and reads it again only after another plan was made live. One per process.

    Ask it inside the unit of work that charges, so that a plan counts from the next charge on. Do not ask it in the
    unit of work that makes a plan live, because that may still be rolled back.
    """

    def __init__(self, models: ModelRegistry) -> None:
        """Use these models; a process reads them once."""
        self.models = models
        self._newest: tuple[int, PriceBook] | None = None

    def at(self, connection: Connection) -> PriceBook:
        """The book with the live plan and every plan that was ever live.

        Raises:
            DataFileInvalid: a stored plan was damaged and cannot be read.
        """
        (number,) = _newest_activation.run(connection, ()).fetchone()
        newest = self._newest
        if newest is None or newest[0] != number:
            newest = (number, _book(connection, self.models, number))
            self._newest = newest
        return newest[1]


def _book(connection: Connection, models: ModelRegistry, number: int) -> PriceBook:
    rows = connection.execute(
        select(PlanActivation.id, StoredPlan.id.label("plan_id"), StoredPlan.toml)
        .join(StoredPlan, StoredPlan.id == PlanActivation.plan_id)
        .where(PlanActivation.id <= number)
        .order_by(PlanActivation.id)
    ).all()
    activated = {row.plan_id: parse_stored(row.plan_id, row.toml) for row in rows}
    return PriceBook(models=models, plan=activated[rows[-1].plan_id], plans=activated)
