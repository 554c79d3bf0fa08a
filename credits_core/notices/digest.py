"""Puts what is to be told into one message: each fault once, and its end once. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Told:
    """One fault to tell of: since when it is there, and when it ended, None while it lasts. `said` is one sentence."""

    name: str
    said: str
    since: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to every address, as plain text."""

    title: str
    body: str


def digest(faults: Sequence[Told]) -> Message | None:
    """One message about all of them: what is wrong now, then what is over; None when there is nothing to tell.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> print(digest([Told("NoLeader", "No process runs the jobs.", noon)]).title)
    PromptFlow credits: 1 wrong
    """
    wrong = [one for one in faults if one.ended_at is None]
    over = [(one, one.ended_at) for one in faults if one.ended_at is not None]
    if not faults:
        return None
    counts = [f"{len(those)} {word}" for those, word in ((wrong, "wrong"), (over, "over")) if those]
    lines = [f"WRONG since {_text(one.since)}: {one.said} ({one.name} in docs/runbook.md)" for one in wrong]
    lines += [f"OVER since {_text(ended_at)}: {one.said} It began {_text(one.since)}." for one, ended_at in over]
    return Message(f"PromptFlow credits: {', '.join(counts)}", "\n".join(lines))


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
