"""The AI models and what they cost: a fixed number of credits per run, or dollars for each unit of usage.

They come from price lists (`models_toml`). A model that is priced by usage may have prices from a day on, at hours of
the day, above a number of input tokens, and in service tiers.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from credits_core.errors import CreditsError
from credits_core.pricing.dated_prices import ModelPrices
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel
from credits_core.pricing.units import PARTS, TOKEN_COUNTS, UNITS, Usage
from credits_core.pricing.usage_price import UsagePrice

MODEL_TYPES = ("text", "image", "audio", "video", "embedding", "rerank", "document")


@dataclass(frozen=True, slots=True)
class RunPrice:
    """A fixed price: `run_price_credits` per run, whatever was used."""

    run_price_credits: int

    def inference_cost(self, _usage: Usage | None) -> int:
        """The inference cost in credits. The usage is ignored.

        >>> RunPrice(30_000).inference_cost(None)
        30000
        """
        return self.run_price_credits

    def explain(self, _usage: Usage | None) -> str:
        """The arithmetic of the inference cost in one line."""
        return f"{self.run_price_credits:,} credits per run"


Price = RunPrice | UsagePrice
"""What one run is priced with."""


@dataclass(frozen=True, slots=True)
class Model:
    """One AI model: id, name, provider, type and prices, with where they are from and when somebody checked them.

    `known_since` is the first day on which somebody found the same prices. `deployments` are further names, mapped by
    hand: those of an own deployment, such as `azure/chat-eu`.
    """

    id: str
    name: str
    provider: str
    type: str
    prices: RunPrice | ModelPrices
    source: str
    checked_on: date | None
    context_tokens: int | None = field(default=None, compare=False)
    known_since: date | None = field(default=None, compare=False)
    deployments: tuple[str, ...] = field(default=(), compare=False)
    priced_units: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The units that have a price at some time, in the order of `UNITS`; none for a fixed price."""
    priced_tokens: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Those of `TOKEN_COUNTS` that the model charges for, by themselves or by a part of them."""

    def __post_init__(self) -> None:
        dated_prices = () if isinstance(self.prices, RunPrice) else self.prices.standard
        priced = {key for dated in dated_prices for key in dated.prices.units}
        object.__setattr__(self, "priced_units", tuple(key for key in UNITS if key in priced))
        tokens = tuple(key for key in TOKEN_COUNTS if any(unit == key or unit in PARTS[key] for unit in priced))
        object.__setattr__(self, "priced_tokens", tokens)

    @property
    def is_usage_priced(self) -> bool:
        """Whether a run needs its usage to be priced."""
        return isinstance(self.prices, ModelPrices)

    def price_for(self, usage: Usage | None, at: datetime | None, *, service_tier: str | None = None) -> Price:
        """The price that applies to a run with this usage at this moment, in this service tier.

        `at` may be None only for a model whose price does not depend on the time.

        Raises:
            UnpricedServiceTier: the model has no price in the tier.
            InvalidRequest: the price depends on the input tokens, and parts of them are given without them.
        """
        if isinstance(self.prices, RunPrice):
            return self.prices
        return self.prices.for_usage(usage or (), at, service_tier=service_tier)

    def price_known_from(self, at: datetime) -> date | None:
        """The first day for which the price list knows the standard price that applies at this moment.

        That is the day from which the price applies. A price without such a day is known since somebody first checked
        it, or without a limit (None) where the list has a later one, whose first day ended it.
        """
        first_checked = self.known_since or self.checked_on
        if isinstance(self.prices, RunPrice):
            return first_checked
        first_day, was_replaced = self.prices.applied_from(at)
        return first_day or (None if was_replaced else first_checked)


def _no_other(name: str) -> Model:
    raise UnknownModel(name)


@dataclass(frozen=True, slots=True)
class ModelRegistry(Mapping[str, Model]):
    """The models that are offered for running, by id, in the order of the file.

    `[...]` takes any name of an offered model; what is unknown is refused and never guessed, by `get` as well.
    `ids_by_deployment` are the names that were mapped by hand. `elsewhere` finds a model by name in a larger list than
    the offered ones; `ids_by_package_id` says which offered models are the one that it found. A name that is an offered
    id but for upper and lower case, and that `elsewhere` finds as another model, could mean either and is refused.
    """

    models: dict[str, Model]
    ids_by_package_id: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ids_by_deployment: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Callable[[str], Model] = field(default=_no_other, compare=False)

    def __getitem__(self, name: str) -> Model:
        """The offered model of this id or name.

        Raises:
            UnknownModel: no offered model has it.
            AmbiguousModel: several models have the name.
        """
        try:
            if (model := self._named(name)) is not None:
                return model
        except TypeError:  # it cannot be looked up at all
            pass
        if type(name) is not str:
            raise UnknownModel(str(name))
        try:
            return self.models[self._id_of(name, self.elsewhere(name))]
        except KeyError:
            raise UnknownModel(name, is_known=True) from None

    def anywhere(self, name: str) -> Model:
        """The model of this id or name, offered or not, to be quoted and compared.

        Raises:
            UnknownModel, AmbiguousModel, NoPrice: no model, several, or one without a price.
        """
        if (model := self._named(name)) is not None:
            return model
        found = self.elsewhere(name)
        return self.models.get(self._id_of(name, found), found)

    def note_on(self, model_id: str) -> str:
        """What to say to a caller who gave a usage for a model with a fixed price, with the model priced by usage."""
        said = f"{model_id} has a fixed price per run, so the usage was not used."
        twin = f"{self.models[model_id].provider}/{model_id}" if model_id in self.models else ""
        return f"{said} {twin} is priced by usage." if twin in self.models else said

    def note_on_response(self, model_id: str, named: str | None) -> str | None:
        """What to say to a caller whose response is of another model than the run was priced as. None when it is not.

        `named` is the model that the response names, as `provider/NAME`. A name that nobody knows says nothing.
        """
        if named is None:
            return None
        try:
            found = self.anywhere(named)
        except CreditsError:
            return None
        twin = f"{self.models[model_id].provider}/{model_id}" if model_id in self.models else ""
        if found.id in (model_id, twin):
            return None
        return f"The response is of {found.id}. The run was priced as {model_id}, as you named it."

    def _named(self, name: str) -> Model | None:
        return self.models.get(self.ids_by_deployment.get(name, name))

    def _id_of(self, name: str, found: Model) -> str:
        ids = self.ids_by_package_id.get(found.id, (found.id,))
        if similar := [one for one in self.models if one.casefold() == name.casefold() and one not in ids]:
            raise AmbiguousModel(name, [*similar, *ids])
        if len(ids) > 1:
            raise AmbiguousModel(name, [*ids])
        return ids[0]

    def __contains__(self, model_id: object) -> bool:
        return model_id in self.models

    def __iter__(self) -> Iterator[str]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)
