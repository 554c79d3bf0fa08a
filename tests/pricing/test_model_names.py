"""A model by another name: what a larger list than the offered models calls it."""

from dataclasses import replace

import pytest

from credits_core.errors import DataFileInvalid
from credits_core.pricing.models import Model, ModelRegistry
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel
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
    assert str(caught.value) == (
        "The model 'b' is not offered. Nothing was charged or changed. See which models are offered: on the screen "
        "Models, with "
        "'python -m credits_core models list', or at GET /api/models."
    )
    assert "b" not in registry


def test_a_name_that_nobody_has_is_refused_everywhere() -> None:
    with pytest.raises(
        UnknownModel, match=r"^There is no model 'c'\. Nothing was charged or changed\. See which models are offered"
    ):
        with_names()["c"]
    with pytest.raises(UnknownModel):
        with_names().anywhere("c")


# --- two models that are one in the larger list ---------------------------------------------------------------------

TWIN = OFFERED.replace('id = "maker/a"', 'id = "ours/a"').replace("input_tokens = 1,", "input_tokens = 3,")
NAMESAKE = TWIN.replace("ours/a", "list/a").replace('genai_prices_id = "list/a"\n', "")
BOTH = "mine.toml: models 'maker/a' and '{}' are both list/a, so its names could mean either; keep one"


@pytest.mark.parametrize(("other", "other_id"), [(TWIN, "ours/a"), (NAMESAKE, "list/a")])
def test_a_new_list_may_not_have_two_models_under_one_name(other: str, other_id: str) -> None:
    with pytest.raises(DataFileInvalid) as caught:
        parse_model_registry(OFFERED + other, "mine.toml")
    assert str(caught.value) == BOTH.format(other_id)


def test_of_a_list_that_was_kept_with_two_a_name_that_could_mean_either_is_refused_with_both() -> None:
    kept = parse_model_registry(OFFERED + TWIN, is_kept=True)
    registry = replace(kept, elsewhere=with_names().elsewhere)
    assert [registry[name].id for name in ("maker/a", "ours/a")] == ["maker/a", "ours/a"]
    assert registry["ours/a"].prices == by_usage(input_tokens="3", output_tokens="2")
    for name in ("a-2026-01-01", "list/a"):
        for ask in (registry.__getitem__, registry.anywhere):
            with pytest.raises(AmbiguousModel) as caught:
                ask(name)
            assert (caught.value.name, caught.value.model_ids) == (name, ["maker/a", "ours/a"])


def test_of_a_list_that_was_kept_with_a_namesake_the_id_means_itself_and_other_names_are_refused() -> None:
    registry = replace(parse_model_registry(OFFERED + NAMESAKE, is_kept=True), elsewhere=with_names().elsewhere)
    assert registry["list/a"].id == "list/a"
    with pytest.raises(AmbiguousModel):
        registry["a-2026-01-01"]


# --- names that were mapped by hand ---------------------------------------------------------------------------------

DEPLOYED = OFFERED.replace('type = "text"', 'type = "text"\ndeployments = ["azure/chat-eu", "b"]')
OTHER = DEPLOYED.replace('id = "maker/a"', 'id = "maker/c"').replace('genai_prices_id = "list/a"\n', "")


@pytest.mark.parametrize("name", ["azure/chat-eu", "b"])
def test_a_deployment_finds_its_model_before_any_other_list_is_asked(name: str) -> None:
    registry = replace(parse_model_registry(DEPLOYED), elsewhere=with_names().elsewhere)
    assert [found.id for found in (registry[name], registry.anywhere(name))] == ["maker/a", "maker/a"]
    with pytest.raises(UnknownModel):
        registry["azure/chat"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DEPLOYED + OTHER, "model 'maker/c': 'azure/chat-eu' is a deployment of 'maker/a' already"),
        (DEPLOYED.replace('"b"', '"maker/a"'), "model 'maker/a' is also a deployment of 'maker/a'"),
        (DEPLOYED.replace('["azure/chat-eu", "b"]', '"b"'), "model 'maker/a': deployments must be a list of names"),
        (DEPLOYED.replace('"b"', '"=b"'), "model 'maker/a': deployments: must be 1 to 128"),
        (DEPLOYED.replace('"b"', "7"), "model 'maker/a': deployments: must be 1 to 128"),
    ],
)
def test_a_deployment_that_makes_no_sense_is_refused(text: str, problem: str) -> None:
    with pytest.raises(DataFileInvalid) as caught:
        parse_model_registry(text)
    assert caught.value.problems[0].startswith(problem)


# --- names that could mean two --------------------------------------------------------------------------------------


def test_a_name_that_is_an_offered_id_but_for_its_case_and_means_another_model_is_refused_with_both() -> None:
    fixed = '[[models]]\nid = "a"\nname = "A"\nprovider = "maker"\ntype = "text"\nrun_price_credits = 10_000\n'
    kept = parse_model_registry(OFFERED + fixed + 'source = "specification"\nchecked_on = 2026-01-01\n')
    registry = replace(kept, elsewhere=lambda _: model(by_usage(input_tokens="7"), "list/a"))
    assert registry["a"].id == "a"
    assert [registry[name].id for name in ("LIST/A", "Maker/A")] == ["maker/a", "maker/a"]
    for ask in (registry.__getitem__, registry.anywhere):
        with pytest.raises(AmbiguousModel) as caught:
            ask("A")
        assert caught.value.model_ids == ["a", "maker/a"]


@pytest.mark.parametrize(
    ("named", "note"),
    [
        (None, None),
        ("maker/a", None),
        ("a-2026-01-01", None),
        ("nobody/knows", None),
        ("b", "The response is of list/b. The run was priced as maker/a, as you named it."),
    ],
)
def test_a_response_of_another_model_is_noted(named: str | None, note: str | None) -> None:
    assert with_names().note_on_response("maker/a", named) == note


def test_the_response_of_a_model_with_a_fixed_price_is_of_that_model() -> None:
    twins = OFFERED + OFFERED.replace("maker/a", "a").replace('genai_prices_id = "list/a"\n', "")
    registry = parse_model_registry(twins)
    assert registry.note_on_response("a", "maker/a") is None
    assert registry.note_on_response("maker/a", "a") == (
        "The response is of a. The run was priced as maker/a, as you named it."
    )
