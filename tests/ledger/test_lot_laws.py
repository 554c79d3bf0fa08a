"""Whatever a user does, lots and holds are those of an independent model, which knows nothing of the ledger's code.

The model keeps single credits: each is a token with its lot. It spends, holds and gives back tokens.
"""

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.errors import CreditsError
from credits_core.ledger import expiring, lot_rows
from credits_core.ledger.requests import CaptureRequest, HoldRequest
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support import holding, world
from tests.support.actors import TESTER
from tests.support.plain_sql import contradictions
from tests.support.world import NOW

_examples = itertools.count()
_SOURCES = (CreditSource.GRANT, CreditSource.ADJUSTMENT, CreditSource.PURCHASE)
_RUN_CREDITS = 300  # claude-3-haiku
_STEP = st.tuples(
    st.sampled_from(
        ["add", "add", "run", "run", "hold", "capture", "release", "refund", "part", "part", "job", "wait"]
    ),
    st.integers(0, 5),
    st.integers(0, 5),
)


@dataclass
class Model:
    """A user's credits as a list of lots with their tokens; all that is known of holds and payments."""

    left: Counter[int] = field(default_factory=Counter)
    terms: dict[int, tuple[datetime, int, int]] = field(default_factory=dict)
    held: dict[int, tuple[Counter[int], datetime]] = field(default_factory=dict)
    paid: dict[int, Counter[int]] = field(default_factory=dict)
    back: defaultdict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, entry_id: int, source: int, credits: int, expires_at: datetime | None) -> None:
        self.terms[entry_id] = (expires_at or datetime.max.replace(tzinfo=NOW.tzinfo), source, entry_id)
        self.left[entry_id] += credits

    def forget(self, now: datetime) -> None:
        for lot in [lot for lot in self.left if self.terms[lot][0] <= now]:
            del self.left[lot]

    def take(self, credits: int, now: datetime) -> Counter[int] | None:
        """The tokens in the order of the rule, one by one; None when there are too few that are in time."""
        alive = sorted((lot for lot in self.left.elements() if self.terms[lot][0] > now), key=self.terms.__getitem__)
        if len(alive) < credits:
            return None
        taken = Counter(alive[:credits])
        self.left -= taken
        return taken


def _spend(model: Model, credits: int, now: datetime) -> Counter[int] | None:
    taken = model.take(credits, now)
    if taken is None:  # holds whose time is over come back, if that helps
        over = {hold: tokens for hold, (tokens, until) in model.held.items() if until <= now}
        alive = sum(count for lot, count in model.left.items() if model.terms[lot][0] > now)
        if sum(tokens.total() for tokens in over.values()) < credits - alive:
            return None
        for tokens in over.values():
            model.left += tokens
        taken = model.take(credits, now)
        if taken is None:  # too much of it is over by now: nothing has happened
            for tokens in over.values():
                model.left -= tokens
            return None
        for hold in over:
            del model.held[hold]
    if taken is not None:
        model.forget(now)
    return taken


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(  # a hold that drew on three lots is captured for less: the soonest expiry pays first
    steps=[
        *(("wait", 2, 1), ("add", 4, 5), ("add", 4, 0), ("run", 2, 3), ("hold", 4, 1)),
        *(("run", 5, 0), ("job", 2, 2), ("capture", 0, 2), ("hold", 1, 3), ("run", 3, 3)),
    ]
)
@given(steps=st.lists(_STEP, max_size=18))
def test_lots_and_holds_are_those_of_an_independent_model(engine: Engine, steps: list[tuple[str, int, int]]) -> None:
    user, model, now = f"u{next(_examples)}", Model(), NOW
    first = world.add(engine, user, 100, key=f"{user}-first", source=CreditSource.GRANT, reason="Begin")
    model.add(first.entry_id, 0, 100, None)
    made: list[int] = []
    for number, (kind, one, other) in enumerate(steps):
        key = f"{user}-{number}"
        if kind == "wait":
            now += timedelta(minutes=7 * one)
        elif kind == "add":
            expires_at = None if other > 3 else now + timedelta(minutes=10 * (other + 1))
            credits, source = 150 * (one + 1), one % 3
            entry = world.add(
                engine, user, credits, key=key, source=_SOURCES[source], reason="R", expires_at=expires_at, now=now
            ).entry_id
            model.add(entry, source, credits, expires_at)
        elif kind == "run":
            taken = _spend(model, _RUN_CREDITS, now)
            entry_id = _done(lambda: world.charge(engine, world.run_by(user), key=key, now=now).entry_id)  # noqa: B023
            assert (entry_id is None) == (taken is None)
            if entry_id is not None and taken is not None:
                model.paid[entry_id] = taken
        elif kind == "hold":
            credits = 200 + 100 * one
            taken = _spend(model, credits, now)
            request = HoldRequest(user, "p", "claude-3-haiku", asked_credits=credits, lasts=timedelta(minutes=5))
            hold_id = _done(lambda: holding.authorise(engine, request, key=key, now=now).hold.id)  # noqa: B023
            assert (hold_id is None) == (taken is None)
            if hold_id is not None and taken is not None:
                model.held[hold_id] = taken, now + timedelta(minutes=5)
                made.append(hold_id)
        elif kind in ("capture", "release") and made:
            _end(engine, model, made[one % len(made)], kind, key, now)
        elif kind == "refund" and model.paid:
            entry_id = sorted(model.paid)[one % len(model.paid)]
            if _done(lambda: world.refund(engine, entry_id, key=key, now=now).entry_id) is not None:  # noqa: B023
                model.forget(now)
                model.left += model.paid.pop(entry_id) - model.back[entry_id]
        elif kind == "part" and model.paid:
            entry_id = sorted(model.paid)[one % len(model.paid)]
            asked = 50 * other + 1
            back = Counter(_last_drawn(model, entry_id)[:asked])
            done = _done(lambda: world.refund(engine, entry_id, amount_credits=asked, key=key, now=now).entry_id)  # noqa: B023
            assert (done is None) == (back.total() < asked)
            if done is not None:
                model.forget(now)
                model.left += back
                model.back[entry_id] += back
                if model.back[entry_id].total() == _RUN_CREDITS:
                    del model.paid[entry_id]
        elif kind == "job":
            database.write(engine, lambda c: expiring.expire_lots(c, now=now, actor=TESTER, limit=1_000))  # noqa: B023
            holding.expire(engine, now=now, limit=1_000)
            model.forget(now)
            for hold in [hold for hold, (_, until) in model.held.items() if until <= now]:
                model.left += model.held.pop(hold)[0]
            model.forget(now)
        _compare(engine, user, model, now)
    assert contradictions(engine) == []
    assert [str(found) for found in invariants.check(engine, world.price_book().plans) if not found.ok] == []


