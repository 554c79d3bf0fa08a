"""Price plans: markup tiers and the creator's share. Parsing, validation and the one rule that applies them.

A plan is a file under `data/price_plans/`. It is immutable once a run was priced with it: a change is a new plan with a
new id. Nothing here reads a clock or a database.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from credits_core.errors import DataFileInvalid
from credits_core.money import BPS_PER_WHOLE, MAX_CREDITS, div_floor

_PLAN_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class MarkupTier:
    """One markup tier: for inference costs below `below_credits` (exclusive; None in the last tier).

    Exactly one of `markup_bps` (hundredths of a per cent of the inference cost, rounded down) and `markup_credits`
    (flat) is set.
    """

    below_credits: int | None
    markup_bps: int | None
    markup_credits: int | None

    def markup(self, inference_cost_credits: int) -> int:
        """The markup in credits, a percentage rounded down.

        >>> MarkupTier(below_credits=10_000, markup_bps=2_000, markup_credits=None).markup(9_999)
        1999
        """
        if self.markup_bps is None:
            assert self.markup_credits is not None
            return self.markup_credits
        return div_floor(inference_cost_credits * self.markup_bps, BPS_PER_WHOLE)


@dataclass(frozen=True, slots=True)
class PricePlan:
    """Markup tiers in ascending order and the creator's share of a fee, in basis points (8,000 = 80 %)."""

    id: str
    creator_share_bps: int
    tiers: tuple[MarkupTier, ...]

    def tier_for(self, inference_cost_credits: int) -> MarkupTier:
        """The tier whose range holds the inference cost; upper bounds are exclusive.

        >>> plan = parse_price_plan('''id = "p"
        ... creator_share_bps = 8000
        ... tiers = [{below_credits = 10000, markup_bps = 2000}, {markup_credits = 500}]''')
        >>> plan.tier_for(9_999).markup_bps, plan.tier_for(10_000).markup_credits
        (2000, 500)
        """
        for tier in self.tiers:
            if tier.below_credits is None or inference_cost_credits < tier.below_credits:
                return tier
        raise AssertionError("a parsed plan ends with an open tier")


def parse_price_plan(text: str, source: str = "price plan") -> PricePlan:
    """The plan written as TOML: `id`, `creator_share_bps` (0 to 10,000) and `[[tiers]]`, the last without a bound.

    Raises:
        DataFileInvalid: not TOML, an unknown or missing key, bounds that do not rise, a share over 100 %, a negative
            rate, or a last tier that is missing or bounded. Every problem is listed; the order of the bounds is judged
            when every tier can be read.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataFileInvalid(source, [f"is not TOML: {error}"]) from None
    problems = [
        f"has an unknown key {key!r}; known are id, creator_share_bps, tiers"
        for key in sorted(document.keys() - {"id", "creator_share_bps", "tiers"})
    ]
    plan_id = document.get("id")
    if not isinstance(plan_id, str) or not _PLAN_ID.fullmatch(plan_id):
        problems.append(f"id must be 1 to 64 lower-case letters, digits or . _ -, not {plan_id!r}")
    share_bps = document.get("creator_share_bps")
    if not _is_whole(share_bps, BPS_PER_WHOLE):
        problems.append(f"creator_share_bps must be a whole number from 0 to 10,000 (100 %), not {share_bps!r}")
    rows = document.get("tiers")
    if not isinstance(rows, list) or not rows:
        raise DataFileInvalid(source, [*problems, "needs at least one [[tiers]]"])
    tier_problems: list[str] = []
    tiers = tuple(_parse_tier(number, row, tier_problems) for number, row in enumerate(rows, 1))
    if not tier_problems:
        _check_bounds(tiers, tier_problems)
    if problems := [*problems, *tier_problems]:
        raise DataFileInvalid(source, problems)
    assert isinstance(plan_id, str)
    assert isinstance(share_bps, int)
    return PricePlan(id=plan_id, creator_share_bps=share_bps, tiers=tiers)


def load_price_plans(folder: Path) -> dict[str, PricePlan]:
    """Every plan of the folder by its id; a file is named after the plan it holds.

    Raises:
        DataFileInvalid: a file cannot be read or parsed, or holds a plan with another id than its name says.
    """
    plans: dict[str, PricePlan] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
        plan = parse_price_plan(text, str(path))
        if plan.id != path.stem:
            raise DataFileInvalid(str(path), [f"holds the plan {plan.id!r}; name the file {plan.id}.toml"])
        plans[plan.id] = plan
    return plans


def _is_whole(number: object, maximum: int, *, minimum: int = 0) -> bool:
    return type(number) is int and minimum <= number <= maximum


def _parse_tier(number: int, row: object, problems: list[str]) -> MarkupTier:
    if not isinstance(row, dict):
        problems.append(f"tier {number} must be a table, not {row!r}")
        return MarkupTier(below_credits=None, markup_bps=None, markup_credits=None)
    problems.extend(
        f"tier {number} has an unknown key {key!r}; known are below_credits, markup_bps, markup_credits"
        for key in sorted(row.keys() - {"below_credits", "markup_bps", "markup_credits"})
    )
    below_credits, markup_bps, markup_credits = (
        row.get(key) for key in ("below_credits", "markup_bps", "markup_credits")
    )
    if below_credits is not None and not _is_whole(below_credits, MAX_CREDITS, minimum=1):
        problems.append(f"tier {number}: below_credits must be a positive whole number, not {below_credits!r}")
    if (markup_bps is None) == (markup_credits is None):
        problems.append(f"tier {number} needs exactly one of markup_bps and markup_credits")
    elif not _is_whole(markup_bps if markup_credits is None else markup_credits, MAX_CREDITS):
        problems.append(f"tier {number}: the markup must be a whole number, 0 or more, not {row}")
    return MarkupTier(below_credits=below_credits, markup_bps=markup_bps, markup_credits=markup_credits)


def _check_bounds(tiers: tuple[MarkupTier, ...], problems: list[str]) -> None:
    previous_credits = 0
    for number, tier in enumerate(tiers, 1):
        is_last = number == len(tiers)
        if tier.below_credits is None:
            if not is_last:
                problems.append(f"tier {number} has no below_credits, which only the last tier may leave out")
        elif is_last:
            problems.append(f"tier {number} is the last and must have no below_credits, so that every cost has a tier")
        elif tier.below_credits <= previous_credits:
            problems.append(f"tier {number}: below_credits must be above {previous_credits:,}, the bound before it")
        previous_credits = tier.below_credits or previous_credits
