"""The terms that a refund is made on. Pure."""

from dataclasses import dataclass

from credits_core.store.kinds import RefundRule


@dataclass(frozen=True, slots=True)
class RefundTerms:
    """What decides who bears the inference cost of a refunded run: the rule, and whether the provider gave it back."""

    rule: RefundRule = RefundRule.PLATFORM_BEARS_COST
    provider_refunded: bool = False

    @property
    def returns_cost(self) -> bool:
        """Whether the inference cost is booked back from the account that owes it to the provider."""
        return self.provider_refunded or self.rule is RefundRule.COST_BOOKED_BACK
