"""The screen Models: what each model costs, which can run, and the versions of the price list."""

from importlib.metadata import version

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core import settings
from tests.support import price_package, world
from tests.support.models_screen import ids, page_for, select
from tests.support.page_driver import (
    button_labels,
    captions,
    choose,
    click,
    metrics,
    open_page,
    run,
    small_tables,
    table,
)
from tests.support.plain_sql import every_row, rows
from tests.support.prices import per_run_list

OFFERED, KNOWN = 53, 2_165
TINY = per_run_list()
LISTS = "Every price list, newest first"


def confirm(page: AppTest, form: str, reason: str) -> AppTest:
    """The page after the dialog's reason was typed and its button clicked."""
    page.get_by_key(f"{form}:reason").set_value(reason)
    next(button for button in page.button if button.form_id == f"{form}:form").click()
    return run(page)


def bring_in(page: AppTest, content: bytes) -> AppTest:
    page.file_uploader[0].set_value(("mine.toml", content, "application/toml"))
    return run(page)


# --- the table ------------------------------------------------------------------------------------------------------


def test_the_offered_models_are_listed_with_their_prices(untouched: Engine) -> None:
    page = page_for()
    found = {row["Model"]: row for row in table(page)}
    assert len(found) == OFFERED
    assert f"{OFFERED} of {KNOWN:,} models. Click one to see all of its prices." in captions(page)
    assert "Offered" not in found["gpt-4"], "all of them are"
    # 30,000 + 10 % markup, whatever a run uses.
    assert found["gpt-4"] == {
        "Model": "gpt-4",
        "Type": "text",
        "Typical run, credits": 33_000,
        "In": None,
        "Out": None,
        "Cached": None,
        "Also priced by": "",
        "Context": None,
    }
    # 1,020 × 2.5 + 129 × 10 = 3,840, and 768 markup of 20 %.
    assert found["openai/gpt-4o"] == {
        "Model": "openai/gpt-4o",
        "Type": "text",
        "Typical run, credits": 4_608,
        "In": 2.5,
        "Out": 10.0,
        "Cached": 1.25,
        "Also priced by": "web searches, storage searches",
        "Context": None,
    }
    # 1,020 × 0.02 = 20.4, so 21, and 4 markup.
    assert found["openai/text-embedding-3-small"]["Typical run, credits"] == 25


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (" GPT-4O-MIN ", ["openai/gpt-4o-mini"]),
        ("dall·e 3", ["dall-e-3"]),  # by its name
        ("embedding-3-s", ["openai/text-embedding-3-small"]),
    ],
)
def test_a_search_narrows_to_ids_and_names(untouched: Engine, search: str, found: list[str]) -> None:
    assert ids(page_for(search=search)) == found


def test_the_type_narrows(untouched: Engine) -> None:
    page = page_for(type="image")
    assert {row["Type"] for row in table(page)} == {"image"}
    assert {"dall-e-3", "gpt-image-1"} <= {*ids(page)}
    assert ids(choose(page, search="dall-e-3")) == ["dall-e-3"]
    assert {row["Type"] for row in table(page_for(type="embedding", scope="All"))} == {"embedding"}


def test_all_shows_the_models_that_are_not_offered_after_the_others(untouched: Engine) -> None:
    page = page_for(scope="All")
    found = [row["Offered"] for row in table(page)]
    assert found == ["Yes"] * OFFERED + [""] * (KNOWN - OFFERED)
    assert len({*ids(page)}) == KNOWN
    (chat,) = (row for row in table(page) if row["Model"] == "deepseek/deepseek-chat")
    assert (chat["Offered"], chat["Context"]) == ("", 64_000)
    assert "deepseek/deepseek-chat" not in ids(choose(page, scope="offered"))


