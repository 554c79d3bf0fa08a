"""The button that starts the demo over: it asks first, and refuses where there is anything but a demo."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core import settings, startup
from tests.support import demo, page_driver, world
from tests.support.page_driver import button_labels, click, metrics, open_page, run
from tests.support.plain_sql import every_row, scalar
from tests.support.plans import SPECIFICATION

START_OVER = "Start the demo over"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "load_demo_world", demo.small)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=True) as engine:
        yield engine


def asked(page: AppTest) -> str:
    """What the dialog says."""
    return "\n".join(text.value for text in page.markdown)


def recorded(page: AppTest) -> str:
    """What is recorded that users paid, as the replay says."""
    (users,) = (metric for metric in page.metric if metric.label.startswith("Users pay"))
    return str(users.proto.delta_description)


def test_it_tells_what_it_deletes_and_does_nothing_before_it_is_confirmed(ledger: Engine) -> None:
    built = scalar(ledger, "SELECT COUNT(*) FROM journal_entries")
    world.add(ledger, "ada", 700, key="dashboard:1")
    page = open_page("explore/overview.py")
    before = every_row(ledger)
    click(page, START_OVER)
    assert f"This deletes **{int(str(built)) + 1:,} entries (1 from the dashboard)**, for everyone" in asked(page)
    assert "You cannot undo this." in asked(page)
    assert button_labels(page) == ["Save", START_OVER, "Start over"]
    assert every_row(ledger) == before


def test_confirmed_it_brings_the_demo_back_and_forgets_what_the_session_had_chosen(ledger: Engine, small: None) -> None:
    built = int(str(scalar(ledger, "SELECT COUNT(*) FROM journal_entries")))
    world.add(ledger, "newcomer", 700, key="dashboard:1")
    page = open_page("explore/overview.py", days="2026-11-22")
    page.session_state["run:action"] = "a receipt of what is gone"
    click(click(page, START_OVER), "Start over")
    assert scalar(ledger, "SELECT COUNT(*) FROM user_credits WHERE user_id = 'newcomer'") == 0
    assert scalar(ledger, "SELECT COUNT(DISTINCT created_at_us / 86400000000) FROM prompt_runs") == 2
    assert scalar(ledger, "SELECT entry_id FROM rollup_watermark") == scalar(
        ledger, "SELECT COUNT(*) FROM journal_entries"
    )
    assert "run:action" not in page.session_state
    done = f":material/check_circle: Started the demo over. Deleted: {built + 1:,} entries (1 from the dashboard)."
    assert done in [text.value for text in page.markdown]
    assert done in [text.value for text in run(page).markdown]
    shown = metrics(open_page("explore/overview.py"))
    assert shown["Prompt runs"][0] == f"{scalar(ledger, 'SELECT COUNT(*) FROM prompt_runs'):,}"


def test_a_database_with_anything_else_is_refused_before_anything_is_asked(ledger: Engine) -> None:
    world.add(ledger, "ada", 700, key="legacy:ada")
    page = open_page("explore/overview.py")
    before = every_row(ledger)
    click(page, START_OVER)
    assert "This database is not only a demo\\: it also holds 1 other entry" in page.error[0].proto.title
    assert page.error[0].value.startswith("Nothing was deleted")
    assert button_labels(page) == ["Save", START_OVER]
    assert every_row(ledger) == before


def test_what_comes_from_elsewhere_while_the_dialog_is_open_is_kept(ledger: Engine, small: None) -> None:
    page = click(open_page("explore/overview.py"), START_OVER)
    world.add(ledger, "ada", 700, key="caller:shop:order-1")
    before = every_row(ledger)
    click(page, "Start over")
    assert "it also holds 1 other entry" in page.error[0].proto.title
    assert every_row(ledger) == before


def test_where_the_demo_is_off_there_is_no_button(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_DEMO", "0")
    assert button_labels(open_page("explore/overview.py")) == ["Save"]


def test_a_replay_that_was_kept_is_not_taken_for_that_of_the_new_demo(ledger: Engine, small: None) -> None:
    demo.start_over(ledger)
    book = settings.load_price_book()
    world.charge(ledger, world.run_by("ben"), key="dashboard:1", book=book, now=demo.NOW)
    before = recorded(open_page("replay/replay_history.py"))
    demo.start_over(ledger)
    world.charge(ledger, world.run_by("ben", replace(world.HAIKU, model_id="gpt-4")), key="dashboard:2", book=book)
    paid = "SELECT SUM(amount_credits) FROM credit_transactions WHERE account_id IN ('platform:inference',"
    of_now = scalar(ledger, f"{paid} 'platform:revenue') OR type = 'creator_payment'")
    after = recorded(open_page("replay/replay_history.py"))
    assert (after, after == before) == (f"of {of_now:,}", False)


def test_a_total_that_was_kept_is_not_taken_for_that_of_another_plan_of_the_same_name(
    ledger: Engine, small: None
) -> None:
    shown = []
    for markup_bps in (1_000, 3_000):
        demo.start_over(ledger)
        tier = replace(SPECIFICATION.tiers[1], below_credits=None, markup_bps=markup_bps)
        world.put_in_force(ledger, replace(SPECIFICATION, id="mine", tiers=(tier,)))
        page = open_page("act/simulate_runs.py", user="ada", prompt="free-form", model="claude-3-haiku", runs="2")
        shown.append(metrics(page)["Total of 2 runs"][0])
    assert shown == ["550", "650"]  # twice 250, with 10 % and with 30 %
