from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.store.kinds import CreditSource
from tests.support import page_driver, plain_sql
from tests.support.page_driver import (
    captions,
    charts,
    choose,
    click,
    links,
    metrics,
    open_page,
    run,
    small_tables,
    table,
)

RUNS = "SELECT COUNT(*), SUM(total_credits) FROM prompt_runs"
FEE = {"user": "ada", "model": "claude-3-haiku", "creator": "ben", "fee": "1001"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("bench"), demo=True) as engine:
        yield engine


def bench(**query: str) -> AppTest:
    return open_page("test_credits.py", **query)


def headings(page: AppTest) -> list[str]:
    return [heading.value for heading in page.header]


def said(page: AppTest) -> str:
    return "\n".join(markdown.value for markdown in page.markdown).replace("\\", "")


def test_who_what_and_what_happened_stand_side_by_side(demo: Engine) -> None:
    page = bench(user="dev")
    assert headings(page) == ["Who", "Run or unlock", "What happened"]
    balance_credits = plain_sql.balance(demo, "dev")
    assert metrics(page)["Balance of dev"][0] == f"{balance_credits:,}"
    assert "Nothing yet. Choose what to run, then press the button." in captions(page)


def test_the_price_follows_the_inputs_and_says_who_would_get_it(ledger: Engine) -> None:
    page = bench(**FEE)
    assert "**Total 1,251** ($0.001251)" in said(page)
    assert ":gray[Inference] 250 · :green[Creator] 800 · :violet[Platform] 201" in captions(page)
    (bar,) = charts(page)
    assert [(part["name"], part["x"]) for part in bar["data"]] == [
        ("Inference", [250]),
        ("Creator", [800]),
        ("Platform", [201]),
    ]
    choose(page, fee="5000")
    assert "**Total 5,250** ($0.00525)" in said(page)


def test_a_run_shows_what_happened_to_every_balance_and_marks_the_creators_payment(ledger: Engine) -> None:
    page = bench(**FEE)
    assert metrics(page) == {"Balance of ada": ("1,000,000", "$1.00")}
    click(page, "Run")
    assert metrics(page) == {"Balance of ada": ("998,749", "$0.9987")}
    assert small_tables(page) == {
        "Who paid and who received": [
            ("ada", "-1,251", "1,000,000", "998,749"),
            ("**ben**", "+800", "0", "800"),
            ("Platform revenue", "+201", "–", "–"),
            ("Inference costs", "+250", "–", "–"),
        ]
    }
    assert "ben earned 800 credits ($0.0008)" in said(page)
    assert links(page)["Explain this charge"] == ("explain-charge", "to_entry=3&anew=")
    assert plain_sql.transactions(ledger, 3) == [
        ("ada", "prompt_run", -1_251, 998_749),
        ("ben", "creator_payment", 800, 800),
        ("platform:revenue", "platform_revenue", 201, None),
        ("platform:inference", "inference_cost", 250, None),
    ]


def test_a_flow_is_unlocked_once_and_its_price_is_a_bar_too(ledger: Engine) -> None:
    page = choose(bench(user="ada"), doing="Unlock")
    choose(page, flow_id="flow-1", flow_creator="ben", flow_fee=1_000)
    assert ":gray[Inference] 0 · :green[Creator] 800 · :violet[Platform] 200" in captions(page)
    click(page, "Unlock")
    assert small_tables(page)["Who paid and who received"] == [
        ("ada", "-1,000", "1,000,000", "999,000"),
        ("**ben**", "+800", "0", "800"),
        ("Platform revenue", "+200", "–", "–"),
    ]
    assert "ada has this flow already." in captions(run(page))
    assert page.button(key="bench:unlock:unlock").disabled


