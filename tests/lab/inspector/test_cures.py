"""The cures that the inspector offers: each takes away what it is against, and none is offered without need."""

from dataclasses import replace

import pytest
from hypothesis import given

from credits_core.lab.inspector import cures, shape
from credits_core.lab.inspector.findings import FindingKind
from credits_core.pricing.plan import MarkupTier, PricePlan, TierMode
from tests.support import plans
from tests.support.plans import SPECIFICATION


def test_the_specification_has_three_cures() -> None:
    capped, graduated, minimum = cures.cures(SPECIFICATION, {"promptflow-v1"})
    assert (capped.plan.id, capped.plan.cap_down) == ("promptflow-v1-capped", True)
    assert (graduated.plan.id, graduated.plan.tier_mode) == ("promptflow-v1-graduated", TierMode.GRADUATED)
    assert (minimum.plan.id, minimum.plan.minimum_platform_income_is_markup) == ("promptflow-v1-minimum", True)
    assert [cure.against for cure in (capped, graduated, minimum)] == ["cliff", "cliff", "inversion"]
    # 9,999 costs what 10,000 does: 11,000. Graduated: 20 % of 10,000 and 10 % of 5,000.
    assert capped.plan.markup(9_999) == 1_001
    assert graduated.plan.markup(15_000) == 2_500


def test_a_plan_without_cliffs_and_inversions_needs_no_cure() -> None:
    fair = PricePlan("fair", 8_000, (MarkupTier(None, 2_000, None),), minimum_platform_income_is_markup=True)
    assert cures.cures(fair, set()) == ()


@given(plans.price_plans(largest_bound=3_000))
def test_a_cure_takes_away_what_it_is_against(plan: PricePlan) -> None:
    for cure in cures.cures(plan, {plan.id}):
        if cure.name == "Minimum platform income":
            assert shape.inversions(plan)
            assert shape.inversions(cure.plan) == ()
        elif cure.name == "Cap down":
            assert shape.cliffs(plan)
            assert shape.cliffs(cure.plan) == ()
        assert cure.against in (FindingKind.CLIFF, FindingKind.INVERSION)


@given(plans.price_plans(largest_bound=3_000))
def test_graduated_tiers_have_no_cliff(plan: PricePlan) -> None:
    graduated = [cure.plan for cure in cures.cures(plan, ()) if cure.name == "Graduated"]
    assert all(shape.cliffs(cured) == () for cured in graduated)


@pytest.mark.parametrize(
    ("plan_id", "taken", "free"),
    [
        ("v1", set(), "v1-capped"),
        ("v1", {"v1-capped"}, "v1-capped-2"),
        ("v1", {"v1-capped", *(f"v1-capped-{number}" for number in range(2, 10))}, "v1-capped-10"),
        ("x" * 64, set(), "x" * 57 + "-capped"),
        ("x" * 64, {"x" * 57 + "-capped"}, "x" * 55 + "-capped-2"),
        (
            "x" * 64,
            {"x" * 57 + "-capped", *("x" * 55 + f"-capped-{number}" for number in range(2, 10))},
            "x" * 54 + "-capped-10",
        ),
    ],
)
def test_an_id_that_is_free_is_found(plan_id: str, taken: set[str], free: str) -> None:
    assert cures.free_id(plan_id, "-capped", taken) == free


def test_the_cures_of_a_plan_with_the_longest_id_have_ids_of_their_own() -> None:
    offered = cures.cures(replace(SPECIFICATION, id="x" * 64), ())
    assert len({cure.plan.id for cure in offered}) == len(offered) == 3
