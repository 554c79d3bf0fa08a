"""A ledger to damage behind its back: with triggers and foreign keys out of force, and all of it rolled back after."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, insert, make_url, text

from credits_core.access import keys, people, trial_users
from credits_core.audit import invariants, schema, seals
from credits_core.audit import log as audit_log
from credits_core.audit.finding import BEGINNING, Finding, Since
from credits_core.audit.invariants import Invariant
from credits_core.ledger import payout_news, purchase_rows, spending_limits
from credits_core.ledger import payouts as ledger_payouts
from credits_core.ledger.requests import ChargeRequest, UnlockRequest
from credits_core.payments import destinations, paying, payout_files, payouts
from credits_core.payments.payout_rules import PayoutRules
from credits_core.pricing.quote import PriceBook
from credits_core.reports import daily_totals
from credits_core.store import activity, database
from credits_core.store.activity import Change
from credits_core.store.kinds import CreditSource, DestinationKind, Happened, PayoutNews, SpendingPeriod, Step
from credits_core.store.tables import Proposal
from credits_core.values.days import to_microseconds
from credits_core.values.roles import PersonRole, Role, Way, operator
from credits_core.values.time_zones import UTC_ZONE
from tests.support import busy_ledger, holding, world
from tests.support import paying as buying
from tests.support.actors import TESTER

EVERY = frozenset(invariant.__name__ for invariant in invariants.INVARIANTS)
MUCH_LATER = busy_ledger.THIRD_DAY + timedelta(days=1)
TOKENS = ChargeRequest("ada", "long", "openai/gpt-4o", input_tokens=1_020, output_tokens=129)
"""A run of 4,608 credits: 1,020 × 2.5 + 129 × 10 = 3,840 inference + 20 % markup of 768."""


@dataclass(frozen=True)
class Ledger:
    """A ledger to damage in a unit of work that is rolled back, with the ids of its entries by name."""

    engine: Engine
    ids: dict[str, int]
    book: PriceBook
    since: Since
    """What an audit before the fourth day left."""
    found_lately: list[Invariant] = field(default_factory=lambda: list(invariants.INVARIANTS))
    """Every invariant; first those that found the newest damage."""

    def sql(self, statement: str) -> str:
        """The statement with every `<name of an entry>` replaced by its id."""
        for name, entry_id in self.ids.items():
            statement = statement.replace(f"<{name}>", str(entry_id))
        return statement

    @contextmanager
    def unguarded(self) -> Iterator[Connection]:
        """A connection on which neither triggers nor foreign keys refuse anything; all of it is rolled back."""
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
                triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
                for name, _ in triggers:
                    connection.execute(text(f"DROP TRIGGER {name}"))
            else:
                triggers = []
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.info["triggers"] = [sql for _, sql in triggers]
            try:
                yield connection
            finally:
                connection.rollback()
                connection.detach()  # a pooled connection must not stay without foreign keys

    def findings(
        self, connection: Connection, since: Since = BEGINNING, *, by: Collection[str] = EVERY
    ) -> Iterator[tuple[str, Finding]]:
        """What the audit finds wrong by these invariants, by their names, once the triggers are back in place."""
        for invariant in invariants.INVARIANTS:
            if invariant.__name__ not in by:
                continue
            finding = self._finding(connection, invariant, since)
            if not finding.ok:
                yield invariant.__name__, finding

    def has_findings(self, connection: Connection) -> bool:
        """Whether the audit finds anything wrong. Begins with what found the damage before, which is quick."""
        for invariant in tuple(self.found_lately):
            if not self._finding(connection, invariant, BEGINNING).ok:
                self.found_lately.remove(invariant)
                self.found_lately.insert(0, invariant)
                return True
        return False

    def _finding(self, connection: Connection, invariant: Invariant, since: Since) -> Finding:
        if invariant is schema.ledger_is_append_only:  # the only one that looks at triggers
            for sql in connection.info["triggers"]:
                connection.exec_driver_sql(sql)
        return invariants.finding(connection, self.book.plans, invariant, since)

    def after(self, *damage: str, since: Since = BEGINNING, by: Collection[str] = EVERY) -> dict[str, Finding]:
        """What the audit finds wrong after the statements, by these invariants."""
        with self.unguarded() as connection:
            for statement in damage:
                changed = connection.execute(text(self.sql(statement))).rowcount
                assert changed != 0, f"changed nothing: {statement}"
            return dict(self.findings(connection, since, by=by))


def set_transaction(entry: str, position: int, change: str) -> str:
    """SQL that changes a transaction of a named entry, for `Ledger.after`."""
    return f"UPDATE credit_transactions SET {change} WHERE entry_id = <{entry}> AND position = {position}"


def add_transaction(entry: str, position: int, account: str, type_: str, amount: int) -> str:
    """SQL that adds a transaction to a named entry, for `Ledger.after`."""
    return (
        "INSERT INTO credit_transactions (entry_id, position, account_id, type, amount_credits, created_at_us)"
        f" SELECT id, {position}, '{account}', '{type_}', {amount}, created_at_us FROM journal_entries"
        f" WHERE id = <{entry}>"
    )


def _parts(engine: Engine) -> dict[str, int]:
    """A run with a fee that was refunded in two parts and then the rest, and one of which something is left.

    The creator had spent the share when the second part was refunded.
    """
    ids = {}
    for user in ("uma", "vic"):
        world.add(engine, user, 1_251, key=f"{user}-fund", now=MUCH_LATER)
    for name, user in (("fee run", "uma"), ("other fee run", "vic")):
        run = ChargeRequest(user, "summarise", "claude-3-haiku", "wim", 1_001)
        ids[name] = world.charge(engine, run, key=name.replace(" ", "-"), now=MUCH_LATER).entry_id
    parts = [("part of fee run", "fee run", 500), ("part of other", "other fee run", 300)]
    parts += [("second part", "fee run", 400), ("rest of fee run", "fee run", None)]
    for name, of, credits in parts:
        if name == "second part":
            spent = ChargeRequest("wim", "own", "claude-3-haiku", "uma", 532)  # 782 of the 1,090 that are left
            world.charge(engine, spent, key="wim-spends", now=MUCH_LATER)
            world.charge(engine, world.run_by("wim"), key="wim-spends-more", now=MUCH_LATER)
        ids[name] = world.refund(
            engine, ids[of], amount_credits=credits, key=name.replace(" ", "-"), now=MUCH_LATER
        ).entry_id
    return ids


def _debts(engine: Engine) -> dict[str, int]:
    """Deb owes 600 of a share of 800 that was refunded after she had spent it; two later shares of 400 pay that."""
    ids = {}
    world.add(engine, "ned", 2_001, key="ned-fund", now=MUCH_LATER)
    for name, fee in (("owed", 1_001), ("netted", 500), ("last netted", 500)):
        request = UnlockRequest("ned", f"flow-{name.replace(' ', '-')}", "deb", fee)
        receipt = world.unlock(engine, request, key=f"{name.replace(' ', '-')}-unlock", now=MUCH_LATER).receipt
        assert receipt is not None
        ids[f"{name} unlock"] = receipt.entry_id
        if name == "owed":
            for number in range(2):
                world.charge(engine, world.run_by("deb"), key=f"deb-spends-{number}", now=MUCH_LATER)
            back = world.refund(engine, receipt.entry_id, key="owed-refund", now=MUCH_LATER)
            ids["refund of owed unlock"] = back.entry_id
    return ids


@contextmanager
def four_days(
    request: pytest.FixtureRequest,
    folder: Path,
    book: PriceBook,
    *,
    is_priced_by_list: bool = True,
    is_sealed: bool = False,
) -> Iterator[Ledger]:
    """The three hand-written days and a fourth; the daily totals cover them up to the middle of the second.

    Unless told otherwise, one run of the fourth day is priced by a live price list. A sealed one has records of
    changes, keys, audits and proposals, too, and seals over five entries and as many records each.
    """
    with _database(request, folder) as url:
        engine = database.create_engine_for(url)
        ids = busy_ledger.three_days(engine, lambda: daily_totals.catch_up(engine))
        since = invariants.audit(engine, book.plans)[1]
        assert since is not None
        ids["token run"] = world.charge(engine, TOKENS, key="token-run", now=MUCH_LATER).entry_id
        if is_priced_by_list:
            of_list = world.usage_book(world.make_prices_live(engine, world.USAGE_PRICES))
            used = world.charge(engine, world.USED, key="usage-run", book=of_list, now=MUCH_LATER)
            ids["usage run"] = used.entry_id
        request_of_eves = UnlockRequest("ada", "other-flow", "eve", 2_000)
        unlocked = world.unlock(engine, request_of_eves, key="late-unlock", now=MUCH_LATER).receipt
        assert unlocked is not None
        ids["late unlock"] = unlocked.entry_id
        ids["late grant"] = world.add(
            engine, "fay", 900, key="late-grant", source=CreditSource.GRANT, reason="Welcome", now=MUCH_LATER
        ).entry_id
        ids["late run"] = world.charge(engine, world.run_by("fay"), key="late-run", now=MUCH_LATER).entry_id
        ids |= _holds(engine)
        ids |= _purchases(engine)
        ids |= _payouts(engine)
        ids |= _parts(engine)
        ids |= _limits(engine)
        ids |= _debts(engine)
        ids["late purchase"] = world.add(engine, "ada", 500, key="late-purchase", now=MUCH_LATER).entry_id
        if is_sealed:
            administered(engine)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(seals, "MOST_IN_A_SEAL", 5)
                assert seals.catch_up(engine, now=MUCH_LATER) > 3
        try:
            yield Ledger(engine, ids, book, since)
        finally:
            engine.dispose()


def _holds(engine: Engine) -> dict[str, int]:
    """Credits of gil that expire, and holds of 13,750 credits: one captured for 7,800, one released, one expired, one
    open."""
    world.add(engine, "gil", 40_000, key="gil-fund", now=MUCH_LATER)
    granted = {"source": CreditSource.GRANT, "reason": "Welcome", "expires_at": MUCH_LATER + timedelta(days=1)}
    world.add(engine, "gil", 20_000, key="gil-grant", now=MUCH_LATER, **granted)  # type: ignore[arg-type]
    made = {}
    for name in ("captured", "released", "expired", "open"):
        lasts = timedelta(seconds=1 if name == "expired" else 900)
        request = replace(holding.TOKENS, user_id="gil", lasts=lasts)
        made[f"{name} hold"] = holding.authorise(engine, request, key=f"hold-{name}", now=MUCH_LATER).hold.id
    captured = holding.capture(engine, made["captured hold"], holding.USED_LESS, key="hold-run", now=MUCH_LATER)
    holding.release(engine, made["released hold"], key="hold-release", now=MUCH_LATER)
    assert holding.expire(engine, now=MUCH_LATER + timedelta(seconds=1)) == 1
    ends = {f"end of {name}": holding.stored(engine, hold_id).ended_by_entry_id for name, hold_id in made.items()}
    return {**made, "held run": captured.receipt.entry_id} | {name: id_ for name, id_ in ends.items() if id_}


def _purchases(engine: Engine) -> dict[str, int]:
    """Two purchases that are paid: one of hal's, spent and then lost, so that he owes; one of ivy's, disputed."""
    lost, disputed = (
        buying.buy(engine, user, pack=buying.WITH_BONUS, key=f"buy-{user}", now=MUCH_LATER) for user in ("hal", "ivy")
    )
    buying.tell(engine, buying.event(Happened.PAID, purchase_id=lost.id, about="paid by hal"), now=MUCH_LATER)
    world.charge(engine, world.run_by("hal"), key="hal-run", now=MUCH_LATER)
    buying.tell(
        engine,
        buying.event(Happened.DISPUTED, purchase_id=lost.id, about="of hal", at=1),
        buying.event(Happened.LOST, purchase_id=lost.id, about="of hal", at=2),
        buying.event(Happened.PAID, purchase_id=disputed.id, about="paid by ivy"),
        buying.event(Happened.DISPUTED, 60, purchase_id=disputed.id, about="of ivy", at=1),
        now=MUCH_LATER,
    )
    with database.read(engine) as connection:
        taken = [move.entry_id for move in purchase_rows.moves_of(connection, [lost.id]) if move.step is Step.TAKEN]
        granted, *_, frozen = [move.entry_id for move in purchase_rows.moves_of(connection, [disputed.id])]
    return {"lost purchase": taken[0], "granted purchase": granted, "frozen purchase": frozen}


def _payouts(engine: Engine) -> dict[str, int]:
    """Two creators of a cycle: jo is paid, also for what he earned beside what he bought; kim has no destination."""
    world.add(engine, "jo", 700, key="jo-fund", now=MUCH_LATER)
    for number, creator in enumerate(("jo", "kim")):
        world.add(engine, "lee", 20_000, key=f"lee-{number}", now=MUCH_LATER)
        request = UnlockRequest("lee", f"flow-of-{creator}", creator, 20_000)
        world.unlock(engine, request, key=f"lee-unlocks-{number}", now=MUCH_LATER)
    rules = PayoutRules(waiting_days=0, threshold_credits=10_000, payday=1)

    def propose(connection: Connection) -> None:
        kind, iban = DestinationKind.BANK, "DE89370400440532013000"
        destinations.set_destination(connection, "jo", kind, iban, holder="Jo", now=MUCH_LATER, actor=TESTER)
        draft = payouts.draft(connection, rules, now=MUCH_LATER, zone=UTC_ZONE)
        payouts.propose(connection, draft, now=MUCH_LATER, actor=TESTER)
        ledger_payouts.approve(connection, 1, now=MUCH_LATER, actor=TESTER)
        (due,) = paying.to_set_aside(connection, limit=9)
        assert paying.set_aside(connection, due, zone=UTC_ZONE, now=MUCH_LATER, actor=TESTER)
        payout_files.make(connection, 1, now=MUCH_LATER, actor=TESTER)
        payout_news.report(connection, due.payout_id, PayoutNews.PAID, reference="SEPA", now=MUCH_LATER, actor=TESTER)

    database.write(engine, propose)
    with database.read(engine) as connection:
        moves = connection.execute(text("SELECT id FROM payout_moves ORDER BY id")).scalars().all()
    return dict(zip(("payout set aside", "payout paid"), moves, strict=True))


def _limits(engine: Engine) -> dict[str, int]:
    """Limits of gil, who has 7,800 of a captured hold behind him, and has a run more."""
    for period in SpendingPeriod:
        limit(engine, "gil", period)
    return {"limited run": world.charge(engine, world.run_by("gil"), key="limited", now=MUCH_LATER).entry_id}


def limit(engine: Engine, subject: str, period: SpendingPeriod) -> None:
    """Let a user or a key spend 30,000 credits in each day or month."""
    database.write(
        engine,
        lambda connection: spending_limits.set_limit(
            connection, subject, period, 30_000, zone=UTC_ZONE, now=MUCH_LATER, actor=TESTER
        ),
    )


def behind_its_back(engine: Engine, *statements: str) -> None:
    """Carry the statements out, for good, while no trigger refuses anything; afterwards the triggers are as before."""
    with engine.begin() as connection:
        triggers = []
        if engine.dialect.name == "sqlite":
            triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for name, _ in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(text(statement))
        for _, made in triggers:
            connection.exec_driver_sql(made)


def administered(engine: Engine) -> None:
    """Records that are no entries: two keys, audits and proposals, a person, a test user, and that they were made."""

    def write(connection: Connection) -> None:
        for name in ("shop", "till"):
            keys.create_key(
                connection, name, key=keys.new_key(), role=Role.SERVICE, now=MUCH_LATER, actor=operator(Way.CLI)
            )
            audit_log.record(connection, [Finding("nothing is wrong", 1, ())], now=MUCH_LATER)
            connection.execute(insert(Proposal).values(**_PROPOSED, subject=name))
        for number in "12":
            activity.note(connection, Change.PROPOSED, number, actor=_PROPOSED["proposed_by"], now=MUCH_LATER)
        people.add(connection, "ada@example.org", [PersonRole.ADMIN], now=MUCH_LATER, actor=operator(Way.CLI))
        trial_users.add(connection, "ada", now=MUCH_LATER, actor=operator(Way.CLI))

    database.write(engine, write)


_PROPOSED: dict[str, Any] = {
    "kind": "add_credits",
    "request": "{}",
    "effect": "{}",
    "based_on": "0" * 64,
    "reason": "Goodwill",
    "proposed_by": "dashboard/ada@example.org",
    "proposed_at_us": to_microseconds(MUCH_LATER),
    "expires_at_us": to_microseconds(MUCH_LATER) + 1,
    "state": "open",
}


@contextmanager
def _database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), folder / 'credits.db')}"
        return
    server, template = (request.getfixturevalue(f"postgres_{name}") for name in ("server_url", "template"))
    name = f"{template}_{folder.name}"
    with closing(psycopg.connect(server, autocommit=True)) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
