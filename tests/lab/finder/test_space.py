"""The plans that are possible: snapped to whole steps, in their plainest form, near a given plan, one step apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.lab.finder.space import Moves, Span, is_round, plainest, space_of, usual_moves
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import to_line
from credits_core.pricing.plan_toml import checked
from tests.support.plans import SPECIFICATION, price_plans, totals_up_to

USUAL = space_of(SPECIFICATION, usual_moves(SPECIFICATION))


@given(st.data())
def test_every_place_is_a_valid_plan_of_round_numbers_that_is_found_again(data: st.DataObject) -> None:
    place = tuple(data.draw(st.integers(0, len(one.values) - 1)) for one in USUAL.dimensions)
    plan = USUAL.plan(place)
    assert checked(plan) == plan
    assert is_round(plan)
    assert len(plan.tiers) <= 4
    assert 8_000 <= plan.creator_share_bps <= 8_200
    assert (plan.purchase_fee_bps, plan.minimum_platform_income_credits) == (0, 0)
    assert to_line(USUAL.plan(USUAL.nearest(plan))) == to_line(plan)
    for near in USUAL.neighbours(place):
        assert sum(abs(one - other) for one, other in zip(place, near, strict=True)) == 1


@given(plan=price_plans(largest_bound=300))
def test_the_plainest_form_charges_the_same(plan: PricePlan) -> None:
    assert totals_up_to(plainest(plan), 400) == totals_up_to(plan, 400)


@pytest.mark.parametrize(
    ("moves", "values"),
    [
        (Moves(creator_share=Span(7_500, 8_000, 250)), {"creator_share_bps": (7_500, 7_750, 8_000)}),
        (Moves(purchase_fee=Span(0, 300, 100)), {"purchase_fee_bps": (0, 100, 200, 300)}),
        (Moves(minimum_income=Span(0, 20)), {"minimum_platform_income_credits": (*range(11), 15, 20)}),
        (
            Moves(minimum_income=Span(0, 20, 10), round_only=False),
            {"minimum_platform_income_credits": (0, 10, 20)},
        ),
        (Moves(cap=True), {"cap_down": (False, True)}),
        (
            Moves(rates=Span(0, 120, 40), round_only=False),
            {"markup 0": ((0, None), (40, None), (80, None), (120, None))},
        ),
        (Moves(rates=Span(0, 120, 10)), {"markup 0": ((0, None), (50, None), (100, None))}),
        (Moves(flats=Span(0, 2)), {"markup 2": ((None, 0), (None, 1), (None, 2)), "markup 0": ((2_000, None),)}),
    ],
)
def test_a_span_gives_its_steps_or_its_round_numbers(moves: Moves, values: dict[str, object]) -> None:
    found = {one.name: one.values for one in space_of(SPECIFICATION, moves).dimensions}
    assert {name: found[name] for name in values} == values


def test_every_rule_that_moves_reaches_the_plan() -> None:
    moves = Moves(
        bounds=Span(1_000, 2_000),
        rates=Span(0, 100, 50),
        creator_share=Span(7_000, 7_000),
        minimum_income=Span(7, 7),
        minimum_is_markup=True,
        purchase_fee=Span(30, 30),
        mode=True,
        cap=True,
        rounding=True,
    )
    space = space_of(SPECIFICATION, moves)
    last = space.plan(tuple(len(one.values) - 1 for one in space.dimensions))
    assert to_line(last) == "7000;graduated;cap;markup-up;minimum-markup;minimum=7;purchase=30;2000:100bps;500"