def test_the_last_actions_stay_and_can_be_done_again_or_refunded(ledger: Engine) -> None:
    page = click(bench(**FEE), "Run")
    assert "ada paid 1,251 credits ($0.001251): free-form on claude-3-haiku" in said(page)
    assert links(page)["Entry 3"] == ("history", "entry=3&anew=")
    choose(page, model="gpt-4", user="cleo")
    click(page, "Again")
    assert (page.get_by_key("model").value, page.get_by_key("user").value) == ("claude-3-haiku", "ada")
    click(page, "Run")
    assert plain_sql.rows(ledger, RUNS) == [(2, 2_502)]
    page.button(key="refund:4").click()
    run(page)
    # 800 of ben's share; 201 of the platform, and the 250 that the provider is paid all the same.
    assert "ada gets back 1,251 credits ($0.001251): ben gives back 800, PromptFlow bears 451." in said(page)
    page.checkbox(key="refund:provider").check()
    run(page)
    assert "ben gives back 800, PromptFlow bears 201, the provider gives back 250." in said(page)
    page.text_input(key="refund:reason").set_value("A wrong answer")
    (confirm,) = (button for button in page.button if button.form_id == "refund")
    confirm.click()
    run(page)
    assert plain_sql.balance(ledger, "ada") == 1_000_000 - 1_251
    # One line for each run in the list of this visit; the one that was refunded says so.
    assert [text.value.replace("\\", "") for text in page.sidebar.markdown if "ada paid" in text.value] == [
        "~~ada paid 1,251 credits ($0.001251)~~ Refunded by entry 5. ada got back 1,251 credits ($0.001251): "
        "ben gave back 800, PromptFlow bore 201, the provider gave back 250.",
        "ada paid 1,251 credits ($0.001251)",
    ]
    assert [text.value for text in page.sidebar.markdown if text.value.startswith("ada got back")] == []


def test_what_this_visit_did_is_taken_back_with_who_bears_it_before_and_after(ledger: Engine) -> None:
    page = click(bench(**FEE), "Run")
    assert page.sidebar.get("popover")[0].proto.popover.label == "This visit: 1"  # at once
    (undo,) = (button for button in page.button if button.key.startswith("undo:list:"))
    before = "ada gets back 1,251 credits ($0.001251): ben gives back 800, PromptFlow bears 451."
    assert undo.help.replace("\\", "") == before
    undo.click()
    run(page)
    assert plain_sql.rows(ledger, "SELECT COUNT(*) FROM journal_entries WHERE type = 'refund'") == [(0,)]
    page.checkbox(key="refund:provider").check()
    run(page).text_input(key="refund:reason").set_value("A wrong answer")
    (confirm,) = (button for button in page.button if button.form_id == "refund")
    confirm.click()
    after = "Refunded by entry 4. ada got back 1,251 credits ($0.001251): ben gave back 800, PromptFlow bore 201, the"
    assert after in said(run(page))
    assert plain_sql.balance(ledger, "ada") == 1_000_000
    assert [button for button in page.button if button.key.startswith("undo:list:")] == []


def test_a_refund_can_be_asked_for_on_any_screen(ledger: Engine) -> None:
    page = run(click(bench(**FEE), "Run"))
    run(page.switch_page("explore/balances.py"))
    (undo,) = (button for button in page.button if button.key.startswith("undo:list:"))
    undo.click()
    run(page).text_input(key="refund:reason").set_value("A wrong answer")
    (confirm,) = (button for button in page.button if button.form_id == "refund")
    confirm.click()
    run(page)
    assert plain_sql.balance(ledger, "ada") == 1_000_000
    assert table(page)[0]["Balance"] == 1_000_000


@pytest.mark.parametrize("name", ["user", "to_user"])
def test_a_link_is_taken_over_and_forgets_what_stood_there(ledger: Engine, name: str) -> None:
    page = run(choose(bench(**FEE), model="gpt-4").switch_page("explore/balances.py"))
    page.query_params.clear()
    page.query_params[name], page.query_params["anew"] = "cleo", ""
    run(page.switch_page("test_credits.py"))
    assert (page.get_by_key("user").value, page.get_by_key("fee").value) == ("cleo", "")
    assert page.get_by_key("model").value != "gpt-4"
    assert not {"to_user", "anew"} & {*page.query_params}


def test_the_same_run_is_charged_once_until_a_new_run_is_asked_for(ledger: Engine) -> None:
    page = bench(**FEE)
    click(page, "Run")
    click(page, "Run")
    assert [info.proto.title for info in page.info] == ["This click was a repeat and was not charged"]
    assert plain_sql.rows(ledger, RUNS) == [(1, 1_251)]
    click(page, "New run")
    assert small_tables(page) == {}
    click(page, "Run")
    assert plain_sql.rows(ledger, RUNS) == [(2, 2_502)]


