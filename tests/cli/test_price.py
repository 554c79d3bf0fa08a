"""`price --jsonl`: one quote or one refusal for each line, in order, as it comes, and nothing is charged."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from credits_core.cli import main as cli
from credits_core.cli.price import priced_lines
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import ModelRegistry
from tests.support import world
from tests.support.prices import by_usage, model

ROOT = Path(__file__).resolve().parent.parent.parent
Call = Callable[..., tuple[int, str, str]]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
BOOK = world.usage_book()
HAIKU = {"model_id": "claude-3-haiku"}
TOKENS = {"model_id": "openai/gpt-4o", "input_tokens": 1_021, "output_tokens": 129}

RESPONSE = {
    "model": "gpt-5-2025-08-07",
    "service_tier": "flex",
    "usage": {
        "prompt_tokens": 2_006,
        "completion_tokens": 300,
        "total_tokens": 2_306,
        "prompt_tokens_details": {"cached_tokens": 1_920},
        "completion_tokens_details": {"reasoning_tokens": 192},
    },
}


def priced(*lines: str | dict[str, Any], models: ModelRegistry = BOOK.models) -> list[dict[str, Any]]:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    return list(priced_lines(texts, replace(BOOK, models=models), NOW))


def refusal(line: str | dict[str, Any]) -> tuple[str, str]:
    (answer,) = priced(line)
    assert answer.keys() == {"line", "error"}
    return answer["error"]["code"], answer["error"]["message"]


# --- quotes ---------------------------------------------------------------------------------------------------------


def test_a_line_gives_the_whole_quote() -> None:
    assert priced({**HAIKU, "creator_fee_credits": 1_001}) == [
        {
            "line": 1,
            "model_id": "claude-3-haiku",
            "plan": "plan-1",
            "inference_cost_credits": 250,
            "creator_fee_credits": 1_001,
            "platform_markup_credits": 0,
            "total_credits": 1_251,
            "creator_share_credits": 800,
            "platform_share_credits": 201,
        }
    ]


def test_counts_of_a_response_that_are_not_charged_are_named() -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "num_sources_used": 7}
    line = {"model_id": "openai/gpt-4o", "provider": "xai", "response": {"usage": usage}}
    (answer,) = priced(line)
    assert (answer["usage"], answer["unread"]) == (
        {"input_tokens": 1_000, "output_tokens": 100},
        ["num_sources_used"],
    )
    del usage["num_sources_used"]
    (answer,) = priced(line)
    assert "unread" not in answer


def test_two_token_counts_are_answered_as_a_usage() -> None:
    (answer,) = priced(TOKENS)
    assert (answer["inference_cost_credits"], answer["total_credits"]) == (3_843, 4_611)
    assert answer["usage"] == {"input_tokens": 1_021, "output_tokens": 129}
    assert "service_tier" not in answer


def test_a_usage_a_service_tier_and_a_dated_name_are_quoted() -> None:
    used = {"output_tokens": 300, "input_tokens": 2_006, "cache_read_tokens": 1_920, "web_searches": 2}
    (answer,) = priced({"model_id": "gpt-5-2025-08-07", "usage": used, "service_tier": "flex"})
    # 86 × 0.625 + 300 × 5 + 1,920 × 0.0625 + 2 × 10,000 = 21,673.75; 10 % of 21,674 is 2,167.
    assert (answer["model_id"], answer["inference_cost_credits"], answer["total_credits"]) == (
        "openai/gpt-5",
        21_674,
        23_841,
    )
    assert (answer["usage"], answer["service_tier"]) == (used, "flex")


def test_a_providers_response_says_model_usage_and_tier() -> None:
    with_names = ModelRegistry(BOOK.models.models, elsewhere=lambda _: BOOK.models["openai/gpt-5"])
    (answer,) = priced({"provider": "openai", "response": RESPONSE}, models=with_names)
    # 86 × 0.625 + 300 × 5 + 1,920 × 0.0625 = 1,673.75
    assert (answer["model_id"], answer["inference_cost_credits"], answer["service_tier"]) == (
        "openai/gpt-5",
        1_674,
        "flex",
    )
    assert answer["usage"] == {
        "input_tokens": 2_006,
        "output_tokens": 300,
        "cache_read_tokens": 1_920,
        "output_reasoning_tokens": 192,
    }


def test_a_response_of_another_model_than_the_one_that_was_named_is_noted() -> None:
    line = {"model_id": "openai/gpt-4o", "provider": "openai", "response": RESPONSE | {"service_tier": None}}
    with_names = ModelRegistry(BOOK.models.models, elsewhere=lambda _: BOOK.models["openai/gpt-5"])
    (answer,) = priced(line, models=with_names)
    assert answer["model_id"] == "openai/gpt-4o"
    assert answer["model_note"] == (
        "The response is of openai/gpt-5. The run was priced as openai/gpt-4o, as you named it."
    )
    (answer,) = priced({**line, "model_id": "openai/gpt-5"}, models=with_names)
    assert "model_note" not in answer


@pytest.mark.parametrize(
    ("at", "cost_credits"),
    [
        (None, 4_000),  # now, in November 2026
        ("2026-11-26T00:00:00Z", 4_000),
        ("2026-11-25T23:59:59.999999Z", 1_000),
        ("2026-11-26T05:29:59+05:30", 1_000),
        ("2026-11-26T05:30:00+05:30", 4_000),
        ("1970-01-01T00:00:00Z", 1_000),
    ],
)
def test_a_run_has_the_price_of_its_time(at: str | None, cost_credits: int) -> None:
    (before,) = by_usage(input_tokens="1").standard
    (since,) = by_usage(input_tokens="4").standard
    dated = ModelPrices((before, DatedPrices(since.prices, first_day=NOW.date())))
    line = {"model_id": "m", "usage": {"input_tokens": 1_000}, "at": at}
    (answer,) = priced(line, models=ModelRegistry({"m": model(dated)}))
    assert answer["inference_cost_credits"] == cost_credits


@pytest.mark.parametrize("field", ["usage", "provider", "response", "service_tier", "creator_fee_credits", "at"])
def test_a_field_that_is_null_is_not_given(field: str) -> None:
    assert priced({**TOKENS, field: None}) == priced(TOKENS)


# --- refusals in their places ---------------------------------------------------------------------------------------


def test_a_refused_line_stands_in_its_place_and_the_others_are_quoted() -> None:
    answers = priced(HAIKU, "{", "", {"model_id": "nobody"}, "  ", TOKENS)
    assert [answer["line"] for answer in answers] == [1, 2, 4, 6]
    assert [answer.get("total_credits") for answer in answers] == [300, None, None, 4_611]
    assert [answer["error"]["code"] for answer in answers if "error" in answer] == ["invalid_request", "unknown_model"]


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("{", "invalid_request", "line: is not JSON: "),
        ("", "invalid_request", ""),
        ("[]", "invalid_request", "line: must be a JSON object with a model_id and a usage"),
        ("7", "invalid_request", "line: must be a JSON object with a model_id and a usage"),
        ("null", "invalid_request", "line: must be a JSON object with a model_id and a usage"),
        ("[" * 100_000, "invalid_request", "line: is not JSON: "),
        ('{"model_id": "gpt-4", "model_id": "gpt-4"}', "invalid_request", "line: is not JSON: a key is given twice"),
        (
            '{"model_id": "gpt-4", "usage": {"input_tokens": 1, "input_tokens": 2}}',
            "invalid_request",
            "line: is not JSON: a key is given twice",
        ),
        (
            {**HAIKU, "tokens": 5, "prompt": 3},
            "invalid_request",
            "prompt: is not known; known are model_id, usage, provider, response, api_flavour, service_tier, "
            "creator_fee_credits, input_tokens, output_tokens, at",
        ),
        ({}, "invalid_request", "model_id: must be given"),
        ({"model_id": None}, "invalid_request", "model_id: must be given"),
        ({"model_id": 7}, "invalid_request", "model_id: must be a text, not 7"),
        ({**HAIKU, "service_tier": 7}, "invalid_request", "service_tier: must be a text, not 7"),
        ({**TOKENS, "usage": []}, "invalid_request", "usage: must be an object of units and counts"),
        ({**TOKENS, "usage": {}}, "invalid_request", "input_tokens: must be left out"),
        ({"model_id": "openai/gpt-4o", "usage": {}}, "invalid_request", "usage: must have a count above 0"),
        ({"model_id": "openai/gpt-4o", "input_tokens": 5}, "invalid_request", "output_tokens: must be given"),
        (
            {"model_id": "openai/gpt-4o", "usage": {"input_tokens": 1.5}},
            "invalid_request",
            "usage.input_tokens: must be a whole number from 0 to 1,000,000,000, not 1.5",
        ),
        (
            '{"model_id": "openai/gpt-4o", "usage": {"input_tokens": NaN}}',
            "invalid_request",
            "usage.input_tokens: must be a whole number from 0 to 1,000,000,000, not nan",
        ),
        (
            {"model_id": "openai/gpt-4o", "usage": {"input_tokens": 1, "web_searches": 2}},
            "unpriced_usage",
            "This model has no price for 2 web_searches.",
        ),
        ({**TOKENS, "service_tier": "flex"}, "unpriced_service_tier", "This model has no price in the service tier"),
        *(
            ({**HAIKU, "creator_fee_credits": fee}, "invalid_request", "creator_fee_credits: must be ")
            for fee in (-1, "", "5", 1.5, True, False, [], {}, 2**53)
        ),
        *(
            (
                {**HAIKU, "at": at},
                "invalid_request",
                "at: must be a time with its zone, such as 2026-12-01T00:00:00Z, from 1970 to 9998, not ",
            )
            for at in (
                "",
                "now",
                "2026-12-01",
                "2026-12-01T00:00:00",
                1_772_366_400,
                "0001-01-01T00:00:00+14:00",
                "9999-12-31T23:59:59-14:00",
            )
        ),
        ({"provider": "openai", "model_id": "gpt-4"}, "invalid_request", "provider: must come with the provider's"),
        ({"response": RESPONSE}, "invalid_request", "provider: must be given with a response"),
        (
            {"provider": "openai", "response": RESPONSE, "usage": {"input_tokens": 1}},
            "invalid_request",
            "usage: must be left out, because there is a response beside it",
        ),
        (
            {"provider": "openai", "response": RESPONSE, "service_tier": "batch"},
            "invalid_request",
            "service_tier: is 'batch', and the response says 'flex'",
        ),
        ({"provider": "acme", "response": RESPONSE}, "unreadable_response", "response: comes from the provider 'acme'"),
        ({"provider": "openai", "response": "text"}, "unreadable_response", "response: must be the provider's JSON"),
    ],
)
def test_a_line_that_cannot_be_quoted_says_why(line: str | dict[str, Any], code: str, message: str) -> None:
    if line == "":
        assert priced(line) == []
        return
    found_code, found_message = refusal(line)
    assert (found_code, found_message[: len(message)]) == (code, message)


def test_lines_are_read_one_at_a_time_and_never_collected() -> None:
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for taken in range(1, 2_001):
            yield json.dumps({**TOKENS, "output_tokens": taken})

    answers = priced_lines(lines(), BOOK, NOW)
    for number in range(1, 2_001):
        answer = next(answers)
        assert (answer["line"], answer["usage"]["output_tokens"], taken) == (number, number, number)
        # 1,021 × 2.5 + so many × 10, rounded up
        assert answer["inference_cost_credits"] == 2_553 + 10 * number
    assert next(answers, None) is None


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str) -> Call:
    monkeypatch.setenv("CREDITS_DATABASE_URL", sqlite_url)

    def call(*arguments: str | Path, stdin: bytes | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["credits_core", "price", *map(str, arguments)])
        if stdin is not None:
            # As Python makes it where the locale is not UTF-8.
            monkeypatch.setattr(
                sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="ascii", errors="surrogateescape")
            )
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0), *capsys.readouterr()

    return call


LINES = '{"model_id": "gpt-4o"}\n\n{"model_id": "nöbödy"}\r\n{"model_id": "gpt-4"}'.encode()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("from_stdin", [True, False], ids=["stdin", "file"])
def test_a_file_and_standard_input_are_quoted_alike(run: Call, tmp_path: Path, mark: bytes, from_stdin: bool) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_bytes(mark + LINES)
    code, stdout, stderr = run("--jsonl", "-", stdin=mark + LINES) if from_stdin else run("--jsonl", path)
    assert (code, stderr) == (0, "")
    assert stdout.isascii()
    answers = [json.loads(line) for line in stdout.splitlines()]
    assert [(answer["line"], answer.get("total_credits")) for answer in answers] == [
        (1, 11_000),
        (3, None),
        (4, 33_000),
    ]
    assert answers[1]["error"]["message"].startswith("There is no model 'nöbödy'.")


def test_an_empty_file_has_no_quotes(run: Call, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_bytes(b"")
    assert run("--jsonl", tmp_path / "none.jsonl") == (0, "", "")


def test_lines_before_what_is_not_utf_8_are_quoted_and_the_rest_is_one_error(run: Call, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b'{"model_id": "gpt-4o"}\n' * 20_000 + b'{"model_id": "\xe9"}\n')
    code, stdout, stderr = run("--jsonl", path)
    assert code == 1
    assert stderr.startswith("error: jsonl: is not UTF-8: ")
    assert len(stderr.splitlines()) == 1
    assert 0 < len(stdout.splitlines()) <= 20_000


def test_half_a_character_is_answered_and_does_not_stop_the_others(run: Call, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(
        '{"model_id": "gpt-4o", "\\ud800": 1}\n'
        '{"model_id": "gpt-4o", "service_tier": "\\ud800"}\n'
        '{"model_id": "gpt-4o"}\n',
        encoding="utf-8",
    )
    code, stdout, stderr = run("--jsonl", path)
    assert (code, stderr) == (0, "")
    answers = [json.loads(line) for line in stdout.splitlines()]
    assert [answer["line"] for answer in answers] == [1, 2, 3]
    assert answers[2]["total_credits"] == 11_000


def test_a_file_that_is_not_there_is_one_line(run: Call, tmp_path: Path) -> None:
    code, stdout, stderr = run("--jsonl", tmp_path / "none.jsonl")
    assert (code, stdout) == (1, "")
    assert stderr == f"error: {tmp_path / 'none.jsonl'}: cannot be used: No such file or directory\n"


def test_another_plan_and_every_model_of_the_price_package_can_be_named(run: Call, tmp_path: Path) -> None:
    plan = tmp_path / "mine.toml"
    plan.write_text('id = "mine"\ncreator_share_bps = 0\ntiers = [{markup_credits = 7}]\n', encoding="utf-8")
    used = {"input_tokens": 1_000_000}
    path = tmp_path / "runs.jsonl"
    path.write_text(
        "".join(
            json.dumps({"model_id": name, "usage": used, "at": "2026-11-26T00:00:00Z"}) + "\n"
            for name in ("text-embedding-3-small", "openai/text-embedding-3-large")
        ),
        encoding="utf-8",
    )
    code, stdout, stderr = run("--jsonl", path, "--plan", plan)
    assert (code, stderr) == (0, "")
    # $0.02 and $0.13 a million, and 7 flat; the second one is not offered, and can be quoted all the same.
    assert [(one["model_id"], one["plan"], one["total_credits"]) for one in map(json.loads, stdout.splitlines())] == [
        ("openai/text-embedding-3-small", "mine", 20_007),
        ("openai/text-embedding-3-large", "mine", 130_007),
    ]


def test_an_answer_comes_before_the_next_line_is_sent(tmp_path: Path) -> None:
    environment = os.environ | {
        "CREDITS_DATABASE_URL": f"sqlite:///{tmp_path / 'credits.db'}",
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "credits_core", "price", "--jsonl", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number, (model_id, total_credits) in enumerate([("gpt-4o", 11_000), ("gpt-4", 33_000)], 1):
            process.stdin.write(json.dumps({"model_id": model_id}).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert (answer["line"], answer["total_credits"]) == (number, total_credits)
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0
    assert [*tmp_path.iterdir()] == []  # no database was made
