"""Starting the demo over: what comes back, and what is refused."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, insert, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from credits_core import settings, startup
from credits_core.access import calls, keys
from credits_core.access.callers import scoped_key
from credits_core.access.calls import Call, Content
from credits_core.audit import invariants, log, seals
from credits_core.audit.finding import Finding
from credits_core.bulk import first_start, starting_over
from credits_core.bulk.opening_balances import import_legacy
from credits_core.bulk.refusals import NotADemo
from credits_core.bulk.replay import plan_replay, replay
from credits_core.bulk.starting_over import Holdings
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.ledger import actions, expiring
from credits_core.ledger.requests import HoldRequest, UnlockRequest
from credits_core.plans import actions as plan_actions
from credits_core.prices import lists
from credits_core.reports import daily_totals, saved_views
from credits_core.store import activity, clearing, database
from credits_core.store.activity import Change
from credits_core.store.tables import (
    AlertSample,
    Proposal,
    TrialUser,
    WatchFinding,
    WatchKeyDay,
    WatchProgress,
)
from credits_core.values.days import to_microseconds
from credits_core.values.roles import Role
from tests.support import demo, demo_watchers, holding, paying, walked_payouts, walked_webhooks, world
from tests.support.actors import TESTER, named
from tests.support.plain_sql import every_row, refused, rows, scalar
from tests.support.plans import SPECIFICATION

pytestmark = pytest.mark.as_owner

NOW = demo.NOW
DEARER = replace(SPECIFICATION, id="dearer", creator_share_bps=5_000)
RUN = demo_watchers.RUN


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "load_demo_world", demo.small)


@pytest.fixture
def begun(engine: Engine, small_world: None) -> Engine:
    """A database that began as the demo world."""
    demo.begin(engine)
    return engine


def unlock(engine: Engine, user_id: str, creator_id: str, key: str) -> None:
    request, book = UnlockRequest(user_id, "a-flow", creator_id, 1_000), settings.load_price_book()
    database.write(
        engine,
        lambda connection: actions.unlock_flow(connection, request, book=book, key=key, now=NOW, actor=named("x")),
    )


def play(engine: Engine) -> None:
    """What people try in a demo, so that every table has other rows than before."""
    entry_id = demo.charge(engine, RUN, "dashboard:1")
    world.refund(engine, entry_id, amount_credits=9, key="dashboard:2", book=settings.load_price_book(), now=NOW)
    world.add(engine, "newcomer", 5_000, key="dashboard:3", now=NOW)
    unlock(engine, "noor", "noor", "dashboard:4")  # a flow of one's own: an answer without an entry
    unlock(engine, "dev", "noor", "dashboard:5")
    world.save_draft(engine, replace(SPECIFICATION, id="a-draft"), now=NOW)
    discarded = world.save_draft(engine, replace(SPECIFICATION, id="discarded"), now=NOW)
    database.write(engine, lambda connection: plan_actions.discard_draft(connection, discarded, now=NOW, actor=TESTER))
    world.put_in_force(engine, DEARER, now=NOW)
    world.make_prices_live(engine, world.PRICE_LIST)
    demo.charge(engine, RUN, "dashboard:6")
    go_back_to_the_first_plan_and_prices(engine)
    database.write(
        engine,
        lambda connection: keys.create_key(
            connection, "phone", key=keys.new_key(), role=Role.USER, user_id="newcomer", now=NOW, actor=TESTER
        ),
    )
    demo.charge(engine, RUN, scoped_key("shop", "dashboard:7"), actor="api/shop")  # from the screen API
    called = calls.row_of(Call(NOW, "POST", "/credits/charge-prompt", 201, "", 1.5, "r1", Content("shop")))
    database.write(engine, lambda connection: calls.keep(connection, [called], most=10))
    database.write(engine, lambda connection: log.record(connection, [Finding("all is well", 1, ())], now=NOW))
    database.write(engine, lambda connection: first_start.choose_clean(connection, now=NOW, actor=named("dashboard")))
    query = {"period": "last-month"}
    database.write(
        engine,
        lambda connection: saved_views.save(connection, "overview", "Mine", query, now=NOW, actor=named("dashboard")),
    )
    hold_and_expire(engine)
    paying.buy_and_pay(engine, "payer", key="dashboard:11", now=NOW)
    for fill in (propose, watch, walked_webhooks.play, walked_payouts.play):
        database.write(engine, fill)
    daily_totals.catch_up(engine)
    seals.catch_up(engine, now=NOW)


def hold_and_expire(engine: Engine) -> None:
    """Credits that expire: a run of a hold is paid out of them, another hold expires, and then what is left of them."""
    with database.read(engine) as connection:
        book = demo.books().at(connection)
    later = NOW + timedelta(days=1)
    world.add(engine, "holder", 50_000, key="dashboard:7", expires_at=later, now=NOW)
    run = HoldRequest("holder", "summarise", "openai/gpt-4o", input_tokens=1_000, output_tokens=1_000)
    used, left = (holding.authorise(engine, run, key=f"dashboard:{number}", book=book, now=NOW) for number in (8, 9))
    holding.capture(engine, used.hold.id, key="dashboard:10", book=book, now=NOW)
    assert holding.expire(engine, now=left.hold.expires_at) == 1
    assert database.write(engine, lambda connection: expiring.expire_lots(connection, now=later, actor=TESTER)) == 1


def propose(connection: Connection) -> None:
    """Somebody's proposal, which is on record, and a test user."""
    activity.note(connection, Change.PROPOSED, "1", actor="dashboard", now=NOW)
    connection.execute(insert(TrialUser).values(user_id="newcomer", since_us=1, actor="dashboard"))
    asked = dict.fromkeys(("kind", "subject", "request", "effect", "based_on", "reason", "proposed_by"), "x")
    connection.execute(insert(Proposal).values(**asked, proposed_at_us=1, expires_at_us=2, state="open"))


