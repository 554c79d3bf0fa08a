"""Providers' raw responses, as their documentation shows them, read into usage; and what nobody could bill, refused."""

import json
from typing import Any

import pytest
from genai_prices import extract_usage

from credits_core.errors import InvalidRequest
from credits_core.usage.refusals import UnreadableResponse
from credits_core.usage.responses import read_response

OPENAI_CHAT = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0},
    },
}
OPENAI_RESPONSES = {
    "model": "gpt-5",
    "service_tier": "flex",
    "usage": {
        "input_tokens": 1_000,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 64},
        "total_tokens": 1_100,
    },
}
ANTHROPIC = {
    "model": "claude-haiku-4-5-20251001",
    "usage": {
        "input_tokens": 1_000,
        "cache_creation_input_tokens": 2_000,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 1_500},
        "output_tokens": 100,
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "batch",
    },
}
GOOGLE = {
    "modelVersion": "gemini-2.5-flash",
    "usageMetadata": {
        "promptTokenCount": 1_290,
        "candidatesTokenCount": 120,
        "thoughtsTokenCount": 60,
        "totalTokenCount": 1_470,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 32}, {"modality": "IMAGE", "tokenCount": 1_258}],
    },
}


@pytest.mark.parametrize(
    ("provider", "response", "usage", "tier", "model"),
    [
        (
            "openai",
            OPENAI_CHAT,
            {
                "input_tokens": 2006,
                "output_tokens": 300,
                "cache_read_tokens": 1920,
                "input_audio_tokens": 0,
                "output_audio_tokens": 0,
                "output_reasoning_tokens": 192,
            },
            "default",
            "gpt-4o-2024-08-06",
        ),
        (
            "openai",
            OPENAI_RESPONSES,
            {"input_tokens": 1_000, "output_tokens": 100, "cache_read_tokens": 0, "output_reasoning_tokens": 64},
            "flex",
            "gpt-5",
        ),
        (
            "anthropic",
            ANTHROPIC,
            {
                "input_tokens": 3_000,
                "output_tokens": 100,
                "cache_read_tokens": 0,
                "cache_write_tokens": 2_000,
                "cache_write_5m_tokens": 500,
                "cache_write_1h_tokens": 1_500,
                "web_searches": 2,
            },
            "batch",
            "claude-haiku-4-5-20251001",
        ),
        (
            "google",
            GOOGLE,
            {
                "input_tokens": 1_290,
                "output_tokens": 180,
                "input_text_tokens": 32,
                "input_image_tokens": 1_258,
                "output_reasoning_tokens": 60,
            },
            None,
            "gemini-2.5-flash",
        ),
        (
            "openai",
            {"model": "text-embedding-3-small", "usage": {"prompt_tokens": 8, "total_tokens": 8}},
            {"input_tokens": 8},
            None,
            "text-embedding-3-small",
        ),
        ("openai", {"usage": {"type": "duration", "seconds": 12.4}}, {"audio_seconds": 13}, None, None),
    ],
    ids=["chat", "responses", "anthropic", "google", "embeddings", "seconds"],
)
def test_a_response_says_what_was_used(
    provider: str, response: dict[str, Any], usage: dict[str, int], tier: str | None, model: str | None
) -> None:
    read = read_response(provider, response)
    assert dict(read.usage) == usage
    assert (read.service_tier, read.model_name) == (tier, model)
    assert read.unread == ()
    # The same as the package reads, which rounds no seconds.
    package = extract_usage(response, provider_id=provider, api_flavor=read.flavour).usage
    assert {key: package.reported_value(key) for key in usage if key != "audio_seconds"} == {
        key: count for key, count in usage.items() if key != "audio_seconds"
    }


@pytest.mark.parametrize("response", [OPENAI_CHAT, OPENAI_RESPONSES])
def test_the_usage_part_alone_is_enough(response: dict[str, Any]) -> None:
    assert read_response("openai", response["usage"]).usage == read_response("openai", response).usage


def test_a_stream_is_read_from_its_events() -> None:
    chunks = [{"model": "gpt-4o", "usage": None}, {"choices": [], "usage": OPENAI_CHAT["usage"]}]
    assert read_response("openai", chunks).usage == read_response("openai", OPENAI_CHAT).usage
    events = [
        {
            "type": "message_start",
            "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 25, "output_tokens": 1}},
        },
        {"type": "message_delta", "usage": {"output_tokens": 15}},
        {"type": "message_stop"},
    ]
    read = read_response("anthropic", events)
    assert dict(read.usage) == {"input_tokens": 25, "output_tokens": 15}
    assert read.model_name == "claude-haiku-4-5"


def changed(path: str, count: object) -> dict[str, Any]:
    response = json.loads(json.dumps(OPENAI_CHAT))
    place = response["usage"]
    *above, last = path.split(".")
    for key in above:
        place = place[key]
    place[last] = count
    return dict(response)


@pytest.mark.parametrize(
    ("provider", "response", "problem"),
    [
        ("openai", {"model": "gpt-4o", "usage": None}, "has no counts yet"),
        ("openai", [{"choices": []}, {"choices": [], "usage": None}], "has no counts yet"),
        ("openai", changed("prompt_tokens", None), "has no prompt_tokens"),
        ("openai", changed("prompt_tokens", -1), "prompt_tokens must be a whole number, 0 or more, not -1"),
        ("openai", changed("prompt_tokens", 12.5), "prompt_tokens must be a whole number, 0 or more, not 12.5"),
        ("openai", changed("prompt_tokens", "12"), "prompt_tokens must be a whole number, 0 or more, not '12'"),
        ("openai", changed("prompt_tokens", True), "prompt_tokens must be a whole number, 0 or more, not True"),
        (
            "openai",
            changed("prompt_tokens_details.cached_tokens", "1920"),
            "prompt_tokens_details.cached_tokens must be a whole number, 0 or more, not '1920'",
        ),
        ("openai", {"choices": []}, "has no prompt_tokens"),
        ("openai", "text", "must be the provider's JSON object"),
        ("acme", OPENAI_CHAT, "comes from the provider 'acme', which is not known"),
        ("voyageai", OPENAI_CHAT, "no response of voyageai is described"),
        ("mistral", {"usage_info": {"pages_processed": 3}}, "which API of mistral it is from: ocr or ocr_annotated"),
    ],
)
def test_what_nobody_could_bill_is_refused_by_its_path(provider: str, response: object, problem: str) -> None:
    with pytest.raises(UnreadableResponse) as refused:
        read_response(provider, response)
    assert problem in str(refused.value)


def test_a_whole_number_with_a_point_is_that_number() -> None:
    assert dict(read_response("openai", changed("prompt_tokens", 2006.0)).usage)["input_tokens"] == 2006


def test_more_cached_than_read_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="must not be above input_tokens"):
        read_response("openai", changed("prompt_tokens_details.cached_tokens", 2007))


def test_the_flavour_decides_where_two_are_possible() -> None:
    pages = {"usage_info": {"pages_processed": 3}}
    assert dict(read_response("mistral", pages, flavour="ocr").usage) == {"input_document_pages": 3}
    assert dict(read_response("mistral", pages, flavour="ocr_annotated").usage) == {
        "input_document_pages": 3,
        "input_annotated_document_pages": 3,
    }


def test_a_count_that_no_rule_reads_is_named() -> None:
    response = changed("prompt_tokens_details.video_tokens", 7)
    assert read_response("openai", response).unread == ("prompt_tokens_details.video_tokens",)
