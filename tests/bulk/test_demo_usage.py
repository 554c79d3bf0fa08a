"""What runs of a demo prompt use: the draw, and every mistake in its description."""

from random import Random

import pytest

from credits_core.bulk.demo_usage import UsageDraw, draw_usage, parse_usage_draws


def test_each_form_of_a_count_is_read() -> None:
    problems: list[str] = []
    described = {
        "input_tokens": [6_000, 30_000],
        "cache_read_tokens": {"percent": [80, 95], "of": "input_tokens"},
        "input_image_tokens": 258,
    }
    assert parse_usage_draws(described, problems) == (
        UsageDraw("input_tokens", 6_000, 30_000),
        UsageDraw("cache_read_tokens", 80, 95, of="input_tokens"),
        UsageDraw("input_image_tokens", 258, 258),
    )
    assert problems == []


def test_a_draw_stays_in_its_bounds_reaches_both_and_is_the_same_again() -> None:
    draws = (UsageDraw("output_tokens", 7, 9), UsageDraw("output_reasoning_tokens", 50, 50, of="output_tokens"))
    usages = [draw_usage(draws, Random(seed)) for seed in range(100)]
    assert set(usages) == {
        (("output_tokens", 7), ("output_reasoning_tokens", 3)),
        (("output_tokens", 8), ("output_reasoning_tokens", 4)),
        (("output_tokens", 9), ("output_reasoning_tokens", 4)),
    }
    assert usages == [draw_usage(draws, Random(seed)) for seed in range(100)]


_OF_INPUT = {"percent": [80, 95], "of": "input_tokens"}
_FORMS = "must be a count, [least, most], or {percent = [least, most], of = an earlier unit}"


@pytest.mark.parametrize(
    ("described", "problems"),
    [
        ({}, ["usage must be a table of units"]),
        ([1], ["usage must be a table of units"]),
        ({"tokens": 1}, ["usage.tokens is not a unit that a run can be given"]),
        ({"requests": 1}, ["usage.requests is not a unit that a run can be given"]),
        ({"input_tokens": "many"}, [f"usage.input_tokens {_FORMS}, not 'many'"]),
        ({"input_tokens": True}, [f"usage.input_tokens {_FORMS}, not True"]),
        ({"input_tokens": [1, 2, 3]}, [f"usage.input_tokens {_FORMS}, not [1, 2, 3]"]),
        ({"input_tokens": [1, 2.0]}, [f"usage.input_tokens {_FORMS}, not [1, 2.0]"]),
        ({"input_tokens": {"percent": 5, "of": "output_tokens"}}, [f"usage.input_tokens {_FORMS}, not "]),
        ({"input_tokens": {"percent": [1, 2], "of": 3}}, [f"usage.input_tokens {_FORMS}, not "]),
        ({"input_tokens": {"percent": [1, 2]}}, [f"usage.input_tokens {_FORMS}, not "]),
        ({"input_tokens": [3, 2]}, ["usage.input_tokens must rise from 0 to at most 1,000,000,000, not from 3 to 2"]),
        ({"input_tokens": [-1, 2]}, ["usage.input_tokens must rise from 0 to at most 1,000,000,000, not from -1 to 2"]),
        ({"input_tokens": 1_000_000_001}, ["usage.input_tokens must rise from 0 to at most 1,000,000,000, not from"]),
        (
            {"input_tokens": 1, "cache_read_tokens": {"percent": [1, 101], "of": "input_tokens"}},
            ["usage.cache_read_tokens must rise from 0 to at most 100, not from 1 to 101"],
        ),
        (
            {"cache_read_tokens": _OF_INPUT, "input_tokens": 1},
            ["usage.cache_read_tokens is a part of input_tokens, which does not stand before it"],
        ),
        (
            {"input_tokens": 1, "cache_read_tokens": _OF_INPUT, "cache_write_tokens": {**_OF_INPUT, "percent": [5, 6]}},
            ["usage.cache_write_tokens and the parts before it can be 101 % of input_tokens together"],
        ),
        (
            {"tokens": 1, "audio_seconds": [2, 1]},
            ["usage.tokens is not a unit that a run can be given", "usage.audio_seconds must rise from 0"],
        ),
    ],
)
def test_every_mistake_in_a_description_is_named(described: object, problems: list[str]) -> None:
    found: list[str] = []
    parse_usage_draws(described, found)
    assert len(found) == len(problems)
    for problem, begin in zip(found, problems, strict=True):
        assert problem.startswith(begin)


def test_parts_that_fill_their_whole_are_no_mistake() -> None:
    found: list[str] = []
    described = {
        "input_tokens": 1,
        "cache_read_tokens": _OF_INPUT,
        "cache_write_tokens": {**_OF_INPUT, "percent": [5, 5]},
    }
    parse_usage_draws(described, found)
    assert found == []