def test_nothing_found_is_said_with_what_to_do_next(untouched: Engine) -> None:
    page = page_for(search="deepseek/deepseek-chat")
    assert [(info.proto.title, info.value) for info in page.info] == [
        ("Nothing found", "No offered model matches. Show all models.")
    ]
    assert not page.dataframe
    assert LISTS in small_tables(page)
    assert {"Check for new prices", "Make live"} & {*button_labels(page)} == {"Check for new prices"}
    assert ids(choose(page, scope="all")) == ["deepseek/deepseek-chat", "openrouter/deepseek/deepseek-chat",
        "openrouter/deepseek/deepseek-chat-v3-0324", "openrouter/deepseek/deepseek-chat-v3.1"]  # fmt: skip
    page = choose(page, search="no such model")
    assert [info.value for info in page.info] == ["No model matches. Shorten the search."]


@pytest.mark.parametrize(
    "query", [{"type": "colour"}, {"scope": "Some"}, {"search": "$x$ **b** <i>"}, {"search": "\0"}, {"search": "["}]
)
def test_a_link_that_makes_no_sense_opens_the_page(untouched: Engine, query: dict[str, str]) -> None:
    assert page_for(**query).text_input(key="search").label == "Search"


# --- offering and withdrawing ---------------------------------------------------------------------------------------


def test_a_model_is_offered_with_a_reason_and_can_then_be_run(ledger: Engine) -> None:
    world.add(ledger, "ada", 1_000_000, key="a")
    before = every_row(ledger)
    assert "deepseek/deepseek-chat" not in open_page("act/simulate_runs.py").selectbox(key="model").options
    page = click(
        select(page_for(search="deepseek/deepseek-chat", scope="All"), "deepseek/deepseek-chat"), "Offer model"
    )
    assert "**deepseek/deepseek\\-chat** can be run from the next charge on." in [line.value for line in page.markdown]
    page = confirm(page, "models:offer", " ")
    assert [warning.value for warning in page.warning] == ["Enter a reason, at most 500 printable characters."]
    assert every_row(ledger) == before

    page = confirm(page, "models:offer", "Asked for")
    said = ":material/check_circle: Price list 2 is live. To go back, make an earlier list live on Models."
    assert said in [line.value for line in run(page).markdown]  # it stays
    assert "Withdraw model" in button_labels(page)
    assert table(page)[0]["Offered"] == "Yes"
    assert rows(ledger, "SELECT id, source, actor FROM price_lists WHERE id > 1") == [
        (2, "deepseek/deepseek-chat offered", "dashboard")
    ]
    assert rows(ledger, "SELECT id, price_list_id, reason, actor FROM price_list_activations WHERE id > 1") == [
        (2, 2, "Asked for", "dashboard")
    ]
    simulated = open_page(
        "act/simulate_runs.py", user="ada", model="deepseek/deepseek-chat", input_tokens="1000", output_tokens="100"
    )
    assert simulated.selectbox(key="model").value == "deepseek/deepseek-chat"
    click(simulated, "Run")
    assert rows(ledger, "SELECT model_id, price_list_id FROM prompt_runs") == [("deepseek/deepseek-chat", 2)]


