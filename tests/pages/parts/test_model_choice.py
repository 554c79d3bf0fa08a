"""Every box for a model: what is asked for and not offered is named, and no other model takes its place."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core import settings
from credits_core.prices.list_toml import without_model
from tests.support import page_driver, world
from tests.support.page_driver import button_labels, captions, charts, choose, click, metrics, open_page, run
from tests.support.plain_sql import rows, scalar

SIMULATE, BENCH = "act/simulate_runs.py", "test_credits.py"
FEES, CONSOLE = "fees/fee_designer.py", "build/api_console.py"
SCREENS = [SIMULATE, BENCH, FEES, CONSOLE]
SHIPPED = settings.MODELS_FILE.read_text(encoding="utf-8")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    """The demo world, and 53 offered models."""
    with page_driver.dashboard(tmp_path, demo=True) as engine:
        yield engine


def withdraw(engine: Engine, *model_ids: str) -> None:
    toml = SHIPPED
    for model_id in model_ids:
        toml = without_model(toml, model_id)
    world.make_prices_live(engine, toml)


def said(page: AppTest) -> list[tuple[str, str]]:
    return [(warning.proto.title, warning.value) for warning in page.warning]


def missing(model: str) -> list[tuple[str, str]]:
    return [(f"{model} is not offered", "Nothing was charged. Choose another model.")]


def is_priced(page: AppTest) -> bool:
    """Whether the page shows a price, or an example with a model in it."""
    shows_examples = any("PROMPTFLOW_KEY" in code.value for code in page.code)
    return "Total" in metrics(page) or charts(page) != [] or shows_examples


@pytest.mark.parametrize("screen", SCREENS)
def test_a_link_to_a_withdrawn_model_says_so_and_takes_no_other(ledger: Engine, screen: str) -> None:
    link = {"user": "ada", "prompt": "free-form", "model": "openai/gpt-4o"}
    assert is_priced(open_page(screen, **link))
    withdraw(ledger, "openai/gpt-4o")
    page = open_page(screen, **link)
    for _ in range(2):  # and as long as nobody chooses
        assert said(page) == missing("openai/gpt\\-4o")
        assert page.selectbox(key="model").value is None
        assert not is_priced(page)
        run(page)
    choose(page, model="openai/gpt-5")
    assert said(page) == []
    assert is_priced(page)
    assert is_priced(run(page))
    assert page.selectbox(key="model").value == "openai/gpt-5"


@pytest.mark.parametrize("screen", SCREENS)
def test_a_model_that_is_withdrawn_while_the_page_is_open_is_named(ledger: Engine, screen: str) -> None:
    page = open_page(screen, user="ada", prompt="free-form", model="gpt-4")
    assert is_priced(page)
    withdraw(ledger, "gpt-4")
    for _ in range(2):
        assert said(run(page)) == missing("gpt\\-4")
        assert not is_priced(page)
    world.make_prices_live(ledger, SHIPPED)  # and offered again
    assert said(run(page)) == []
    assert page.selectbox(key="model").value == "gpt-4"
    assert is_priced(page)


@pytest.mark.parametrize("screen", SCREENS)
def test_a_link_with_another_name_of_an_offered_model_opens_that_model(ledger: Engine, screen: str) -> None:
    page = open_page(screen, user="ada", prompt="free-form", model="gpt-4o-2024-08-06")
    assert said(page) == []
    assert page.selectbox(key="model").value == "openai/gpt-4o"
    assert is_priced(page)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", ["nonsense", "*x* $1$", "xiaomi/mimo-v2.5"])
def test_a_name_that_means_no_model_is_named(ledger: Engine, screen: str, name: str) -> None:
    page = open_page(screen, user="ada", prompt="free-form", model=name)
    assert len(said(page)) == 1
    assert not is_priced(page)


def test_without_a_link_the_first_model_of_the_list_is_chosen(ledger: Engine) -> None:
    page = open_page(SIMULATE, user="ada", prompt="free-form")
    assert (page.selectbox(key="model").value, "model" in page.query_params) == ("gpt-4", False)
    withdraw(ledger, "gpt-4")
    page = open_page(SIMULATE, user="ada", prompt="free-form")
    assert (said(page), page.selectbox(key="model").value) == ([], "gpt-4o")


@pytest.mark.parametrize(("runs", "label"), [("1", "Run"), ("3", "Run 3 times")])
def test_a_run_of_a_model_that_was_withdrawn_meanwhile_is_not_charged_as_another_one(
    ledger: Engine, runs: str, label: str
) -> None:
    world.add(ledger, "ada", 1_000_000, key="a")
    waiting = open_page(SIMULATE, user="ada", prompt="free-form", model="gpt-4", runs=runs)
    withdraw(ledger, "gpt-4")
    before = scalar(ledger, "SELECT COUNT(*) FROM prompt_runs")
    click(waiting, label)
    assert said(waiting) == missing("gpt\\-4")
    run(waiting)
    assert scalar(ledger, "SELECT COUNT(*) FROM prompt_runs") == before
    choose(waiting, model="gpt-4o")
    assert said(waiting) == []
    click(waiting, label)
    assert rows(ledger, "SELECT COUNT(*) FROM prompt_runs WHERE model_id = 'gpt-4o' AND price_list_id = 2") == [
        (int(runs),)
    ]


# --- demo prompts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", [SIMULATE, BENCH])
def test_a_demo_prompt_whose_model_was_withdrawn_says_so(ledger: Engine, screen: str) -> None:
    withdraw(ledger, "gpt-image-1")
    runs = scalar(ledger, "SELECT COUNT(*) FROM prompt_runs")
    page = open_page(screen, user="dev", prompt="product-photo")
    assert said(page) == missing("gpt\\-image\\-1")
    assert "Product photo by quinn" in captions(page)
    assert not is_priced(page)
    (button,) = (one for one in page.button if one.label == "Run")
    assert button.disabled
    assert scalar(ledger, "SELECT COUNT(*) FROM prompt_runs") == runs

    choose(page, model="gpt-4")
    assert (said(page), page.selectbox(key="model").value) == ([], "gpt-4")
    # Without a value to begin with, the link names what is chosen, also where it is the first model of the list.
    assert not page.selectbox(key="model").proto.HasField("default")
    click(page, "Run")
    assert rows(ledger, "SELECT model_id FROM prompt_runs ORDER BY entry_id DESC LIMIT 1") == [("gpt-4",)]
    page = open_page(screen, user="dev", prompt="product-photo", model="gpt-4")
    assert (said(page), page.selectbox(key="model").value) == ([], "gpt-4")


@pytest.mark.parametrize("screen", [SIMULATE, BENCH])
def test_choosing_a_demo_prompt_whose_model_was_withdrawn_says_so_until_another_prompt_is_chosen(
    ledger: Engine, screen: str
) -> None:
    withdraw(ledger, "gpt-image-1")
    page = open_page(screen, user="dev", prompt="sql-tuner")
    assert page.selectbox(key="model").value == "openai/gpt-4o"
    choose(page, prompt="product-photo")
    assert (said(page), page.selectbox(key="model").value) == (missing("gpt\\-image\\-1"), None)
    choose(page, prompt="quick-answer")
    assert (said(page), page.selectbox(key="model").value) == ([], "claude-3-haiku")
    assert "Run" in button_labels(page)
