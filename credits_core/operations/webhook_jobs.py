"""What the job for webhooks does: tells other systems what happened, for most of a minute, and then ends."""

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from credits_core import settings
from credits_core.notices import endpoints, journal, low_balance, sending
from credits_core.notices.digest import Message
from credits_core.notices.endpoints import Endpoint
from credits_core.notices.sender import Sender
from credits_core.operations.refusals import JobFailed, LeaseLost
from credits_core.operations.surroundings import Surroundings
from credits_core.store import database
from credits_core.values.progress import Progress, Work
from credits_core.values.text import counted

SECONDS = 40
_BETWEEN_LOOKS_SECONDS = 1


def tell(around: Surroundings, *, seconds: float = SECONDS) -> Work[str]:
    """Tell every endpoint what is due for so many seconds; end at once where there is none.

    Raises:
        LeaseLost: another process may tell them now.
        JobFailed: an endpoint could not be told for a reason of ours, such as a database out of reach; or one is
            disabled, so that the alert about jobs tells somebody.
    """
    look_at_balances(around.engine, now=around.clock())
    sender = Sender(around.engine, clock=around.clock, listed=settings.webhook_hosts())
    began, told = time.monotonic(), 0
    try:
        while not sender.failures and (told := sender.look()) and time.monotonic() - began < seconds:
            look_at_balances(around.engine, now=around.clock())
            yield Progress(min(int(time.monotonic() - began), SECONDS), SECONDS)
            time.sleep(_BETWEEN_LOOKS_SECONDS)
    finally:
        sender.close()
    if sender.failures:
        if isinstance(sender.failures[0], LeaseLost):
            raise sender.failures[0]
        raise JobFailed(f"An endpoint could not be told: {sender.failures[0]}") from sender.failures[0]
    if (disabled := _disabled(around)) is not None:
        because = f"Endpoint {disabled.id} is disabled: {disabled.disabled_because}"
        raise JobFailed(f"{because} Enable or remove it on Webhooks. All others were told.")
    if not told and not sender.taken and not sender.failed:
        return "Nothing was waiting."
    failed = f", {sender.failed:,} failed" if sender.failed else ""
    return f"{counted(sender.taken, 'event')} taken{failed}."


def _disabled(around: Surroundings) -> Endpoint | None:
    """An endpoint that is disabled, and so is told nothing."""
    with database.read(around.engine) as connection:
        found = endpoints.endpoints(connection, now=around.clock())
    return next((one for one in found if one.disabled_at is not None), None)


def look_at_balances(engine: Engine, *, now: datetime, send: Callable[[Message], int] | None = None) -> int:
    """Write down who fell below a level, tell the operators, and return of how many they were told.

    Where addresses are set and none took the message, they are told again after a pause that grows; where none is set,
    never.
    """
    with database.read(engine) as connection:
        is_asked = low_balance.is_any(connection)
    up_to = journal.settled(engine) if is_asked else None
    if up_to is None:
        return 0
    while database.write(engine, lambda connection: low_balance.look(connection, up_to)):
        pass
    with database.read(engine) as connection:
        last, sentences = low_balance.untold(connection, now=now)
    if not sentences:
        if last:
            database.write(engine, lambda connection: low_balance.mark_told(connection, last))
        return 0
    urls = settings.notify_urls()
    send = send or (lambda message: sending.send(message, urls) if urls else 1)
    title = f"PromptFlow credits: {counted(len(sentences), 'low balance')}"
    if not send(Message(title, "\n".join(sentences))):
        database.write(engine, lambda connection: low_balance.mark_failed(connection, now=now))
        return 0
    database.write(engine, lambda connection: low_balance.mark_told(connection, last))
    return len(sentences)
