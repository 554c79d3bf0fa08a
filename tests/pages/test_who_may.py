"""What each role finds on each screen: a table written by hand, and every screen stands in it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from streamlit.testing.v1 import AppTest

from credits_core.access import keys, proposals, trial_users
from credits_core.access.proposed import MakePlanLive
from credits_core.audit import seals
from credits_core.operations import watch_findings
from credits_core.operations.watch_decide import Found
from credits_core.operations.watch_rules import WatchRule
from credits_core.payments.sandbox import Ending
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.values.roles import PersonRole, Role
from tests.support import selling, usage_files, walked_limits, walked_webhooks, world
from tests.support.acting import actor_as, signed_in
from tests.support.actors import TESTER
from tests.support.page_driver import (
    MAIN_SCRIPT,
    button_labels,
    captions,
    dashboard,
    downloads,
    open_page,
    small_dashboard,
)
from tests.support.plain_sql import every_row
from tests.support.world import NOW

FOUND = Found(WatchRule.SPENDING, "ada", 1, {"spent_credits": 5, "largest_day_credits": 1}, (3,))
MORE = "tester, pricing, finance, admin"
TRY, MOVE, PLANS = "tester, finance, admin", "finance, admin", "pricing, admin"
MANAGE, EXPORT = "admin", "finance, admin"
BENCH = {"prompt": "p", "model": "claude-3-haiku"}
# By the screen and what its address chooses: what is on it, for whom. Buttons by their labels, files by their names.
TABLE: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "start/start.py": ({}, {"Import balances from another system": MOVE}),
    "explore/overview.py": ({}, {}),
    "explore/balances.py": ({}, {}),
    "explore/balances.py of a user": (
        {"user": "ada"},
        {"toggle: Test user": MANAGE, "link: Add credits": MOVE, "Set limit": MOVE, "Remove limit": MOVE},
    ),
    "explore/balances.py of a test user": (
        {"user": "testy"},
        {"toggle: Test user": MANAGE, "link: Add credits": TRY, "link: Run as testy": TRY, "Set limit": MOVE},
    ),
    "explore/history.py": ({}, {"file: credit-transactions.csv": EXPORT}),
    "explore/history.py of a user's entry": ({"entry": "1"}, {"Refund this entry": MOVE}),
    "explore/history.py of a test user's entry": ({"entry": "2"}, {"Refund this entry": TRY}),
    "explore/creator_earnings.py": (
        {"period": "all"},
        {"file: statement-all-creators-all-days.csv": EXPORT, "file: statement-all-creators-all-days.pdf": EXPORT},
    ),
    "explain/explain_charge.py": ({"entry": "3"}, {}),
    "test_credits.py": ({"user": "ada", **BENCH}, {"Run": "", "Add credits": MOVE}),
    "test_credits.py of a test user": ({"user": "testy", **BENCH}, {"Run": TRY, "Add credits": TRY}),
    "act/simulate_runs.py": ({"user": "ada", **BENCH}, {"Run": ""}),
    "act/simulate_runs.py of a batch": ({"user": "testy", "runs": "20", **BENCH}, {"Run 20 times": TRY}),
    "act/add_credits.py": ({"user": "ada"}, {"Add credits": MOVE}),
    "act/add_credits.py of a test user": ({"user": "testy"}, {"Add credits": TRY}),
    "money/buy_credits.py": ({"user": "ada"}, {"Buy Starter": MOVE}),
    "money/buy_credits.py of a test user": ({"user": "testy"}, {"Buy Starter": TRY}),
    "money/buy_credits.py of a purchase": ({"purchase": "1"}, {"Refund": MOVE}),
    "money/checkout.py": ({"purchase": "2"}, {"Pay \\$5.00": MOVE}),
    "money/checkout.py of a test user": ({"purchase": "3"}, {"Pay \\$5.00": TRY}),
    "money/payments.py": ({"purchase": "1"}, {"Dispute the payment": MOVE}),
    "money/payments.py of the reconciliation": ({"view": "Reconciliation", "period": "all"}, {"Mend": MOVE}),
    "money/payouts.py": ({}, {"Propose a cycle": MOVE}),
    "money/payouts.py of a cycle": ({"cycle": "1"}, {}),
    "plans/pricing_lab.py": ({"plan": "plan-2"}, {"Propose to make live": PLANS, "Discard draft": PLANS}),
    "plans/compare_plans.py": ({}, {"Save draft": PLANS}),
    "plans/find_a_plan.py": ({}, {}),
    "replay/replay_history.py": ({}, {"file: replay-plan-1.csv": EXPORT, "file: replay-plan-1.html": EXPORT}),
    "plans/margin.py": ({"period": "all"}, {"file: margin-by-user.csv": EXPORT}),
    "scenario/scenario.py": ({}, {}),
    "data/usage_data.py": ({}, {}),
    "data/usage_data.py of a data set": ({"data": "kept"}, {"Delete it": PLANS, "file: kept-refused.csv": PLANS}),
    "fees/fee_designer.py": ({}, {}),
    "models/models.py": (
        {"model": "gpt-4"},
        {"Withdraw model": PLANS, "Check for new prices": PLANS, "Make live": PLANS},
    ),
    "people/activity.py": ({}, {}),
    "people/approvals.py": ({}, {"Approve": "pricing, admin", "Decline this": "pricing, admin"}),
    "people/people.py": ({}, {"Add person": MANAGE}),
    "operations/operations.py": ({}, {"Run now": MANAGE, "Create backup": MANAGE, "Examine now": MANAGE}),
    "operations/proof.py": ({}, {"Check now": MORE, "Damage a copy": MORE}),
    "operations/watching.py": ({"finding": "1"}, {"Looked at": MOVE}),
    "build/api_console.py": (
        {},
        {"Make a key for today": MANAGE, "Make key": MANAGE, "Set limit": MANAGE, "Remove limit": MANAGE},
    ),
    "build/webhooks.py": (
        {},
        {"Add endpoint": MANAGE, "Send test event": MANAGE, "Remove endpoint": MANAGE},
    ),
    "build/webhooks.py of low balances": ({"view": "Low balances"}, {"Set level": MANAGE, "Remove level": MANAGE}),
    "guide/guide.py": ({}, {}),
}


def _limit(connection: Connection) -> None:
    """Limits of ada and of the key shop."""
    keys.create_key(connection, "shop", key=keys.new_key(), role=Role.SERVICE, now=NOW, actor=TESTER)
    walked_limits.prepare(connection)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A ledger, no demo, with a user, a test user, a run of each, purchases and a draft."""
    monkeypatch.setenv("CREDITS_USAGE_FOLDER", str(tmp_path / "usage"))
    logged = (usage_files.litellm(), usage_files.litellm(request_id="r2", prompt_tokens="many"))
    usage_files.bring(tmp_path / "usage", usage_files.lines(*logged), name="kept")
    with small_dashboard(tmp_path) as engine:
        for user_id in ("ada", "testy"):
            world.add(engine, user_id, 100_000, key=f"fund-{user_id}")
        for user_id in ("ada", "testy"):
            world.charge(engine, world.run_by(user_id, world.HAIKU_WITH_FEE), key=f"run-{user_id}")
        world.save_draft(engine, world.dearer_book().plan)
        database.write(engine, lambda connection: trial_users.add(connection, "testy", now=NOW, actor=TESTER))
        asked, now = MakePlanLive("plan-2", 1), datetime.now(UTC)
        database.write(
            engine, lambda connection: proposals.propose(connection, asked, reason="r", now=now, actor=TESTER)
        )
        database.write(engine, lambda connection: watch_findings.keep(connection, FOUND, 7, now=NOW))
        for user_id, key in (("ada", "paid"), ("ada", "open"), ("testy", "open"), ("ada", "lost")):
            selling.sell(engine, user_id, key=f"{key}-{user_id}")
        selling.play(engine, Ending.PAID, 1)
        database.write(engine, walked_webhooks.prepare)
        database.write(engine, _limit)
        selling.play(engine, Ending.EVENT_LOST, 4)
        daily_totals.catch_up(engine)  # a screen would do both
        seals.catch_up(engine, now=now)
        yield engine