def watch(connection: Connection) -> None:
    connection.execute(insert(AlertSample).values(taken_at_us=1, circulating_credits=2, margin_credits=3))
    connection.execute(insert(WatchProgress).values(id=1, entry_id=1))
    connection.execute(insert(WatchKeyDay).values(actor="api/shop", day=1, most_users=2))
    found = {"rule": "spending", "subject": "ada", "day": 1, "numbers": "{}", "entries": "[]", "found_at_us": 1}
    connection.execute(insert(WatchFinding).values(**found))


def go_back_to_the_first_plan_and_prices(engine: Engine) -> None:
    world.put_in_force(engine, settings.load_price_book().plan, now=NOW)
    database.write(engine, lambda connection: lists.activate(connection, 1, reason="As before", now=NOW, actor=TESTER))


def wrong(engine: Engine) -> list[str]:
    """What the audit finds."""
    with database.read(engine) as connection:
        plans = demo.books().at(connection).plans
    return [str(finding) for finding in invariants.check(engine, plans) if not finding.ok]


# --- what comes back ------------------------------------------------------------------------------------------------


def test_everything_is_as_in_a_new_demo_down_to_the_numbers(begun: Engine) -> None:
    as_new = demo.but_for_the_record(begun)
    play(begun)
    entries = len(as_new["journal_entries"])
    played = every_row(begun)
    # A table that is not among them is new: decide whether it belongs to a demo, and let `play` fill it.
    kept = {"alembic_version", "alerts", "job_leases", "job_runs", "people", "sign_in_sessions"}
    assert {name for name in as_new if played[name] != as_new[name]} == as_new.keys() - kept
    assert demo.start_over(begun) == Holdings(entries + 18, 18, price_plans=2, price_lists=1, api_keys=1, saved_views=1)
    assert demo.but_for_the_record(begun) == as_new
    assert wrong(begun) == []