def _last_drawn(model: Model, entry_id: int) -> list[int]:
    """What is left to refund of a run, token by token: the lot that would be drawn last comes first."""
    tokens = model.paid[entry_id] - model.back[entry_id]
    return sorted(tokens.elements(), key=model.terms.__getitem__, reverse=True)


def _end(engine: Engine, model: Model, hold_id: int, kind: str, key: str, now: datetime) -> None:
    is_open = hold_id in model.held and model.held[hold_id][1] > now
    if kind == "release":
        done = _done(lambda: holding.release(engine, hold_id, key=key, now=now).hold.id)
        assert (done is not None) == is_open
        if is_open:
            model.left += model.held.pop(hold_id)[0]
            model.forget(now)
        return
    enough = is_open and model.held[hold_id][0].total() >= _RUN_CREDITS
    run = _done(lambda: holding.capture(engine, hold_id, CaptureRequest(), key=key, now=now).receipt.entry_id)
    assert (run is not None) == enough
    if run is not None:
        tokens = model.held.pop(hold_id)[0]
        in_order = sorted(tokens.elements(), key=model.terms.__getitem__)
        model.paid[run] = Counter(in_order[:_RUN_CREDITS])
        model.left += tokens - model.paid[run]
        model.forget(now)


def _done(action: object) -> int | None:
    try:
        return action()  # type: ignore[operator,no-any-return]
    except CreditsError:
        return None


def _compare(engine: Engine, user: str, model: Model, now: datetime) -> None:
    with database.read(engine) as connection:
        found = {lot.number: lot.left_credits for lot in lot_rows.lots_of(connection, user)}
        for entry_id, tokens in model.paid.items():
            assert dict(lot_rows.drawn_by(connection, user, entry_id)) == dict(tokens)
    alive = {lot: count for lot, count in model.left.items() if count and model.terms[lot][0] > now}
    overdue = {lot for lot in found if model.terms[lot][0] <= now}
    assert {lot: count for lot, count in found.items() if lot not in overdue} == alive
    holds = Counter(tokens.total() for tokens, _ in model.held.values())
    held = sum(credits * count for credits, count in holds.items())
    assert (holding.held(engine, user) if holds or _has_part(engine, user) else 0) == held


def _has_part(engine: Engine, user: str) -> bool:
    with database.read(engine) as connection:
        sql = "SELECT COUNT(*) FROM user_parts WHERE user_id = "
        return bool(connection.exec_driver_sql(f"{sql}'{user}'").scalar_one())
