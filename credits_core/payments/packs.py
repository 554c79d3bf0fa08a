"""The packs that users can buy: `data/packs.toml`, read and checked, and what a pack costs under a price plan."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from credits_core.payments.refusals import UnknownPack
from credits_core.pricing.plan import PricePlan
from credits_core.values import data_files
from credits_core.values.credits import MAX_CREDITS, div_nearest
from credits_core.values.text import counted

ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
_Id = Annotated[str, Field(pattern=ID_PATTERN, strict=True)]
_MILLION = 1_000_000
_Minor = Annotated[int, Field(ge=1, le=100_000_000, strict=True)]


class Pack(BaseModel):
    """Credits at a price in minor units of the currency, such as cents. `bonus_days` is how long the bonus lasts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: _Id
    name: Annotated[str, Field(min_length=1, max_length=40, strict=True)]
    price_minor: _Minor
    currency: Annotated[str, Field(pattern=r"^[a-z]{3}$", strict=True)]
    credits: Annotated[int, Field(ge=1, le=MAX_CREDITS, strict=True)]
    bonus_credits: Annotated[int, Field(ge=0, le=MAX_CREDITS, strict=True)] = 0
    bonus_days: Annotated[int, Field(ge=1, le=3_660, strict=True)] | None = None

    @model_validator(mode="after")
    def _bonus_with_days(self) -> "Pack":
        if self.bonus_days is not None and not self.bonus_credits:
            raise ValueError("bonus_days needs bonus_credits")
        return self

    def fee_minor(self, plan: PricePlan) -> int:
        """What the price plan adds to the price, in minor units, rounded down."""
        return plan.purchase_fee(self.price_minor)

    def due_minor(self, plan: PricePlan) -> int:
        """What a user pays: the price and what the price plan adds."""
        return self.price_minor + self.fee_minor(plan)

    @property
    def order(self) -> str:
        """What is bought, as the gateway shows it to the payer.

        >>> Pack(id="r", name="Regular", price_minor=100, currency="usd", credits=2_000, bonus_credits=100).order
        'Regular: 2,000 credits and a bonus of 100 credits'
        """
        bonus = f" and a bonus of {counted(self.bonus_credits, 'credit')}" if self.bonus_credits else ""
        return f"{self.name}: {counted(self.credits, 'credit')}{bonus}"

    def per_million(self, plan: PricePlan) -> int:
        """What a million of its credits cost, the bonus among them, in hundredths of the minor unit, to the nearest."""
        return div_nearest(100 * _MILLION * self.due_minor(plan), self.credits + self.bonus_credits)


class Packs(BaseModel):
    """All packs, in the order in which they are offered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    packs: Annotated[tuple[Pack, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _ids_differ(self) -> "Packs":
        ids = [pack.id for pack in self.packs]
        if len(set(ids)) < len(ids):
            raise ValueError("two packs have the same id")
        return self

    def __getitem__(self, pack_id: str) -> Pack:
        """The pack with this id.

        Raises:
            UnknownPack: there is none.
        """
        for pack in self.packs:
            if pack.id == pack_id:
                return pack
        raise UnknownPack(pack_id, [pack.id for pack in self.packs])


def load_packs(path: Path) -> Packs:
    """The packs of a file.

    Raises:
        DataFileInvalid: the file is missing or wrong; every problem is listed.
    """
    return data_files.load(Packs, path)
