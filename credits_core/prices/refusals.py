"""The refusals about model prices and price lists."""

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
