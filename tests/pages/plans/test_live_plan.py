"""A plan that is put in force holds from the next charge on, wherever that comes from: a page, the API, a batch."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support import page_driver, plain_sql, world
from tests.support.api_world import api_over, problem
from tests.support.page_driver import click, metrics, open_page, run

RUNS = "SELECT plan_id, total_credits FROM prompt_runs ORDER BY entry_id"
DEARER = world.dearer_book().plan  # plan-2: 50 % markup, so 250 inference cost 375 and not 300
RUN_OF_HAIKU = {"user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine
        assert plain_sql.contradictions(engine) == []


@pytest.mark.parametrize("file", ["act/simulate_runs.py", "test_credits.py"])
def test_a_run_is_not_charged_at_another_price_than_the_one_on_the_page(ledger: Engine, file: str) -> None:
    page = open_page(file, user="ada", model="claude-3-haiku", prompt="free-form")
    world.put_in_force(ledger, DEARER)
    page = click(page, "Run")
    assert "300" in page.error[0].proto.title
    assert "375" in page.error[0].proto.title
    assert plain_sql.rows(ledger, RUNS) == []
    click(page, "Run")
    assert plain_sql.rows(ledger, RUNS) == [("plan-2", 375)]


def test_a_page_that_stood_open_shows_and_charges_the_new_price(ledger: Engine) -> None:
    page = open_page("act/simulate_runs.py", model="claude-3-haiku")
    assert metrics(page)["Total"][0] == "300"
    world.put_in_force(ledger, DEARER)
    page = run(page)
    assert metrics(page)["Total"][0] == "375"
    click(page, "Run")
    assert plain_sql.rows(ledger, RUNS) == [("plan-2", 375)]


def test_a_batch_is_priced_and_charged_with_the_plan_in_force(ledger: Engine) -> None:
    page = open_page("act/simulate_runs.py", model="claude-3-haiku", runs="3")
    assert metrics(page)["Total of 3 runs"][0] == "900"
    world.put_in_force(ledger, DEARER)
    page = run(page)
    assert metrics(page)["Total of 3 runs"][0] == "1,125"
    click(page, "Run 3 times")
    assert plain_sql.rows(ledger, RUNS) == [("plan-2", 375)] * 3


def test_a_page_says_what_a_purchase_costs_under_a_plan_that_adds_to_it(ledger: Engine) -> None:
    world.put_in_force(ledger, replace(DEARER, id="plan-3", purchase_fee_bps=250))
    captions = [one.value for one in open_page("act/add_credits.py", user="ada", amount="1000001").caption]
    # 2.5 % of 1,000,001 is 25,000.025.
    assert "Buying them costs 1,025,001 credits (\\$1.03): plan\\-3 adds a surcharge of 2.5 %." in captions


def test_the_api_prices_and_charges_with_the_plan_in_force(engine: Engine) -> None:
    with api_over(engine) as api:
        world.add(engine, "ada", 1_000_000, key="a")
        price = {"model_id": "claude-3-haiku"}
        assert api.post("/api/credits/calculate-cost", price).json()["total_credits"] == 300
        assert api.post("/api/credits/charge-prompt", RUN_OF_HAIKU, key="one").json()["total_credits"] == 300
        world.put_in_force(engine, DEARER)
        answer = api.post("/api/credits/calculate-cost", price).json()
        assert (answer["total_credits"], answer["plan"]) == (375, "plan-2")
        expected = {**RUN_OF_HAIKU, "expected_total_credits": 300}
        assert problem(api.post("/api/credits/charge-prompt", expected, key="two")) == (409, "price_changed")
        assert api.post("/api/credits/charge-prompt", RUN_OF_HAIKU, key="two").json()["plan"] == "plan-2"
        replayed = api.post("/api/credits/charge-prompt", RUN_OF_HAIKU, key="one")
        assert (replayed.status_code, replayed.json()["total_credits"], replayed.json()["plan"]) == (200, 300, "plan-1")
    assert plain_sql.rows(engine, RUNS) == [("plan-1", 300), ("plan-2", 375)]
