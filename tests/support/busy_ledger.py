"""Ledgers with something of everything: three hand-written days for worked examples, and drawn days for laws."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import Engine

from credits_core.errors import CreditsError
from credits_core.ledger.requests import ChargeRequest, UnlockRequest
from credits_core.reports import daily_totals
from credits_core.store.kinds import CreditSource
from tests.support import earlier_refunds, world
from tests.support.world import HAIKU, HAIKU_WITH_FEE, UNLOCK

FIRST_MORNING = datetime(2026, 3, 1, 9, tzinfo=UTC)
LAST_MOMENT = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)
MIDNIGHT = LAST_MOMENT + timedelta(microseconds=1)
THIRD_DAY = MIDNIGHT + timedelta(days=1)

COVERED = ("nothing", "everything", "the first half")
"""How much of a ledger the daily totals may cover."""
BEN_PAYS_CARA = ChargeRequest("ben", "translate", "claude-3-haiku", "cara", 2_150)
"""A run of 2,400 credits: 250 inference + 2,150 fee, of which 1,720 are the creator's and 430 the platform's."""
_SOURCES = (CreditSource.PURCHASE, CreditSource.GRANT, CreditSource.ADJUSTMENT)


def three_days(engine: Engine, in_the_middle: Callable[[], object] = lambda: None) -> dict[str, int]:
    """The ids of the entries by name. `in_the_middle` is called between two entries of the second day.

    Ben earns 3 × 800 and spends it all on Cara's prompt, Cara spends 300 of her 1,720. Ada's run and unlock are
    refunded under the earlier rule, so the platform bears 800 each time. Then Ben's run is, and Cara owes 300.
    """
    ids = {}
    ids["purchase"] = world.add(engine, "ada", 1_000_000, key="purchase", now=FIRST_MORNING).entry_id
    ids["grant"] = world.add(
        engine, "dev", 5_000, key="grant", source=CreditSource.GRANT, reason="Welcome", now=FIRST_MORNING
    ).entry_id
    ids["run"] = world.charge(engine, HAIKU, key="run", now=LAST_MOMENT).entry_id
    ids["run with fee"] = world.charge(engine, HAIKU_WITH_FEE, key="run-with-fee", now=LAST_MOMENT).entry_id
    ids["run at midnight"] = world.charge(engine, HAIKU_WITH_FEE, key="run-at-midnight", now=MIDNIGHT).entry_id
    unlocked = world.unlock(engine, UNLOCK, key="unlock", now=MIDNIGHT).receipt
    assert unlocked is not None
    ids["unlock"] = unlocked.entry_id
    in_the_middle()
    ids["run by ben"] = world.charge(engine, BEN_PAYS_CARA, key="ben-run", now=MIDNIGHT).entry_id
    ids["run by cara"] = world.charge(engine, world.run_by("cara"), key="cara-run", now=MIDNIGHT).entry_id
    for name, refund in (
        ("run with fee", earlier_refunds.refund),
        ("unlock", earlier_refunds.refund),
        ("grant", world.refund),
        ("run by ben", world.refund),
    ):
        ids[f"refund of {name}"] = refund(engine, ids[name], key=f"refund-{ids[name]}", now=THIRD_DAY).entry_id
    return ids


def covered_three_days(engine: Engine, covered: str) -> None:
    """The three days, of which the daily totals cover one of `COVERED`."""
    if covered == "the first half":
        three_days(engine, lambda: daily_totals.catch_up(engine))
    else:
        three_days(engine)
    if covered == "everything":
        daily_totals.catch_up(engine)


def drawn_days(engine: Engine, *, seed: int, actions: int = 160) -> None:
    """Actions of five users in five days, drawn with their times, so that the ledger's order is not the clock's.

    Refused ones leave nothing. Some refunds come when the creator has spent the share, some are of the provider too.
    """
    random = Random(seed)
    users = ["ada", "Ben", "c_d", "cxd", "c/d"]
    entries: list[int] = []
    for number in range(actions):
        key, now = f"drawn-{seed}-{number}", FIRST_MORNING + timedelta(seconds=random.randrange(5 * 86_400))
        user, creator = random.choice(users), random.choice(users)
        kind = random.choice(["add", "run", "run", "run", "fee", "fee", "fee", "tokens", "unlock", "refund", "refund"])
        try:
            if kind == "add" or not entries:
                source, amount = random.choice(_SOURCES), random.randint(1, 9_000)
                entries.append(
                    world.add(engine, user, amount, key=key, source=source, reason="Drawn", now=now).entry_id
                )
            elif kind == "refund":
                entry, by_provider = random.choice(entries), random.random() < 0.4
                refund = world.refund(engine, entry, provider_refunded=by_provider, key=key, now=now)
                entries.append(refund.entry_id)
            elif kind == "unlock":
                request = UnlockRequest(user, f"flow-{random.randint(1, 3)}", creator, random.randint(1, 2_000))
                if (receipt := world.unlock(engine, request, key=key, now=now).receipt) is not None:
                    entries.append(receipt.entry_id)
            else:
                charged = {
                    "run": ChargeRequest(user, "plain", "claude-3-haiku"),
                    "fee": ChargeRequest(user, "paid", "claude-3-haiku", creator, random.randint(1, 3_000)),
                    "tokens": ChargeRequest(
                        user, "long", "openai/gpt-4o", creator, 7, random.randrange(900), random.randint(1, 90)
                    ),
                }[kind]
                entries.append(world.charge(engine, charged, key=key, now=now).entry_id)
        except CreditsError:
            continue
