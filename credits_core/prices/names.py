"""Which model a name means: the matching of genai-prices over all names that providers use for one model.

`gpt-4o-2024-08-06` is `openai/gpt-4o`, and `gpt-4o-2024-05-13` is not: the package lists the names of each model, so
nothing is cut off and nothing is guessed. A name that two providers use is refused with both named.
"""

from functools import lru_cache

from genai_prices.data_snapshot import find_provider_by_id

from credits_core.prices import package
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel

_MOST_NAMED = 5
_MAKERS = (
    *("anthropic", "cohere", "deepseek", "elevenlabs", "google", "meta", "minimax", "mistral", "moonshotai", "openai"),
    *("perplexity", "voyageai", "x-ai", "zai", "zhipuai"),
)
"""Providers that make models. The others host what somebody else made, at prices of their own."""


@lru_cache(maxsize=10_000)
def resolve(name: str) -> str:
    """The id, `provider/model`, of the package's model that the name means.

    The name is the id itself, `provider/NAME` with a name that this provider uses, or a bare name. Of a bare name the
    maker's model is meant: the provider whose own names it looks like.

    Raises:
        UnknownModel: no model has the name.
        AmbiguousModel: models of several providers have it.

    >>> resolve("gpt-4o-2024-08-06"), resolve("anthropic/claude-haiku-4-5@20251001")
    ('openai/gpt-4o', 'anthropic/claude-haiku-4-5')
    """
    if package.find(name) is not None:
        return name
    provider_name, slash, rest = name.partition("/")
    if slash and (provider := find_provider_by_id(package.providers(), provider_name)) is not None:
        model = provider.find_model(rest)
        if model is None:
            raise UnknownModel(name)
        return f"{provider.id}/{model.id}"
    found = {
        provider.id: (provider.model_match, f"{provider.id}/{model.id}")
        for provider in package.providers()
        if (model := provider.find_model(name)) is not None
    }
    made = [found[maker] for maker in _MAKERS if maker in found]
    looks = [model_id for match, model_id in made if match is not None and match.is_match(name.lower())]
    candidates = looks or [model_id for _, model_id in made] or [model_id for _, model_id in found.values()]
    if not candidates:
        raise UnknownModel(name)
    if len(candidates) > 1:
        raise AmbiguousModel(name, candidates[:_MOST_NAMED])
    return candidates[0]
