"""What providers charge for: the units of a run's usage, and how a special unit is part of a general one. Pure.

The keys, sizes and dimensions are those of the unit registry of the `genai-prices` package (0.2.3); a test compares
them. A unit is described by its dimensions: `cache_read_tokens` are tokens, of the input, read from a cache. A unit
with more dimensions than another one, and all of its, is part of it: `input_tokens` counts the cached ones too.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from credits_core.errors import InvalidRequest
from credits_core.values.fields import cut_repr

MAX_COUNT = 1_000_000_000
"""Largest count of one unit in one run; no context window comes near it."""
REQUESTS = "requests"
"""The unit of a run itself: every run is one request."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of usage. Its price is in dollars per `per` of it, under `price_key` in price lists."""

    key: str
    price_key: str
    per: int
    dimensions: frozenset[tuple[str, str]]

    def is_part_of(self, other: "Unit") -> bool:
        """Whether every one of these is counted as one of the other unit as well."""
        return other.dimensions < self.dimensions


def _described() -> Iterator[Unit]:
    """The registry, in its order: plain tokens first, then by modality, then what is not counted in tokens."""

    def tokens(key: str, direction: str, **more: str) -> Unit:
        dimensions = {"family": "tokens", "direction": direction, **more}
        return Unit(f"{key}_tokens", f"{key}_mtok", 1_000_000, frozenset(dimensions.items()))

    def counted(key: str, price_key: str, per: int, **dimensions: str) -> Unit:
        return Unit(key, price_key, per, frozenset(dimensions.items()))

    yield tokens("input", "input")
    yield tokens("output", "output")
    for modality in ("", "text", "audio", "image", "video"):
        of = {"modality": modality} if modality else {}
        name = f"{modality}_" if modality else ""
        if modality:
            yield tokens(f"input_{modality}", "input", **of)
            yield tokens(f"output_{modality}", "output", **of)
        yield tokens(f"cache_{name}read", "input", token_type="cache_read", **of)  # noqa: S106 - no password
        yield tokens(f"cache_{name}write", "input", token_type="cache_write", **of)  # noqa: S106
        for ttl in ("5m", "1h"):
            yield tokens(f"cache_{name}write_{ttl}", "input", token_type="cache_write", cache_ttl=ttl, **of)  # noqa: S106
    for direction, token_type in (("input", "tool"), ("output", "reasoning"), ("output", "citation")):
        for modality in ("", "text", "audio", "image", "video"):
            of = {"modality": modality} if modality else {}
            name = f"{modality}_" if modality else ""
            yield tokens(f"{direction}_{name}{token_type}", direction, token_type=token_type, **of)
    yield counted("input_characters", "input_mchars", 1_000_000, family="characters", direction="input")
    yield counted(
        "input_text_messages",
        "input_text_messages_kcount",
        1_000,
        family="messages",
        direction="input",
        modality="text",
    )
    yield counted("audio_seconds", "audio_hours", 3_600, family="durations", modality="audio")
    for direction in ("input", "output"):
        yield counted(
            f"{direction}_audio_seconds",
            f"{direction}_audio_hours",
            3_600,
            family="durations",
            direction=direction,
            modality="audio",
        )
    yield counted("input_pixels", "input_gpixels", 1_000_000_000, family="pixels", direction="input")
    yield counted("input_document_pages", "input_document_kpages", 1_000, family="document_pages", direction="input")
    yield counted(
        "input_annotated_document_pages",
        "input_annotated_document_kpages",
        1_000,
        family="document_pages",
        direction="input",
        page_type="annotated",
    )
    yield counted("rerank_searches", "rerank_searches_kcount", 1_000, family="rerank")
    for tool, type_ in (
        ("web_searches", "web_search"),
        ("social_searches", "social_search"),
        ("storage_searches", "storage_search"),
        ("code_executions", "code_execution"),
    ):
        yield counted(tool, f"{tool}_kcount", 1_000, family="tool_calls", tool_type=type_)
    yield counted(REQUESTS, "requests_kcount", 1_000, family="requests")


