"""The start page: the question in an empty database, and the steps for everybody afterwards."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core import startup
from credits_core.bulk import first_start, opening_balances
from credits_core.bulk.csv_rows import SentFile
from credits_core.bulk.opening_balances import ImportSummary
from credits_core.store import database
from credits_core.values.progress import Work
from pages.start import importing
from tests.support import demo, page_driver, world
from tests.support.actors import named
from tests.support.page_driver import MAIN_SCRIPT, button_labels, captions, click, links, open_page, run
from tests.support.plain_sql import rows, scalar
from tests.support.plans import SPECIFICATION

START = "start/start.py"
SCREENS = (
    *("explore/balances.py", "explore/history.py", "explore/creator_earnings.py", "explain/explain_charge.py"),
    *("test_credits.py", "act/simulate_runs.py", "act/add_credits.py", "plans/pricing_lab.py"),
    "plans/find_a_plan.py",
    *("plans/compare_plans.py", "replay/replay_history.py", "scenario/scenario.py", "fees/fee_designer.py"),
    *("models/models.py", "build/api_console.py", "money/buy_credits.py", "money/checkout.py", "money/payments.py"),
)
BUILD, CLEAN = "Build the demo world", "Start clean"
EMPTY = ":material/info: This database is empty."


@pytest.fixture(autouse=True)
def _small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "load_demo_world", demo.small)


@pytest.fixture
def undecided(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=None) as engine:
        yield engine


@pytest.fixture
def off(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine


@pytest.fixture(scope="module")
def of_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("demo"), demo=True) as engine:
        yield engine


def choose_clean(engine: Engine) -> None:
    database.write(engine, lambda connection: first_start.choose_clean(connection, now=world.NOW, actor=named("x")))


def title(page: AppTest) -> str:
    (found,) = page.title
    return str(found.value)


def said(page: AppTest) -> str:
    return "\n".join(text.value for text in page.main.markdown)


def badges(page: AppTest) -> list[str]:
    return [text.value for text in page.sidebar.markdown if "Test environment" in text.value]


# --- the question ---------------------------------------------------------------------------------------------------


def test_who_opens_the_dashboard_on_an_empty_database_is_asked(undecided: Engine) -> None:
    page = run(AppTest.from_file(str(MAIN_SCRIPT), default_timeout=300))
    assert title(page) == "Start"
    assert button_labels(page) == [BUILD, CLEAN]
    assert page.button[0].proto.type == "primary"
    assert [header.value.partition(": ")[2] for header in page.header] == [
        "Look at the demo world",
        "Import balances",
        "Start clean",
    ]


@pytest.mark.parametrize("file", SCREENS)
def test_every_other_screen_opens_and_leads_to_the_question_as_long_as_nobody_has_answered(
    undecided: Engine, file: str
) -> None:
    page = open_page(file)
    assert EMPTY in said(page)
    assert links(page)["Choose how to begin"][0] == "start"
    choose_clean(undecided)
    assert EMPTY not in said(run(page))


def test_one_click_builds_the_demo_and_opens_the_overview(undecided: Engine) -> None:
    page = click(open_page(START), BUILD)
    assert title(page) == "Overview"
    assert "Built the demo world." in said(page)
    assert scalar(undecided, "SELECT COUNT(DISTINCT created_at_us / 86400000000) FROM prompt_runs") == 2
    assert scalar(undecided, "SELECT entry_id FROM rollup_watermark") == scalar(
        undecided, "SELECT MAX(id) FROM journal_entries"
    )
    assert badges(page) != []


def test_who_comes_second_sees_what_the_first_one_built(undecided: Engine) -> None:
    first, second = open_page(START), open_page(START)
    click(first, BUILD)
    entries = scalar(undecided, "SELECT COUNT(*) FROM journal_entries")
    click(second, BUILD)
    assert title(second) == "Overview"
    assert "Somebody else had begun already." in said(second)
    assert scalar(undecided, "SELECT COUNT(*) FROM journal_entries") == entries


def test_a_clean_start_says_what_comes_next_and_is_not_asked_again(undecided: Engine) -> None:
    page = click(open_page(START), CLEAN)
    assert list(links(page)) == ["Add credits", "Run a prompt", "Make an API key"]
    assert button_labels(page) == [BUILD]
    again = run(AppTest.from_file(str(MAIN_SCRIPT), default_timeout=300))
    assert (title(again), button_labels(again)) == ("Overview", ["Save"])
    assert "Nothing has happened yet" in [found.proto.title for found in again.info]
    assert title(click(open_page(START), BUILD)) == "Overview"


def test_where_the_demo_is_off_nobody_is_asked(off: Engine) -> None:
    page = run(AppTest.from_file(str(MAIN_SCRIPT), default_timeout=300))
    assert (title(page), EMPTY in said(page)) == ("Overview", False)
    page = open_page(START)
    assert button_labels(page) == []
    assert list(links(page)) == ["Add credits", "Run a prompt", "Make an API key"]


def test_a_database_of_ones_own_has_no_made_up_prompts_and_nothing_to_start_over(undecided: Engine) -> None:
    world.add(undecided, "ada", 1_000_000, key="dashboard:1")
    bench, overview = open_page("test_credits.py"), open_page("explore/overview.py")
    assert bench.get_by_key("prompt").options == ["free-form"]
    assert button_labels(overview) == ["Save"]
    assert badges(overview) == []


# --- the import -----------------------------------------------------------------------------------------------------


def send(page: AppTest, text: str, name: str = "legacy.csv") -> AppTest:
    page.file_uploader[0].set_value((name, text.encode(), "text/csv"))
    return run(page)


def test_an_import_is_shown_before_it_is_written_and_reported_afterwards(undecided: Engine) -> None:
    page = send(open_page(START), "user_id,credits\nada,5000000\nben,250000\nchloe,0\n")
    assert "This adds **2 opening balances**, 5,250,000 credits (\\$5.25) in all." in said(page)
    assert "1 account with 0 credits will be open and empty." in said(page)
    assert page_driver.small_tables(page)["The first lines of the file"] == [
        ("2", "ada", "5,000,000", "\\$5.000000"),
        ("3", "ben", "250,000", "\\$0.250000"),
        ("4", "chloe", "0", "\\$0.000000"),
    ]
    assert scalar(undecided, "SELECT COUNT(*) FROM user_credits") == 0
    click(page, "Import 3 lines")
    assert rows(undecided, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id") == [
        ("ada", 5_000_000),
        ("ben", 250_000),
        ("chloe", 0),
    ]
    assert scalar(undecided, "SELECT MIN(actor) FROM journal_entries") == "dashboard"
    assert "Imported 2 opening balances, 5,250,000 credits (\\$5.25) in all; 1 with 0 credits." in said(page)
    assert page.file_uploader[0].value is None


def test_refused_lines_are_named_and_nothing_is_imported(undecided: Engine) -> None:
    page = send(open_page(START), "user_id,credits\nada,5\nben,-1\nada,7\n1e5,3\n")
    assert (page.error[0].proto.title, page.error[0].value) == (
        "3 lines cannot be imported",
        "Nothing was imported. Correct the file and choose it again.",
    )
    assert "- line 3: credits: must be a whole number, 0 or more, not '-1'".replace(":", "\\:") in said(page).replace(
        "\\-1", "-1"
    )
    assert "line 4\\: ada is already on line 2" in said(page)
    assert [label for label in button_labels(page) if label.startswith("Import")] == []
    assert scalar(undecided, "SELECT COUNT(*) FROM user_credits") == 0


def test_ids_that_differ_in_case_alone_are_imported_when_somebody_says_so(undecided: Engine) -> None:
    page = send(open_page(START), "user_id,credits\nada,5\nAda,7\n")
    assert "line 3\\: Ada differs from ada, on line 2, only in upper and lower case" in said(page)
    page.checkbox[0].check()
    run(page)
    click(page, "Import 2 lines")
    assert scalar(undecided, "SELECT COUNT(*) FROM user_credits") == 2


def test_a_file_of_something_else_is_refused(undecided: Engine) -> None:
    page = send(open_page(START), "name,credits\nada,5\n")
    assert "- line 1 has unknown columns 'name'" in said(page)
    assert scalar(undecided, "SELECT COUNT(*) FROM user_credits") == 0


def test_a_file_without_lines_imports_nothing(undecided: Engine) -> None:
    page = send(open_page(START), "user_id,credits\n")
    assert "This file has no lines below its header." in said(page)
    assert button_labels(page) == [BUILD, CLEAN]


def test_an_import_that_was_stopped_says_so_and_goes_on_where_it_was(
    undecided: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out = opening_balances.importing

    def stopped(*args: Any, **kwargs: Any) -> Work[ImportSummary]:
        yield next(carry_out(*args, **kwargs))
        st.session_state["start:import:stopped"] = st.session_state["start:import:under-way"]
        st.rerun()

    page = send(open_page(START), "user_id,credits\n" + "".join(f"user-{number},5\n" for number in range(600)))
    with monkeypatch.context() as patch:
        patch.setattr(opening_balances, "importing", stopped)
        click(page, "Import 600 lines")
    assert [(found.proto.title, found.value) for found in page.warning] == [
        ("You stopped this", "What was imported so far stays. Go on to import the rest; nothing is imported twice.")
    ]
    assert button_labels(page) == ["Go on", "Leave it"]
    imported = int(str(scalar(undecided, "SELECT COUNT(*) FROM user_credits")))
    assert 0 < imported <= 500
    click(page, "Go on")
    assert f"Imported {600 - imported} opening balances, " in said(page)
    assert f"; {imported} imported before." in said(page)
    assert scalar(undecided, "SELECT SUM(balance_credits) FROM user_credits") == 3_000


def test_an_import_that_was_stopped_can_be_left(undecided: Engine) -> None:
    page = open_page(START)
    page.session_state["start:import:under-way"] = under_way = importing._Import(SentFile("x.csv", b""), 1, False)
    page.session_state["start:import:stopped"] = under_way
    run(page)
    click(page, "Leave it")
    assert button_labels(page) == [BUILD, CLEAN]


# --- the steps ------------------------------------------------------------------------------------------------------


def test_each_kind_of_visitor_has_three_steps_that_open_in_the_state_they_promise(of_demo: Engine) -> None:
    leading, user = rows(
        of_demo,
        "SELECT account_id, (SELECT user_id FROM user_credits WHERE user_id <> account_id ORDER BY balance_credits"
        " DESC LIMIT 1) FROM credit_transactions WHERE type = 'creator_payment' GROUP BY account_id"
        " ORDER BY SUM(amount_credits) DESC LIMIT 1",
    )[0]
    newest = scalar(of_demo, "SELECT MAX(id) FROM journal_entries WHERE type = 'prompt_run'")
    page = open_page(START)
    found = {label.strip("*"): where for label, where in links(page).items()}
    assert list(found) == [
        *("Find the cliff", "Fix it", "See who pays"),
        *("Run a prompt with a fee", "Ask for 5,000 a run", "Open the statement"),
        *("Run twice", "Run 1,000 at once", "Refund a run"),
        *("Finance: last month's statements", "Engineers: a key and a first call", "Everybody: the overview"),
    ]
    assert found["Find the cliff"] == ("pricing-lab", "plan=promptflow-v1&anew=")
    assert found["Ask for 5,000 a run"] == ("fee-designer", "fee=5000&anew=")
    assert found["Open the statement"] == ("creator-earnings", f"creator={leading}&period=all&anew=")
    assert found["Run 1,000 at once"] == ("simulate-runs", f"runs=1000&user={user}&anew=")
    assert found["Refund a run"] == ("history", f"entry={newest}&anew=")
    assert found["Run a prompt with a fee"][1].startswith(f"user={user}&prompt=")
    assert f"{user} pays, and {leading} earns at once." in captions(page)


def test_in_a_ledger_without_creators_the_steps_make_sense_too(off: Engine) -> None:
    world.add(off, "ada", 1_000_000, key="a")
    page = open_page(START)
    found = {label.strip("*"): where for label, where in links(page).items()}
    assert found["Run a prompt with a fee"] == ("test-credits", "user=ada&anew=")
    assert found["Open the statements"] == ("creator-earnings", "")
    assert found["Refund a run"] == ("history", "")
    assert "Set a creator and a fee, press Run, and the creator earns." in captions(page)


def test_a_creators_own_prompt_is_run_with_its_fee_where_there_is_no_demo(off: Engine) -> None:
    world.put_in_force(off, world.price_book().plan)
    world.make_prices_live(off, world.PRICE_LIST)
    world.add(off, "ada", 1_000_000, key="a")
    world.charge(off, world.HAIKU_WITH_FEE, key="run")
    found = {label.strip("*"): where for label, where in links(open_page(START)).items()}
    fee = world.HAIKU_WITH_FEE.creator_fee_credits
    expected = f"user=ada&prompt={world.HAIKU_WITH_FEE.prompt_id}&creator=ben&fee={fee}&anew="
    assert found["Run a prompt with a fee"] == ("test-credits", expected)


def test_a_plan_without_problems_has_no_fix_to_show(off: Engine) -> None:
    tier = replace(SPECIFICATION.tiers[1], below_credits=None, markup_bps=1_000)
    world.put_in_force(off, replace(SPECIFICATION, id="even", tiers=(tier,), minimum_platform_income_is_markup=True))
    world.add(off, "ada", 1_000_000, key="a")
    found = {label.strip("*"): where for label, where in links(open_page(START)).items()}
    assert list(found)[:3] == ["Look at the live plan", "Change a rule", "Replay the past"]
    assert found["Change a rule"] == ("compare-plans", "a=even&b=even&anew=")


def test_the_link_to_many_runs_fills_in_the_user_and_the_number(of_demo: Engine) -> None:
    page = open_page("act/simulate_runs.py", user="noor", runs="1000", anew="")
    assert (page.get_by_key("user").value, page.get_by_key("runs").value) == ("noor", "1000")
    assert "anew" not in page.query_params
