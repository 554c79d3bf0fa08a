"""Which model a name means: every name of the price list, dated ones included, and none by cutting something off."""

import pytest

from credits_core.prices import package
from credits_core.prices.names import resolve
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("gpt-4o-2024-11-20", "openai/gpt-4o"),
        ("openai/gpt-4o-2024-11-20", "openai/gpt-4o"),
        ("gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
        ("chatgpt-4o-latest", "openai/chatgpt-4o-latest"),
        ("claude-haiku-4-5-20251001", "anthropic/claude-haiku-4-5"),
        ("claude-haiku-4-5@20251001", "anthropic/claude-haiku-4-5"),
        ("CLAUDE-HAIKU-4-5", "anthropic/claude-haiku-4-5"),
        ("deepseek-v4-pro", "deepseek/deepseek-v4-pro"),
        ("xai/grok-4.7", "x-ai/grok-4.7"),
        ("llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile"),
        ("openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("text-embedding-3-small", "openai/text-embedding-3-small"),  # hosted by Azure too
        ("glm-4.6", "zai/GLM-4.6"),
        ("deepseek-v4-1-flash-1017", "mistral/deepseek-v4-1-flash-1017"),  # not sold by its maker
        # By the name that a host uses, at that host's price.
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "aws/regional.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", "aws/regional.anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("togethercomputer/GPT-JT-Moderation-6B", "together/togethercomputer/GPT-JT-Moderation-6B"),
        (
            "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "aws/regional.anthropic.claude-haiku-4-5-20251001-v1:0",
        ),
        ("vertex_ai/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("mistralai/mistral-large-2512", "mistral/mistral-large-2512"),
        # Azure sells makers' models at the makers' prices, and has an entry of its own for few.
        ("azure/gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("azure/gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
        ("azure/gpt-4o", "openai/gpt-4o"),
        ("azure/o4-mini-2025-04-16", "azure/o4-mini"),
        ("azure/grok-4", "x-ai/grok-4-0709"),
    ],
)
def test_a_name_means_one_model(name: str, model_id: str) -> None:
    assert resolve(name) == model_id


@pytest.mark.parametrize(
    "name",
    [
        *("", "gpt-4o-2024", "gpt-4o-2024-08-07", "openai/nothing", "nothing", "/"),
        # A host or a region that is not known, although the names of Google's and OpenAI's models are part of it.
        *("acme/claude-haiku-4-5", "acme/moderation", "mars.anthropic.claude-haiku-4-5-20251001-v1:0"),
        *("xopenai/gpt-4o", "azure-openai/gpt-4o", "azure/gpt-4o-eu", "groq/gpt-4o"),
    ],
)
def test_a_name_that_no_model_has_is_refused(name: str) -> None:
    with pytest.raises(UnknownModel):
        resolve(name)


def test_a_name_that_two_have_is_refused_with_both() -> None:
    with pytest.raises(AmbiguousModel) as refused:
        resolve("xiaomi/mimo-v2.5")
    assert refused.value.model_ids == ["avian/xiaomi/mimo-v2.5", "openrouter/xiaomi/mimo-v2.5"]
    assert "avian/xiaomi/mimo-v2.5 or openrouter/xiaomi/mimo-v2.5" in str(refused.value)


def test_a_model_that_only_others_than_its_maker_sell_under_the_name_is_refused_with_them() -> None:
    with pytest.raises(AmbiguousModel) as refused:
        resolve("claude-haiku-5-5-v1")
    assert refused.value.model_ids == ["aws/regional.anthropic.claude-haiku-5-5", "google/claude-haiku-5-5"]


def test_every_id_means_itself() -> None:
    assert [one for one in package.ids() if resolve(one) != one] == []
