"""A plan in a link: it comes back as it was sent, and what is not a plan is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import InvalidRequest
from credits_core.pricing.plan import MarkupTier, PricePlan, Rounding, TierMode
from credits_core.pricing.plan_link import from_line, to_line
from tests.support import plans
from tests.support.plans import SPECIFICATION


def test_the_specification_is_a_short_line() -> None:
    assert to_line(SPECIFICATION) == "8000;10000:2000bps;100000:1000bps;500"
    assert from_line("8000;10000:2000bps;100000:1000bps;500", "promptflow-v1") == SPECIFICATION


def test_every_rule_goes_into_the_line() -> None:
    plan = PricePlan(
        "all",
        7_500,
        (MarkupTier(10, None, 3), MarkupTier(None, 25, None)),
        tier_mode=TierMode.GRADUATED,
        cap_down=True,
        markup_rounding=Rounding.UP,
        creator_share_rounding=Rounding.UP,
        minimum_platform_income_credits=7,
        minimum_platform_income_is_markup=True,
        purchase_fee_bps=500,
    )
    line = "7500;graduated;cap;markup-up;share-up;minimum-markup;minimum=7;purchase=500;10:3;25bps"
    assert to_line(plan) == line
    assert from_line(line, "all") == plan


@given(plans.price_plans(largest_bound=10**9), st.integers(0, 10_000))
def test_a_plan_comes_back_as_it_was_sent(plan: PricePlan, purchase_fee_bps: int) -> None:
    sent = replace(plan, purchase_fee_bps=purchase_fee_bps)
    assert from_line(to_line(sent), plan.id) == sent


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "plan: in the link is incomplete: copy the link again"),
        ("8000", "plan: in the link is incomplete: copy the link again"),
        ("x;500", "plan: in the link is incomplete: copy the link again"),
        ("8000;steep;500", "plan: the link is damaged at 'steep'; copy it again"),
        ("8000;-5", "plan: the link is damaged at '-5'; copy it again"),
        ("8000;minimum=x;500", "plan: the link is damaged at 'minimum=x'; copy it again"),
        ("8000;cap;cap;500", "plan: the link is damaged at 'cap'; copy it again"),
        (
            "8000;minimum=3;minimum=4;500",
            "plan: the link is damaged at 'minimum=4'; copy it again",
        ),
        ("9" * 5_000 + ";500", "plan: in the link is incomplete: copy the link again"),
        (
            "8000;minimum=" + "9" * 5_000 + ";500",
            f"plan: the link is damaged at 'minimum={'9' * 32}'; copy it again",
        ),
        ("8000;500;600", "plan: tier 1 has no below_credits, which only the last tier may leave out"),
        ("8000;20:1bps;10:1bps;500", "plan: tier 2: below_credits must be above 20, the bound before it"),
        ("10001;500", "plan: creator_share_bps must be a whole number from 0 to 10,000 (100 %), not 10001"),
        (
            "8000;10:500",
            "plan: tier 1 is the last and must have no below_credits, so that every cost has a tier",
        ),
    ],
)
def test_what_is_no_plan_is_refused(line: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        from_line(line, "p")
    assert str(caught.value) == said


@pytest.mark.parametrize("plan_id", ["", "Ada", 'p"\ncap_down = true #', 'p" #', "p\\", "x" * 65])
def test_an_id_that_no_plan_can_have_is_refused(plan_id: str) -> None:
    with pytest.raises(InvalidRequest):
        from_line("8000;500", plan_id)
