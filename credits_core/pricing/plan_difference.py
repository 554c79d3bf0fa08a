"""Says in which rules two price plans differ, one line for each rule and each tier, as plan files write them. Pure."""

import json
from dataclasses import fields
from itertools import zip_longest

from credits_core.pricing.plan import MarkupTier, PricePlan


def plan_difference(before: PricePlan, after: PricePlan) -> list[str]:
    """What is different in `after`: its rules in the order of the file, then its tiers, numbered from 1.

    Empty when both price every run alike. The ids are not compared.

    >>> tiers = (MarkupTier(10_000, 2_000, None), MarkupTier(None, None, 500))
    >>> changed = (MarkupTier(10_000, 3_000, None), *tiers[1:])
    >>> plan_difference(PricePlan("p", 8_000, tiers), PricePlan("p", 7_500, changed))
    ['creator_share_bps: 8000 -> 7500', 'tier 1: below_credits = 10000, markup_bps = 2000 -> 3000']
    >>> plan_difference(PricePlan("p", 8_000, changed), PricePlan("p", 8_000, (changed[0],)))
    ['tier 2: removed, markup_credits = 500']
    >>> plan_difference(PricePlan("p", 8_000, tiers), PricePlan("p", 8_000, tiers, hold_overrun_bps=1_000))
    ['hold_overrun_bps: 0 -> 1000']
    """
    rules = [field.name for field in fields(PricePlan) if field.init and field.name not in {"id", "tiers"}]
    lines = [
        f"{name}: {json.dumps(getattr(before, name))} -> {json.dumps(getattr(after, name))}"
        for name in rules
        if getattr(before, name) != getattr(after, name)
    ]
    for number, (old, new) in enumerate(zip_longest(before.tiers, after.tiers), 1):
        if old is None:
            lines.append(f"tier {number}: added, {_tier(new, new)}")
        elif new is None:
            lines.append(f"tier {number}: removed, {_tier(old, old)}")
        elif old != new:
            lines.append(f"tier {number}: {_tier(old, new)}")
    return lines


def _tier(old: MarkupTier, new: MarkupTier) -> str:
    said = []
    for name in ("below_credits", "markup_bps", "markup_credits"):
        was, now = (json.dumps(getattr(tier, name)).replace("null", "none") for tier in (old, new))
        if was != now:
            said.append(f"{name} = {was} -> {now}")
        elif was != "none":
            said.append(f"{name} = {was}")
    return ", ".join(said)
