"""Which lots an entry took from and gave to: of users whose lots are stored and of all others. Both databases."""

from datetime import timedelta

from sqlalchemy import Engine, text

from credits_core.audit import invariants
from credits_core.ledger import entries, entry_lots
from credits_core.ledger.entry_lots import LotPart
from credits_core.ledger.lots import LotSource
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import CreditSource, Happened
from tests.support import paying, plain_sql, world
from tests.support.paying import WITH_BONUS, event
from tests.support.world import HAIKU, HAIKU_WITH_FEE, NOW

NEXT_WEEK = NOW + timedelta(days=7)


def _lots(engine: Engine, entry_id: int, user_id: str = "ada", **bound: int) -> list[LotPart] | None:
    with database.read(engine) as connection:
        return entry_lots.lots_of(connection, entry_id, user_id, **bound)


def test_a_run_is_paid_by_the_grant_first_and_then_by_the_purchase(engine: Engine) -> None:
    grant = world.add(engine, "ada", 100, key="g", source=CreditSource.GRANT, reason="Hello").entry_id
    paying.buy(engine)
    paying.tell(engine, event(Happened.PAID))
    run = world.charge(engine, HAIKU, key="run").entry_id  # 300 credits
    assert _lots(engine, run) == [
        LotPart(grant, LotSource.GRANT, None, None, -100),
        LotPart(grant + 1, LotSource.PURCHASE, None, 1, -200),
    ]


def test_the_same_is_said_once_the_lots_are_stored_also_of_runs_from_before(engine: Engine) -> None:
    paying.buy(engine, pack=WITH_BONUS)
    paying.tell(engine, event(Happened.PAID))
    before = world.charge(engine, HAIKU, key="before").entry_id
    soon = world.add(engine, "ada", 50, key="soon", expires_at=NEXT_WEEK).entry_id
    after = world.charge(engine, HAIKU, key="after").entry_id
    assert _lots(engine, before) == [
        LotPart(2, LotSource.BONUS, None, 1, -100),
        LotPart(1, LotSource.PURCHASE, None, 1, -200),
    ]
    assert _lots(engine, after) == [
        LotPart(soon, LotSource.PURCHASE, NEXT_WEEK, None, -50),
        LotPart(1, LotSource.PURCHASE, None, 1, -250),
    ]


def test_what_an_entry_adds_is_the_lot_with_its_expiry_and_a_share_is_earned(engine: Engine) -> None:
    soon = world.add(engine, "ada", 5_000, key="soon", expires_at=NEXT_WEEK).entry_id
    assert _lots(engine, soon) == [LotPart(soon, LotSource.PURCHASE, NEXT_WEEK, None, 5_000)]
    run = world.charge(engine, HAIKU_WITH_FEE, key="fee").entry_id  # of 1,001, ben gets 800
    assert _lots(engine, run, "ben") == [LotPart(None, LotSource.EARNED, None, None, 800)]
    refund = world.refund(engine, run, key="refund").entry_id
    assert _lots(engine, refund) == [LotPart(soon, LotSource.PURCHASE, NEXT_WEEK, None, 1_251)]
    assert _lots(engine, refund, "ben") == [LotPart(None, LotSource.EARNED, None, None, -800)]


def test_an_entry_of_somebody_else_moves_none_of_ones_lots(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="a")
    other = world.add(engine, "ben", 1_000, key="b").entry_id
    assert _lots(engine, other) == []


def test_nothing_is_said_where_more_movements_would_have_to_be_read(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="a")
    first = world.charge(engine, HAIKU, key="1").entry_id
    second = world.charge(engine, HAIKU, key="2").entry_id
    assert _lots(engine, first, most=2) == [LotPart(1, LotSource.PURCHASE, None, None, -300)]
    assert _lots(engine, second, most=2) is None


def test_whoever_paid_is_the_first_user_in_an_entry_and_nobody_else(engine: Engine) -> None:
    world.add(engine, "ada", 5_000, key="a")
    run = world.charge(engine, HAIKU_WITH_FEE, key="fee").entry_id
    with database.read(engine) as connection:
        assert entry_lots.payer_of(entries.receipt(connection, run, plans={})) == "ada"


def test_a_stored_lot_that_is_missing_is_a_finding_of_the_audit_and_no_failure_here(
    engine: Engine, book: PriceBook
) -> None:
    soon = world.add(engine, "ada", 5_000, key="soon", expires_at=NEXT_WEEK).entry_id
    run = world.charge(engine, HAIKU, key="run").entry_id
    with plain_sql.unguarded(engine) as connection:
        connection.execute(text("DELETE FROM lots WHERE number = :soon"), {"soon": soon})
    assert _lots(engine, run) is None
    wrong = [str(one) for one in invariants.check(engine, book.plans) if not one.ok]
    assert any("lot" in one for one in wrong)
