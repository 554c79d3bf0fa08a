"""What `price` does: one quote, or one refusal, for each line of JSON. It needs no database and charges nothing."""

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import typer

from credits_core import settings
from credits_core.cli.plans import find_plan
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote import quote
from credits_core.usage.asked import asked_usage
from credits_core.values.days import EARLIEST, LATEST

_USAGE = ("model_id", "usage", "provider", "response", "api_flavour", "service_tier")
_RUN = ("creator_fee_credits", "input_tokens", "output_tokens", "at")


def price_lines(source: str, plan: str | None) -> None:
    """Print one line for each line of the file, or of standard input for "-", as it comes."""
    models, price_plan = settings.load_models(), find_plan(plan)
    now = datetime.now(UTC)
    if source == "-":
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8-sig")  # whatever the locale says
        _print(sys.stdin, models, price_plan, now)
        return
    with Path(source).open(encoding="utf-8-sig") as lines:
        _print(lines, models, price_plan, now)


def _print(lines: TextIO, models: ModelRegistry, plan: PricePlan, now: datetime) -> None:
    try:
        for priced in priced_lines(lines, models, plan, now):
            typer.echo(json.dumps(priced))  # in ASCII, which every terminal and pipe can carry
    except UnicodeDecodeError as error:
        raise InvalidRequest("jsonl", f"is not UTF-8: {error}") from None


def priced_lines(
    lines: Iterable[str], models: ModelRegistry, plan: PricePlan, now: datetime
) -> Iterator[dict[str, Any]]:
    """The quote or the refusal of each line, in order; an empty line is none. `line` counts from 1."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield {"line": number, **_quoted(_object(line), models, plan, now)}
        except CreditsError as refusal:
            yield {"line": number, "error": {"code": refusal.code, "message": str(refusal)}}


def _object(line: str) -> dict[str, Any]:
    try:
        given = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("line", f"is not JSON: {error}") from None
    if type(given) is not dict:
        raise InvalidRequest("line", "must be a JSON object with a model_id and a usage")
    if unknown := given.keys() - {*_USAGE, *_RUN}:
        raise InvalidRequest(min(unknown), f"is not known; known are {', '.join((*_USAGE, *_RUN))}")
    return given


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _quoted(given: dict[str, Any], models: ModelRegistry, plan: PricePlan, now: datetime) -> dict[str, Any]:
    for field in ("model_id", "provider", "api_flavour", "service_tier"):
        if given.get(field) is not None and type(given[field]) is not str:
            raise InvalidRequest(field, f"must be a text, not {given[field]!r}")
    if given.get("usage") is not None and type(given["usage"]) is not dict:
        raise InvalidRequest("usage", "must be an object of units and counts")
    asked = asked_usage(**{"model_id": None} | {field: given[field] for field in _USAGE if field in given})
    model = models.anywhere(asked.model_id)
    priced = quote(
        model,
        plan,
        creator_fee_credits=0 if given.get("creator_fee_credits") is None else given["creator_fee_credits"],
        usage=asked.usage,
        input_tokens=given.get("input_tokens"),
        output_tokens=given.get("output_tokens"),
        service_tier=asked.service_tier,
        at=_moment(given["at"]) if given.get("at") is not None else now,
    )
    return {
        "model_id": priced.model_id,
        "plan": plan.id,
        "inference_cost_credits": priced.inference_cost_credits,
        "creator_fee_credits": priced.creator_fee_credits,
        "platform_markup_credits": priced.platform_markup_credits,
        "total_credits": priced.total_credits,
        "creator_share_credits": priced.creator_share_credits,
        "platform_share_credits": priced.platform_share_credits,
        **({} if priced.usage is None else {"usage": dict(priced.usage)}),
        **({} if priced.service_tier is None else {"service_tier": priced.service_tier}),
        **({"usage_note": models.note_on(priced.model_id)} if priced.is_usage_unused else {}),
    }


def _moment(text: object) -> datetime:
    try:
        at = datetime.fromisoformat(text) if type(text) is str else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not EARLIEST <= at < LATEST:
        raise InvalidRequest(
            "at", f"must be a time with its zone, such as 2026-12-01T00:00:00Z, from 1970 to 9998, not {text!r}"
        )
    return at
