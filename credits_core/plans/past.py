"""The price books of the past: which plan and price list were live at a moment, as the two journals say."""

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import TypeVar

from sqlalchemy import Connection

from credits_core.plans import records
from credits_core.plans.records import Activation
from credits_core.plans.refusals import PriceNotKnown
from credits_core.prices import lists
from credits_core.prices.lists import PriceListActivated
from credits_core.pricing.models import Model, ModelRegistry, RunPrice
from credits_core.pricing.quote import PriceBook, Terms
from credits_core.values.days import EARLIEST

Line = TypeVar("Line", Activation, PriceListActivated)


class PastBooks:
    """Gives the price book of a past moment. Belongs to one unit of work, whose connection it reads with.

    A price that a person made live is known from that moment on. The first list of a database is dated 1970, so its
    prices are known only from the day that the list itself gives. A database without lists has the given book's models,
    as if they were its first list.
    """

    def __init__(self, connection: Connection, book: PriceBook) -> None:
        """Read both journals. `book` is the live book, with every plan that was ever live."""
        self._connection, self._book = connection, book
        self._plans = records.activations(connection)
        self._lists = lists.activations(connection)
        self._models: dict[int | None, ModelRegistry] = {book.price_list: book.models}
        self._books: dict[Terms, PriceBook] = {}

    @property
    def plan_since(self) -> datetime:
        """When the live plan was made live."""
        return self._plans[0].activated_at

    def at(self, moment: datetime, model_id: str) -> PriceBook:
        """The plan and the prices that were live at this moment, to price a run of this model.

        Raises:
            PriceNotKnown: no plan or no price list was live yet, the list did not offer the model, or it does not say
                what the model cost so early.
            DataFileInvalid: a stored price list was damaged and cannot be read.
        """
        plan, prices = _live_at(self._plans, moment), _live_at(self._lists, moment)
        day = moment.astimezone(UTC).date()
        if plan is None:
            raise PriceNotKnown(f"no price plan was live on {day}")
        if prices is None and self._lists:
            raise PriceNotKnown(f"no price list was live on {day}")
        number = None if prices is None else prices.price_list
        models = self._models_of(number)
        if model_id not in models:
            raise PriceNotKnown(f"price list {number}, which was live on {day}, does not offer {model_id}")
        since = models[model_id].price_known_from(moment) if prices is None or _is_first(prices) else None
        if since is not None and day < since:
            raise PriceNotKnown(f"the price of {model_id} is not known before {since}, so not on {day}")
        named = plan.plan_id, number
        if named not in self._books:
            self._books[named] = replace(
                self._book, models=models, plan=self._book.plans[plan.plan_id], price_list=number
            )
        return self._books[named]

    def price_since(self, model: Model, now: datetime) -> datetime | None:
        """Since when the price that an offered model has now is known to apply; None for no limit.

        Price lists that were live one after another with the same prices of the model count as one.
        """
        oldest: PriceListActivated | None = None
        for activation in self._lists:
            before = self._models_of(activation.price_list).models.get(model.id)
            if before is None or before.prices != model.prices:
                break
            oldest, model = activation, before
        if oldest is None or _is_first(oldest):
            known = model.price_known_from(now)
            return None if known is None else datetime.combine(known, time(), UTC)
        first_day = None if isinstance(model.prices, RunPrice) else model.prices.applied_from(now)[0]
        return max(oldest.activated_at, datetime.combine(first_day or EARLIEST.date(), time(), UTC))

    def _models_of(self, number: int | None) -> ModelRegistry:
        if number is None:
            return self._book.models
        if number not in self._models:
            self._models[number] = lists.models_of(self._connection, number)
        return self._models[number]


def _live_at(journal: list[Line], moment: datetime) -> Line | None:
    """The newest line of a journal that is not later than the moment; the journal has its newest line first."""
    return next((activation for activation in journal if activation.activated_at <= moment), None)


def _is_first(activation: PriceListActivated) -> bool:
    return activation.activated_at <= EARLIEST
