"""Reads a provider's raw response as a row of a log, by the extractors of genai-prices. Pure.

A response may stand alone, or in `response` beside who asked and when, also as the answer of a batch (`response.body`).
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from credits_core.errors import CreditsError
from credits_core.usage.cells import Cells, plain_name
from credits_core.usage.forms import BadCell
from credits_core.usage.responses import read_response
from credits_core.usage.runs import NOBODY_NAMED, LoggedRun, UnusedRow

_SIGNS = ("choices", "content", "candidates", "output", "object", "stop_reason")


def is_response(cells: Mapping[str, Any]) -> bool:
    """Whether a row is a provider's response, or holds one."""
    found = _response(cells)
    return any(isinstance(found.get(key), Mapping) for key in ("usage", "usageMetadata")) and (
        found is not cells or any(key in found for key in (*_SIGNS, "usageMetadata"))
    )


def read_raw(line: int, cells: Cells, model: str) -> LoggedRun | UnusedRow:
    """The run that a response reports.

    Raises:
        BadCell: the response says nothing about usage, its provider cannot be told, or it has no time.
    """
    whole = cells.whole
    found = _response(whole)
    if "error" in found and not found.get("usage"):
        return UnusedRow(line, "the request failed")
    provider = cells.text("provider", "custom_llm_provider") or _provider(found)
    if not provider:
        raise BadCell("must be given, because the response does not show whose it is", column="provider")
    try:
        read = read_response(provider, _plain(found))
    except CreditsError as refusal:
        raise BadCell(str(refusal).removeprefix("response: "), column="response") from None
    if not any(count for _, count in read.usage):
        return UnusedRow(line, "nothing was used")
    place = Cells(found, cells.forms)
    times = ("at", "timestamp", "time", "used_at", "created_at", "created", "createTime")
    at = (cells if cells.column(*times) else place).moment(*times)
    return LoggedRun(
        line=line,
        at=at,
        model=read.model_name or cells.text("model") or model,
        provider=read.provider_id,
        usage=read.usage,
        user=cells.text("user", "user_id", "end_user", "custom_id") or place.text("user") or NOBODY_NAMED,
        service_tier=read.service_tier,
        own_cost_pico=cells.cost_pico("cost", "cost_usd", "spend"),
        request_id=place.text("id", "responseId"),
    )


def _response(cells: Mapping[str, Any]) -> Mapping[str, Any]:
    """The response in a row: the row itself, or what stands under `response`, perhaps as text, or in its `body`."""
    found: Any = next((one for key, one in cells.items() if plain_name(key) == "response"), cells)
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return cells
    if isinstance(found, Mapping) and isinstance(found.get("body"), Mapping):
        found = found["body"]
    return found if isinstance(found, Mapping) and (found is cells or "usage" in str(found.keys())) else cells


def _provider(found: Mapping[str, Any]) -> str:
    """Whose response it is, by what only that provider's have; empty where nothing tells."""
    kind = str(found.get("object", ""))
    if "usageMetadata" in found:
        return "google"
    if found.get("type") == "message":
        return "anthropic"
    if kind in ("response", "list") or kind.startswith("chat.completion"):
        return "openai"
    return ""


def _plain(found: Any) -> Any:
    """The same, with the numbers that the extractors know."""
    if isinstance(found, Mapping):
        return {key: _plain(one) for key, one in found.items()}
    if isinstance(found, list):
        return [_plain(one) for one in found]
    return json.loads(str(found)) if isinstance(found, Decimal) else found
