"""The refusals about model prices and price lists."""

from datetime import datetime

from credits_core.errors import CreditsError


class NoPrice(CreditsError):
    """The price list knows the model and has no price for it."""

    code = "no_price"
    http_status = 422

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        super().__init__(f"There is no price for {model_id!r}, so it cannot be charged. Choose another model.")


class UnknownPriceList(CreditsError):
    """No price list has this number."""

    code = "unknown_price_list"
    http_status = 404

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"There is no price list {number}. See all with: python -m credits_core models lists")


class NoLivePriceList(CreditsError):
    """No price list was ever made live; a database has one once `migrate` ran to its end."""

    code = "no_live_price_list"
    http_status = 503

    def __init__(self) -> None:
        super().__init__("No price list is live yet. Run: python -m credits_core migrate")


class PriceListLive(CreditsError):
    """The price list is the live one already."""

    code = "price_list_live"
    http_status = 409

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"Price list {number} is live already. Nothing was changed.")


class NotOffered(CreditsError):
    """The live price list does not have the model, so it cannot be withdrawn."""

    code = "not_offered"
    http_status = 404

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        super().__init__(
            f"The model {model_id!r} is not offered. Nothing was changed. See which models are offered: on the screen "
            "Models, or with 'python -m credits_core models list'."
        )


class LiveListChanged(CreditsError):
    """Another list is live than the one that somebody compared their list with, who would undo its changes unseen.

    `expected_live` is None when they named none. `source` says what made the live list, `actor` who made it live.
    """

    code = "live_list_changed"
    http_status = 409

    def __init__(
        self, number: int, expected_live: int | None, live: int, *, source: str, actor: str, activated_at: datetime
    ) -> None:
        self.number = number
        self.expected_live = expected_live
        self.live = live
        self.source = source
        self.actor = actor
        self.activated_at = activated_at
        named = "" if expected_live is None else f", not {expected_live}"
        super().__init__(
            f"Price list {live} is live{named}: {source!r}, made live by {actor} on "
            f"{activated_at:%Y-%m-%d at %H:%M:%S} UTC. Nothing was changed. See what would change with 'models diff "
            f"{number}', then name the list that is live: --live-list {live}."
        )


class PriceNotConfirmed(CreditsError):
    """The package has so high a price for a model that it may be a mistake, and a person has to confirm it."""

    code = "price_not_confirmed"
    http_status = 409

    def __init__(self, model_id: str, price: str) -> None:
        self.model_id = model_id
        self.price = price
        super().__init__(
            f"{model_id} would cost {price}. Nothing was changed. If that is right, offer it with the price confirmed "
            "(--confirm-price)."
        )
