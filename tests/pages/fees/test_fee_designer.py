from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from tests.support import page_driver, world
from tests.support.page_driver import charts, choose, open_page, small_tables

GPT_4 = {"model": "gpt-4"}
TOKENS = {"model": "openai/gpt-4o", "input_tokens": "1021", "output_tokens": "129"}
UNLOCK = {**GPT_4, "by": "Unlock price"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        yield engine


def page_for(**query: str) -> AppTest:
    return open_page("fees/fee_designer.py", **query)


def told(page: AppTest) -> str:
    boxes = (*page.header, *page.warning, *page.caption, *page.markdown)
    return "\n".join(found.value for found in boxes).replace("\\", "")


def answer(page: AppTest) -> str:
    """The sentence that says who gets what."""
    return str(page.header[0].value).replace("\\", "")


def who_gets_what(page: AppTest) -> list[tuple[str, ...]]:
    """The lines of the answer's table: of one run or unlock, and of the month."""
    return [tuple(cell.replace("\\", "") for cell in row) for row in small_tables(page)["Who gets what"]]


def one(page: AppTest) -> list[str]:
    """What the creator, PromptFlow and the model get and the user pays, for one run or unlock."""
    return [row[1] for row in who_gets_what(page)]


def lines(figure: dict[str, Any]) -> dict[str, dict[int, int]]:
    """Each line's credits by where on the axis they are."""
    return {
        line["name"]: dict(zip(line["x"], line["y"], strict=True))
        for line in figure["data"]
        if line["mode"] == "lines+markers"
    }


def shaded(figure: dict[str, Any]) -> list[tuple[int, int]]:
    return [(shape["x0"], shape["x1"]) for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]


def marked(figure: dict[str, Any]) -> list[int]:
    return [shape["x0"] for shape in figure["layout"]["shapes"] if shape["type"] == "line"]


def test_it_opens_with_everything_filled_in(ledger: Engine) -> None:
    # The first model is claude-3-haiku at 250; a fee of 5,000 is split 4,000 to 1,000.
    page = page_for()
    assert answer(page) == "You ask 5,000: you get 4,000 (80 %), PromptFlow 1,000."
    assert who_gets_what(page) == [
        ("You get", "4,000 ($0.004)", "4,000,000 ($4.00)"),
        ("PromptFlow gets", "1,000 ($0.001)", "1,000,000 ($1.00)"),
        ("The model costs", "250 ($0.00025)", "250,000 ($0.25)"),
        ("Users pay", "5,250 ($0.00525)", "5,250,000 ($5.25)"),
    ]
    assert "Month: 1,000 runs" in month_heading(page)
    assert len(charts(page)) == 3


def month_heading(page: AppTest) -> list[str]:
    (found,) = (table for table in page.table if table.proto.alt == "Who gets what")
    return list(found.value.columns)


def test_a_month_at_any_number_of_runs(ledger: Engine) -> None:
    page = page_for(**GPT_4, fee="5001", per_month="30")
    # 30 × 4,000; 30 × 1,001; 30 × 30,000; 30 × 35,001
    assert [row[2] for row in who_gets_what(page)] == [
        "120,000 ($0.12)",
        "30,030 ($0.03003)",
        "900,000 ($0.90)",
        "1,050,030 ($1.05003)",
    ]
    assert month_heading(page)[-1] == "Month: 30 runs"


def test_in_a_month_every_user_unlocks_before_running(ledger: Engine) -> None:
    page = page_for(**UNLOCK, unlock="30001", per_user="20", per_month="50")
    # 50 runs are those of three users, the last of whom runs ten times.
    assert month_heading(page)[-1] == "Month: 50 runs, 3 users"
    assert [row[2] for row in who_gets_what(page)] == [
        "72,000 ($0.072)",  # 3 × 24,000
        "168,003 ($0.168003)",  # 3 × 6,001 and 50 × 3,000
        "1,500,000 ($1.50)",
        "1,740,003 ($1.740003)",
    ]


def test_amounts_are_in_dollars_when_the_sidebar_says_so(ledger: Engine) -> None:
    page = page_for(**GPT_4)
    page.get_by_key("amounts").set_value("Dollars")
    page_driver.run(page)
    assert answer(page) == "You ask $0.005: you get $0.004 (80 %), PromptFlow $0.001."
    assert one(page) == ["$0.004", "$0.001", "$0.03", "$0.035"]


def test_a_fee_per_run_says_who_gets_what_and_which_fees_make_the_run_cheaper(ledger: Engine) -> None:
    page = page_for(**GPT_4, fee="5001")
    assert answer(page) == "You ask 5,001: you get 4,000 (80 %), PromptFlow 1,001."  # 80 % is 4,000.8
    assert one(page) == ["4,000 ($0.004)", "1,001 ($0.001001)", "30,000 ($0.03)", "35,001 ($0.035001)"]
    sentence = "A fee of 1 to 2,999 credits makes this run cheaper than no fee. We only break even at a fee of 14,996."
    assert sentence in [found.value.replace("\\", "") for found in page.caption]


def test_a_fee_that_makes_the_run_cheaper_is_warned_of(ledger: Engine) -> None:
    (warning,) = page_for(**GPT_4, fee="2000").warning
    assert warning.title == "This fee makes the run cheaper"
    assert warning.value.replace("\\", "").endswith(
        "With the chosen fee the user pays 1,000 credits ($0.001) less than without one."
    )


@pytest.mark.parametrize(("fee", "warnings"), [("0", 0), ("1", 1), ("2999", 1), ("3000", 0)])
def test_only_a_fee_below_the_markup_is_warned_of(ledger: Engine, fee: str, warnings: int) -> None:
    assert len(page_for(**GPT_4, fee=fee).warning) == warnings


def test_the_chart_over_fees_shades_the_inversion_and_marks_the_fee(ledger: Engine) -> None:
    figure = charts(page_for(**GPT_4, fee="5001"))[1]
    drawn = lines(figure)
    assert (drawn["User pays"][1], drawn["User pays"][5_001], drawn["User pays"][20_000]) == (30_001, 35_001, 50_000)
    assert (drawn["Creator gets"][1], drawn["Creator gets"][5_001]) == (0, 4_000)
    assert (drawn["Platform gets"][14_996], drawn["Platform gets"][5_001]) == (3_000, 1_001)
    assert set(drawn["User without fee"].values()) == {33_000}
    assert set(drawn["Platform without fee"].values()) == {3_000}
    assert (shaded(figure), marked(figure)) == ([(1, 2_999)], [5_001])
    colours = {line["name"]: line["line"]["color"] for line in figure["data"]}
    assert (colours["User pays"], colours["Creator gets"], colours["Platform gets"]) == (
        "#3B82F6",
        "#10B981",
        "#8B5CF6",
    )


def test_tokens_make_the_cost_that_the_fee_stands_upon(ledger: Engine) -> None:
    # 3,842.5 rounded up is 3,843; without a fee 768 are added.
    page = page_for(**TOKENS, fee="100")
    assert one(page)[2:] == ["3,843 ($0.003843)", "3,943 ($0.003943)"]
    assert "A fee of 1 to 767 credits makes" in told(page)
    assert "the user pays 668 credits ($0.000668) less" in told(page)


def test_a_minimum_for_the_platform_is_paid_on_top_of_the_fee(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    book = world.price_book()
    plan = replace(book.plan, minimum_platform_income_is_markup=True)
    monkeypatch.setattr(world, "price_book", lambda: replace(book, plan=plan, plans={plan.id: plan}))
    with page_driver.small_dashboard(tmp_path):
        page = page_for(**GPT_4, fee="5000")
    # 30,000 + 5,000 and what the platform's share of 1,000 lacks to 3,000.
    assert one(page) == ["4,000 ($0.004)", "3,000 ($0.003)", "30,000 ($0.03)", "37,000 ($0.037)"]
    assert answer(page) == (
        "You ask 5,000: you get 4,000 (80 %), PromptFlow 3,000. The user pays 2,000 of that on top of your fee."
    )
    assert "No creator fee makes this run cheaper." in told(page)
    assert shaded(charts(page)[1]) == []


def test_fee_and_unlock_break_even_in_sentences_chart_and_table(ledger: Engine) -> None:
    page = page_for(**GPT_4, fee="5000", unlock="100000", per_user="30")
    assert "From 50 runs per user, an unlock costs the user no more than a per-run fee." in told(page)
    assert "From 21 runs per user, a per-run fee earns the creator more than an unlock." in told(page)
    figure = charts(page)[2]
    drawn = lines(figure)
    assert (drawn["User: extra cost with fees"][49], drawn["User: extra cost with fees"][50]) == (
        98_000,
        100_000,
    )  # 2,000 more per run
    assert set(drawn["User: extra cost with the unlock"].values()) == {100_000}
    assert (drawn["Creator gets from fees"][20], drawn["Creator gets from fees"][21]) == (80_000, 84_000)
    assert set(drawn["Creator gets from the unlock"].values()) == {80_000}
    points = [(line["x"], line["text"]) for line in figure["data"] if line["mode"] == "markers+text"]
    assert (points, marked(figure)) == ([([50], ["50 runs"]), ([21], ["21 runs"])], [30])
    rows = [
        tuple(cell.replace("\\", "") for cell in row) for row in small_tables(page)["Both ways to pay, side by side"]
    ]
    assert rows == [
        ("You get", "120,000 ($0.12)", "80,000 ($0.08)"),
        ("PromptFlow gets", "30,000 ($0.03)", "110,000 ($0.11)"),
        ("The model costs", "900,000 ($0.90)", "900,000 ($0.90)"),
        ("Users pay", "1,050,000 ($1.05)", "1,090,000 ($1.09)"),
    ]


def test_an_unlock_price_is_split_once_and_compared_with_the_fees_of_all_runs(ledger: Engine) -> None:
    page = page_for(**UNLOCK, fee="5000", unlock="30001", per_user="20")
    assert answer(page) == "You ask 30,001: you get 24,000 (80 %), PromptFlow 6,001."  # 80 % is 24,000.8
    assert one(page) == ["24,000 ($0.024)", "6,001 ($0.006001)", "0 ($0.00)", "30,001 ($0.030001)"]
    assert "After unlocking, a run costs 33,000 credits ($0.033)" in told(page)
    assert "For 20 runs, an unlock price up to 40,000 credits ($0.04) costs the user no more" in told(page)
    figure = charts(page)[1]
    drawn = lines(figure)
    assert drawn["User pays"][30_001] == 30_001 + 20 * 33_000
    assert drawn["User pays"][40_000] == 700_000 == drawn["User with the fee"][40_000]
    assert drawn["Creator gets"][30_001] == 24_000
    assert drawn["Platform gets"][30_001] == 6_001 + 20 * 3_000
    assert (shaded(figure), marked(figure)) == ([(1, 40_000)], [30_001])


def test_no_unlock_price_is_worth_it_when_the_fee_costs_nothing_extra(ledger: Engine) -> None:
    page = page_for(**UNLOCK, fee="3000")
    assert "For 20 runs, no unlock price saves the user money, because the fees add no cost." in told(page)
    assert shaded(charts(page)[1]) == []
    assert "Unlocking never saves the user money, because this fee does not make a run dearer." in told(page)


@pytest.mark.parametrize(("query", "box"), [(GPT_4, "fee"), (UNLOCK, "unlock")])
def test_the_slider_writes_into_the_box_and_shows_what_is_typed(
    ledger: Engine, query: dict[str, str], box: str
) -> None:
    page = page_for(**query)
    page.slider(key=f"{box}:slid").set_value(7_000)
    page_driver.run(page)
    assert page.text_input(key=box).value == "7000"
    assert one(page)[0] == "5,600 ($0.0056)"
    choose(page, **{box: "8,001"})
    assert page.slider(key=f"{box}:slid").value == 8_001
    assert one(page)[0] == "6,400 ($0.0064)"  # 80 % is 6,400.8


def test_a_fee_of_nothing_is_no_fee(ledger: Engine) -> None:
    page = page_for(**GPT_4, fee="0")
    assert answer(page) == "You ask no fee: you get nothing, PromptFlow 3,000."
    assert one(page) == ["0 ($0.00)", "3,000 ($0.003)", "30,000 ($0.03)", "33,000 ($0.033)"]


@pytest.mark.parametrize(
    "query",
    [{"fee": "-1"}, {"fee": "1000000001"}, {"unlock": "0"}, {"per_user": "1000001"}, {"per_month": "1000001"}],
)
def test_a_number_that_cannot_be_accepted_is_told_in_red_and_nothing_is_computed(
    ledger: Engine, query: dict[str, str]
) -> None:
    page = page_for(**query)
    assert ["whole number" in caption.value for caption in page.caption if ":red[" in caption.value] == [True]
    assert small_tables(page) == {}
    assert charts(page) == []


@pytest.mark.parametrize(
    "query",
    [
        {**TOKENS, "input_tokens": "0", "output_tokens": "0"},
        {"model": "openai/gpt-4o", "input_tokens": "1000000000", "output_tokens": "1000000000", "per_user": "1000000"},
    ],
)
def test_what_has_no_price_says_why(ledger: Engine, query: dict[str, str]) -> None:
    page = page_for(**query)
    assert [found.title for found in page.warning] == ["No price yet"]
    assert charts(page) == []


@pytest.mark.parametrize(
    "query",
    [
        {"fee": "1000000000"},
        {"unlock": "1000000000", "by": "Unlock price"},
        {"fee": "1", "unlock": "1", "per_user": "0"},
        {"by": "Unlock price", "unlock": "1", "per_user": "0"},
        {"per_month": "0"},
        {"by": "Unlock price", "per_month": "1000000", "per_user": "1"},
        {"model": "openai/gpt-4o", "input_tokens": "1000000000", "output_tokens": "0", "fee": "3"},
        {"by": "Unlock price", "fee": "1000000000", "per_user": "1000000"},
    ],
)
def test_the_largest_and_smallest_numbers_are_drawn(ledger: Engine, query: dict[str, str]) -> None:
    assert len(charts(page_for(**query))) == 3


@pytest.mark.parametrize("query", [{"by": "Barter"}, {"plan": "none"}])
def test_a_value_that_makes_no_sense_counts_as_none(ledger: Engine, query: dict[str, str]) -> None:
    assert who_gets_what(page_for(**query)) == who_gets_what(page_for())
