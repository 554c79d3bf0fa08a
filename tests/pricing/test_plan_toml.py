"""Price plans as TOML: what is read, what a file may not say and on which line, and that writing reads back."""

from pathlib import Path

import pytest
from hypothesis import given

from credits_core.errors import DataFileInvalid
from credits_core.pricing.plan import MarkupTier, PricePlan, Rounding, TierMode
from credits_core.pricing.plan_toml import load_price_plan, parse_price_plan, price_plan_toml
from tests.support import plans
from tests.support.plans import SPECIFICATION

FIRST_PLAN = Path(__file__).resolve().parent.parent.parent / "data" / "price_plans" / "promptflow-v1.toml"
KNOWN = (
    "known are id, creator_share_bps, tier_mode, cap_down, markup_rounding, creator_share_rounding,"
    " minimum_platform_income_credits, minimum_platform_income_is_markup, purchase_fee_bps, hold_overrun_bps, tiers"
)


def plan_with(*, id: str = '"p"', share: str = "8000", tiers: str = "[{markup_credits = 500}]", more: str = "") -> str:
    return f"id = {id}\ncreator_share_bps = {share}\ntiers = {tiers}\n{more}"


def problems_of(text: str) -> list[str]:
    with pytest.raises(DataFileInvalid) as caught:
        parse_price_plan(text)
    return caught.value.problems


def test_the_plan_in_the_repository_is_the_specifications() -> None:
    assert load_price_plan(FIRST_PLAN) == SPECIFICATION


def test_every_rule_of_a_plan_is_read() -> None:
    text = """
        id = "all-of-it"
        creator_share_bps = 7_500
        tier_mode = "graduated"
        cap_down = true
        markup_rounding = "up"
        creator_share_rounding = "up"
        minimum_platform_income_credits = 20
        minimum_platform_income_is_markup = true
        purchase_fee_bps = 500
        [[tiers]]
        below_credits = 10_000
        markup_bps = 2_000
        [[tiers]]
        markup_credits = 500
        """
    assert parse_price_plan(text) == PricePlan(
        id="all-of-it",
        creator_share_bps=7_500,
        tiers=(MarkupTier(10_000, 2_000, None), MarkupTier(None, None, 500)),
        tier_mode=TierMode.GRADUATED,
        cap_down=True,
        markup_rounding=Rounding.UP,
        creator_share_rounding=Rounding.UP,
        minimum_platform_income_credits=20,
        minimum_platform_income_is_markup=True,
        purchase_fee_bps=500,
    )


def test_a_plan_is_written_as_the_specification_shows_it() -> None:
    assert (
        price_plan_toml(SPECIFICATION)
        == """\
id = "promptflow-v1"
creator_share_bps = 8000
tier_mode = "volume"
cap_down = false

[[tiers]]
below_credits = 10000
markup_bps = 2000

[[tiers]]
below_credits = 100000
markup_bps = 1000

[[tiers]]
markup_credits = 500
"""
    )


@given(plans.price_plans(largest_bound=10**9))
def test_a_written_plan_reads_back_as_itself(plan: PricePlan) -> None:
    assert parse_price_plan(price_plan_toml(plan)) == plan


