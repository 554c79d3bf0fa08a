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
