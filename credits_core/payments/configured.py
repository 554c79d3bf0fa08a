"""The gateway that the settings name."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from credits_core import settings
from credits_core.payments.gateway import Gateway
from credits_core.payments.packs import Packs, load_packs
from credits_core.payments.payout_rules import PayoutRules
from credits_core.payments.sandbox import Sandbox
from credits_core.values import data_files

if TYPE_CHECKING:
    from credits_core.payments.stripe_gateway import StripeGateway


def gateway(engine: Engine) -> Gateway:
    """The gateway of `CREDITS_GATEWAY`.

    Raises:
        InvalidRequest: the setting names no gateway that there is, or what this gateway needs is not set.
    """
    return stripe() or Sandbox(engine, _now)


def stripe() -> "StripeGateway | None":
    """Stripe; None when another gateway is set.

    Raises:
        InvalidRequest: as `gateway`.
    """
    found = settings.stripe()
    return None if found is None else _stripe_with(found)


@lru_cache(maxsize=1)
def _stripe_with(found: settings.StripeSettings) -> "StripeGateway":
    """One for all of this process, so that its connections are used again."""
    from credits_core.payments.stripe_gateway import StripeGateway  # its client takes a second to load

    return StripeGateway(found, _now)


def _now() -> datetime:
    return datetime.now(UTC)


def name() -> str:
    """The name of the gateway of `CREDITS_GATEWAY`.

    Raises:
        InvalidRequest: the setting names no gateway that there is.
    """
    return settings.gateway_name()


def payout_rules() -> PayoutRules:
    """The rules of `data/payouts.toml`.

    Raises:
        DataFileInvalid: the file is missing or wrong; every problem is listed.
    """
    return data_files.load(PayoutRules, settings.PAYOUTS_FILE)


def packs() -> Packs:
    """The packs of `data/packs.toml`.

    Raises:
        DataFileInvalid: the file is missing or wrong; every problem is listed.
    """
    return load_packs(settings.PACKS_FILE)
