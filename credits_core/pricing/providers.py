"""Which provider of the genai-prices package a name means: by its id or one of its other names, never by a part. Pure.

The package's own search also takes a name that only contains another one, so that `xopenai` would be OpenAI.
"""

from functools import cache
from typing import Any

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ClauseContains, ClauseEquals, ClauseOr, ClauseStartsWith, Provider

_MORE_NAMES = {
    "google-gla": "google",
    "google-vertex": "google",
    "vertex_ai": "google",
    "arcee-ai": "arcee",
    "mistralai": "mistral",
}
"""What Pydantic AI, LiteLLM and OpenRouter call a provider, and the package does not name."""


def find_provider(name: str) -> Provider | None:
    """The provider of this name, in upper or lower case, or None.

    >>> [found and found.id for found in map(find_provider, ("OpenAI", "xai", "bedrock", "xopenai"))]
    ['openai', 'x-ai', 'aws', None]
    """
    return _by_name().get(name.strip().lower())


@cache
def _by_name() -> dict[str, Provider]:
    providers = {provider.id: provider for provider in get_snapshot().providers}
    other = {name: provider for provider in providers.values() for name in _names(provider.provider_match)}
    return {**{name: providers[one] for name, one in _MORE_NAMES.items()}, **other, **providers}


def _names(clause: Any) -> set[str]:
    match clause:
        case ClauseOr(or_=clauses):
            return set().union(*map(_names, clauses))
        case ClauseEquals(equals=name) | ClauseContains(contains=name) | ClauseStartsWith(starts_with=name):
            return {name.lower()}
    return set()  # where several parts must come together, the id is the name
