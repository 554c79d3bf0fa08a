"""Laws of refunds in parts: whatever the parts, they end in one whole refund, and nobody gives back too much."""

from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.pricing.refund_shares import RefundPart, Shares, share_back, shares_back, shares_of_part
from credits_core.values.credits import MAX_CREDITS

_small = st.builds(Shares, *[st.integers(0, 12)] * 3).filter(any)
_large = st.builds(Shares, *[st.integers(0, MAX_CREDITS)] * 3).filter(lambda shares: 0 < sum(shares) <= MAX_CREDITS)
_shares = _small | _large


def test_a_refund_of_every_credit_alone_ends_in_the_whole_refund() -> None:
    run = Shares(creator_credits=7, revenue_credits=0, inference_credits=4)
    parts = [shares_of_part(run, RefundPart(number, number + 1)) for number in range(11)]
    assert tuple(map(sum, zip(*parts, strict=True))) == run
    assert {sum(part) for part in parts} == {1}


@pytest.mark.parametrize(
    ("refunded_credits", "due"),
    [
        (0, Shares(0, 0, 0)),
        (1, Shares(0, 1, 0)),  # all round down, and the platform's income makes it up
        (2, Shares(0, 1, 1)),
        (3, Shares(1, 1, 1)),
        (5, Shares(1, 2, 2)),
        (8, Shares(2, 3, 3)),
        (9, Shares(3, 3, 3)),
    ],
)
def test_the_creator_and_the_inference_round_down_and_the_income_has_the_rest(
    refunded_credits: int, due: Shares
) -> None:
    assert shares_back(Shares(3, 3, 3), refunded_credits) == due


def test_an_income_of_nothing_never_gives_anything_back() -> None:
    # Three floors would leave one of three credits to it: 1 x 1 / 2 for the creator, 1 x 1 / 2 for the inference.
    assert shares_back(Shares(1, 0, 1), 1) == Shares(0, 0, 1)


@given(shares=_shares, numbers=st.lists(st.integers(0, MAX_CREDITS), max_size=8))
def test_any_split_of_parts_ends_in_the_same_as_one_whole_refund(shares: Shares, numbers: list[int]) -> None:
    total_credits = sum(shares)
    ends = sorted({0, total_credits, *(number % (total_credits + 1) for number in numbers)})
    parts = [RefundPart(*ends_of) for ends_of in pairwise(ends)]
    back = [shares_of_part(shares, part) for part in parts]
    assert tuple(map(sum, zip(*back, strict=True))) == shares
    for part, given_back in zip(parts, back, strict=True):
        assert sum(given_back) == part.credits
        assert min(given_back) >= 0


@given(shares=_shares, numbers=st.tuples(*[st.integers(0, MAX_CREDITS)] * 2))
def test_nobody_gives_back_more_than_the_share_and_more_credits_never_give_back_less(
    shares: Shares, numbers: tuple[int, int]
) -> None:
    fewer, more = sorted(number % (sum(shares) + 1) for number in numbers)
    less_back, back = shares_back(shares, fewer), shares_back(shares, more)
    assert all(one <= other <= share for one, other, share in zip(less_back, back, shares, strict=True))


@given(shares=_shares, number=st.integers(0, MAX_CREDITS))
def test_the_creator_gives_back_the_exact_part_of_the_share_rounded_down(shares: Shares, number: int) -> None:
    refunded_credits = number % (sum(shares) + 1)
    exact = Fraction(shares.creator_credits * refunded_credits, sum(shares))
    assert shares_back(shares, refunded_credits).creator_credits == floor(exact)


@given(total=st.integers(1, MAX_CREDITS), fee=st.integers(0, MAX_CREDITS), number=st.integers(0, MAX_CREDITS))
def test_the_share_of_a_fee_that_went_back_is_never_more_than_the_fee(total: int, fee: int, number: int) -> None:
    fee %= total + 1
    refunded = number % (total + 1)
    share = fee * 4 // 5
    assert share_back(share, refunded_credits=refunded, total_credits=total) <= share_back(
        fee, refunded_credits=refunded, total_credits=total
    )