UNITS: Mapping[str, Unit] = {unit.key: unit for unit in _described()}
"""Every unit by its key, the general ones before their parts."""
GENERAL: Mapping[str, frozenset[str]] = {
    key: frozenset(other.key for other in UNITS.values() if unit.is_part_of(other)) for key, unit in UNITS.items()
}
"""The units that a unit is part of: `cache_write_1h_tokens` is part of `cache_write_tokens` and `input_tokens`."""
PARTS: Mapping[str, frozenset[str]] = {
    key: frozenset(other for other, general in GENERAL.items() if key in general) for key in UNITS
}
"""The units that are part of a unit."""
TOKEN_COUNTS = ("input_tokens", "output_tokens")
"""The two counts in which a caller may say in short what a run used."""
_ORDER = {key: position for position, key in enumerate(UNITS)}


def unit_name(key: str) -> str:
    """A unit for reading.

    >>> unit_name("cache_write_1h_tokens"), unit_name("requests")
    ('Cache write 1h tokens', 'Request')
    """
    return "Request" if key == REQUESTS else key.replace("_", " ").capitalize()


Usage = tuple[tuple[str, int], ...]
"""What one run used: unit keys with whole counts, in the order of `UNITS`. A count of 0 says that there were none."""


def parse_usage(given: Mapping[str, object], *, prefix: str = "usage.") -> Usage:
    """The usage of a run as a caller gives it: each key a unit, each count a whole number from 0 to 10^9.

    General units count their parts too: 2,006 `input_tokens` of which 1,920 were read from a cache are
    `{"input_tokens": 2006, "cache_read_tokens": 1920}`. A run is one request, so `requests` may be 1 or left out.
    A field that is refused is named by the key with `prefix` before it.

    Raises:
        InvalidRequest: a key is no unit, a count is no whole number in these bounds (True, 12.0, "12" and None are
            not), or a part is larger than the unit it is part of.

    >>> parse_usage({"output_tokens": 300, "input_tokens": 2006, "cache_read_tokens": 1920})
    (('input_tokens', 2006), ('output_tokens', 300), ('cache_read_tokens', 1920))
    """
    counts: dict[str, int] = {}
    for key, count in given.items():
        if key not in UNITS:
            near = get_close_matches(str(key), UNITS, n=1)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise InvalidRequest("usage", f"{cut_repr(str(key))} is not a unit that models are priced by{hint}")
        if type(count) is not int or not 0 <= count <= MAX_COUNT:
            raise InvalidRequest(
                f"{prefix}{key}", f"must be a whole number from 0 to {MAX_COUNT:,}, not {cut_repr(count)}"
            )
        if key == REQUESTS and count != 1:
            raise InvalidRequest(
                f"{prefix}requests", f"must be 1 or left out, because a run is one request, not {count}"
            )
        if key != REQUESTS:
            counts[key] = count
    for key, count in counts.items():
        for general in GENERAL[key]:
            if count > counts.get(general, count):
                raise InvalidRequest(
                    f"{prefix}{key}",
                    f"is {count:,} and must not be above {general}, {counts[general]:,}, which counts it too",
                )
    return tuple((key, counts[key]) for key in sorted(counts, key=_ORDER.__getitem__))


def usage_text(usage: Usage) -> str:
    """The usage as a JSON object, the same text for the same usage.

    >>> usage_text((("input_tokens", 2_006), ("cache_read_tokens", 1_920)))
    '{"input_tokens":2006,"cache_read_tokens":1920}'
    """
    return json.dumps(dict(usage), separators=(",", ":"))


def read_usage_text(text: str) -> Usage:
    """The usage that `usage_text` wrote.

    Raises:
        InvalidRequest: it holds what `parse_usage` refuses.
        ValueError: it is no JSON object.
    """
    given = json.loads(text)
    if type(given) is not dict:
        raise ValueError(f"a usage is a JSON object, not {text[:40]}")
    return parse_usage(given)
