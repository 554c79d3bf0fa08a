"""The formats of usage that are known by name, and how a row of each is read. Pure.

The facts about each format are from the program's own documentation and from files that it wrote. `recognise` tells a
format by its columns; `nearest` names the one that unknown columns are most like.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from credits_core.usage.cells import Cells, first_of, inner_counts, plain_name
from credits_core.usage.forms import BadCell
from credits_core.usage.parts import usage_of, with_parts
from credits_core.usage.raw import is_response, read_raw
from credits_core.usage.runs import NOBODY_NAMED, LoggedRun, UnusedRow

_CACHE_READ = (
    *("cache_read_input_tokens", "input_cached_tokens", "input_cache_read", "cached_tokens", "cache_read_tokens"),
    *("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "prompt_cache_hit_tokens"),
    *("input_cached_text_tokens", "cachedContentTokenCount"),
)
_CACHE_WRITE = (
    *("cache_creation_input_tokens", "input_cache_creation", "input_cache_write", "cache_write_tokens"),
    *("prompt_tokens_details.cache_creation_tokens", "cache_creation_tokens"),
)
_REASONING = (
    *("output_reasoning_tokens", "output_reasoning", "reasoning_tokens", "reasoning"),
    *("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"),
)
_AUDIO_IN = ("input_audio_tokens", "input_audio", "prompt_tokens_details.audio_tokens")
_AUDIO_OUT = ("output_audio_tokens", "output_audio", "completion_tokens_details.audio_tokens")
_FAILED = {"failure", "failed", "error", "cancelled"}

Read = LoggedRun | UnusedRow


@dataclass(frozen=True, slots=True)
class Format:
    """A known format. `needed` are columns that every such file has; `telling` some that hardly any other has.

    A row may hold the sums of several requests (`has_sums`), and the file may name no model (`needs_model`).
    """

    key: str
    title: str
    needed: tuple[str, ...]
    telling: tuple[str, ...]
    read: Callable[[int, Cells, str], Read]
    has_sums: bool = False
    needs_model: bool = False


def _failure(cells: Cells) -> str:
    """Why a row without any usage is no run; empty when it has no sign of a failure."""
    status = cells.text("status", "response_status", "level", "request_status").lower()
    if status in _FAILED or (status.isdecimal() and int(status) >= 400):
        return f"the request failed ({status})"
    return ""


def _unused(cells: Cells, line: int, cost_pico: int | None, column: str) -> UnusedRow:
    """A row that used nothing.

    Raises:
        BadCell: it cost something, so its usage is not in this file.
    """
    if cost_pico:
        raise BadCell("is 0, and the row has a cost: what was used is not in this file", column=column)
    return UnusedRow(line, _failure(cells) or "nothing was used")


def _litellm(line: int, cells: Cells, model: str) -> Read:
    """LiteLLM counts cached tokens in `prompt_tokens`, those of Anthropic too; how many they are is in the metadata."""
    at = cells.moment("startTime")
    cost_pico = cells.cost_pico("spend", "response_cost")
    counts = {"input_tokens": cells.count("prompt_tokens") or 0, "output_tokens": cells.count("completion_tokens") or 0}
    is_cached = cells.text("cache_hit").lower() in ("true", "1", "t")
    if not any(counts.values()):
        return _unused(cells, line, cost_pico, "prompt_tokens")
    inner: dict[str, int] = {}
    metadata = cells.inner("metadata")
    for key in ("usage_object", "additional_usage_values"):
        if isinstance(metadata.get(key), Mapping):
            inner = {**inner_counts(metadata[key], cells.forms, "metadata"), **inner}
    counts |= {
        "cache_read_tokens": first_of(inner, _CACHE_READ),
        "cache_write_tokens": first_of(inner, _CACHE_WRITE),
        "output_reasoning_tokens": first_of(inner, _REASONING),
    }
    usage = usage_of(counts, cells.column("metadata") or "prompt_tokens")
    return LoggedRun(
        line=line,
        at=at,
        model=cells.text("model", "model_group") or model,
        provider=cells.text("custom_llm_provider"),
        usage=usage,
        user=cells.text("end_user", "user", "team_id", "api_key") or NOBODY_NAMED,
        own_cost_pico=cost_pico,
        is_free=is_cached,
        request_id=cells.text("request_id"),
    )


def _langfuse(line: int, cells: Cells, model: str) -> Read:
    """Langfuse has rows for every step; those that asked a model have a usage. Its parts may be inside or outside."""
    cost_pico = cells.cost_pico("totalCost", "total_cost", "calculatedTotalCost", "calculated_total_cost", "cost")
    if cost_pico is None and (costs := cells.inner("costDetails", "cost_details")) and "total" in costs:
        cost_pico = Cells(costs, cells.forms).cost_pico("total")
    column = cells.column("usageDetails", "usage_details", "usage") or "inputTokens"
    inner = inner_counts(cells.inner("usageDetails", "usage_details", "usage"), cells.forms, column)
    total = inner.pop("total", None)
    if not inner:
        inner = {
            "input": cells.count("inputTokens", "input_tokens", "promptTokens", "prompt_tokens") or 0,
            "output": cells.count("outputTokens", "output_tokens", "completionTokens", "completion_tokens") or 0,
        }
        total = cells.count("totalTokens", "total_tokens")
    counts = {
        "input_tokens": first_of(inner, ("input", "input_tokens", "prompt_tokens", "promptTokens")),
        "output_tokens": first_of(inner, ("output", "output_tokens", "completion_tokens", "completionTokens")),
        "cache_read_tokens": first_of(inner, _CACHE_READ),
        "cache_write_tokens": first_of(inner, _CACHE_WRITE),
        "output_reasoning_tokens": first_of(inner, _REASONING),
        "input_audio_tokens": first_of(inner, _AUDIO_IN),
        "output_audio_tokens": first_of(inner, _AUDIO_OUT),
    }
    counts = {key: count for key, count in counts.items() if count}
    if not counts:
        kind = cells.text("type").lower()
        is_step = kind not in ("", "generation", "embedding") and not cost_pico
        return UnusedRow(line, f"a {kind} asks no model") if is_step else _unused(cells, line, cost_pico, column)
    return LoggedRun(
        line=line,
        at=cells.moment("startTime", "start_time"),
        model=cells.text("providedModelName", "provided_model_name", "model", "modelId") or model,
        provider="",
        usage=with_parts(counts, total=total, forms=cells.forms, column=column),
        user=cells.text("userId", "user_id", "sessionId", "session_id") or NOBODY_NAMED,
        own_cost_pico=cost_pico,
        request_id=cells.text("id"),
    )


def _helicone(line: int, cells: Cells, model: str) -> Read:
    cost_pico = cells.cost_pico("cost", "costUSD", "cost_usd")
    counts = {
        "input_tokens": cells.count("prompt_tokens") or 0,
        "output_tokens": cells.count("completion_tokens") or 0,
        "cache_read_tokens": cells.count("prompt_cache_read_tokens") or 0,
        "cache_write_tokens": cells.count("prompt_cache_write_tokens") or 0,
        "output_reasoning_tokens": cells.count("reasoning_tokens") or 0,
    }
    counts = {key: count for key, count in counts.items() if count}
    if not counts:
        return _unused(cells, line, cost_pico, "prompt_tokens")
    return LoggedRun(
        line=line,
        at=cells.moment("request_created_at", "created_at", "response_created_at"),
        model=cells.text("response_model", "model", "request_model") or model,
        provider=cells.text("provider").lower(),
        usage=with_parts(counts, total=cells.count("total_tokens"), forms=cells.forms, column="prompt_tokens"),
        user=cells.text("request_user_id", "user_id", "user") or NOBODY_NAMED,
        own_cost_pico=cost_pico,
        is_free=cells.text("cache_hit", "helicone_cache", "from_cache").lower() in ("true", "hit", "1"),
        request_id=cells.text("request_id", "id"),
    )


def _openrouter(line: int, cells: Cells, model: str) -> Read:
    """A row of OpenRouter's activity: cached tokens are part of the prompt, reasoning of the completion."""
    cost_pico = cells.cost_pico("cost_total", "usage")
    counts = {
        "input_tokens": cells.count("tokens_prompt", "native_tokens_prompt", "prompt_tokens") or 0,
        "output_tokens": cells.count("tokens_completion", "native_tokens_completion", "completion_tokens") or 0,
        "cache_read_tokens": cells.count("tokens_cached", "native_tokens_cached") or 0,
        "output_reasoning_tokens": cells.count("tokens_reasoning", "native_tokens_reasoning", "reasoning_tokens") or 0,
    }
    if not any(counts.values()):
        return _unused(cells, line, cost_pico, "tokens_prompt")
    requests = cells.count("requests")
    return LoggedRun(
        line=line,
        at=cells.moment("created_at", "date"),
        model=cells.text("model_permaslug", "model") or model,
        provider="",
        usage=usage_of(counts, "tokens_prompt"),
        user=cells.text("user", "external_user", "api_key_name", "app_name") or NOBODY_NAMED,
        requests=1 if requests is None else requests,
        own_cost_pico=cost_pico,
        request_id=cells.text("generation_id", "id"),
    )