def test_a_plan_may_have_a_single_tier_and_give_a_creator_nothing_or_everything() -> None:
    assert parse_price_plan(plan_with(share="0")).creator_share_bps == 0
    assert parse_price_plan(plan_with(share="10000")).creator_share_bps == 10_000
    assert parse_price_plan(plan_with(tiers="[{markup_bps = 0}]")).tiers == (MarkupTier(None, 0, None),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            plan_with(more="creator_share = 80"),
            "line 4: has an unknown key 'creator_share'; " + KNOWN,
        ),
        (plan_with(id="7"), "line 1: id must be 1 to 64 lower-case letters, digits or . _ -, not 7"),
        (plan_with(id='"Plan"'), "line 1: id must be 1 to 64 lower-case letters, digits or . _ -, not 'Plan'"),
        (plan_with(id='"../p"'), "line 1: id must be 1 to 64 lower-case letters, digits or . _ -, not '../p'"),
        (plan_with(share="-1"), "line 2: creator_share_bps must be a whole number from 0 to 10,000 (100 %), not -1"),
        (
            plan_with(share="10001"),
            "line 2: creator_share_bps must be a whole number from 0 to 10,000 (100 %), not 10001",
        ),
        (
            plan_with(share="80.0"),
            "line 2: creator_share_bps must be a whole number from 0 to 10,000 (100 %), not 80.0",
        ),
        (
            plan_with(share="true"),
            "line 2: creator_share_bps must be a whole number from 0 to 10,000 (100 %), not True",
        ),
        (plan_with(more='tier_mode = "slices"'), 'line 4: tier_mode must be "volume" or "graduated", not \'slices\''),
        (plan_with(more="tier_mode = []"), 'line 4: tier_mode must be "volume" or "graduated", not []'),
        (plan_with(more="cap_down = 1"), "line 4: cap_down must be true or false, not 1"),
        (plan_with(more='markup_rounding = "half"'), 'line 4: markup_rounding must be "down" or "up", not \'half\''),
        (
            plan_with(more="minimum_platform_income_credits = -1"),
            "line 4: minimum_platform_income_credits must be a whole number of credits, 0 or more, not -1",
        ),
        (
            plan_with(more="purchase_fee_bps = 1000001"),
            "line 4: purchase_fee_bps must be a whole number from 0 to 1,000,000 (10,000 %), not 1000001",
        ),
        (plan_with(tiers="[]"), "line 3: needs at least one [[tiers]]"),
        (plan_with(tiers="3"), "line 3: needs at least one [[tiers]]"),
        (plan_with(tiers="[3]"), "line 3: tier 1 must be a table, not 3"),
        (
            plan_with(tiers="[{markup_credits = 5, markup = 1}]"),
            "line 3: tier 1 has an unknown key 'markup'; known are below_credits, markup_bps, markup_credits",
        ),
        (plan_with(tiers="[{}]"), "line 3: tier 1 needs exactly one of markup_bps and markup_credits"),
        (
            plan_with(tiers="[{markup_bps = 1, markup_credits = 1}]"),
            "line 3: tier 1 needs exactly one of markup_bps and markup_credits",
        ),
        (
            plan_with(tiers="[{markup_bps = -1}]"),
            "line 3: tier 1: markup_bps must be a whole number from 0 to 1,000,000 (10,000 %), not -1",
        ),
        (
            plan_with(tiers="[{markup_credits = 0.5}]"),
            "line 3: tier 1: markup_credits must be a whole number, 0 or more, not 0.5",
        ),
        (
            plan_with(tiers="[{below_credits = 0, markup_bps = 1}, {markup_bps = 1}]"),
            "line 3: tier 1: below_credits must be a positive whole number, not 0",
        ),
        (
            plan_with(tiers='[{below_credits = "9", markup_bps = 1}, {markup_bps = 1}]'),
            "line 3: tier 1: below_credits must be a positive whole number, not '9'",
        ),
        (
            plan_with(tiers="[{markup_bps = 1}, {markup_bps = 1}]"),
            "line 3: tier 1 has no below_credits, which only the last tier may leave out",
        ),
        (
            plan_with(tiers="[{below_credits = 9, markup_bps = 1}]"),
            "line 3: tier 1 is the last and must have no below_credits, so that every cost has a tier",
        ),
        (
            plan_with(
                tiers="[{below_credits = 9, markup_bps = 1}, {below_credits = 9, markup_bps = 1}, {markup_bps = 1}]"
            ),
            "line 3: tier 2: below_credits must be above 9, the bound before it",
        ),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_with_its_problem_named(text: str, problem: str) -> None:
    assert problems_of(text) == [problem]


def test_a_problem_of_a_tier_names_its_line_in_the_file() -> None:
    text = """id = "p"
creator_share_bps = 8000

[[tiers]]
below_credits = 10_000
markup_bps = 2000

[[tiers]]  # above the one before
below_credits = 5_000
markup_bps = 1000

[[tiers]]
markup_bps = -1
"""
    assert problems_of(text) == [
        "line 13: tier 3: markup_bps must be a whole number from 0 to 1,000,000 (10,000 %), not -1"
    ]
    assert problems_of(text.replace("-1", "0")) == [
        "line 9: tier 2: below_credits must be above 10,000, the bound before it"
    ]


@pytest.mark.parametrize("text", ["id =", "x = " + "9" * 5_000, "x = " + "[" * 5_000], ids=["key", "digits", "nested"])
def test_text_that_is_not_toml_is_refused(text: str) -> None:
    with pytest.raises(DataFileInvalid, match=r"^my\.toml: is not TOML: "):
        parse_price_plan(text, "my.toml")


def test_a_plan_has_at_most_fifty_tiers() -> None:
    def text(tiers: int) -> str:
        bounded = "".join(f"[[tiers]]\nbelow_credits = {n}\nmarkup_bps = 1\n" for n in range(1, tiers))
        return 'id = "p"\ncreator_share_bps = 0\n' + bounded + "[[tiers]]\nmarkup_bps = 1\n"

    assert len(parse_price_plan(text(50)).tiers) == 50
    assert problems_of(text(51)) == ["line 153: has 51 tiers, but a plan can have at most 50"]


def test_every_problem_of_a_plan_is_listed() -> None:
    assert problems_of(
        plan_with(id="1", share="-1", tiers="[{}, {below_credits = -1, markup_bps = 1}]", more="x = 1")
    ) == [
        "line 1: id must be 1 to 64 lower-case letters, digits or . _ -, not 1",
        "line 2: creator_share_bps must be a whole number from 0 to 10,000 (100 %), not -1",
        "line 3: tier 1 needs exactly one of markup_bps and markup_credits",
        "line 3: tier 2: below_credits must be a positive whole number, not -1",
        "line 4: has an unknown key 'x'; " + KNOWN,
    ]


def test_a_plan_without_a_share_is_refused_and_not_given_one() -> None:
    assert problems_of('id = "p"\ntiers = [{markup_credits = 5}]') == [
        "creator_share_bps is missing; it must be a whole number from 0 to 10,000 (100 %)"
    ]


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b'id = "\xe9"')
    with pytest.raises(DataFileInvalid, match=r"a\.toml: cannot be read: 'utf-8' codec"):
        load_price_plan(tmp_path / "a.toml")
