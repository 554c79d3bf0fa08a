"""Every screen that takes a price plan takes any plan that a plan file can say, and what cannot be priced is said."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.pricing.plan import MarkupTier, Rounding, TierMode
from credits_core.pricing.plan_link import to_line
from tests.support import page_driver, world
from tests.support.page_driver import open_page
from tests.support.plans import SPECIFICATION
from tests.support.world import HAIKU_WITH_FEE, LARGEST_CREDITS

TIERS = {
    "far bound": (MarkupTier(LARGEST_CREDITS, 10_000, None), MarkupTier(None, None, LARGEST_CREDITS)),
    "largest flat": (MarkupTier(None, None, LARGEST_CREDITS),),
    "dearest": (MarkupTier(None, 1_000_000, None),),
    "free": (MarkupTier(None, 0, None),),
    "bounds of one credit": (MarkupTier(1, None, 5), MarkupTier(2, 1, None), MarkupTier(None, 1, None)),
    "many tiers": (*(MarkupTier(100 * i, 10 * (i % 7), None) for i in range(1, 50)), MarkupTier(None, 1, None)),
}
RULES = {
    "plain": SPECIFICATION,
    "every rule": replace(
        SPECIFICATION,
        creator_share_bps=10_000,
        tier_mode=TierMode.GRADUATED,
        cap_down=True,
        markup_rounding=Rounding.UP,
        creator_share_rounding=Rounding.UP,
        minimum_platform_income_credits=LARGEST_CREDITS,
        minimum_platform_income_is_markup=True,
        purchase_fee_bps=1_000_000,
    ),
}
CANNOT = {
    "scenario/scenario.py": {"This scenario cannot be calculated"},
    "replay/replay_history.py": {"This cannot be replayed"},
    "fees/fee_designer.py": {"No price yet"},
    "plans/compare_plans.py": {"A typical run cannot be priced", "Last month cannot be priced"},
}


PLANS = {
    (tiers, rules): replace(RULES[rules], id=f"{tiers} {rules}".replace(" ", "-"), tiers=TIERS[tiers])
    for tiers in TIERS
    for rules in RULES
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("extreme")
    with page_driver.dashboard(folder, demo=False) as engine:
        world.add(engine, "ada", 10_000_000, key="fund")
        world.charge(engine, HAIKU_WITH_FEE, key="with-fee")
        for plan in PLANS.values():
            world.save_draft(engine, plan)
        yield engine


@pytest.mark.parametrize("file", ["plans/pricing_lab.py", *CANNOT])
@pytest.mark.parametrize(("tiers", "rules"), PLANS)
def test_no_plan_makes_a_screen_fail(ledger: Engine, tiers: str, rules: str, file: str) -> None:
    plan = PLANS[tiers, rules]
    if file == "plans/compare_plans.py":
        page = open_page(file, a="promptflow-v1", b="promptflow-v1", edit=to_line(plan))
    else:
        page = open_page(file, plan=plan.id)
    told = {box.proto.title for box in (*page.warning, *page.error)}
    is_refused = bool(CANNOT.get(file, set()) & told)
    assert told - CANNOT.get(file, set()) <= {"This fee makes the run cheaper"}
    assert not is_refused or LARGEST_CREDITS in {plan.tiers[0].markup_credits, plan.minimum_platform_income_credits}