def _openai_usage(line: int, cells: Cells, model: str) -> Read:
    """A row of sums: `num_model_requests` requests of one model in an hour or a day."""
    counts = {
        "input_tokens": cells.count("input_tokens") or 0,
        "output_tokens": cells.count("output_tokens") or 0,
        "cache_read_tokens": cells.count("input_cached_tokens") or 0,
        "input_audio_tokens": cells.count("input_audio_tokens") or 0,
        "output_audio_tokens": cells.count("output_audio_tokens") or 0,
    }
    if not any(counts.values()):
        return _unused(cells, line, None, "input_tokens")
    requests = cells.needed_count("num_model_requests")
    is_batch = cells.is_true("batch")
    tier = cells.text("service_tier").lower()
    return LoggedRun(
        line=line,
        at=cells.moment("start_time_iso", "start_time"),
        model=cells.text("model") or model,
        provider="openai",
        usage=usage_of(counts, "input_cached_tokens"),
        user=cells.text("user_id", "user_email", "api_key_id", "project_id") or NOBODY_NAMED,
        requests=requests,
        service_tier="batch" if is_batch else tier or None,
        own_cost_pico=cells.cost_pico("cost", "amount_value"),
    )


def _anthropic_usage(line: int, cells: Cells, model: str) -> Read:
    """A row of sums, of nobody says how many requests. Its input counts leave out what was cached."""
    creation = inner_counts(cells.inner("cache_creation"), cells.forms, "cache_creation")
    searches = inner_counts(cells.inner("server_tool_use"), cells.forms, "server_tool_use")
    short = cells.count("usage_input_tokens_cache_write_5m") or creation.get("ephemeral_5m_input_tokens", 0)
    hour = cells.count("usage_input_tokens_cache_write_1h") or creation.get("ephemeral_1h_input_tokens", 0)
    read = cells.count("usage_input_tokens_cache_read", "cache_read_input_tokens") or 0
    fresh = cells.count("usage_input_tokens_no_cache", "uncached_input_tokens") or 0
    counts = {
        "input_tokens": fresh + read + short + hour,
        "output_tokens": cells.count("usage_output_tokens", "output_tokens") or 0,
        "cache_read_tokens": read,
        "cache_write_tokens": short + hour,
        "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": hour,
        "web_searches": cells.count("web_search_count") or searches.get("web_search_requests", 0),
    }
    if not any(counts.values()):
        return _unused(cells, line, None, "usage_input_tokens_no_cache")
    tier = cells.text("usage_type", "service_tier").lower()
    return LoggedRun(
        line=line,
        at=cells.moment("usage_date_utc", "starting_at"),
        model=cells.text("model_version", "model") or model,
        provider="anthropic",
        usage=usage_of(counts, "usage_input_tokens_no_cache"),
        user=cells.text("api_key", "api_key_id", "workspace", "workspace_id") or NOBODY_NAMED,
        requests=0,
        service_tier=tier if tier and tier != "message" else None,
    )


