"""What every page needs and no page may make itself: the engine, the price book, the demo world, and one action.

An action is one unit of work with one idempotency key. The key is made before the button is shown and kept until the
person asks for a new action, so a second click, even one that Streamlit runs in parallel, replays the first receipt. No
`st.*` call stands inside a unit of work, because Streamlit may end a run at any of them.
"""

import logging
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

import streamlit as st
from sqlalchemy import Connection, Engine

from credits_core import database, rollup, seed, settings
from credits_core.errors import CreditsError
from credits_core.pricing import PriceBook
from credits_core.seed import DemoWorld

ACTOR = "dashboard"
_log = logging.getLogger("promptflow.dashboard")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Performed(Generic[Result]):
    """The outcome of an action: a result or a refusal, and whether the very same action had been carried out before."""

    request: object
    result: Result | None
    refusal: CreditsError | None
    repeated: bool


@st.cache_resource(show_spinner="Preparing the database…")
def engine() -> Engine:
    """The engine of the configured database, made ready on first use (SQLite is migrated and seeded)."""
    opened = database.create_engine_for(settings.database_url())
    seed.prepare(opened, book(), demo=settings.demo_enabled())
    return opened


@st.cache_resource
def book() -> PriceBook:
    """The models and price plans, read once per process."""
    return settings.load_price_book()


@st.cache_resource
def demo() -> DemoWorld | None:
    """The demo world's prompts and flows to choose from, or None when the demo is off."""
    return seed.load_demo_world() if settings.demo_enabled() else None


def reading() -> AbstractContextManager[Connection]:
    """A connection for reading, one consistent snapshot for everything a page shows."""
    return database.read(engine())


@st.cache_data(ttl=60, show_spinner=False)
def keep_totals_quick() -> None:
    """Let the daily totals catch up, at most once a minute; totals are exact without it, only slower."""
    rollup.catch_up(engine())


def perform(name: str, request: object, action: Callable[[Connection, str, datetime], Result]) -> Performed[Result]:
    """Carry out an action and keep its outcome under `name` for the reruns that follow; `performed` returns it.

    The same request again, before `start_over`, has the same key and is not carried out twice. Another request is a new
    action with a key of its own. `action` receives the connection of its unit of work, the key and the time.
    """
    slot = f"{name}:key"
    key, asked = st.session_state.get(slot) or (_new_key(), None)
    if asked is not None and asked != request:
        key = _new_key()
    previous = st.session_state.get(f"{name}:outcome")
    st.session_state[slot] = (key, request)
    now = datetime.now(UTC)
    result, refusal = None, None
    try:
        result = database.write(engine(), lambda connection: action(connection, key, now))
    except CreditsError as error:
        refusal = error
        _log.info("refused %s: %s", name, error)
    repeated = previous is not None and previous.request == request and previous.refusal is None and refusal is None
    outcome = Performed(request, result, refusal, repeated)
    st.session_state[f"{name}:outcome"] = outcome
    return outcome


def performed(name: str) -> Performed[object] | None:
    """The last outcome of the action, until `start_over`."""
    outcome: Performed[object] | None = st.session_state.get(f"{name}:outcome")
    return outcome


def prepare_key(name: str) -> None:
    """Make the action's key before its button is shown, so that two quick clicks share it."""
    st.session_state.setdefault(f"{name}:key", (_new_key(), None))


def start_over(name: str) -> None:
    """Forget the outcome and the key: what follows is a new action. Meant as an `on_click` callback."""
    st.session_state[f"{name}:key"] = (_new_key(), None)
    st.session_state.pop(f"{name}:outcome", None)


def _new_key() -> str:
    return f"dashboard:{uuid.uuid4()}"
