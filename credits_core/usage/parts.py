"""Puts the token counts of a log into a usage: which are in the input or output, and which beside them. Pure.

Logs of one program list cached and reasoning tokens inside the input and output, and those of another beside them. The
row's own total tells which; without it, somebody has to say it.
"""

from collections.abc import Mapping

from credits_core.errors import InvalidRequest
from credits_core.pricing.units import GENERAL, Usage, parse_usage
from credits_core.usage.forms import BadCell, Forms, Question


def usage_of(counts: Mapping[str, int], column: str) -> Usage:
    """The usage with these counts, without the empty ones. Parts are counted in what they are part of.

    Raises:
        BadCell: a part is larger than what it is part of, or given without it.
    """
    given = {key: count for key, count in counts.items() if count}
    for key in given:
        if key not in ("input_tokens", "output_tokens") and not given.keys() >= GENERAL[key] & {
            "input_tokens",
            "output_tokens",
        }:
            general = min(GENERAL[key] & {"input_tokens", "output_tokens"})
            raise BadCell(f"has {given[key]:,} {key}, and {general} is 0", column=column)
    try:
        return parse_usage(given)
    except InvalidRequest as refusal:
        raise BadCell(f"{refusal.field.removeprefix('usage.')} {refusal.problem}", column=column) from None


def with_parts(counts: Mapping[str, int], *, total: int | None, forms: Forms, column: str) -> Usage:
    """The usage of a row whose parts may be listed inside the input and output, or beside them.

    `counts` has `input_tokens`, `output_tokens` and parts of both. The total is what the row says that all of them are.

    Raises:
        BadCell: neither reading makes the total, both do or there is none, and nobody has said which it is.

    >>> with_parts({"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 80}, total=200, forms=Forms(),
    ...     column="usageDetails")
    (('input_tokens', 180), ('output_tokens', 20), ('cache_read_tokens', 80))
    """
    sides = {
        side: sum(count for key, count in counts.items() if side in GENERAL[key] and _is_counted(key, counts))
        for side in ("input_tokens", "output_tokens")
    }
    plain = {side: counts.get(side, 0) for side in sides}
    if not any(sides.values()):
        return usage_of(counts, column)
    options = [
        {
            side: plain[side] + (sides[side] if is_outside else 0)
            for side, is_outside in zip(sides, outside, strict=True)
        }
        for outside in ((False, False), (True, True), (False, True), (True, False))
    ]
    fitting = [one for one in options if total is None or sum(one.values()) == total]
    fitting = [one for one in fitting if all(one[side] >= sides[side] for side in sides)]
    distinct = [one for place, one in enumerate(fitting) if one not in fitting[:place]]
    if len(distinct) == 1:
        forms.told["inside"] += distinct[0] == options[0]
        forms.told["outside"] += distinct[0] == options[1]
        return usage_of({**counts, **distinct[0]}, column)
    answer = forms.answer(Question.PARTS)
    if answer is not None:
        chosen = options[0] if answer == "inside" else options[1]
        if total is None or sum(chosen.values()) == total or total == sum(plain.values()):
            return usage_of({**counts, **chosen}, column)
    parts = ", ".join(f"{key} {count:,}" for key, count in counts.items() if count and key not in sides)
    if total is not None and not distinct:
        both = " + ".join(f"{count:,}" for count in plain.values())
        raise BadCell(f"total {total:,} is neither input + output, {both}, nor that with {parts}", column=column)
    raise BadCell(
        f"{parts}: may be counted in input and output, or beside them; say which",
        question=Question.PARTS,
        column=column,
    )


def _is_counted(key: str, counts: Mapping[str, int]) -> bool:
    """Whether a part is not a part of another one that is there, so that it is added only once."""
    return not any(other in counts for other in GENERAL[key] - {"input_tokens", "output_tokens"})
