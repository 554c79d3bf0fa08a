"""The refusals of pricing."""

from credits_core.errors import CreditsError


class UnknownModel(CreditsError):
    """The model is not in the registry, so it has no price."""

    code = "unknown_model"
    http_status = 404

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        super().__init__(
            f"There is no model {model_id!r} in the registry. GET /api/models and data/models.toml list them."
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