def test_what_is_tried_after_it_is_numbered_as_in_a_new_demo(begun: Engine) -> None:
    as_new = demo.but_for_the_record(begun)
    play(begun)
    played = every_row(begun)
    demo.start_over(begun)
    play(begun)
    again = every_row(begun)
    random = {"api_keys", "activity", "seals"}  # a key is drawn, and a seal over it has another hash
    assert {name: rows_ for name, rows_ in again.items() if name not in random} == {
        name: rows_ for name, rows_ in played.items() if name not in random
    }
    assert [key[0] for key in again["api_keys"]] == [key[0] for key in again["seals"]] == [1]
    assert demo.start_over(begun).api_keys == 1
    assert demo.but_for_the_record(begun) == as_new


def test_who_started_the_demo_over_is_all_that_is_on_record_then(begun: Engine) -> None:
    play(begun)
    deleted = demo.start_over(begun)
    kept = ("demo_started_over", "demo", f'{{"deleted": "{deleted}"}}', "tester", to_microseconds(NOW))
    assert rows(begun, "SELECT kind, subject, detail, actor, happened_at_us FROM activity") == [kept]


def test_starting_over_twice_is_starting_over_once(begun: Engine) -> None:
    as_new = demo.but_for_the_record(begun)
    assert demo.start_over(begun) == demo.start_over(begun) == Holdings(len(as_new["journal_entries"]))
    assert demo.but_for_the_record(begun) == as_new


