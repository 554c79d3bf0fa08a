"""Which model a name means: the matching of genai-prices over all names that providers use for one model.

`gpt-4o-2024-08-06` is `openai/gpt-4o`, and `gpt-4o-2024-05-13` is not: the package lists the names of each model, so
nothing is cut off and nothing is guessed. A name that two providers use is refused with both named.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from genai_prices.types import ModelInfo, Provider

from credits_core.prices import package
from credits_core.pricing.providers import find_provider
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel

_MOST_NAMED = 5
_MAKERS = (
    *("anthropic", "cohere", "deepseek", "elevenlabs", "google", "meta", "minimax", "mistral", "moonshotai", "openai"),
    *("perplexity", "voyageai", "x-ai", "zai", "zhipuai"),
)
"""Providers that make models. The others host what somebody else made, at prices of their own."""
_PREFIX = re.compile(r"[a-z~-]+\.|.*/")
"""How a host's name of a model begins: `us.anthropic.claude-…`, `xiaomi/mimo-…`."""


@lru_cache(maxsize=10_000)
def resolve(name: str) -> str:
    """The id, `provider/model`, of the package's model that the name means.

    The name is the id itself, `provider/NAME` with a name that this provider uses, or a bare name. Of a bare name the
    maker's model is meant: the provider whose own names it looks like. A name by which only hosts call it means theirs.

    Raises:
        UnknownModel: no model has the name.
        AmbiguousModel: models of several providers have it.

    >>> resolve("gpt-4o-2024-08-06"), resolve("anthropic/claude-haiku-4-5@20251001")
    ('openai/gpt-4o', 'anthropic/claude-haiku-4-5')
    >>> resolve("us.anthropic.claude-haiku-4-5-20251001-v1:0")
    'aws/regional.anthropic.claude-haiku-4-5-20251001-v1:0'
    """
    if package.find(name) is not None:
        return name
    provider_name, slash, rest = name.partition("/")
    if slash and (provider := find_provider(provider_name)) is not None:
        if (sold := _sold_by(provider, rest)) is None:
            raise UnknownModel(name)
        return sold
    found = {provider.id: model for provider in package.providers() if (model := provider.find_model(name)) is not None}
    candidates = [f"{provider_id}/{found[provider_id].id}" for provider_id in _meant(name, found)]
    if not candidates:
        raise UnknownModel(name)
    if len(candidates) > 1:
        raise AmbiguousModel(name, candidates[:_MOST_NAMED])
    return candidates[0]


def _sold_by(provider: Provider, name: str) -> str | None:
    """The id of what a provider calls so: a model of its own, or of a maker at whose price it sells, as Azure does."""
    makers = [maker for one in provider.fallback_model_providers or [] if (maker := find_provider(one)) is not None]
    for seller in (provider, *makers):
        if (model := seller.find_model(name)) is not None:
            return f"{seller.id}/{model.id}"
    return None


def _meant(name: str, found: Mapping[str, ModelInfo]) -> list[str]:
    """The providers that are meant, of those that have a model of this name."""
    makers = [provider.id for provider in package.providers() if provider.id in _MAKERS and _looks_like(provider, name)]
    if own := [maker for maker in makers if maker in found]:
        return own
    if _PREFIX.match(name.lower()):
        # Some makers' models fit any longer name that contains theirs. So only the whole name means theirs here.
        return [one for one, model in found.items() if one not in _MAKERS or model.id.lower() == name.lower()]
    if makers:
        return [*found]  # makers sell models of others too, as Google does Claude
    return [maker for maker in _MAKERS if maker in found] or [*found]


def _looks_like(provider: Provider, name: str) -> bool:
    return provider.model_match is not None and provider.model_match.is_match(name.lower())
