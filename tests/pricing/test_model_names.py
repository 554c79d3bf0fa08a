"""A model by another name: what a larger list than the offered models calls it."""

from dataclasses import replace

import pytest

from credits_core.pricing.models import Model, ModelRegistry, parse_model_registry
from credits_core.pricing.refusals import UnknownModel
from tests.support.prices import by_usage, model

OFFERED = """
[[models]]
id = "maker/a"
name = "A"
provider = "maker"
type = "text"
genai_prices_id = "list/a"
prices = [{input_tokens = 1, output_tokens = 2}]
source = "specification"
checked_on = 2026-01-01
"""


def with_names() -> ModelRegistry:
    """One offered model, `maker/a`, which the larger list calls `list/a`, and a larger list with three names."""
    larger = {"a-2026-01-01": "list/a", "list/a": "list/a", "b": "list/b"}

    def elsewhere(name: str) -> Model:
        if name not in larger:
            raise UnknownModel(name)
        return model(by_usage(input_tokens="7"), larger[name])

    return replace(parse_model_registry(OFFERED), elsewhere=elsewhere)


@pytest.mark.parametrize("name", ["maker/a", "a-2026-01-01", "list/a"])
def test_every_name_of_an_offered_model_finds_it_as_it_is_offered(name: str) -> None:
    registry = with_names()
    for found in (registry[name], registry.anywhere(name)):
        assert (found.id, found.prices) == ("maker/a", by_usage(input_tokens="1", output_tokens="2"))


def test_a_model_that_is_not_offered_can_be_quoted_and_not_run() -> None:
    registry = with_names()
    assert registry.anywhere("b").prices == by_usage(input_tokens="7")
    with pytest.raises(UnknownModel) as caught:
        registry["b"]
    assert caught.value.model_id == "b"
    assert "b" not in registry


def test_a_name_that_nobody_has_is_refused_everywhere() -> None:
    with pytest.raises(UnknownModel):
        with_names()["c"]
    with pytest.raises(UnknownModel):
        with_names().anywhere("c")
