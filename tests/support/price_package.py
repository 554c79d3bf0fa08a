"""Models and prices of a test's own in the place of those that the genai-prices package carries."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    Tier,
    TieredPrices,
)

from credits_core.prices import catalogue
from credits_core.prices import package as price_package

ONE_MODEL = """\
[[models]]
id = "maker/a"
name = "A"
provider = "maker"
type = "text"
genai_prices_id = "maker/a"
prices = [{input_tokens = 1, output_tokens = 2}]
source = "genai-prices 0.0.1"
checked_on = 2026-01-01
"""


def one_model(tmp_path: Path, *names: str) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(
        "".join(ONE_MODEL.replace("maker/a", f"maker/{name}") for name in names or ("a",)), encoding="utf-8"
    )
    return path


def usd(**prices: str | tuple[str, dict[int, str]]) -> ModelPrice:
    """A price of the package: a number, or a number and the numbers above so many input tokens."""
    return ModelPrice(
        **{
            key: Decimal(price)
            if isinstance(price, str)
            else TieredPrices(Decimal(price[0]), [Tier(start, Decimal(above)) for start, above in price[1].items()])
            for key, price in prices.items()
        }
    )


@contextmanager
def carried() -> Iterator[Callable[..., None]]:
    """Puts models and prices of the test's own in the place of those that the package carries."""

    def carry(*, tiers: list[PriceVariant] | None = None, **prices: ModelPrice | list[ConditionalPrice]) -> None:
        models = [
            ModelInfo(name, ClauseEquals(name), prices=price, price_variants=tiers) for name, price in prices.items()
        ]
        provider = Provider("maker", "Maker Inc", r"https://maker\.example", ["https://maker.example/prices"])
        provider.models = models
        set_custom_snapshot(DataSnapshot([provider], from_auto_update=False))
        forget()

    def forget() -> None:
        price_package.prices_of.cache_clear()
        price_package._by_id.cache_clear()
        catalogue._model.cache_clear()

    yield carry
    set_custom_snapshot(None)
    forget()
