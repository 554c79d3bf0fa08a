"""The refusals of pricing."""

from credits_core.errors import CreditsError


class UnknownModel(CreditsError):
    """No model has the name or, with `is_known`, the model that has it is not offered."""

    code = "unknown_model"
    http_status = 404

    def __init__(self, model_id: str, *, is_known: bool = False) -> None:
        self.model_id = model_id
        problem = f"The model {model_id!r} is not offered." if is_known else f"There is no model {model_id!r}."
        super().__init__(
            f"{problem} Nothing was charged or changed. See which models are offered: on the screen Models, with "
            "'python -m credits_core models list', or at GET /api/models."
        )


class AmbiguousModel(CreditsError):
    """A name that models of several providers have. `model_ids` are some of them."""

    code = "ambiguous_model"
    http_status = 409

    def __init__(self, name: str, model_ids: list[str]) -> None:
        self.name = name
        self.model_ids = model_ids
        super().__init__(
            f"{name!r} could be {' or '.join(model_ids)}. Nothing was charged or changed. Send the one you mean."
        )


class UnpricedUsage(CreditsError):
    """The run used units that have no price on this model. `count` of them fit nowhere."""

    code = "unpriced_usage"
    http_status = 422

    def __init__(self, unit: str, count: int) -> None:
        self.unit = unit
        self.count = count
        super().__init__(
            f"This model has no price for {count:,} {unit}. Nothing was charged. Choose a model that has one, or send "
            f"the usage that the provider billed."
        )


class UnpricedServiceTier(CreditsError):
    """The model has no price in this service tier."""

    code = "unpriced_service_tier"
    http_status = 422

    def __init__(self, service_tier: str, known_tiers: list[str]) -> None:
        self.service_tier = service_tier
        self.known_tiers = known_tiers
        known = f"It has prices for: standard, {', '.join(known_tiers)}." if known_tiers else "It has standard prices."
        super().__init__(f"This model has no price in the service tier {service_tier!r}. Nothing was charged. {known}")
