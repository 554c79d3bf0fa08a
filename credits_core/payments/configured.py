"""The gateway that the settings name."""

from datetime import UTC, datetime

from sqlalchemy import Engine

from credits_core import settings
from credits_core.payments.gateway import Gateway
from credits_core.payments.packs import Packs, load_packs
from credits_core.payments.sandbox import Sandbox


def gateway(engine: Engine) -> Gateway:
    """The gateway of `CREDITS_GATEWAY`.

    Raises:
        InvalidRequest: the setting names no gateway that there is.
    """
    settings.gateway_name()
    return Sandbox(engine, lambda: datetime.now(UTC))


def name() -> str:
    """The name of the gateway of `CREDITS_GATEWAY`.

    Raises:
        InvalidRequest: the setting names no gateway that there is.
    """
    return settings.gateway_name()


def packs() -> Packs:
    """The packs of `data/packs.toml`.

    Raises:
        DataFileInvalid: the file is missing or wrong; every problem is listed.
    """
    return load_packs(settings.PACKS_FILE)
