"""A run by its provider's response over HTTP: what is not charged is named, and what is not clear is refused."""

import pytest

from tests.support.api_world import Api, problem


@pytest.mark.parametrize("path", ["calculate-cost", "charge-prompt"])
def test_counts_of_a_response_that_are_not_charged_are_named(api: Api, path: str) -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "tool_use": {"code_sessions": 4, "images": 0}}
    body = {"model_id": "openai/gpt-4o", "provider": "openai", "response": {"usage": usage}}
    run = {"user_id": "ada", "prompt_id": "summarise"} if path == "charge-prompt" else {}
    for _ in range(2):  # a replay names them too
        answer = api.post(f"/api/credits/{path}", body | run, as_="service", key="run").json()
        assert answer["unread"] == ["tool_use.code_sessions"]
        assert answer["inference_cost_credits"] == 3_500  # 1,000 × 2.5 + 100 × 10


@pytest.mark.parametrize(
    ("provider", "response", "problem_with_it"),
    [
        (
            "anthropic",
            [{"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}],
            "is a stream without its end, so its counts are not final. Send all of its events",
        ),
        (
            "cohere",
            {
                "usage": {
                    "billed_units": {"input_tokens": 5, "output_tokens": 9},
                    "tokens": {"input_tokens": 70, "output_tokens": 9},
                }
            },
            "could be read in two ways; say which API of cohere it is from: default or tokens",
        ),
    ],
)
def test_a_response_that_is_not_clear_is_refused_and_not_charged(
    api: Api, provider: str, response: object, problem_with_it: str
) -> None:
    run = {"user_id": "ada", "prompt_id": "summarise", "model_id": "openai/gpt-4o"}
    answer = api.post("/api/credits/charge-prompt", run | {"provider": provider, "response": response}, as_="service")
    assert problem(answer) == (422, "unreadable_response")
    assert answer.json()["detail"] == f"response: {problem_with_it}"
    assert api.get("/api/credits/balance", user_id="ada").json()["balance_credits"] == 10_000
