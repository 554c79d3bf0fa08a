"""The screen Models: which model is open follows its id, whatever happens to the table."""

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core import settings
from credits_core.prices.list_toml import without_model
from tests.support import world
from tests.support.models_screen import ids, page_for, select
from tests.support.page_driver import button_labels, choose, click, click_in_row, run, small_tables
from tests.support.prices import per_run_list

SHIPPED = settings.MODELS_FILE.read_text(encoding="utf-8")
TINY = per_run_list()


def shown(page: AppTest) -> list[str]:
    """The heading of the model that is open."""
    return [heading.value.replace("\\", "") for heading in page.header]


def withdraw(engine: Engine, model_id: str) -> None:
    world.make_prices_live(engine, without_model(SHIPPED, model_id))


def test_a_link_opens_the_model_that_it_names(untouched: Engine) -> None:
    assert shown(page_for(model="gpt-4o")) == ["GPT-4o"]
    assert page_for(model="dall-e-3", search="claude").query_params["model"] == "dall-e-3"
    assert shown(page_for(model="dall-e-3", search="claude")) == ["DALL·E 3"]
    assert shown(page_for(model="deepseek/deepseek-chat")) == ["DeepSeek Chat"]


def test_a_search_does_not_open_another_model(untouched: Engine) -> None:
    page = select(page_for(), "gpt-4o")
    assert (shown(page), page.query_params["model"]) == (["GPT-4o"], "gpt-4o")
    for search in ("claude-3", "o", "no such model", ""):
        assert shown(choose(page, search=search)) == ["GPT-4o"]
        assert "Every price list, newest first" in small_tables(page)


def test_a_withdrawal_and_an_offer_elsewhere_do_not_open_another_model(ledger: Engine) -> None:
    page = select(page_for(), "gpt-4o")
    withdraw(ledger, "gpt-4")
    assert shown(run(page)) == ["GPT-4o"]
    world.make_prices_live(ledger, TINY + SHIPPED)
    assert shown(run(page)) == ["GPT-4o"]


def test_a_click_on_a_row_opens_the_model_that_stood_there_when_it_was_drawn(ledger: Engine) -> None:
    page = page_for()
    row = ids(page).index("gpt-4o")
    withdraw(ledger, "gpt-4")
    assert shown(click_in_row(page, row, "gpt-4o", column="Model")) == ["GPT-4o"]


def test_a_model_stays_open_until_it_is_closed(untouched: Engine) -> None:
    page = select(select(page_for(), "dall-e-3"), "dall-e-3")  # a second click closes nothing
    assert shown(page) == ["DALL·E 3"]
    page = click(page, "Close")
    assert (shown(page), "model" in page.query_params) == ([], False)
    assert shown(run(page)) == []


def test_a_link_with_the_package_s_id_opens_the_model_that_is_offered_under_another(ledger: Engine) -> None:
    own = SHIPPED.replace('\nid = "openai/gpt-4o-mini"', '\nid = "our-mini"')
    world.make_prices_live(ledger, own)
    page = page_for(model="openai/gpt-4o-mini")
    assert shown(page) == ["GPT-4o mini"]
    assert "Withdraw model" in button_labels(page)


@pytest.mark.parametrize("name", ["gpt-4o-2024-08-06", "*x* <b> $1$"])
def test_a_link_to_a_model_that_has_no_price_says_so(untouched: Engine, name: str) -> None:
    page = page_for(model=name)
    assert shown(page) == [name]
    assert [info.value for info in page.info] == [
        "This model is not offered and has no known price. To offer it, import a price list that includes it."
    ]
    assert {"Offer model", "Withdraw model"} & {*button_labels(page)} == set()
