"""Reads a provider's raw response into usage, service tier and model name, by the extractors of genai-prices. Pure.

A response may be whole, its usage part alone, or the list of a stream's events. Nothing in it is guessed: a count that
is no whole number is refused by its path, but for seconds, which are billed as begun.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ArrayMatch, Provider, UsageExtractor

from credits_core.pricing.providers import find_provider
from credits_core.pricing.units import Usage, parse_usage
from credits_core.usage.refusals import AmbiguousResponse, UnreadableResponse
from credits_core.usage.streams import whole_response
from credits_core.values.fields import cut_repr

_NO_COUNTS = (
    "has no counts yet. Wait for the end of the stream, and ask for them where a provider sends none by itself "
    '(OpenAI: stream_options = {"include_usage": true})'
)
_TOTALS = ("total_tokens", "totalTokenCount")
"""Counts that only add up others."""
_OUTPUT = {"output_tokens", "completion_tokens"}
_EMBEDDINGS = "embeddings"
"""The flavour that reads the input alone, so that it fits answers of other APIs whose output it would leave out."""


@dataclass(frozen=True, slots=True)
class ReadResponse:
    """What a response says. `unread` are counts above 0, by their path, that no rule for the provider reads."""

    provider_id: str
    model_name: str | None
    service_tier: str | None
    usage: Usage
    flavour: str
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    flavour: str
    counts: dict[str, int]
    paths: frozenset[str]
    model_name: str | None


class _BadCount(UnreadableResponse):
    """A count that is there, and that nobody can bill."""


def read_response(provider: str, response: object, *, flavour: str | None = None) -> ReadResponse:
    """The usage that a provider's response reports. `flavour` names the provider's API where two could be meant.

    Raises:
        UnreadableResponse: the provider is unknown, the response has no usage or no final counts, a count is no whole
            number, or it is two responses.
        AmbiguousResponse: it could be from two of the provider's APIs, and they count differently.
        InvalidRequest: a part is larger than the unit it is part of.

    >>> chat = {"model": "gpt-4o", "usage": {"prompt_tokens": 2006, "completion_tokens": 300,
    ...     "prompt_tokens_details": {"cached_tokens": 1920}}}
    >>> read_response("openai", chat).usage
    (('input_tokens', 2006), ('output_tokens', 300), ('cache_read_tokens', 1920))
    """
    known = find_provider(provider)
    if known is None:
        raise UnreadableResponse(f"comes from the provider {cut_repr(provider)}, which is not known")
    extractors = [one for one in known.extractors or () if flavour in (None, one.api_flavor)]
    if not extractors:
        flavours = ", ".join(one.api_flavor for one in known.extractors or ())
        raise UnreadableResponse(
            f"has no flavour {cut_repr(flavour)}; {known.id} has: {flavours}"
            if flavour and flavours
            else f"cannot be read, because no response of {known.id} is described. Send the usage instead"
        )
    whole = whole_response(response)
    if flavour is None and ("choices" in whole or str(whole.get("object")).startswith("chat.completion")):
        extractors = [one for one in extractors if one.api_flavor != _EMBEDDINGS]
    if any(_at(whole, _path(one.root)) is None and _has(whole, _path(one.root)) for one in extractors):
        raise UnreadableResponse(_NO_COUNTS)
    reading = _best(known, extractors, whole)
    usage_part = _at(whole, _path(_extractor_of(extractors, reading.flavour).root)) or whole
    unread = tuple(path for path, count in _leaves(usage_part) if count > 0 and path not in {*reading.paths, *_TOTALS})
    if "output_tokens" not in reading.counts and (left_out := _OUTPUT.intersection(unread)):
        raise UnreadableResponse(
            f"has {min(left_out)}, which the API {reading.flavour} of {known.id} does not have. Send the usage instead"
        )
    return ReadResponse(
        provider_id=known.id,
        model_name=reading.model_name,
        service_tier=_service_tier(whole, usage_part),
        usage=parse_usage(reading.counts),
        flavour=reading.flavour,
        unread=unread,
    )


def known_providers() -> list[str]:
    """The ids of the providers whose responses can be read."""
    return [provider.id for provider in get_snapshot().providers if provider.extractors]


def _best(provider: Provider, extractors: Sequence[UsageExtractor], whole: Mapping[str, Any]) -> _Reading:
    readings, problems = [], []
    for extractor in extractors:
        try:
            readings.append(_read(extractor, whole))
        except _BadCount:  # whatever another API's rules would leave unread
            raise
        except UnreadableResponse as refusal:
            problems.append(refusal)
    if not readings:
        raise problems[0]
    most = max(len(reading.paths) for reading in readings)
    best = [reading for reading in readings if len(reading.paths) == most]
    if any(reading.counts != best[0].counts for reading in best):
        raise AmbiguousResponse(provider.id, [reading.flavour for reading in best])
    return replace(best[0], paths=frozenset().union(*(reading.paths for reading in best)))


def _read(extractor: UsageExtractor, whole: Mapping[str, Any]) -> _Reading:
    root = _path(extractor.root)
    part = _at(whole, root)
    if not isinstance(part, Mapping):
        part = whole  # the usage part alone
    counts: dict[str, int] = {}
    paths: set[str] = set()
    missing: list[str] = []
    is_null = False
    for mapping in extractor.mappings:
        path = _path(mapping.path)
        found = _at(part, path)
        if found is None:
            if mapping.required:
                missing.append(_dotted(path))
                is_null = is_null or _has(part, path)
            continue
        counts[mapping.dest] = counts.get(mapping.dest, 0) + _whole(found, path, mapping.dest)
        paths.add(_dotted(path))
    if missing:
        # Null beside other counts is a count that is not there yet. Without them the response is of another API.
        kind = _BadCount if is_null and paths else UnreadableResponse
        raise kind(f"has no {missing[0]}, which every response of this API has")
    if not paths:
        raise UnreadableResponse("has no counts that this provider is known to report")
    name = _at(whole, _path(extractor.model_path))
    return _Reading(extractor.api_flavor, counts, frozenset(paths), name if isinstance(name, str) else None)


def _whole(found: object, path: Sequence[str | ArrayMatch], unit: str) -> int:
    if type(found) is int and found >= 0:
        return found
    if type(found) is float and isfinite(found) and found >= 0:
        if found == int(found):
            return int(found)
        if unit.endswith("_seconds"):
            return ceil(found)
    raise _BadCount(f"{_dotted(path)} must be a whole number, 0 or more, not {cut_repr(found)}")


def _service_tier(whole: Mapping[str, Any], usage_part: Mapping[str, Any]) -> str | None:
    for place, key in ((usage_part, "speed"), (whole, "service_tier"), (usage_part, "service_tier")):
        tier = place.get(key)
        if isinstance(tier, str) and not (key == "speed" and tier == "standard"):
            return tier
    return None


def _extractor_of(extractors: Sequence[UsageExtractor], flavour: str) -> UsageExtractor:
    return next(one for one in extractors if one.api_flavor == flavour)


def _path(path: str | Sequence[str | ArrayMatch]) -> Sequence[str | ArrayMatch]:
    return [path] if isinstance(path, str) else path


def _at(place: Any, path: Sequence[str | ArrayMatch]) -> Any:
    for step in path:
        if isinstance(step, ArrayMatch):
            place = step.extract(place) if isinstance(place, list) else None
        else:
            place = place.get(step) if isinstance(place, Mapping) else None
        if place is None:
            return None
    return place


def _has(place: Any, path: Sequence[str | ArrayMatch]) -> bool:
    *above, last = path
    found = _at(place, above) if above else place
    return isinstance(found, Mapping) and last in found


def _dotted(path: Sequence[str | ArrayMatch]) -> str:
    return ".".join(step if isinstance(step, str) else str(getattr(step.match, "equals", "…")) for step in path)


def _leaves(part: Any, above: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(part, Mapping):
        for key, found in part.items():
            yield from _leaves(found, f"{above}.{key}" if above else str(key))
    elif isinstance(part, list):
        for found in part:
            if isinstance(found, Mapping) and "modality" in found:
                yield from _leaves(
                    {key: one for key, one in found.items() if key != "modality"}, f"{above}.{found['modality']}"
                )
    elif type(part) in (int, float):
        yield above, part
