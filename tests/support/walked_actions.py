"""Actions that the walk through all roles carries out: those of files, and those about proposals."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine

from credits_core.access import proposals
from credits_core.access.proposed import AddCredits, MakePlanLive, ProposedChange
from credits_core.bulk import opening_balances, replay
from credits_core.operations import watch_findings
from credits_core.operations.watch_decide import Found
from credits_core.operations.watch_rules import WatchRule
from credits_core.store.kinds import CreditSource
from credits_core.values.progress import finish
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import Actor
from tests.support import world
from tests.support.actors import TESTER
from tests.support.world import NOW

BOOK = world.price_book()
PLAN_LIVE = MakePlanLive("plan-2", 1)
GRANT = AddCredits("ada", 20_000_000, CreditSource.GRANT)


def propose(change: ProposedChange) -> Callable[[Connection, Actor], object]:
    return lambda c, actor: proposals.propose(c, change, reason="Because", now=NOW, actor=actor)


def approve(change: ProposedChange) -> Callable[[Connection, Actor], object]:
    def approved(connection: Connection, actor: Actor) -> object:
        made = proposals.propose(connection, change, reason="Because", now=NOW, actor=TESTER)
        return proposals.approve(connection, made.number, book=BOOK, now=NOW, actor=actor)

    return approved


def decline(change: ProposedChange) -> Callable[[Connection, Actor], object]:
    def declined(connection: Connection, actor: Actor) -> object:
        made = proposals.propose(connection, change, reason="Because", now=NOW, actor=TESTER)
        return proposals.decline(connection, made.number, reason="No", now=NOW, actor=actor)

    return declined


def look_at(connection: Connection, actor: Actor) -> object:
    found = Found(WatchRule.SPENDING, "ada", 1, {"spent_credits": 5, "largest_day_credits": 1})
    watch_findings.keep(connection, found, 1, now=NOW)
    (kept,) = watch_findings.findings(connection, is_waiting=True)
    return watch_findings.look_at(connection, kept.number, note="Fine", now=NOW, actor=actor)


def legacy(engine: Engine, actor: Actor, folder: Path) -> object:
    path = folder / "legacy.csv"
    path.write_text("user_id,credits\nada,5\n", encoding="utf-8")
    return opening_balances.import_legacy(engine, path, now=NOW, actor=actor)


def importing(engine: Engine, actor: Actor, folder: Path) -> object:
    path = folder / "legacy.csv"
    path.write_text("user_id,credits\nada,5\n", encoding="utf-8")
    return finish(opening_balances.importing(engine, path, now=NOW, actor=actor))


def replaying(user_id: str) -> Callable[[Engine, Actor, Path], object]:
    def replayed(engine: Engine, actor: Actor, folder: Path) -> object:
        path = folder / "log.csv"
        path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-02-01 00:00:00,10,10\n", encoding="utf-8")
        plan = replay.plan_replay(engine, path, user_id=user_id, model_id="openai/gpt-4o", book=BOOK, now=NOW)
        try:
            return replay.replay(engine, plan, book_at=lambda _: BOOK, clock=lambda: NOW, actor=actor)
        except replay.ReplayStopped as stopped:
            if "may not" in str(stopped):
                raise NotAllowed(actor.recorded, "charge", ()) from stopped
            raise

    return replayed
