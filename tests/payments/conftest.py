"""Stripe's stand-in, whose time is that of the small world's purchases, and the gateway that asks it."""

from collections.abc import Iterator

import pytest

from credits_core.payments.stripe_gateway import StripeGateway
from tests.support import stripe_stand_in
from tests.support.stripe_stand_in import StandIn
from tests.support.world import NOW


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with stripe_stand_in.serving() as stand_in:
        stand_in.now = int(NOW.timestamp())
        yield stand_in


@pytest.fixture
def gateway(stand_in: StandIn) -> StripeGateway:
    return stripe_stand_in.gateway_of(stand_in)
