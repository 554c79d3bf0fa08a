"""What an examination of an installation says: how something is, in a sentence, and what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from credits_core.values.text import counted


class Verdict(StrEnum):
    """How something is. `WARNING` works today and may not tomorrow; `WRONG` does not work, or is not safe."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Examined:
    """What an examination found. `to_do` is empty where nothing is to be done."""

    subject: str
    verdict: Verdict
    said: str
    to_do: str = ""


Findings = Iterator[tuple[Verdict, str, str]]
Now = Callable[[], datetime]


def ago(age: timedelta) -> str:
    """How long ago, in the largest unit that is not zero.

    >>> [ago(timedelta(**{unit: 2})) for unit in ("seconds", "minutes", "hours", "days")]
    ['a moment ago', '2 minutes ago', '2 hours ago', '2 days ago']
    """
    for unit, of in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if age >= of:
            return f"{counted(age // of, unit)} ago"
    return "a moment ago"
