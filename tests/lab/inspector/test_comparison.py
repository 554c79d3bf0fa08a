"""Two plans beside each other, against arithmetic written out by hand."""

from dataclasses import replace

from credits_core.lab.inspector.comparison import Change, compared_runs
from tests.support import world
from tests.support.plans import SPECIFICATION

CAPPED = replace(SPECIFICATION, id="capped", cap_down=True)


def test_what_typical_runs_cost_under_both_plans() -> None:
    models = [world.price_book().models[name] for name in ("claude-3-haiku", "openai/gpt-4o")]
    # openai/gpt-4o: 3,000 × 2.5 + 200 × 10 = 9,500; 20 % is 1,900, so 11,400; capped: what 10,000 costs, 11,000.
    haiku, gpt = compared_runs(
        SPECIFICATION, CAPPED, models, creator_fee_credits=0, input_tokens=3_000, output_tokens=200
    )
    assert (haiku.model_id, haiku.user, haiku.platform) == ("claude-3-haiku", Change(300, 300), Change(50, 50))
    assert (gpt.inference_cost_credits, gpt.user, gpt.creator, gpt.platform) == (
        9_500,
        Change(11_400, 11_000),
        Change(0, 0),
        Change(1_900, 1_500),
    )
    assert (gpt.user.difference_credits, gpt.user.difference_bps) == (-400, -351)  # 400 of 11,400 is 3.5088 %
    assert (gpt.platform.difference_credits, gpt.platform.difference_bps) == (-400, -2_105)  # of 1,900: 21.0526 %


def test_with_a_creator_fee_the_creator_and_a_minimum_for_the_platform_show() -> None:
    plan_b = replace(SPECIFICATION, id="b", creator_share_bps=9_000, minimum_platform_income_is_markup=True)
    (run,) = compared_runs(
        SPECIFICATION,
        plan_b,
        [world.price_book().models["gpt-4"]],
        creator_fee_credits=1_000,
        input_tokens=1,
        output_tokens=1,
    )
    # A: 30,000 + 1,000. B: 900 of the fee to the creator, 100 to the platform, which lacks 2,900 of its 10 %.
    assert run.user == Change(31_000, 33_900)
    assert run.creator == Change(800, 900)
    assert run.platform == Change(200, 3_000)


def test_a_change_from_nothing_has_no_per_cent() -> None:
    assert Change(0, 5).difference_bps is None
    assert Change(0, 0).difference_bps == 0
    assert Change(3, 1).difference_bps == -6_667  # two thirds, to the nearest
