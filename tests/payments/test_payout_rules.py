"""The rules of payouts by themselves: the threshold, whole cents, what waits, and the next payday."""

from datetime import date

import pytest

from credits_core.payments.payout_rules import PayoutRules, Standing, decide
from credits_core.store.kinds import Verdict

RULES = PayoutRules(waiting_days=7, threshold_credits=1_000_000, payday=1)


@pytest.mark.parametrize(
    ("left", "waiting", "verdict", "amount"),
    [
        (999_999, 0, Verdict.BELOW_THRESHOLD, 0),
        (1_000_000, 0, Verdict.PAID_OUT, 1_000_000),
        (1_009_999, 0, Verdict.PAID_OUT, 1_000_000),  # whole cents
        (1_010_000, 0, Verdict.PAID_OUT, 1_010_000),
        (1_999_999, 1_000_000, Verdict.BELOW_THRESHOLD, 0),
        (2_000_000, 1_000_000, Verdict.PAID_OUT, 1_000_000),
    ],
)
def test_the_threshold_is_what_does_not_wait_in_whole_cents(
    left: int, waiting: int, verdict: Verdict, amount: int
) -> None:
    assert decide(Standing(left, waiting, 0, False, True), 1_000_000) == (verdict, amount)


def test_paydays_and_waiting_days() -> None:
    assert RULES.first_waiting_day(date(2026, 3, 8)) == date(2026, 3, 2)
    assert RULES.next_payday(date(2026, 2, 28)) == date(2026, 3, 1)
    assert RULES.next_payday(date(2026, 12, 1)) == date(2026, 12, 1)
