"""Hand-written prices for tests: a model priced by usage in one line, and a price list of one model."""

from datetime import date
from decimal import Decimal

from credits_core import settings
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.usage_price import TieredPrices, UsagePrice

SHIPPED = settings.MODELS_FILE.read_text(encoding="utf-8")
"""The price list that a new database begins with."""
CHAT_PRICE = (
    "$0.135 per million input tokens, $0.55 per million output tokens, $0.035 per million cache read tokens; "
    "00:30 to 16:30 UTC: $0.27 per million input tokens, $1.10 per million output tokens, $0.07 per million cache read "
    "tokens"
)
"""What the package asks for deepseek-chat, in words."""


def usage_price(**usd: str) -> UsagePrice:
    """The prices of one run, in dollars per million tokens or whatever the unit is priced by."""
    return UsagePrice(tuple((key, Decimal(price)) for key, price in usd.items()))


def by_usage(**usd: str | tuple[str, dict[int, str]]) -> ModelPrices:
    """A model's prices: a number for each unit, or a number and the numbers above so many input tokens."""
    return ModelPrices(
        (
            DatedPrices(
                TieredPrices(
                    {
                        key: (Decimal(price), ())
                        if isinstance(price, str)
                        else (Decimal(price[0]), tuple((bound, Decimal(above)) for bound, above in price[1].items()))
                        for key, price in usd.items()
                    }
                )
            ),
        )
    )


def model(prices: RunPrice | ModelPrices, model_id: str = "m") -> Model:
    """A text model with these prices."""
    return Model(model_id, model_id.upper(), "maker", "text", prices, "hand-written", date(2026, 1, 1))


def per_run_list(credits: int = 5, *, model_id: str = "tiny", name: str = "Tiny") -> str:
    """A price list with one model at a fixed price per run, as TOML."""
    return (
        f'[[models]]\nid = "{model_id}"\nname = "{name}"\nprovider = "us"\ntype = "text"\n'
        f'run_price_credits = {credits}\nsource = "hand-written"\nchecked_on = 2026-01-01\n'
    )
