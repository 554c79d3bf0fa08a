"""What `price` does: one quote, or one refusal, for each line of JSON. It charges nothing.

A model that is offered has the price of the database's live list, as everywhere; where there is no database yet, that
of `data/models.toml`. All lines are priced by the list and the plan that were live when the command began.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import typer

from credits_core.cli.plans import current_book
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.pricing.quote import PriceBook, quote
from credits_core.usage.asked import asked_usage
from credits_core.values.days import EARLIEST, LATEST
from credits_core.values.fields import cut_repr

_USAGE = ("model_id", "usage", "provider", "response", "api_flavour", "service_tier")
_RUN = ("creator_fee_credits", "input_tokens", "output_tokens", "at")


def price_lines(source: str, plan: str | None) -> None:
    """Print one line for each line of the file, or of standard input for "-", as it comes."""
    book, now = current_book(plan), datetime.now(UTC)
    if source == "-":
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8-sig")  # whatever the locale says
        _print(sys.stdin, book, now)
        return
    with Path(source).open(encoding="utf-8-sig") as lines:
        _print(lines, book, now)


def _print(lines: TextIO, book: PriceBook, now: datetime) -> None:
    try:
        for priced in priced_lines(lines, book, now):
            typer.echo(json.dumps(priced))  # in ASCII, which every terminal and pipe can carry
    except UnicodeDecodeError as error:
        raise InvalidRequest("jsonl", f"is not UTF-8: {error}") from None


def priced_lines(lines: Iterable[str], book: PriceBook, now: datetime) -> Iterator[dict[str, Any]]:
    """The quote or the refusal of each line, in order; an empty line is none. `line` counts from 1."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield {"line": number, **_quoted(_object(line), book, now)}
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


def _quoted(given: dict[str, Any], book: PriceBook, now: datetime) -> dict[str, Any]:
    for field in ("model_id", "provider", "api_flavour", "service_tier"):
        if given.get(field) is not None and type(given[field]) is not str:
            raise InvalidRequest(field, f"must be a text, not {cut_repr(given[field])}")
    if given.get("usage") is not None and type(given["usage"]) is not dict:
        raise InvalidRequest("usage", "must be an object of units and counts")
    asked = asked_usage(**{"model_id": None} | {field: given[field] for field in _USAGE if field in given})
    model = book.models.anywhere(asked.model_id)
    priced = quote(
        model,
        book.plan,
        creator_fee_credits=0 if given.get("creator_fee_credits") is None else given["creator_fee_credits"],
        usage=asked.usage,
        input_tokens=given.get("input_tokens"),
        output_tokens=given.get("output_tokens"),
        service_tier=asked.service_tier,
        at=_moment(given["at"]) if given.get("at") is not None else now,
    )
    model_note = book.models.note_on_response(priced.model_id, asked.model_of_response)
    return {
        "model_id": priced.model_id,
        "plan": book.plan.id,
        **({} if book.price_list is None or model.id not in book.models else {"price_list": book.price_list}),
        "inference_cost_credits": priced.inference_cost_credits,
        "creator_fee_credits": priced.creator_fee_credits,
        "platform_markup_credits": priced.platform_markup_credits,
        "total_credits": priced.total_credits,
        "creator_share_credits": priced.creator_share_credits,
        "platform_share_credits": priced.platform_share_credits,
        **({} if priced.usage is None else {"usage": dict(priced.usage)}),
        **({} if priced.service_tier is None else {"service_tier": priced.service_tier}),
        **({"unread": [*asked.unread]} if asked.unread else {}),
        **({"usage_note": book.models.note_on(priced.model_id)} if priced.is_usage_unused else {}),
        **({"model_note": model_note} if model_note else {}),
    }


def _moment(text: object) -> datetime:
    try:
        at = datetime.fromisoformat(text) if type(text) is str else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not EARLIEST <= at < LATEST:
        raise InvalidRequest(
            "at", f"must be a time with its zone, such as 2026-12-01T00:00:00Z, from 1970 to 9998, not {cut_repr(text)}"
        )
    return at
