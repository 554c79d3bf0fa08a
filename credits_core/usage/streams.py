"""A stream's events as the one response that they are; a stream without its end, and two responses, refused. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from credits_core.usage.refusals import UnreadableResponse
from credits_core.values.fields import cut_repr

_CUT = "is a stream without its end, so its counts are not final. Send all of its events"
_USAGES = ("usage", "usageMetadata")


def whole_response(response: object) -> Mapping[str, Any]:
    """The response; of a stream's events what they say together, the later ones over the earlier ones.

    Raises:
        UnreadableResponse: it is neither, the events are of two responses, or the end of the stream is missing.
    """
    events: Sequence[Any] = response if isinstance(response, list) else [response]
    if not all(isinstance(event, Mapping) for event in events):
        raise UnreadableResponse("must be the provider's JSON object, or the list of a stream's events")
    ids = {str(one): None for event in events if (one := _id_of_counts(event))}
    if len(ids) > 1:
        first, second, *_ = map(cut_repr, ids)
        raise UnreadableResponse(f"is of two runs, {first} and {second}. Send each run by itself")
    if _is_cut(events, is_stream=isinstance(response, list)):
        raise UnreadableResponse(_CUT)
    return _merged(events) if isinstance(response, list) else events[0]


def _id_of_counts(event: Mapping[str, Any]) -> object:
    """The id of the response that an event has counts of; None when it has no counts or no id."""
    for source in (event, _inner(event)):
        if any(isinstance(source.get(key), Mapping) for key in _USAGES):
            return source.get("id") or source.get("responseId") or event.get("id")
    return None


def _is_cut(events: Sequence[Mapping[str, Any]], *, is_stream: bool) -> bool:
    """Whether the counts are not the last: Anthropic's first event has some, and each event of some other streams."""
    if any(map(_begins, events)) and not any(
        event.get("type") == "message_delta" and isinstance(event.get("usage"), Mapping) for event in events
    ):
        return True
    if not any(True for _ in _answers(events[-1:])):
        return False  # the counts came alone, and at the end
    reasons = [
        answer.get("finish_reason", answer.get("finishReason"))
        for answer in _answers(events)
        if is_stream or "finish_reason" in answer
    ]
    return bool(reasons) and not any(reasons)


def _begins(event: Mapping[str, Any]) -> bool:
    """Whether an event is the first of Anthropic's, or the message in it."""
    return event.get("type") == "message_start" or (
        event.get("type") == "message" and event.get("stop_reason", event) is None
    )


def _answers(events: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for event in events:
        for key in ("choices", "candidates"):
            answers = event.get(key)
            if isinstance(answers, list):
                yield from (answer for answer in answers if isinstance(answer, Mapping))


def _inner(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((event[key] for key in ("message", "response") if isinstance(event.get(key), Mapping)), {})


def _merged(events: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    merged: dict[str, Any] = {}
    for event in events:
        for source in (event, _inner(event)):
            for key, found in source.items():
                if isinstance(found, Mapping) and isinstance(merged.get(key), Mapping):
                    merged[key] = {**merged[key], **{name: one for name, one in found.items() if one is not None}}
                elif found is not None or key not in merged:
                    merged[key] = found
    return merged
