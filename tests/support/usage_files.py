"""Small logs of other systems, and how tests bring them in."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from credits_core import settings
from credits_core.datasets.folder import DataSet, Folder
from credits_core.datasets.importing import Wanted, bringing_in
from credits_core.datasets.matching import Matcher
from credits_core.usage.files import FileInMemory
from credits_core.usage.reading import HowToRead, opened, surveying
from credits_core.values.progress import finish
from tests.support.actors import TESTER

NOW = datetime(2026, 11, 28, 10, tzinfo=UTC)
OPENAI_USAGE = (
    "start_time_iso,project_id,num_model_requests,model,batch,service_tier,input_tokens,output_tokens,"
    "input_cached_tokens\n"
    "2026-03-01T00:00:00+00:00,proj_1,12,gpt-4o-2024-08-06,False,default,12000,900,3000\n"
)
"""Twelve requests in one row: 9,000 new and 3,000 cached input tokens and 900 output tokens, 35,250 credits."""


def litellm(**cells: Any) -> dict[str, Any]:
    """A row of a LiteLLM log: gpt-4o, 2,006 tokens in of which 1,920 cached, 300 out, which is 5,615 credits."""
    cached = cells.pop("cached", 1_920)
    return {
        "request_id": "r1",
        "call_type": "acompletion",
        "startTime": "2026-03-01T10:00:00Z",
        "model": "gpt-4o",
        "custom_llm_provider": "openai",
        "prompt_tokens": 2_006,
        "completion_tokens": 300,
        "spend": 0.005615,
        "end_user": "ada",
        "cache_hit": "False",
        "status": "success",
        "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": cached}}},
        **cells,
    }


def lines(*rows: Mapping[str, Any]) -> str:
    return "\n".join(map(json.dumps, rows))


def bring(
    path: Path,
    content: str | bytes,
    *,
    name: str = "log",
    model: str = "",
    matched: Mapping[str, str] | None = None,
    has_pseudonyms: bool = False,
) -> DataSet:
    """The data set of a file, in the folder at the path, at the prices of `data/models.toml`."""
    source = FileInMemory("log.csv", content.encode() if isinstance(content, str) else content)
    found = opened(source)
    assert found.format is not None
    how = HowToRead(found.format, None, model)
    survey = finish(surveying(source, how))
    matcher = Matcher(settings.load_models(), matched or {}, found.format.key)
    wanted = Wanted(source, how, name, NOW, TESTER, answers=survey.answers, has_pseudonyms=has_pseudonyms)
    return finish(bringing_in(Folder(path), wanted, matcher))