def _on(page: AppTest, files: set[str]) -> set[str]:
    links = {f"link: {link.value.replace(chr(92), '')}" for link in page.main.get("page_link")}
    toggles = {f"toggle: {toggle.label}" for toggle in page.toggle}
    folded = {expander.label for expander in page.expander}
    return {*button_labels(page), *links, *toggles, *folded, *(f"file: {name}" for name in files)}


@pytest.mark.long
@pytest.mark.parametrize("screen", TABLE)
def test_a_screen_shows_what_its_visitor_may_do_and_nothing_else(ledger: Engine, screen: str) -> None:
    chosen, shown_to = TABLE[screen]
    before = every_row(ledger)
    found: dict[str, set[str]] = {what: set() for what in shown_to}
    for role in PersonRole:
        with signed_in(actor_as(role)), downloads() as caught:
            page = open_page(screen.partition(" of ")[0], **chosen)  # type: ignore[arg-type]
            seen = _on(page, set(caught.files))
        for what in shown_to:
            if what in seen:
                found[what].add(role.value)
    assert found == {what: set(filter(None, may.split(", "))) for what, may in shown_to.items()}
    assert every_row(ledger) == before


def test_every_screen_stands_in_the_table() -> None:
    screens = set(re.findall(r'"(\w+(?:/\w+)?\.py)"', MAIN_SCRIPT.read_text(encoding="utf-8")))
    assert screens == {screen.partition(" of ")[0] for screen in TABLE}


