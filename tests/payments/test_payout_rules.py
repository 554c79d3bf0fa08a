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
    assert decide(Standing(left, waiting, 0, 0, False, True), 1_000_000) == (verdict, amount)


@pytest.mark.parametrize(
    ("left", "waiting", "owed", "verdict", "amount"),
    [
        (1_111_112, 0, 0, Verdict.PAID_OUT, 1_000_000),  # 111,111.2 are held back, rounded up
        (1_111_111, 0, 0, Verdict.RESERVED, 0),
        (999_999, 0, 0, Verdict.BELOW_THRESHOLD, 0),  # also without a reserve
        (2_000_000, 0, 950_000, Verdict.RESERVED, 0),
        (2_000_000, 0, 1_950_000, Verdict.BELOW_THRESHOLD, 0),
        (2_000_000, 0, 2_000_000, Verdict.OWED, 0),
    ],
)
def test_a_reserve_is_held_back_of_what_does_not_wait(
    left: int, waiting: int, owed: int, verdict: Verdict, amount: int
) -> None:
    rules = RULES.model_copy(update={"reserve_bps": 1_000})
    standing = Standing(left, waiting, rules.reserved_credits(left - waiting), owed, False, True)
    assert decide(standing, 1_000_000) == (verdict, amount)


def test_paydays_and_waiting_days() -> None:
    assert RULES.first_waiting_day(date(2026, 3, 8)) == date(2026, 3, 2)
    assert RULES.next_payday(date(2026, 2, 28)) == date(2026, 3, 1)
    assert RULES.next_payday(date(2026, 12, 1)) == date(2026, 12, 1)
