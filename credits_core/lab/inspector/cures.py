"""Cures: for what the inspector finds in a plan, a changed plan with another id, to be looked at as a draft. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from credits_core.lab.inspector import shape
from credits_core.lab.inspector.findings import FindingKind
from credits_core.pricing.plan import PricePlan, TierMode
from credits_core.pricing.plan_toml import MAX_PLAN_ID


@dataclass(frozen=True, slots=True)
class Cure:
    """One change of a plan, which kind of finding it is against, and what it does, in a sentence."""

    name: str
    against: FindingKind
    sentence: str
    plan: PricePlan


def cures(plan: PricePlan, taken_ids: Collection[str]) -> tuple[Cure, ...]:
    """The cures that the plan needs; each has an id that is not taken.

    >>> from credits_core.pricing.plan import MarkupTier
    >>> tiers = (MarkupTier(10_000, 2_000, None), MarkupTier(None, 1_000, None))
    >>> [(cure.name, cure.plan.id) for cure in cures(PricePlan("v1", 8_000, tiers), {"v1", "v1-capped"})]
    [('Cap down', 'v1-capped-2'), ('Graduated', 'v1-graduated'), ('Minimum platform income', 'v1-minimum')]
    """
    found = []
    if shape.cliffs(plan):
        capped = replace(plan, id=free_id(plan.id, "-capped", taken_ids), cap_down=True)
        found.append(Cure("Cap down", FindingKind.CLIFF, "A run never costs more than a dearer run.", capped))
        if plan.tier_mode is TierMode.VOLUME:
            graduated = replace(plan, id=free_id(plan.id, "-graduated", taken_ids), tier_mode=TierMode.GRADUATED)
            sentence = "Each tier applies to its own part of the cost, like income tax, so the total never drops."
            found.append(Cure("Graduated", FindingKind.CLIFF, sentence, graduated))
    if shape.inversions(plan):
        minimum = replace(plan, id=free_id(plan.id, "-minimum", taken_ids), minimum_platform_income_is_markup=True)
        sentence = "With a creator fee we still earn at least our normal markup."
        found.append(Cure("Minimum platform income", FindingKind.INVERSION, sentence, minimum))
    return tuple(found)


def same_rules(one: PricePlan, other: PricePlan) -> bool:
    """Whether the two plans price every run alike, by the same rules, whatever they are called."""
    return replace(one, id=other.id) == other


def free_id(plan_id: str, suffix: str, taken_ids: Collection[str]) -> str:
    """The id with the suffix, and with a number when that is taken; the id is cut so that it has 64 characters at most.

    >>> free_id("v1", "-capped", {"v1-capped", "v1-capped-2"})
    'v1-capped-3'
    """
    number, ending = 1, suffix
    while (found := plan_id[: MAX_PLAN_ID - len(ending)] + ending) in taken_ids:
        number += 1
        ending = f"{suffix}-{number}"
    return found
