"""Each known format: recognised by its columns, and its rows read as its program means them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from credits_core.errors import DataFileInvalid
from credits_core.usage.files import FileInMemory
from credits_core.usage.formats import FORMATS, nearest
from credits_core.usage.forms import Forms, Question
from credits_core.usage.mapping import mapped
from credits_core.usage.reading import HowToRead, opened, read_rows, surveying, unknown_format
from credits_core.usage.runs import LoggedRun, ReadRow, RefusedRow, UnusedRow
from credits_core.values.progress import finish

AT = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
LITELLM = (
    "request_id,call_type,spend,prompt_tokens,completion_tokens,startTime,model,custom_llm_provider,end_user,metadata"
)
LITELLM += ",cache_hit,status"


def file(content: str | list[dict[str, Any]]) -> FileInMemory:
    text = content if isinstance(content, str) else "\n".join(map(json.dumps, content))
    return FileInMemory("log", text.encode())


def rows_of(content: str | list[dict[str, Any]], *, model: str = "", **answers: str) -> list[ReadRow]:
    source = file(content)
    found = opened(source)
    assert found.format is not None
    how = HowToRead(found.format, None, model, {Question(key): one for key, one in answers.items()})
    return [row for _, row in read_rows(source, how, Forms(dict(how.answers)))]


def litellm(*lines: str) -> str:
    return "\n".join([LITELLM, *lines])


def test_a_litellm_row_has_its_cached_tokens_inside_the_prompt() -> None:
    metadata = json.dumps({"usage_object": {"prompt_tokens_details": {"cached_tokens": 1920}}}).replace('"', '""')
    (row,) = rows_of(
        litellm(f'r1,acompletion,0.0056,2006,300,2026-03-01 10:00:00,gpt-4o,openai,ada,"{metadata}",False,success')
    )
    assert row == LoggedRun(
        line=2,
        at=AT,
        model="gpt-4o",
        provider="openai",
        usage=(("input_tokens", 2_006), ("output_tokens", 300), ("cache_read_tokens", 1_920)),
        user="ada",
        own_cost_pico=5_600_000_000,
        request_id="r1",
    )


def test_the_prompt_tokens_of_litellm_hold_the_cached_ones_of_anthropic_too() -> None:
    inner = {"cache_read_input_tokens": 80, "cache_creation_input_tokens": 15}
    (row,) = rows_of(
        [
            {
                "request_id": "r",
                "startTime": "2026-03-01T10:00:00Z",
                "prompt_tokens": 100,
                "spend": 0.1,
                "completion_tokens": 5,
                "model": "claude-sonnet-4-5",
                "custom_llm_provider": "anthropic",
                "metadata": {"additional_usage_values": inner, "usage_object": None},
            }
        ]
    )
    assert isinstance(row, LoggedRun)
    assert dict(row.usage) == {
        "input_tokens": 100,
        "output_tokens": 5,
        "cache_read_tokens": 80,
        "cache_write_tokens": 15,
    }


def test_what_litellm_cached_costs_nothing_and_what_failed_used_nothing() -> None:
    cached, failed, paid = rows_of(
        litellm(
            "r1,acompletion,0.0,2006,300,2026-03-01 10:00:00,gpt-4o,openai,ada,{},True,success",
            "r2,acompletion,0.0,0,0,2026-03-01 10:00:00,gpt-4o,openai,ada,{},None,failure",
            "r3,aimage_generation,0.04,0,0,2026-03-01 10:00:00,dall-e-3,openai,ada,{},,success",
        )
    )
    assert isinstance(cached, LoggedRun)
    assert cached.is_free
    assert failed == UnusedRow(3, "the request failed (failure)")
    assert paid == RefusedRow(
        4, "prompt_tokens", "0", "is 0, and the row has a cost: what was used is not in this file"
    )


def test_an_id_twice_is_one_request_only_when_time_model_and_tokens_agree() -> None:
    same = "r1,acompletion,0.1,10,5,2026-03-01 10:00:00,gpt-4o,openai,ada,{},False,success"
    rows = rows_of(
        litellm(
            same,
            same,
            same.replace(",10,5,", ",10,6,"),
            same.replace("10:00:00", "10:00:01"),
            same.replace("gpt-4o", "gpt-4"),
        )
    )
    assert [type(row) for row in rows] == [LoggedRun, RefusedRow, LoggedRun, LoggedRun, LoggedRun]
    assert rows[1] == RefusedRow(
        3, "request_id", "r1", "is the same request as line 2: id, time, model and usage agree"
    )


def langfuse(usage: dict[str, int], **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": "o1",
            "traceId": "t1",
            "type": "GENERATION",
            "startTime": "2026-03-01T10:00:00.000Z",
            "providedModelName": "gpt-4o",
            "usageDetails": usage,
            "totalCost": 0.001,
            "userId": "ada",
            **more,
        }
    ]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input": 100, "output": 20, "input_cached_tokens": 80, "total": 120}, (100, 20)),  # inside
        ({"input": 100, "output": 20, "input_cached_tokens": 80, "total": 200}, (180, 20)),  # beside
        ({"input": 20, "output": 20, "cache_read_input_tokens": 80}, (100, 20)),  # cannot be inside
        ({"input": 100, "output": 20, "output_reasoning_tokens": 12, "total": 120}, (100, 20)),
        ({"input": 100, "output": 20, "output_reasoning_tokens": 12, "total": 132}, (100, 32)),
        # cached ones beside, reasoning inside
        (
            {"input": 100, "output": 20, "input_cached_tokens": 80, "output_reasoning_tokens": 12, "total": 200},
            (180, 20),
        ),
        ({"input": 100, "output": 20, "total": 120}, (100, 20)),
    ],
)
def test_the_total_of_langfuse_tells_where_the_parts_are(usage: dict[str, int], expected: tuple[int, int]) -> None:
    (row,) = rows_of(langfuse(usage))
    assert isinstance(row, LoggedRun)
    assert (dict(row.usage)["input_tokens"], dict(row.usage)["output_tokens"]) == expected


def test_parts_that_no_total_places_are_asked_about() -> None:
    usage = {"input": 100, "output": 20, "input_cached_tokens": 80}
    (row,) = rows_of(langfuse(usage))
    assert isinstance(row, RefusedRow)
    assert row.reason == "cache_read_tokens 80: may be counted in input and output, or beside them; say which"
    for answer, tokens in (("inside", 100), ("outside", 180)):
        (row,) = rows_of(langfuse(usage), parts=answer)
        assert isinstance(row, LoggedRun)
        assert dict(row.usage)["input_tokens"] == tokens
    (row,) = rows_of(langfuse({**usage, "total": 150}))
    assert isinstance(row, RefusedRow)
    assert row.reason.startswith("total 150 is neither input + output, 100 + 20, nor that with")


def test_steps_of_langfuse_that_asked_no_model_are_unused() -> None:
    (row,) = rows_of(langfuse({}, type="SPAN", totalCost=None))
    assert row == UnusedRow(1, "a span asks no model")


def test_an_openai_usage_export_has_sums_and_its_batch_is_a_service_tier() -> None:
    (row, batch, flex) = rows_of(
        "start_time,start_time_iso,project_id,num_model_requests,model,batch,service_tier,input_tokens,output_tokens,"
        "input_cached_tokens\n"
        "1772323200,2026-03-01T00:00:00+00:00,proj_1,12,gpt-4o-2024-08-06,False,default,12000,900,3000\n"
        "1772323200,2026-03-01T00:00:00+00:00,proj_1,2,gpt-4o-2024-08-06,True,,100,10,0\n"
        "1772323200,2026-03-01T00:00:00+00:00,proj_1,2,o3,False,flex,100,10,0\n"
    )
    assert isinstance(row, LoggedRun)
    assert isinstance(batch, LoggedRun)
    assert isinstance(flex, LoggedRun)
    assert (row.requests, row.service_tier, row.user) == (12, "default", "proj_1")
    assert dict(row.usage) == {"input_tokens": 12_000, "output_tokens": 900, "cache_read_tokens": 3_000}
    assert row.at == datetime(2026, 3, 1, tzinfo=UTC)
    assert (batch.service_tier, flex.service_tier) == ("batch", "flex")


def test_an_anthropic_usage_export_leaves_cached_tokens_out_of_its_input() -> None:
    (row,) = rows_of(
        "usage_date_utc,model_version,api_key,workspace,usage_type,usage_input_tokens_no_cache,"
        "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
        "usage_output_tokens,web_search_count\n"
        "2026-03-01,claude-sonnet-4-5-20250929,key,ws,batch,100,20,30,800,50,0\n"
    )
    assert isinstance(row, LoggedRun)
    assert dict(row.usage) == {
        "input_tokens": 950,
        "output_tokens": 50,
        "cache_read_tokens": 800,
        "cache_write_tokens": 50,
        "cache_write_5m_tokens": 20,
        "cache_write_1h_tokens": 30,
    }
    assert (row.requests, row.service_tier, row.provider) == (0, "batch", "anthropic")


def test_the_report_of_anthropics_api_is_read_too() -> None:
    result = {
        "uncached_input_tokens": 100,
        "cache_read_input_tokens": 200,
        "output_tokens": 50,
        "model": "claude-opus-4",
        "cache_creation": {"ephemeral_1h_input_tokens": 5, "ephemeral_5m_input_tokens": 10},
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "standard",
        "api_key_id": None,
    }
    page = {"data": [{"starting_at": "2026-03-01T00:00:00Z", "results": [result]}], "has_more": False}
    (row,) = rows_of(json.dumps(page))
    assert isinstance(row, LoggedRun)
    assert dict(row.usage)["input_tokens"] == 315
    assert dict(row.usage)["web_searches"] == 2


def test_openrouter_counts_cached_and_reasoning_tokens_inside() -> None:
    (row, sums) = (
        *rows_of(
            "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,"
            "model_permaslug,provider_name,user\n"
            "gen-1,2026-03-01 10:00:00.000,0.0056,2006,300,100,1920,openai/gpt-4o-2024-08-06,OpenAI,ada\n"
        ),
        *rows_of(
            [
                {
                    "date": "2026-03-01",
                    "model": "openai/gpt-4o",
                    "model_permaslug": "openai/gpt-4o-2024-08-06",
                    "endpoint_id": "e",
                    "usage": 0.015,
                    "byok_usage_inference": 0.0,
                    "requests": 5,
                    "prompt_tokens": 50,
                    "completion_tokens": 125,
                    "reasoning_tokens": 25,
                }
            ]
        ),
    )
    assert isinstance(row, LoggedRun)
    assert isinstance(sums, LoggedRun)
    assert dict(row.usage) == {
        "input_tokens": 2_006,
        "output_tokens": 300,
        "cache_read_tokens": 1_920,
        "output_reasoning_tokens": 100,
    }
    assert (row.user, row.requests, row.own_cost_pico) == ("ada", 1, 5_600_000_000)
    assert (sums.requests, sums.own_cost_pico) == (5, 15_000_000_000)


def test_a_helicone_row_is_read() -> None:
    (row,) = rows_of(
        "request_id,request_created_at,response_status,request_model,response_model,prompt_tokens,completion_tokens,"
        "total_tokens,cost_usd,request_user_id,provider\n"
        "h1,2026-03-01T10:00:00Z,200,gpt-4o,gpt-4o-2024-08-06,1000,100,1100,0.0035,ada,OPENAI\n"
    )
    assert isinstance(row, LoggedRun)
    assert (row.model, row.provider, row.user) == ("gpt-4o-2024-08-06", "openai", "ada")


def test_raw_responses_are_read_by_the_extractors_of_the_price_package() -> None:
    chat = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1_772_359_200,
        "model": "gpt-4o",
        "choices": [],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
    }
    message = {"id": "m1", "type": "message", "model": "claude-sonnet-4-5", "content": [], "stop_reason": "end_turn"}
    message["usage"] = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3}
    rows = rows_of(
        [
            chat,
            {"at": "2026-03-01T10:00:00Z", "user": "ada", "response": message},
            {"custom_id": "job-1", "response": {"status_code": 200, "body": chat}},
            {"response": message},
            {"id": "x", "usage": {"prompt_tokens": 1}, "choices": [], "created": 1_772_359_200},
        ]
    )
    first, second, third, timeless, nobodys = rows
    assert isinstance(first, LoggedRun)
    assert isinstance(second, LoggedRun)
    assert isinstance(third, RefusedRow) or third.line == 3
    assert (first.at, first.provider, dict(first.usage)["cache_read_tokens"]) == (AT, "openai", 4)
    assert (second.provider, second.user, dict(second.usage)["input_tokens"]) == ("anthropic", "ada", 12)
    assert isinstance(timeless, RefusedRow)
    assert (timeless.column, timeless.reason) == ("at", "must be given")
    assert isinstance(nobodys, RefusedRow)
    assert nobodys.column == "provider"


def test_a_trace_that_names_no_model_needs_one() -> None:
    trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"
    (row,) = rows_of(trace)
    assert row == RefusedRow(2, "model", "", "must be given: name a model for the whole file")
    (row,) = rows_of(trace, model="openai/gpt-4o")
    assert isinstance(row, LoggedRun)
    assert (row.model, dict(row.usage)) == ("openai/gpt-4o", {"input_tokens": 4_808, "output_tokens": 10})


def test_the_runs_of_our_own_replay_keep_their_cost_and_fee() -> None:
    (row, unlock) = rows_of(
        "entry,day,time_zone,user,creator,model,recorded_plan,plan_b,inference_cost_credits,creator_fee_credits,"
        "recorded_total_credits\n7,2026-03-01,UTC,ada,bob,openai/gpt-4o,p1,p2,35250,101,38775\n"
        "8,2026-03-01,UTC,ada,bob,,p1,p2,0,5000,5000\n"
    )
    assert isinstance(row, LoggedRun)
    assert (row.known_cost_credits, row.creator, row.creator_fee_credits) == (35_250, "bob", 101)
    assert isinstance(unlock, UnusedRow)


def test_an_unknown_format_is_refused_with_the_nearest_known_one() -> None:
    source = file("request_id,prompt_tokens,spend\nr1,5,0.1\n")
    found = opened(source)
    assert found.format is None
    assert str(unknown_format(source, found)) == (
        "log: is of no known format. Its columns are request_id, prompt_tokens, spend. The nearest format is litellm "
        "(LiteLLM spend logs), which also needs startTime, completion_tokens. Or say which column is which"
    )
    assert nearest(["a", "b"]) is None


def test_an_unknown_file_is_read_by_the_columns_that_are_proposed() -> None:
    source = file(
        "Zeitpunkt;Modell;Eingabe-Tokens;Ausgabe-Tokens;Kosten\n"
        "5.10.2024 10:00;gpt-4o;1.020;129;0,00384\n5.10.2024 10:01;gpt-4o;2.040;129;1,234\n"
    )
    found = opened(source)
    assert found.format is None
    assert found.proposal.as_text() == {
        "time": "Zeitpunkt",
        "model": "Modell",
        "input_tokens": "Eingabe-Tokens",
        "output_tokens": "Ausgabe-Tokens",
        "cost_usd": "Kosten",
    }
    how = HowToRead(None, found.proposal)
    survey = finish(surveying(source, how))
    assert survey.answers[Question.DECIMALS] == "comma"
    assert survey.open_questions == {}
    forms = Forms(survey.answers)
    first, second = (row for _, row in read_rows(source, how, forms))
    assert isinstance(first, LoggedRun)
    assert isinstance(second, LoggedRun)
    assert (dict(first.usage)["input_tokens"], first.own_cost_pico) == (1_020, 3_840_000_000)
    assert (dict(second.usage)["input_tokens"], second.own_cost_pico) == (2_040, 1_234_000_000_000)


def test_a_mapping_is_remembered_by_its_names() -> None:
    columns = ["when", "in", "out"]
    given = {"time": "when", "input_tokens": "in", "output_tokens": "out"}
    assert mapped(given, columns).as_text() == given
    assert mapped(given, columns).missing == ()


def test_a_survey_adds_up_and_names_what_is_open() -> None:
    source = file(
        litellm(
            "r1,c,0.1,10,5,5/10/2026 10:00,gpt-4o,openai,ada,{},False,success",
            "r2,c,0.1,ten,5,5/10/2026 10:00,gpt-4o,openai,ada,{},False,success",
            "r3,c,0,0,0,2026-03-01,gpt-4o,openai,ben,{},False,failure",
        )
    )
    found = opened(source)
    survey = finish(surveying(source, HowToRead(found.format)))
    assert (survey.rows, survey.used + survey.refused) == (3, 3)
    assert survey.open_questions == {
        Question.DATES: "line 2: 5/10/2026 10:00 may be October 5 or May 10: say which comes first"
    }
    assert list(survey.models) == [("openai", "gpt-4o")]


def test_every_known_format_is_recognised_by_its_own_columns() -> None:
    for one in FORMATS.values():
        if one.needed:
            columns = ",".join((*one.needed, *one.telling, "model"))
            found = opened(file(f"{columns}\n{columns}\n"))
            assert found.format is one, one.key


def test_a_file_of_broken_rows_alone_is_refused() -> None:
    with pytest.raises(DataFileInvalid, match="no row that can be read"):
        opened(file("a,b\n1\n2\n"))