def _azure(line: int, cells: Cells, model: str) -> Read:
    counts = {
        "input_tokens": cells.needed_count("ContextTokens"),
        "output_tokens": cells.needed_count("GeneratedTokens"),
    }
    if not any(counts.values()):
        return UnusedRow(line, "nothing was used")
    usage = usage_of(counts, "ContextTokens")
    return LoggedRun(line, cells.moment("TIMESTAMP"), model, "", usage, request_id=cells.text("RequestId"))


def _own(line: int, cells: Cells, model: str) -> Read:
    """The CSV file of the screen Replay: runs that were priced here, with the cost that they had."""
    if not cells.text("model"):
        return UnusedRow(line, "a flow was unlocked, which asks no model")
    return LoggedRun(
        line=line,
        at=cells.moment("time_utc", "day"),
        model=cells.text("model") or model,
        provider="",
        usage=(),
        user=cells.text("user", "user_id") or NOBODY_NAMED,
        request_id=cells.text("entry"),
        creator=cells.text("creator"),
        creator_fee_credits=cells.count("creator_fee_credits") or 0,
        known_cost_credits=cells.needed_count("inference_cost_credits"),
    )


FORMATS: Mapping[str, Format] = {
    one.key: one
    for one in (
        Format(
            *("litellm", "LiteLLM spend logs"),
            ("request_id", "startTime", "prompt_tokens", "completion_tokens"),
            ("spend", "cache_hit", "custom_llm_provider", "call_type", "api_key", "model_group", "metadata"),
            _litellm,
        ),
        Format(
            *("langfuse", "Langfuse observations"),
            ("startTime",),
            ("traceId", "usageDetails", "providedModelName", "costDetails", "parentObservationId", "observationId"),
            _langfuse,
        ),
        Format(
            *("helicone", "Helicone requests"),
            ("prompt_tokens", "completion_tokens"),
            (
                *("request_created_at", "response_created_at", "response_model", "request_model", "request_user_id"),
                *("response_status", "prompt_cache_read_tokens", "helicone_cache", "time_to_first_token"),
            ),
            _helicone,
        ),
        Format(
            *("openrouter", "OpenRouter activity"),
            ("model_permaslug",),
            (
                *("tokens_prompt", "tokens_completion", "generation_id", "cost_total", "tokens_reasoning"),
                *("byok_usage_inference", "prompt_tokens", "endpoint_id"),
            ),
            _openrouter,
        ),
        Format(
            *("openai-usage", "OpenAI usage export"),
            ("num_model_requests", "input_tokens", "output_tokens"),
            ("input_cached_tokens", "start_time", "project_id", "batch", "service_tier", "start_time_iso"),
            _openai_usage,
            has_sums=True,
        ),
        Format(
            *("anthropic-usage", "Anthropic usage export"),
            ("usage_date_utc", "usage_input_tokens_no_cache", "usage_output_tokens"),
            ("usage_input_tokens_cache_read", "model_version", "usage_input_tokens_cache_write_5m", "workspace"),
            _anthropic_usage,
            has_sums=True,
        ),
        Format(
            *("anthropic-report", "Anthropic usage report"),
            ("uncached_input_tokens", "output_tokens"),
            ("cache_creation", "cache_read_input_tokens", "starting_at", "server_tool_use"),
            _anthropic_usage,
            has_sums=True,
        ),
        Format(
            *("azure", "Azure inference trace"),
            ("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
            ("RequestId",),
            _azure,
            needs_model=True,
        ),
        Format(
            *("promptflow", "Runs from our own Replay screen"),
            ("entry", "model", "inference_cost_credits", "creator_fee_credits"),
            ("recorded_plan", "plan_b", "recorded_total_credits"),
            _own,
        ),
        Format(
            *("responses", "Providers' raw responses"), (), ("usage", "usageMetadata", "response", "choices"), read_raw
        ),
    )
}
"""By the key that a command names."""
_LEAST_TELLING = 2


def recognise(columns: Iterable[str], first: Mapping[str, Any] | None = None) -> Format | None:
    """The format that these columns, and the first row, are of; None when they are of none that is known.

    >>> recognise(["TIMESTAMP", "ContextTokens", "GeneratedTokens"]).key, recognise(["a", "b"])
    ('azure', None)
    """
    names = {plain_name(column) for column in columns}
    if first is not None and is_response(first):
        return FORMATS["responses"]
    found = [
        (sum(plain_name(one) in names for one in kind.telling), kind)
        for kind in FORMATS.values()
        if kind.needed and names >= {*map(plain_name, kind.needed)}
    ]
    sure = [(telling, kind) for telling, kind in found if telling >= _LEAST_TELLING or len(kind.needed) > 2]
    return max(sure, key=lambda one: (one[0], len(one[1].needed)))[1] if sure else None


def nearest(columns: Iterable[str]) -> tuple[Format, tuple[str, ...]] | None:
    """The known format that these columns are most like, and which it needs that are missing; None without likeness.

    >>> found, missing = nearest(["request_id", "prompt_tokens", "spend", "model"])
    >>> found.key, missing
    ('litellm', ('startTime', 'completion_tokens'))
    """
    names = {plain_name(column) for column in columns}
    alike = {
        key: sum(plain_name(one) in names for one in (*kind.needed, *kind.needed, *kind.telling))
        for key, kind in FORMATS.items()
        if kind.needed
    }
    best = FORMATS[max(alike, key=alike.__getitem__)]
    if not alike[best.key]:
        return None
    return best, tuple(one for one in best.needed if plain_name(one) not in names)
