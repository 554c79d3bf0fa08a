"""The three ways to say what a run used: a usage, a provider's response, or two token counts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from credits_core.errors import InvalidRequest
from credits_core.pricing.dated_prices import STANDARD_TIERS
from credits_core.pricing.units import Usage, parse_usage
from credits_core.usage.responses import ReadResponse, read_response
from credits_core.values.fields import cut_repr


@dataclass(frozen=True, slots=True)
class AskedUsage:
    """What a caller says of a run. `usage` is None when only token counts, or nothing, was given.

    `model_id` is what the caller named, or else the model that the response names, under its provider.
    """

    model_id: str
    usage: Usage | None
    service_tier: str | None
    response: ReadResponse | None

    @property
    def model_of_response(self) -> str | None:
        """The model that the response names, under its provider. None where there is none."""
        if self.response is None or self.response.model_name is None:
            return None
        return f"{self.response.provider_id}/{self.response.model_name}"

    @property
    def unread(self) -> tuple[str, ...]:
        """The counts of the response that nobody knows the meaning of, so that they are not charged."""
        return () if self.response is None else self.response.unread


def asked_usage(
    *,
    model_id: str | None,
    usage: Mapping[str, object] | None = None,
    provider: str | None = None,
    response: Any = None,
    api_flavour: str | None = None,
    service_tier: str | None = None,
) -> AskedUsage:
    """What was asked, in one form.

    Raises:
        InvalidRequest: the fields contradict each other, the model is named nowhere, or the usage cannot be accepted.
        UnreadableResponse: the response does not say what was used.
        AmbiguousResponse: it could be from two of the provider's APIs, and no `api_flavour` says which.

    >>> asked = asked_usage(model_id=None, provider="openai", response={"model": "gpt-4o", "usage": {
    ...     "prompt_tokens": 10, "completion_tokens": 2}})
    >>> asked.model_id, asked.usage
    ('openai/gpt-4o', (('input_tokens', 10), ('output_tokens', 2)))
    """
    if response is None:
        for field, given in (("provider", provider), ("api_flavour", api_flavour)):
            if given is not None:
                raise InvalidRequest(field, "must come with the provider's response")
        if model_id is None:
            raise InvalidRequest("model_id", "must be given")
        return AskedUsage(model_id, None if usage is None else parse_usage(usage), service_tier, None)
    if usage is not None:
        raise InvalidRequest("usage", "must be left out, because there is a response beside it")
    if provider is None:
        raise InvalidRequest("provider", "must be given with a response, such as openai or anthropic")
    read = read_response(provider, response, flavour=api_flavour)
    if _are_two_tiers(service_tier, read.service_tier):
        raise InvalidRequest(
            "service_tier", f"is {cut_repr(service_tier)}, and the response says {cut_repr(read.service_tier)}"
        )
    if model_id is None:
        if read.model_name is None:
            raise InvalidRequest("model_id", "must be given, because the response does not name its model")
        model_id = f"{read.provider_id}/{read.model_name}"
    return AskedUsage(model_id, read.usage, service_tier or read.service_tier, read)


def _are_two_tiers(named: str | None, reported: str | None) -> bool:
    """Whether the tiers differ. None names no tier, and the standard one has several names."""
    return None not in (named, reported) and named != reported and not {named, reported} <= {*STANDARD_TIERS}
