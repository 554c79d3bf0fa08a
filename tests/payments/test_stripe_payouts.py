"""Payouts through Stripe's own client, against the server that stands in for it."""

import pytest

from credits_core.payments.gateway import PayoutAnswer, PayoutOrder
from credits_core.payments.refusals import GatewayFailed
from credits_core.payments.stripe_gateway import StripeGateway
from tests.support import stripe_stand_in
from tests.support.stripe_stand_in import StandIn

ORDER = PayoutOrder(7, "acct_ben", 1_250, "usd")


def transfers(stand_in: StandIn) -> list[tuple[str, int, str]]:
    return [(one["destination"], one["amount"], one["currency"]) for one in stand_in.made("transfer")]


def test_a_payout_is_a_transfer_to_the_creators_account(stand_in: StandIn, gateway: StripeGateway) -> None:
    answer = gateway.payout(ORDER)
    assert transfers(stand_in) == [("acct_ben", 1_250, "usd")]
    assert answer == PayoutAnswer(stand_in.made("transfer")[0]["id"])


def test_a_payout_is_made_once_even_when_stripe_has_forgotten_its_key(
    stand_in: StandIn, gateway: StripeGateway
) -> None:
    first = gateway.payout(ORDER)
    stand_in._kept.clear()  # as after a day
    assert gateway.payout(ORDER) == first
    assert len(transfers(stand_in)) == 1


def test_an_account_that_stripe_does_not_know_fails_the_payout(stand_in: StandIn, gateway: StripeGateway) -> None:
    answer = gateway.payout(ORDER._replace(address="ben"))
    assert answer == PayoutAnswer("", "No such destination: 'ben'.")
    assert transfers(stand_in) == []


def test_a_stripe_that_fails_may_be_asked_again_and_another_product_has_payouts_of_its_own(
    stand_in: StandIn, gateway: StripeGateway
) -> None:
    stand_in.fails = [500, 500, 500]
    with pytest.raises(GatewayFailed):
        gateway.payout(ORDER)
    stand_in.fails = []
    gateway.payout(ORDER)
    stripe_stand_in.gateway_of(stand_in, public_url="https://other.example.org").payout(ORDER)
    assert len(transfers(stand_in)) == 2


@pytest.mark.parametrize("change", [{"amount_minor": 1_251}, {"address": "acct_cara"}])
def test_a_transfer_of_another_ledger_with_the_same_address_is_not_taken_for_ours(
    stand_in: StandIn, gateway: StripeGateway, change: dict[str, object]
) -> None:
    gateway.payout(ORDER)
    with pytest.raises(GatewayFailed, match="another amount or account"):
        gateway.payout(ORDER._replace(**change))  # type: ignore[arg-type]
    assert len(transfers(stand_in)) == 1