def test_the_month_ends_with_the_hour_in_which_it_is_started_over(
    begun: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDITS_DEMO_END")
    demo.start_over(begun)
    # 2026-11-25 at 00:00 and 2026-11-26 at 07:00, because this world has two days.
    first_us, last_us = rows(begun, "SELECT MIN(created_at_us), MAX(created_at_us) FROM journal_entries")[0]
    assert isinstance(first_us, int)
    assert isinstance(last_us, int)
    assert 1_795_564_800_000_000 <= first_us < last_us < 1_795_676_400_000_000


def test_the_whole_demo_comes_back_clean(sqlite_engine: Engine) -> None:
    demo.begin(sqlite_engine)
    as_new = demo.but_for_the_record(sqlite_engine)
    demo.charge(sqlite_engine, RUN, "dashboard:1")
    demo.start_over(sqlite_engine)
    assert demo.but_for_the_record(sqlite_engine) == as_new
    assert wrong(sqlite_engine) == []


def test_history_cannot_be_changed_afterwards(begun: Engine) -> None:
    demo.start_over(begun)
    for table in ("journal_entries", "credit_transactions", "prompt_runs", "plan_activations", "price_lists"):
        with pytest.raises(DBAPIError, match="append-only"), begun.begin() as connection:
            connection.execute(text(f"DELETE FROM {table}"))
    assert wrong(begun) == []


def test_plans_and_prices_that_were_live_again_are_so_once(begun: Engine) -> None:
    journals = "SELECT (SELECT MAX(last_activation_id) FROM price_plans), MAX(last_activation_id) FROM price_lists"
    for _ in range(2):
        world.put_in_force(begun, DEARER, now=NOW)
        world.make_prices_live(begun, world.PRICE_LIST)
        go_back_to_the_first_plan_and_prices(begun)
        assert rows(begun, journals) == [(3, 3)]
        demo.start_over(begun)
        assert rows(begun, journals) == [(1, 1)]
        assert wrong(begun) == []


# The rows that stay are those that the migrations bring. A column that is new here keeps its value as well: decide
# whether that is right, and whether `play` changes it.
ROWS_THAT_STAY = {
    "alembic_version": {"version_num"},
    "plan_activations": {"id", "plan_id", "reason", "actor", "activated_at_us", "seal"},
    "price_plans": {"id", "toml", "revision", "actor", "saved_at_us", "discarded_at_us", "last_activation_id"},
    "rollup_watermark": {"id", "entry_id", "time_zone", "circulating_credits"},
}


def test_what_stays_when_everything_is_deleted_is_what_the_migrations_bring(engine: Engine, small_world: None) -> None:
    migrated, guards_before = every_row(engine), guards(engine)
    demo.begin(engine)
    play(engine)
    database.write(engine, clearing.clear)
    assert every_row(engine) == migrated
    assert {name for name, found in migrated.items() if found} == ROWS_THAT_STAY.keys()
    columns = {table: {column["name"] for column in inspect(engine).get_columns(table)} for table in ROWS_THAT_STAY}
    assert columns == ROWS_THAT_STAY
    assert guards(engine) == guards_before


def guards(engine: Engine) -> list[tuple[object, ...]]:
    """Every trigger, and whether it is on."""
    if engine.dialect.name == "postgresql":
        found = rows(engine, "SELECT tgrelid, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2")
    else:
        found = rows(engine, "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    assert len(found) > 10
    return found


def test_a_ledger_without_entries_keeps_what_it_has_and_gets_the_demo(engine: Engine, small_world: None) -> None:
    startup.migrate(engine)
    world.save_draft(engine, DEARER)
    assert demo.start_over(engine) == Holdings()
    assert scalar(engine, "SELECT COUNT(*) FROM journal_entries") == scalar(
        engine, "SELECT MAX(id) FROM journal_entries"
    )
    assert scalar(engine, "SELECT COUNT(*) FROM price_plans") == 2


@pytest.mark.parametrize("caller", ["shop", "dashboard", "Bäckerei"])
def test_what_the_screen_api_sent_belongs_to_the_demo(begun: Engine, caller: str) -> None:
    as_new = demo.but_for_the_record(begun)
    demo.charge(begun, RUN, scoped_key(caller, "dashboard:0b8e"), actor="api/x")
    unlock(begun, "noor", "noor", scoped_key(caller, "dashboard:11c2"))
    assert demo.start_over(begun) == Holdings(len(as_new["journal_entries"]) + 1, 1)
    assert demo.but_for_the_record(begun) == as_new


# --- what is refused ------------------------------------------------------------------------------------------------


def bring_opening_balances(engine: Engine, folder: Path) -> None:
    (folder / "legacy.csv").write_text("user_id,credits\nzoe,5\n", encoding="utf-8")
    import_legacy(engine, folder / "legacy.csv", now=NOW, actor=named("cli"))


def bring_an_empty_account(engine: Engine, folder: Path) -> None:
    (folder / "legacy.csv").write_text("user_id,credits\nzoe,0\n", encoding="utf-8")
    import_legacy(engine, folder / "legacy.csv", now=NOW, actor=named("cli"))


def replay_a_log(engine: Engine, folder: Path) -> None:
    path, book = folder / "trace.csv", settings.load_price_book()
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,1000,100\n", encoding="utf-8")
    plan = plan_replay(engine, path, user_id="dev", model_id="openai/gpt-4o", book=book, now=NOW)
    replay(engine, plan, book_at=lambda _: book, clock=lambda: NOW, actor=TESTER)


def charge_over_the_api(engine: Engine, _: Path) -> None:
    demo.charge(engine, RUN, scoped_key("shop", "order-1"), actor="api/shop")


def charge_as_a_caller_named_dashboard(engine: Engine, _: Path) -> None:
    demo.charge(engine, RUN, scoped_key("dashboard", "order-1"), actor="api/dashboard")


def charge_with_a_key_that_speaks_of_the_dashboard(engine: Engine, _: Path) -> None:
    demo.charge(engine, RUN, scoped_key("shop", "order:dashboard:1"), actor="api/shop")


def charge_over_the_api_of_an_earlier_version(engine: Engine, _: Path) -> None:
    demo.charge(engine, RUN, "api:1:order-1", actor="api/shop")


def ask_for_an_own_flow_over_the_api(engine: Engine, _: Path) -> None:
    unlock(engine, "noor", "noor", scoped_key("shop", "order-2"))


@pytest.mark.parametrize(
    ("bring", "found"),
    [
        (bring_opening_balances, "it also holds 1 other entry"),
        (bring_an_empty_account, "it also holds 1 account without entries"),
        (replay_a_log, "it also holds 1 other entry"),
        (charge_over_the_api, "it also holds 1 other entry"),
        (charge_as_a_caller_named_dashboard, "it also holds 1 other entry"),
        (charge_with_a_key_that_speaks_of_the_dashboard, "it also holds 1 other entry"),
        (charge_over_the_api_of_an_earlier_version, "it also holds 1 other entry"),
        (ask_for_an_own_flow_over_the_api, "it also holds 1 other answer"),
        (paying.buy_as_a_caller, "it also holds 1 other purchase"),
    ],
)
def test_a_demo_that_got_anything_from_outside_is_kept(
    begun: Engine, tmp_path: Path, bring: object, found: str
) -> None:
    assert callable(bring)
    bring(begun, tmp_path)
    with refused(begun, NotADemo) as caught:
        demo.start_over(begun)
    assert str(caught.value) == (
        f"This database is not only a demo: {found}, by an import, a log or the API. Nothing was deleted. For a demo, "
        "use another database (CREDITS_DATABASE_URL)"
    )


@pytest.mark.parametrize("key", ["dashboard:1", "demo", "demo-grant", "fund"])
def test_a_database_that_did_not_begin_as_a_demo_is_kept(engine: Engine, small_world: None, key: str) -> None:
    startup.migrate(engine)
    world.add(engine, "ada", 100, key=key)
    with refused(engine, NotADemo) as caught:
        demo.start_over(engine)
    assert "its first entry is by tester, not by the demo" in str(caught.value)


def test_the_mark_is_the_key_and_the_actor_of_the_first_entry(engine: Engine, small_world: None) -> None:
    startup.migrate(engine)
    world.add(engine, "ada", 100, key="demo:grant:ada")
    with refused(engine, NotADemo):
        demo.start_over(engine)


def test_nothing_is_started_over_where_the_demo_is_off(begun: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_DEMO", "0")
    with refused(begun, InvalidRequest) as caught:
        demo.start_over(begun)
    assert str(caught.value) == "CREDITS_DEMO: is 0, so nothing was deleted"


def test_a_world_that_cannot_be_built_leaves_the_old_one_and_its_guards(
    begun: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = startup.load_demo_world()
    lost = replace(people.prompts[0], workload="poetry")
    broken = replace(people, prompts=(lost, *people.prompts[1:]))
    monkeypatch.setattr(startup, "load_demo_world", lambda: broken)
    with refused(begun, DataFileInvalid):
        demo.start_over(begun)
    with pytest.raises(DBAPIError, match="append-only"), begun.begin() as connection:
        connection.execute(text("DELETE FROM journal_entries"))


def test_on_postgresql_only_the_owner_of_the_tables_starts_over(postgres_engine: Engine, small_world: None) -> None:
    demo.begin(postgres_engine)
    with postgres_engine.begin() as connection:
        connection.execute(text("CREATE ROLE clerk LOGIN"))
        connection.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk"))
    try:
        with database.opened(clerk_url(postgres_engine)) as engine, refused(engine, InvalidRequest) as caught:
            demo.start_over(engine)
        assert "must name the role that owns the tables" in str(caught.value)
    finally:
        with postgres_engine.begin() as connection:
            connection.execute(text("DROP OWNED BY clerk"))
            connection.execute(text("DROP ROLE clerk"))


def clerk_url(engine: Engine) -> str:
    return make_url(str(engine.url)).set(username="clerk").render_as_string(hide_password=False)


def test_what_a_demo_holds_is_told_before_anything_is_deleted(begun: Engine) -> None:
    play(begun)
    before = every_row(begun)
    with database.read(begun) as connection:
        held = starting_over.holdings(connection)
    built = len(before["journal_entries"]) - 13
    assert (
        str(held)
        == f"{built + 13} entries (18 from the dashboard), 2 price plans, 1 price list, 1 API key, 1 saved view"
    )
    assert every_row(begun) == before
