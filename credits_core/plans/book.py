"""The current price book: the live price list, the live plan and every plan that was ever live."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, outerjoin, select

from credits_core.plans.records import parse_stored
from credits_core.prices import lists
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.quote import PriceBook
from credits_core.store.statements import Statement, pipelined
from credits_core.store.tables import PlanActivation, PriceListActivation, StoredPlan

_last_plan = select(func.max(PlanActivation.id)).scalar_subquery()
_last_prices = select(func.max(PriceListActivation.id)).scalar_subquery()
_newest = Statement(
    select(PlanActivation.id, PlanActivation.seal, PriceListActivation.id, PriceListActivation.seal)
    .select_from(outerjoin(PlanActivation, PriceListActivation, PriceListActivation.id == _last_prices))
    .where(PlanActivation.id == _last_plan)
)
_LOCK = f"SELECT pg_advisory_xact_lock_shared({lists.ACTIVATION_LOCK})"


class PriceBooks:
    """Gives the current price book, and reads it again only after prices or a plan were made live. One per process.

    Ask it inside the unit of work that charges, so that a plan and prices count from the next charge on. On PostgreSQL
    a writer then keeps them live until it has committed: an activation waits for the charges that are under way, and
    later charges wait for the activation. Do not ask it in the unit of work that makes something live, because that may
    still be rolled back.
    """

    def __init__(self, models: ModelRegistry) -> None:
        """Use these models as long as the database has no price list; they also find models that are not offered."""
        self.shipped = models
        # By the seals and not the numbers of the activations: a demo that was started over numbers from 1 again.
        self._newest: tuple[tuple[str, str | None], PriceBook] | None = None

    def at(self, connection: Connection) -> PriceBook:
        """The book with the live prices, the live plan and every plan that was ever live.

        Raises:
            DataFileInvalid: a stored plan or price list was damaged and cannot be read.
        """
        asked = self.asked(connection)
        with pipelined(connection):
            asked.send()
        return asked.answer()

    def asked(self, connection: Connection) -> "AskedBook":
        """The question for the book of `at`, to be sent together with other statements."""
        return AskedBook(self, connection)

    def received(self, connection: Connection, found: tuple[int, str, int | None, str | None]) -> PriceBook:
        """The book with this plan and these prices: the numbers and seals of their activations."""
        plan, plan_seal, prices, prices_seal = found
        newest = self._newest
        if newest is None or newest[0] != (plan_seal, prices_seal):
            newest = ((plan_seal, prices_seal), self._book(connection, plan, prices))
            self._newest = newest
        return newest[1]

    @property
    def models(self) -> ModelRegistry:
        """The models of the book that was given last."""
        return self.shipped if self._newest is None else self._newest[1].models

    def _book(self, connection: Connection, plan_activation: int, prices_activation: int | None) -> PriceBook:
        rows = connection.execute(
            select(PlanActivation.id, StoredPlan.id.label("plan_id"), StoredPlan.toml)
            .join(StoredPlan, StoredPlan.id == PlanActivation.plan_id)
            .where(PlanActivation.id <= plan_activation)
            .order_by(PlanActivation.id)
        ).all()
        activated = {row.plan_id: parse_stored(row.plan_id, row.toml) for row in rows}
        models, price_list = self.shipped, None
        if prices_activation is not None:
            named = select(PriceListActivation.price_list_id).where(PriceListActivation.id == prices_activation)
            price_list = int(connection.execute(named).scalar_one())
            models = replace(lists.models_of(connection, price_list), elsewhere=self.shipped.elsewhere)
        return PriceBook(models, activated[rows[-1].plan_id], activated, price_list)


class AskedBook:
    """A question for the live price book: sent among other statements, answered after them."""

    def __init__(self, books: PriceBooks, connection: Connection) -> None:
        """Ask these books on this connection."""
        self._books = books
        self._connection = connection
        self._found: Any = None

    def send(self) -> None:
        """Send it. On PostgreSQL a writer then keeps prices and plan live until it has committed."""
        is_postgres = self._connection.dialect.name == "postgresql"
        if is_postgres and self._connection.get_execution_options().get("credits_writer", False):
            # By itself, so that the question sees what was committed while this waited.
            driver: Any = self._connection.connection.driver_connection
            driver.execute(_LOCK)
        self._found = _newest.run(self._connection)

    def answer(self) -> PriceBook:
        """The book.

        Raises:
            DataFileInvalid: as `PriceBooks.at`.
        """
        return self._books.received(self._connection, self._found.fetchone())
