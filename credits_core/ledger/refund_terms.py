"""The terms that a refund is made on. Pure."""

from dataclasses import dataclass

from credits_core.store.kinds import RefundRule


@dataclass(frozen=True, slots=True)
class RefundTerms:
    """What decides who bears what of a refund: the rule, and whether the provider gave the inference cost back."""

    rule: RefundRule = RefundRule.CREATOR_OWES_SHARE
    provider_refunded: bool = False

    @property
    def returns_cost(self) -> bool:
        """Whether the inference cost is booked back from the account that owes it to the provider."""
        return self.provider_refunded or self.rule is RefundRule.COST_BOOKED_BACK

    @property
    def creator_owes(self) -> bool:
        """Whether a creator owes what is spent of the share; under earlier rules the platform bears it."""
        return self.rule is RefundRule.CREATOR_OWES_SHARE