def test_a_model_is_withdrawn_with_a_reason_and_can_no_longer_be_run(ledger: Engine) -> None:
    world.add(ledger, "ada", 1_000_000, key="a")
    click(open_page("act/simulate_runs.py", user="ada", model="gpt-4"), "Run")
    page = click(select(page_for(), "gpt-4"), "Withdraw model")
    assert "**gpt\\-4** cannot be run any more. Past runs keep their price." in [line.value for line in page.markdown]
    page = confirm(page, "models:offer", "Retired by its maker")
    assert "gpt-4" not in ids(page)
    assert [heading.value for heading in page.header] == ["gpt\\-4"]
    assert [info.value for info in page.info] == [
        "This model is not offered and has no known price. To offer it, import a price list that includes it."
    ]
    assert len(ids(page)) == OFFERED - 1
    assert rows(ledger, "SELECT id, source FROM price_lists WHERE id > 1") == [(2, "gpt-4 withdrawn")]
    assert rows(ledger, "SELECT model_id, price_list_id, inference_cost_credits FROM prompt_runs") == [
        ("gpt-4", 1, 30_000)
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_a_total_on_an_open_page_follows_the_live_list(ledger: Engine, count: int) -> None:
    world.add(ledger, "ada", 1_000_000, key="a")
    waiting = open_page("act/simulate_runs.py", user="ada", model="gpt-4", runs=str(count))
    label = "Total" if count == 1 else "Total of 3 runs"
    assert metrics(waiting)[label][0] == f"{33_000 * count:,}"
    dearer = settings.MODELS_FILE.read_text(encoding="utf-8").replace("= 30_000", "= 40_000", 1)
    page = click(bring_in(page_for(), dearer.encode()), "Save as new price list")
    confirm(click(page, "Make live"), "models:activate", "Dearer")
    assert metrics(run(waiting))[label][0] == f"{44_000 * count:,}"  # 40,000 and 10 % markup


def test_a_price_that_may_be_a_mistake_is_confirmed_before_the_model_is_offered(ledger: Engine) -> None:
    with price_package.carried() as carry:
        carry(b=price_package.usd(input_mtok="1000.01"))
        page = click(select(page_for(search="maker/", scope="All"), "maker/b"), "Offer model")
        page = confirm(page, "models:offer", "Asked for")
        assert page.error
        assert rows(ledger, "SELECT COUNT(*) FROM price_lists") == [(1,)]
        page.get_by_key("models:offer:price").check()
        confirm(page, "models:offer", "Asked for")
    assert rows(ledger, "SELECT source FROM price_lists WHERE id = 2") == [("maker/b offered",)]


def test_a_click_on_another_model_asks_anew(ledger: Engine) -> None:
    page = click(select(page_for(search="gpt-4"), "gpt-4"), "Withdraw model")
    assert [button.label for button in page.button if button.form_id == "models:offer:form"] == ["Withdraw"]
    page = select(page, "gpt-4o")
    assert [button.label for button in page.button if button.form_id == "models:offer:form"] == []


# --- price lists ----------------------------------------------------------------------------------------------------


def test_the_first_list_is_what_this_version_brings(untouched: Engine) -> None:
    page = page_for()
    assert small_tables(page)[LISTS] == [
        (
            "1",
            "Live",
            "came with the software",
            "migration",
            "data/models\\.toml",
            "The prices that this version brings",
        )
    ]
    assert "Make live" not in button_labels(page)


def test_prices_that_are_those_of_the_package_are_not_saved_again(ledger: Engine) -> None:
    before = every_row(ledger)
    page = click(page_for(), "Check for new prices")
    assert [success.value for success in page.success] == [f"All prices match genai-prices {version('genai-prices')}."]
    assert every_row(ledger) == before


def test_an_imported_list_shows_its_differences_before_it_is_saved_and_made_live(ledger: Engine) -> None:
    world.add(ledger, "ada", 1_000_000, key="a")
    page = bring_in(page_for(), TINY.encode())
    lines = page.code[0].value.splitlines()
    assert lines[:2] == ["+ tiny: 5 credits per run", "- gpt-4: 30,000 credits per run"]
    assert len(lines) == 1 + OFFERED
    assert f"{1 + OFFERED} changes from the live list" in captions(page)
    assert rows(ledger, "SELECT COUNT(*) FROM price_lists") == [(1,)]

    page = click(page, "Save as new price list")
    (saved, first) = small_tables(page)[LISTS]
    assert (saved[0], saved[1], saved[3:]) == ("2", "", ("dashboard", "mine\\.toml", "–"))
    assert first[1] == "Live"
    assert page.selectbox(key="models:other").value == 2
    assert page.code[-1].value.splitlines() == lines
    assert len(ids(page)) == OFFERED

    page = confirm(click(page, "Make live"), "models:activate", "")
    assert [warning.value for warning in page.warning] == ["Enter a reason, at most 500 printable characters."]
    assert rows(ledger, "SELECT MAX(id) FROM price_list_activations") == [(1,)]
    page = confirm(page, "models:activate", "Small")
    assert ids(page) == ["tiny"]
    assert [(row[0], row[1], row[5]) for row in small_tables(page)[LISTS]] == [
        ("2", "Live", "Small"),
        ("1", "", "The prices that this version brings"),
    ]
    assert page.selectbox(key="models:other").value == 1
    simulated = open_page("act/simulate_runs.py", user="ada")
    assert simulated.selectbox(key="model").options == ["tiny"]
    assert metrics(simulated)["Total"][0] == "6"  # 5, and 1 markup of 20 %


def test_a_list_is_not_made_live_over_one_that_the_person_did_not_see(ledger: Engine) -> None:
    shipped = settings.MODELS_FILE.read_text(encoding="utf-8")
    page = click(bring_in(page_for(), shipped.replace("= 30_000", "= 40_000", 1).encode()), "Save as new price list")
    page = click(page, "Make live")
    dearer = "~ gpt-4: 30,000 credits per run -> 40,000 credits per run"
    assert [code.value for code in page.code[-2:]] == [dearer] * 2  # beside the choice, and in the dialog
    world.make_prices_live(ledger, shipped + TINY)
    page = confirm(page, "models:activate", "Dearer")
    assert [(one.proto.title, one.value) for one in page.warning] == [
        (
            "Somebody changed the live list meanwhile",
            "tester made price list 3 live: hand\\-written. Nothing was changed. Close this window to see what would "
            "change now.",
        )
    ]
    assert rows(ledger, "SELECT price_list_id FROM price_list_activations ORDER BY id") == [(1,), (3,)]
    page.get_by_key("models:activate:ask").click()
    page = run(page)
    assert page.code[-1].value == f"{dearer}\n- tiny: 5 credits per run"
    confirm(page, "models:activate", "Dearer all the same")
    assert rows(ledger, "SELECT price_list_id FROM price_list_activations ORDER BY id") == [(1,), (3,), (2,)]


def test_a_list_with_one_change_and_one_with_none_say_so(ledger: Engine) -> None:
    shipped = settings.MODELS_FILE.read_text(encoding="utf-8")
    page = bring_in(page_for(), shipped.encode())
    assert "No price differs from the live list." in captions(page)
    page = bring_in(page, shipped.replace("run_price_credits = 30_000", "run_price_credits = 40_000", 1).encode())
    assert page.code[0].value == "~ gpt-4: 30,000 credits per run -> 40,000 credits per run"
    assert "1 change from the live list" in captions(page)


@pytest.mark.parametrize(
    ("content", "title", "said"),
    [
        (b"\xff", "The file is not UTF-8 text", "Nothing was imported."),
        (b"", "The price list is not valid", "- lists no \\[\\[models\\]\\]"),
        (
            (TINY + TINY).encode(),
            "The price list is not valid",
            "- model 'tiny' is listed twice",
        ),
        (
            TINY.replace("5", "-5").encode(),
            "The price list is not valid",
            "- model 'tiny'\\: run\\_price\\_credits",
        ),
    ],
)
def test_a_file_that_is_no_price_list_is_not_imported(untouched: Engine, content: bytes, title: str, said: str) -> None:
    page = bring_in(page_for(), content)
    ((shown, text),) = ((error.proto.title, error.value) for error in page.error)
    assert shown == title
    assert text.startswith(said)
    assert "Save as new price list" not in button_labels(page)


def test_new_prices_of_the_package_are_saved_and_not_live(ledger: Engine) -> None:
    older = settings.MODELS_FILE.read_text(encoding="utf-8").replace(
        "prices = [{input_tokens = 0.02}]", "prices = [{input_tokens = 0.03}]"
    )
    page = click(bring_in(page_for(search="embedding-3-small"), older.encode()), "Save as new price list")
    page = confirm(click(page, "Make live"), "models:activate", "An older price")
    assert table(page)[0]["In"] == 0.03
    page = click(page, "Check for new prices")
    assert small_tables(page)[LISTS][0][4].replace("\\", "") == f"genai-prices {version('genai-prices')}"
    assert (
        page.code[-1].value
        == "~ openai/text-embedding-3-small: $0.03 per million input tokens -> $0.02 per million input tokens"
    )
    assert table(page)[0]["In"] == 0.03
