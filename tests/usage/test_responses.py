"""Providers' raw responses, as their documentation shows them, read into usage; and what nobody could bill, refused."""

import json
from typing import Any

import pytest
from genai_prices import extract_usage

from credits_core.errors import CreditsError, InvalidRequest
from credits_core.usage.refusals import AmbiguousResponse, UnreadableResponse
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
        ("openai", changed("completion_tokens", None), "has no completion_tokens"),
        ("openai", {"choices": [], "usage": {"prompt_tokens": 8}}, "has no completion_tokens"),
        ("openai", {"object": "chat.completion", "usage": {"prompt_tokens": 8}}, "has no completion_tokens"),
        (
            "cohere",
            {"meta": {"billed_units": {"input_tokens": 5, "output_tokens": 50}}},
            "has output_tokens, which the API embeddings of cohere does not have",
        ),
        ("openai", "text", "must be the provider's JSON object"),
        ("acme", OPENAI_CHAT, "comes from the provider 'acme', which is not known"),
        ("xopenai", OPENAI_CHAT, "comes from the provider 'xopenai', which is not known"),
        ("voyageai", OPENAI_CHAT, "no response of voyageai is described"),
        ("mistral", {"usage_info": {"pages_processed": 3}}, "which API of mistral it is from: ocr or ocr_annotated"),
    ],
)
def test_what_nobody_could_bill_is_refused_by_its_path(provider: str, response: object, problem: str) -> None:
    with pytest.raises(UnreadableResponse) as refused:
        read_response(provider, response)
    assert problem in str(refused.value)


START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "stop_reason": None,
        "usage": {"input_tokens": 25, "output_tokens": 1},
    },
}
DELTA = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}}
CHUNK = {"choices": [{"delta": {"content": "a"}, "finish_reason": None}]}
COUNTED = {"prompt_tokens": 10, "completion_tokens": 2}
PART = {
    "candidates": [{"content": {"parts": [{"text": "a"}]}}],
    "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2},
}


@pytest.mark.parametrize(
    ("provider", "events"),
    [
        ("anthropic", [START]),
        ("anthropic", [START, {"type": "content_block_delta", "delta": {"text": "a"}}]),
        ("anthropic", [START, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}]),
        ("anthropic", START["message"]),
        # xAI and Perplexity send the counts so far with each event.
        ("perplexity", [{**CHUNK, "usage": COUNTED}]),
        ("perplexity", {**CHUNK, "usage": COUNTED}),
        ("google", [PART]),
        ("google", [PART, PART]),
    ],
)
def test_a_stream_without_its_end_is_refused(provider: str, events: object) -> None:
    with pytest.raises(UnreadableResponse) as refused:
        read_response(provider, events)
    assert str(refused.value) == (
        "response: is a stream without its end, so its counts are not final. Send all of its events"
    )


@pytest.mark.parametrize(
    ("provider", "events", "usage"),
    [
        ("anthropic", [START, DELTA], {"input_tokens": 25, "output_tokens": 15}),
        ("anthropic", [START, DELTA, {"type": "message_stop"}], {"input_tokens": 25, "output_tokens": 15}),
        (
            "openai",  # the counts come alone, after the end of the text; a caller may leave the text out
            [CHUNK, {"choices": [], "usage": COUNTED}],
            {"input_tokens": 10, "output_tokens": 2},
        ),
        (
            "perplexity",
            [
                {**CHUNK, "usage": COUNTED},
                {"choices": [{"finish_reason": "stop"}], "usage": {**COUNTED, "completion_tokens": 3}},
            ],
            {"input_tokens": 10, "output_tokens": 3},
        ),
        ("google", PART, {"input_tokens": 10, "output_tokens": 2}),
        (
            "google",
            [PART, {"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"candidatesTokenCount": 4}}],
            {"input_tokens": 10, "output_tokens": 4},
        ),
        (
            "openai",
            [
                {"type": "response.created", "response": {"id": "resp_1", "usage": None}},
                {"type": "response.output_item.done", "item": {"id": "msg_1"}},
                {
                    "type": "response.completed",
                    "response": {"id": "resp_1", "usage": {"input_tokens": 3, "output_tokens": 4}},
                },
            ],
            {"input_tokens": 3, "output_tokens": 4},
        ),
    ],
)
def test_a_stream_with_its_end_is_read(provider: str, events: object, usage: dict[str, int]) -> None:
    assert dict(read_response(provider, events).usage) == usage


@pytest.mark.parametrize(
    ("provider", "events", "ids"),
    [
        ("openai", [{"id": "chat-1", "usage": COUNTED}, {"id": "chat-2", "usage": COUNTED}], "'chat-1' and 'chat-2'"),
        (
            "anthropic",
            [
                START,
                DELTA,
                {**START, "message": {"id": "msg_2", "usage": {"input_tokens": 9, "output_tokens": 1}}},
                DELTA,
            ],
            "'msg_1' and 'msg_2'",
        ),
        (
            "google",
            [{"responseId": "a", "usageMetadata": {}}, {"responseId": "b", "usageMetadata": {"promptTokenCount": 1}}],
            "'a' and 'b'",
        ),
        (
            "openai",  # of a realtime session
            [
                {"event_id": "1", "response": {"id": "resp_1", "usage": {"input_tokens": 3, "output_tokens": 4}}},
                {"event_id": "2", "response": {"id": "resp_2", "usage": {"input_tokens": 5, "output_tokens": 6}}},
            ],
            "'resp_1' and 'resp_2'",
        ),
    ],
)
def test_the_counts_of_two_runs_are_refused(provider: str, events: object, ids: str) -> None:
    with pytest.raises(UnreadableResponse) as refused:
        read_response(provider, events)
    assert str(refused.value) == f"response: is of two runs, {ids}. Send each run by itself"


def test_one_response_sent_in_parts_with_one_id_is_one_run() -> None:
    events = [{"id": "", "choices": []}, {"id": "chat-1", "usage": None}, {"id": "chat-1", "usage": COUNTED}]
    assert dict(read_response("openai", events).usage) == {"input_tokens": 10, "output_tokens": 2}


def test_counts_by_two_sets_of_names_are_read_once() -> None:
    read = read_response("openai", {"usage": {**COUNTED, "input_tokens": 10, "output_tokens": 2}})
    assert dict(read.usage) == {"input_tokens": 10, "output_tokens": 2}
    assert read.unread == ()


def test_where_two_apis_could_be_meant_both_are_named() -> None:
    billed, counted = {"input_tokens": 5, "output_tokens": 50}, {"input_tokens": 70, "output_tokens": 52}
    with pytest.raises(AmbiguousResponse) as refused:
        read_response("cohere", {"usage": {"billed_units": billed, "tokens": counted}})
    assert refused.value.flavours == ["default", "tokens"]
    assert refused.value.code == "unreadable_response"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        ("x" * 10_000, "'" + "x" * 39 + "…"),
        (10**300, "1" + "0" * 39 + "…"),
        (-(10**300), "-1" + "0" * 38 + "…"),
        (1e300, "1000000000000000052504760255204420248704…"),
    ],
)
def test_a_refusal_repeats_at_most_forty_characters(count: object, shown: str) -> None:
    with pytest.raises(CreditsError) as refused:
        read_response("openai", changed("prompt_tokens", count))
    assert str(refused.value).endswith(f"not {shown}")


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
