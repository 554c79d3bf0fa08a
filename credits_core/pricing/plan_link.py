"""Writes a whole price plan as one short line for a link, and reads it again. Pure.

    8000;graduated;cap;minimum=300;10000:2000bps;100000:1000bps;500

First comes the creator's share in basis points, then each other rule that differs from its default, then the tiers:
the bound, if any, and a percentage in basis points or a flat number of credits.
"""

import re

from credits_core.errors import InvalidRequest
from credits_core.pricing.plan import MarkupTier, PricePlan, Rounding, TierMode
from credits_core.pricing.plan_toml import checked

_TIER = re.compile(r"(?:([0-9]{1,19}):)?([0-9]{1,19})(bps)?")
_FLAGS: dict[str, tuple[str, object]] = {
    "graduated": ("tier_mode", TierMode.GRADUATED),
    "cap": ("cap_down", True),
    "markup-up": ("markup_rounding", Rounding.UP),
    "share-up": ("creator_share_rounding", Rounding.UP),
    "minimum-markup": ("minimum_platform_income_is_markup", True),
}
_NUMBER = re.compile("[0-9]{1,19}")
_NUMBERS = {"minimum": "minimum_platform_income_credits", "purchase": "purchase_fee_bps", "overrun": "hold_overrun_bps"}


def to_line(plan: PricePlan) -> str:
    """The plan's rules in one line, without its id.

    >>> to_line(PricePlan("p", 8_000, (MarkupTier(10_000, 2_000, None), MarkupTier(None, None, 500)), cap_down=True))
    '8000;cap;10000:2000bps;500'
    """
    parts = [str(plan.creator_share_bps)]
    parts += [flag for flag, (name, rule) in _FLAGS.items() if getattr(plan, name) == rule]
    parts += [f"{word}={getattr(plan, name)}" for word, name in _NUMBERS.items() if getattr(plan, name)]
    for tier in plan.tiers:
        bound = "" if tier.below_credits is None else f"{tier.below_credits}:"
        parts.append(bound + (str(tier.markup_credits) if tier.markup_bps is None else f"{tier.markup_bps}bps"))
    return ";".join(parts)


def from_line(line: str, plan_id: str) -> PricePlan:
    """The plan of a line that `to_line` wrote, with this id. It must pass the checks of plan files.

    Raises:
        InvalidRequest: the line does not have this form, or the plan breaks a rule.
    """
    share, *rest = line.split(";")
    rules: dict[str, object] = {}
    tiers = []
    for part in rest:
        word, _, number = part.partition("=")
        if part in _FLAGS and _FLAGS[part][0] not in rules:
            name, rule = _FLAGS[part]
            rules[name] = rule
        elif word in _NUMBERS and _NUMBERS[word] not in rules and _NUMBER.fullmatch(number):
            rules[_NUMBERS[word]] = int(number)
        elif found := _TIER.fullmatch(part):
            bound, markup, is_bps = found.groups()
            rate = (int(markup), None) if is_bps else (None, int(markup))
            tiers.append(MarkupTier(int(bound) if bound else None, *rate))
        else:
            raise InvalidRequest("plan", f"the link is damaged at {part[:40]!r}; copy it again")
    if not (_NUMBER.fullmatch(share) and tiers):
        raise InvalidRequest("plan", "in the link is incomplete: copy the link again")
    return checked(PricePlan(plan_id, int(share), tuple(tiers), **rules))  # type: ignore[arg-type]
