"""Which provider a name means: an id or another whole name, never a part of one."""

import pytest
from genai_prices.data_snapshot import get_snapshot

from credits_core.pricing.providers import find_provider


@pytest.mark.parametrize(
    ("name", "provider_id"),
    [
        *(("openai", "openai"), (" OpenAI ", "openai"), ("xai", "x-ai"), ("bedrock", "aws"), ("amazon", "aws")),
        *(("vertex", "google"), ("vertex_ai", "google"), ("gemini", "google"), ("mistralai", "mistral")),
        *(("together_ai", "together"), ("moonshot", "moonshotai"), ("huggingface_groq", "huggingface_groq")),
    ],
)
def test_a_name_means_one_provider(name: str, provider_id: str) -> None:
    found = find_provider(name)
    assert found is not None
    assert found.id == provider_id


@pytest.mark.parametrize(
    "name", ["", "xopenai", "azure-openai", "huggingface", "groq-huggingface", "openai2", "meta-llama"]
)
def test_a_name_that_only_contains_one_means_none(name: str) -> None:
    assert find_provider(name) is None


def test_every_id_means_its_own_provider() -> None:
    ids = [provider.id for provider in get_snapshot().providers]
    assert [one for one in ids if getattr(find_provider(one), "id", None) != one] == []
    assert len(ids) == 47
