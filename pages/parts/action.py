"""Carries out one action of a person and keeps its outcome, so that nothing is charged twice.

An action is one thing a person asks for: one idempotency key, and one unit of work or, for many runs, a row of them.
The key is made before the button is shown and kept until the person asks for a new action. A quick second click makes
Streamlit start a second run of the page beside the first, and the first one ends at its next `st.*` call, after its
unit of work or before it. Therefore:

- No `st.*` call stands inside a unit of work.
- Key and outcome are attributes of an object that the session holds. Setting one is not an `st.*` call, as setting
  something in `st.session_state` is, so an outcome is never lost between the commit and the page.
- Whoever reads or carries out the action waits for the lock, so the second run finds what the first one did.

The unique key in the database stands behind all this: whatever happens here, nothing is charged twice.
"""

import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Generic, TypeVar

import streamlit as st
from sqlalchemy import Connection, Engine

from credits_core import settings
from credits_core.bulk import pieces
from credits_core.errors import CreditsError
from credits_core.store import database, deadline
from credits_core.store.refusals import Unavailable
from credits_core.values.roles import Actor
from pages.parts import who
from pages.parts.resources import engine

_log = logging.getLogger("promptflow.dashboard")
Result = TypeVar("Result")
LONG_SECONDS = 300
"""How long an action may take that does much in one unit of work."""


@dataclass(frozen=True, slots=True)
class Performed(Generic[Result]):
    """What became of an action: a result or a refusal, and whether all of it has been carried out.

    `repeated` is true when the very same action was asked for again after it had been carried out. `key` is the
    idempotency key that it was asked for with.
    """

    request: Any
    key: str
    result: Result | None
    refusal: CreditsError | None
    is_whole: bool
    repeated: bool = False


def _new_key() -> str:
    return f"dashboard:{uuid.uuid4()}"


@dataclass(slots=True)
class _Action:
    key: str = field(default_factory=_new_key)
    asked: object = None
    outcome: Performed[Any] | None = None
    lock: Lock = field(default_factory=Lock)


def perform(
    name: str,
    request: object,
    action: Callable[[Connection, str, datetime, Actor], Result],
    *,
    seconds: int | None = None,
) -> Performed[Result]:
    """Carry out an action and keep its outcome under `name` for the reruns that follow; `performed` returns it.

    The same request again, before `start_over`, is not carried out again: its outcome comes back, marked as repeated,
    unless it was refused. Another request is a new action with a key of its own. `action` receives the connection of
    its unit of work, the key, the time and who acts. It may take `CREDITS_DEADLINE_SECONDS`, or as many as `seconds`.
    """
    (outcome,) = perform_in_pieces(
        name,
        request,
        lambda connection, key, now, actor, _before: action(connection, key, now, actor),
        is_whole=lambda _: True,
        seconds=seconds,
    )
    return outcome


def perform_in_pieces(
    name: str,
    request: object,
    action: Callable[[Connection, str, datetime, Actor, Result | None], Result],
    *,
    is_whole: Callable[[Result], bool],
    seconds: int | None = None,
) -> Iterator[Performed[Result]]:
    """Carry out an action that is too long for one unit of work, and give its outcome after each of its pieces.

    `action` also receives the result of the pieces before (None at first), and returns the result with this piece in
    it; `is_whole` tells whether that was the last one. A run that is ended between two pieces leaves the outcome so
    far; asking for the same request again goes on after the last piece that was carried out. `seconds` as for
    `perform`, for each piece.
    """
    opened, current = engine(), _action(name)
    within = seconds or settings.deadline_seconds()
    with pieces.undisturbed():
        while True:
            with current.lock, deadline.within(within):
                outcome = _carry_on(opened, current, request, action, is_whole)
            yield outcome
            if outcome.is_whole or outcome.refusal is not None:
                return
            pieces.pause()


def _carry_on(
    opened: Engine,
    current: _Action,
    request: object,
    action: Callable[[Connection, str, datetime, Actor, Result | None], Result],
    is_whole: Callable[[Result], bool],
) -> Performed[Result]:
    if current.asked is not None and current.asked != request:
        current.key, current.outcome = _new_key(), None
    current.asked = request
    before = current.outcome or Performed(request, current.key, None, None, is_whole=False)
    if before.is_whole:
        current.outcome = replace(before, repeated=True)
        return current.outcome
    now, actor = datetime.now(UTC), who.actor()
    try:
        result = database.write(opened, lambda connection: action(connection, current.key, now, actor, before.result))
        current.outcome = Performed(request, current.key, result, None, is_whole=is_whole(result))
    except CreditsError as refusal:
        _log.info("refused", extra={"code": refusal.code, "refusal": str(refusal), "actor": actor.recorded})
        current.outcome = replace(before, refusal=refusal)
    except database.FAILURES as error:
        if not database.is_out_of_reach(error):
            raise
        _log.error("the database does not answer", exc_info=error)
        current.outcome = replace(before, refusal=Unavailable())
    return current.outcome


def performed(name: str) -> Performed[Any] | None:
    """The last outcome of the action, until `start_over`; waits for a unit of work of it that is under way.

    Also makes the action's key: call it before the button is shown, so that two quick clicks share the key.
    """
    current = _action(name)
    with current.lock:
        return current.outcome


def has_result(name: str) -> bool:
    """Whether the action has been carried out, wholly or in part, since `start_over`."""
    outcome = performed(name)
    return outcome is not None and outcome.result is not None


def start_over(name: str) -> None:
    """Forget the outcome and the key: what follows is a new action. Meant as an `on_click` callback."""
    st.session_state[f"{name}:action"] = _Action()


def forget_refusal(name: str) -> None:
    """Forget why the action was refused, when something has changed since; its key and what was done stay."""
    current = _action(name)
    with current.lock:
        if current.outcome is not None:
            current.outcome = replace(current.outcome, refusal=None) if current.outcome.result is not None else None


def _action(name: str) -> _Action:
    slot = f"{name}:action"
    if slot not in st.session_state:
        st.session_state[slot] = _Action()
    action: _Action = st.session_state[slot]
    return action