def test_adding_credits_and_running_keep_apart(ledger: Engine) -> None:
    page = bench(amount="500", **FEE)
    click(page, "Run")
    click(page, "Add credits")
    assert [success.value for success in page.success] == [
        "Added 500 credits (\\$0.0005) to ada, by entry 4.",
        "ada paid 1,251 credits (\\$0.001251), by entry 3.",
    ]
    assert metrics(page)["Balance of ada"] == ("999,249", "$0.9992")
    click(page, "New run")
    assert [success.value for success in page.success] == ["Added 500 credits (\\$0.0005) to ada, by entry 4."]


def test_the_same_credits_are_added_once_until_more_is_asked_for(ledger: Engine) -> None:
    page = bench(user="cleo", amount="500")
    click(page, "Add credits")
    click(page, "Add credits")
    assert [info.proto.title for info in page.info] == ["This click was a repeat and nothing was added"]
    assert plain_sql.balance(ledger, "cleo") == 1_500
    click(page, "Add more")
    click(page, "Add credits")
    assert plain_sql.balance(ledger, "cleo") == 2_000


def test_a_grant_without_a_reason_is_refused_beside_the_form(ledger: Engine) -> None:
    before = plain_sql.every_row(ledger)
    page = bench(amount="500")
    page.get_by_key("kind").set_value(CreditSource.GRANT)
    click(page, "Add credits")
    assert ([error.value for error in page.error], [warning.value for warning in page.warning]) == (
        [],
        ["Enter a reason, at most 500 printable characters."],
    )
    assert plain_sql.every_row(ledger) == before


def test_a_user_who_cannot_pay_is_refused_and_can_run_after_adding_credits(ledger: Engine) -> None:
    before = plain_sql.every_row(ledger)
    page = bench(user="cleo", model="gpt-4", amount="50000")
    click(page, "Run")
    assert [(error.proto.title, error.value) for error in page.error] == [
        ("cleo has 1,000 credits (\\$0.001), but this takes 33,000 credits (\\$0.033).", "Nothing was charged.")
    ]
    assert plain_sql.every_row(ledger) == before
    click(page, "Add credits")
    assert not page.error  # what was missing is there now
    click(page, "Run")
    assert not page.error
    assert metrics(page)["Balance of cleo"] == ("18,000", "$0.018")


def test_tokens_are_asked_for_when_the_model_is_priced_per_token(ledger: Engine) -> None:
    page = bench(user="ada", model="claude-3-haiku")
    assert "input_tokens" not in [box.key for box in page.text_input]
    choose(page, model="openai/gpt-4o", input_tokens=1_021, output_tokens=129)
    click(page, "Run")
    assert plain_sql.rows(ledger, RUNS) == [(1, 4_611)]


def test_the_chosen_user_is_the_one_who_pays_and_is_shown(ledger: Engine) -> None:
    page = choose(bench(model="claude-3-haiku"), user="cleo")
    assert metrics(page)["Balance of cleo"] == ("1,000", "$0.001")
    click(page, "Run")
    assert plain_sql.rows(ledger, "SELECT user_id FROM prompt_runs") == [("cleo",)]


def test_an_account_can_be_opened_from_an_empty_database(tmp_path: Path) -> None:
    with page_driver.small_dashboard(tmp_path) as engine:
        page = bench()
        assert [info.proto.title for info in page.info] == ["Add credits first"]
        assert "No users yet. Type an id here, then add credits." in captions(page)
        page = bench(user="maya", amount="1000000")
        assert [info.value for info in page.info] == ["maya does not exist yet. Adding credits creates the user."]
        click(page, "Add credits")
        click(page, "Run")
        assert plain_sql.balance(engine, "maya") == 1_000_000 - 300
        assert page.selectbox(key="prompt").options == ["free-form"]


@pytest.mark.parametrize(
    "query",
    [
        {"user": "$x$ **b** <i>", "prompt": "$p$"},
        {"user": "a@example.org", "model": "no-such-model", "fee": "nan"},
        {"user": "ada\0", "amount": "0", "unit": "", "input_tokens": "-1"},
    ],
)
def test_a_link_that_makes_no_sense_opens_the_page(ledger: Engine, query: dict[str, str]) -> None:
    assert headings(bench(**query)) == ["Who", "Run or unlock", "What happened"]


def test_a_typed_text_is_shown_as_it_was_typed(ledger: Engine) -> None:
    page = bench(user="$x$ *b*", model="claude-3-haiku")
    assert any("not '\\$x\\$ \\*b\\*'" in warning.value for warning in page.warning)
