"""Actions that the walk through all roles carries out: those of files, and those about proposals."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine

from credits_core.access import proposals
from credits_core.access.proposed import AddCredits, MakePlanLive, ProposedChange
from credits_core.bulk import batch, batch_refund, opening_balances, replay
from credits_core.ledger import holds
from credits_core.ledger.requests import ChargeRequest, HoldRequest
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
        return proposals.approve(connection, made.number, book_at=lambda _: BOOK, now=NOW, actor=actor)

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


def holding(connection: Connection, actor: Actor, user_id: str) -> object:
    request = HoldRequest(user_id, "summarise", "claude-3-haiku", asked_credits=300)
    return holds.authorise(connection, request, book=BOOK, key="walk", now=NOW, actor=actor)


def _held(connection: Connection, user_id: str) -> int:
    request = HoldRequest(user_id, "summarise", "claude-3-haiku", asked_credits=300)
    return holds.authorise(connection, request, book=BOOK, key="hold", now=NOW, actor=TESTER).hold.id


def capturing(connection: Connection, actor: Actor, user_id: str) -> object:
    hold_id = _held(connection, user_id)
    return holds.capture(connection, hold_id, None, book=BOOK, key="walk", now=NOW, actor=actor)


def releasing(connection: Connection, actor: Actor, user_id: str) -> object:
    return holds.release(connection, _held(connection, user_id), key="walk", now=NOW, actor=actor)


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


def _run(user_id: str) -> ChargeRequest:
    return ChargeRequest(user_id, "summarise", "claude-3-haiku")


def batch_of_two(connection: Connection, actor: Actor, user_id: str) -> object:
    summary = batch.charge_piece(
        connection,
        batch.Batch(_run(user_id), 2),
        before=batch.Summary(),
        book=BOOK,
        key="walk",
        now=NOW,
        actor=actor,
    )
    for refused in summary.refused.values():
        raise refused.first
    return summary


def batch_back(connection: Connection, actor: Actor, user_id: str) -> object:
    back = batch_refund.refund_piece(
        connection,
        batch.Batch(_run(user_id), 1),
        before=batch_refund.BatchRefund(),
        key=f"batch-{user_id}",
        reason="Mistake",
        book=BOOK,
        now=NOW,
        actor=actor,
    )
    for refused in back.refused.values():
        raise refused.first
    return back
