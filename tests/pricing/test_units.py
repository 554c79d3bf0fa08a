"""A run's usage: which counts a caller may give, in which order they are kept, and each refusal in its words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import InvalidRequest
from credits_core.pricing.units import (
    GENERAL,
    MAX_COUNT,
    PARTS,
    REQUESTS,
    UNITS,
    parse_usage,
    read_usage_text,
    unit_name,
    usage_text,
)


def refusal(given: dict[str, object], **more: str) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_usage(given, **more)
    return caught.value.field, caught.value.problem


# --- the units ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "general", "parts"),
    [
        ("input_audio_tokens", {"input_tokens"}, {"cache_audio_read_tokens", "input_audio_tool_tokens"}),
        ("cache_write_1h_tokens", {"cache_write_tokens", "input_tokens"}, {"cache_audio_write_1h_tokens"}),
        ("output_reasoning_tokens", {"output_tokens"}, {"output_text_reasoning_tokens"}),
        ("input_annotated_document_pages", {"input_document_pages"}, set()),
        ("input_audio_seconds", {"audio_seconds"}, set()),
        ("web_searches", set(), set()),
        ("requests", set(), set()),
    ],
)
def test_a_unit_is_part_of_each_unit_whose_description_it_has_and_more(
    key: str, general: set[str], parts: set[str]
) -> None:
    assert GENERAL[key] == general
    assert parts <= PARTS[key]
    assert parts or not PARTS[key]


def test_no_unit_is_part_of_itself_or_of_its_own_part() -> None:
    for key in UNITS:
        assert key not in GENERAL[key] | PARTS[key]
        assert not GENERAL[key] & PARTS[key]
        assert all(key in PARTS[general] for general in GENERAL[key])


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("input_tokens", "Input tokens"),
        ("cache_write_1h_tokens", "Cache write 1h tokens"),
        ("output_reasoning_tokens", "Output reasoning tokens"),
        ("web_searches", "Web searches"),
        ("audio_seconds", "Audio seconds"),
        ("requests", "Request"),
    ],
)
def test_a_unit_has_a_name_for_reading(key: str, name: str) -> None:
    assert unit_name(key) == name


# --- what a caller may give -----------------------------------------------------------------------------------------


def test_counts_are_kept_in_the_order_of_the_units_whatever_order_they_came_in() -> None:
    asked = {"web_searches": 1, "cache_read_tokens": 2, "output_tokens": 0, "audio_seconds": 4, "input_tokens": 5}
    kept = (("input_tokens", 5), ("output_tokens", 0), ("cache_read_tokens", 2), ("audio_seconds", 4))
    assert parse_usage(asked) == (*kept, ("web_searches", 1))
    assert parse_usage(dict(reversed(asked.items()))) == parse_usage(asked)


@pytest.mark.parametrize("count", [0, 1, 1_000_000_000])
def test_a_count_may_be_from_none_to_a_billion(count: int) -> None:
    assert parse_usage({"input_tokens": count}) == (("input_tokens", count),)


@pytest.mark.parametrize("count", [-1, 1_000_000_001, True, False, 12.0, "12", None, [1], float("nan")])
def test_a_count_that_is_no_whole_number_within_the_bounds_is_refused(count: object) -> None:
    problem = f"must be a whole number from 0 to 1,000,000,000, not {count!r}"
    assert refusal({"output_tokens": 1, "input_tokens": count}) == ("usage.input_tokens", problem)
    assert refusal({"input_tokens": count}, prefix="") == ("input_tokens", problem)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("input_token", "'input_token' is not a unit that models are priced by; the nearest is input_tokens"),
        ("INPUT_TOKENS", "'INPUT_TOKENS' is not a unit that models are priced by"),
        ("prompt_tokens", "'prompt_tokens' is not a unit that models are priced by; the nearest is output_tokens"),
        ("", "'' is not a unit that models are priced by"),
        ("x" * 200, f"'{'x' * 39}… is not a unit that models are priced by"),
    ],
)
def test_a_key_that_is_no_unit_is_refused_with_the_nearest_one(key: str, problem: str) -> None:
    assert refusal({key: 1}) == ("usage", problem)


@pytest.mark.parametrize("count", [0, 2, 1_000_000_000])
def test_a_run_is_one_request(count: int) -> None:
    assert parse_usage({"input_tokens": 5, REQUESTS: 1}) == (("input_tokens", 5),)
    assert refusal({REQUESTS: count}) == (
        "usage.requests",
        f"must be 1 or left out, because a run is one request, not {count}",
    )


@pytest.mark.parametrize(
    ("part", "general"),
    [
        ("cache_read_tokens", "input_tokens"),
        ("cache_write_1h_tokens", "cache_write_tokens"),
        ("output_reasoning_tokens", "output_tokens"),
        ("input_annotated_document_pages", "input_document_pages"),
        ("input_audio_seconds", "audio_seconds"),
    ],
)
def test_a_part_may_be_all_of_its_unit_and_no_more(part: str, general: str) -> None:
    for count in (0, 2_005, 2_006):
        assert dict(parse_usage({general: 2_006, part: count})) == {general: 2_006, part: count}
    assert refusal({part: 2_007, general: 2_006}) == (
        f"usage.{part}",
        f"is 2,007 and must not be above {general}, 2,006, which counts it too",
    )
    assert dict(parse_usage({part: 2_007})) == {part: 2_007}  # the general unit may be one that no price needs


def test_a_part_is_compared_with_every_unit_it_is_part_of() -> None:
    field, problem = refusal({"input_tokens": 5, "cache_write_tokens": 9, "cache_write_1h_tokens": 7})
    assert (field, problem) == (
        "usage.cache_write_tokens",
        "is 9 and must not be above input_tokens, 5, which counts it too",
    )
    assert refusal({"input_tokens": 5, "cache_write_1h_tokens": 7})[0] == "usage.cache_write_1h_tokens"


# --- the usage as text ----------------------------------------------------------------------------------------------

_leaves = [key for key in UNITS if not GENERAL[key] and key != REQUESTS]


@given(st.dictionaries(st.sampled_from(_leaves), st.integers(0, MAX_COUNT)))
def test_a_usage_is_read_from_its_text_as_it_was(counts: dict[str, int]) -> None:
    usage = parse_usage(counts)
    assert read_usage_text(usage_text(usage)) == usage
    assert dict(usage) == counts
    assert parse_usage(dict(usage)) == usage


def test_the_text_of_a_usage_is_compact_json_in_the_order_of_the_units() -> None:
    assert (
        usage_text(parse_usage({"web_searches": 2, "input_tokens": 2_006})) == '{"input_tokens":2006,"web_searches":2}'
    )
    assert usage_text(()) == "{}"


@pytest.mark.parametrize("text", ["[]", "7", '"input_tokens"', "null", "", "{"])
def test_a_text_that_is_no_object_is_no_usage(text: str) -> None:
    with pytest.raises(ValueError, match=r"a usage is a JSON object|Expecting"):
        read_usage_text(text)


def test_a_text_with_what_nobody_may_give_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"usage\.input_tokens: must be a whole number"):
        read_usage_text('{"input_tokens":1.5}')