def test_a_viewer_is_told_whom_to_ask(ledger: Engine) -> None:
    of_credits = "You may not charge, add or refund credits of test users. Ask somebody with the role tester"
    of_plans = "You may not save price plans and model prices. Ask somebody with the role pricing or admin."
    with signed_in(actor_as(PersonRole.VIEWER)):
        assert of_credits in captions(open_page("act/add_credits.py"))
        assert of_plans in captions(open_page("plans/compare_plans.py"))
        told = captions(open_page("operations/proof.py"))
        assert "A viewer may not damage a copy. Ask somebody with the role tester or pricing or finance" in told
    with signed_in(actor_as(PersonRole.TESTER)):
        assert "This user is no test user" in captions(open_page("act/add_credits.py", user="ada"))
        told = captions(open_page("act/simulate_runs.py", user="ada", **BENCH))
        assert "This user is no test user. Only API keys charge them." in told


def test_only_an_admin_starts_the_demo_over(tmp_path: Path) -> None:
    with dashboard(tmp_path, demo=True):
        for role in PersonRole:
            with signed_in(actor_as(role)):
                seen = button_labels(open_page("explore/overview.py"))
            assert ("Start the demo over" in seen) == (role is PersonRole.ADMIN)


def test_only_an_admin_chooses_how_to_begin(tmp_path: Path) -> None:
    with dashboard(tmp_path, demo=None):
        for role in PersonRole:
            with signed_in(actor_as(role)):
                seen = button_labels(open_page("start/start.py"))
            assert ({"Start clean", "Build the demo world"} <= set(seen)) == (role is PersonRole.ADMIN)


def test_each_file_with_people_s_ids_leaves_a_line_on_record(ledger: Engine) -> None:
    with signed_in(actor_as(PersonRole.FINANCE)), downloads() as caught:
        open_page("explore/history.py")
        assert every_row(ledger)["activity"][-1][1] != "exported"
        assert b"ada" in caught.files["credit-transactions.csv"]()
    (line,) = [row for row in every_row(ledger)["activity"] if row[1] == "exported"]
    assert line[2:5] == (
        "credit-transactions.csv",
        '{"by": null, "days": "all days", "user": null}',
        "dashboard/finance@example.org",
    )
