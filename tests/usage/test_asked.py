"""A service tier that a caller names beside a response, which names one too."""

import pytest

from credits_core.errors import InvalidRequest
from credits_core.usage.asked import asked_usage


def tier_of(named: str | None, *, reported: str | None) -> str | None:
    response = {"model": "gpt-5", "usage": {"prompt_tokens": 10, "completion_tokens": 2}, "service_tier": reported}
    return asked_usage(model_id=None, provider="openai", response=response, service_tier=named).service_tier


@pytest.mark.parametrize(
    ("named", "reported", "tier"),
    [
        (None, None, None),
        (None, "default", "default"),
        (None, "flex", "flex"),
        ("flex", None, "flex"),
        ("flex", "flex", "flex"),
        ("standard", "default", "standard"),
        ("default", "standard", "default"),
        ("auto", "default", "auto"),
    ],
)
def test_a_tier_may_be_named_beside_a_response_that_means_the_same(
    named: str | None, reported: str | None, tier: str | None
) -> None:
    assert tier_of(named, reported=reported) == tier


@pytest.mark.parametrize(
    ("named", "reported"), [("standard", "flex"), ("flex", "default"), ("auto", "priority"), ("flex", "batch")]
)
def test_a_tier_that_differs_from_the_responses_is_refused_with_both_named(named: str, reported: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        tier_of(named, reported=reported)
    assert str(refused.value) == f"service_tier: is '{named}', and the response says '{reported}'"
