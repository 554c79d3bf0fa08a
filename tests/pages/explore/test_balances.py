from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median_low

import pytest
from sqlalchemy import Engine

from tests.support import page_driver, world
from tests.support.page_driver import (
    button_labels,
    captions,
    charts,
    choose,
    click,
    links,
    metrics,
    open_page,
    run,
    table,
)
from tests.support.plain_sql import rows, scalar

LARGEST_CREDITS = 9_007_199_254_740_991  # 2^53 - 1


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("balances"), demo=True) as engine:
        yield engine


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine


def median(ledger: Engine) -> int:
    """The median total of the runs in the 30 days up to the latest one."""
    runs = [
        (int(str(us)), int(str(total)))
        for us, total in rows(ledger, "SELECT created_at_us, total_credits FROM prompt_runs")
    ]
    newest_us, _ = max(runs)
    return median_low(total for us, total in runs if us > newest_us - 30 * 86_400_000_000)


def test_every_user_is_listed_with_the_balance_in_credits_and_dollars(ledger: Engine) -> None:
    listed = [(row["User"], row["Balance"]) for row in table(open_page("explore/balances.py"))]
    assert listed == rows(ledger, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id LIMIT 25")


def test_the_largest_balance_is_shown_exactly(empty: Engine) -> None:
    world.add(empty, "max", LARGEST_CREDITS, key="all")
    (row,) = table(open_page("explore/balances.py"))
    assert (row["Balance"], row["Dollars"]) == (LARGEST_CREDITS, "$9,007,199,254.74")
    assert metrics(open_page("explore/balances.py", user="max"))["Balance"] == (
        "9,007,199,254,740,991",
        "$9,007,199,254.74",
    )


@pytest.mark.parametrize("name", ["user", "to_user"])
def test_a_link_opens_its_user_and_forgets_what_was_searched_for(ledger: Engine, name: str) -> None:
    page = run(choose(open_page("explore/balances.py"), search="ivan").switch_page("explore/overview.py"))
    page.query_params.clear()
    page.query_params[name], page.query_params["anew"] = "noor", ""
    run(page.switch_page("explore/balances.py"))
    assert "noor" in [heading.value for heading in page.header]
    assert page.get_by_key("search").value == ""
    assert dict(page.query_params) == {"user": "noor"}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("DA", ["ada", "daria", "dario", "wanda"]),
        ("ADA", ["ada"]),
        (" an ", ["anouk", "anton", "goran", "hana", "ivan", "sana", "wanda", "zane"]),
    ],
)
def test_a_search_finds_a_part_of_the_id_in_any_case(ledger: Engine, search: str, found: list[str]) -> None:
    assert [row["User"] for row in table(open_page("explore/balances.py", search=search))] == found


@pytest.mark.parametrize("search", ["%", "nobody", "a\0z", "**"])
def test_a_search_without_users_says_so(ledger: Engine, search: str) -> None:
    page = open_page("explore/balances.py", search=search)
    assert "No user's id contains" in page.info[0].value
    assert len(page.dataframe) == 0


def test_turning_the_pages_shows_each_user_once_and_a_new_search_begins_on_the_first_page(empty: Engine) -> None:
    for number in range(60):
        world.add(empty, f"user-{number:02}", 1_000 + number, key=f"key-{number}")
    page = open_page("explore/balances.py")
    assert "60 users" in page.caption[1].value
    seen = table(page)
    assert button_labels(page) == ["Previous", "Next"]
    while not next(button for button in page.button if button.label == "Next").disabled:
        seen += table(click(page, "Next"))
    assert [(row["User"], row["Balance"]) for row in seen] == [(f"user-{n:02}", 1_000 + n) for n in range(60)]
    assert table(click(page, "Previous"))[0]["User"] == "user-25"
    page.text_input(key="search").set_value("user-3")
    assert [row["User"] for row in table(run(page))] == [f"user-{number}" for number in range(30, 40)]


def test_one_users_detail_is_what_the_ledger_says(ledger: Engine) -> None:
    page = open_page("explore/balances.py", user="ada")
    ((received, given, count),) = rows(
        ledger,
        "SELECT SUM(MAX(amount_credits, 0)), -SUM(MIN(amount_credits, 0)), COUNT(*) FROM credit_transactions"
        " WHERE account_id = 'ada'",
    )
    balance = int(str(scalar(ledger, "SELECT balance_credits FROM user_credits WHERE user_id = 'ada'")))
    assert {label: value for label, (value, _) in metrics(page).items()} == {
        "Balance": f"{balance:,}",
        "Credits in": f"{received:,}",
        "Credits out": f"{given:,}",
        "Runs left": f"{balance // median(ledger):,}",
    }
    assert [(int(row["Entry"]), row["Credits"], row["Balance after"]) for row in table(page)] == rows(
        ledger,
        "SELECT entry_id, amount_credits, balance_after_credits FROM credit_transactions WHERE account_id = 'ada'"
        " ORDER BY entry_id DESC LIMIT 8",
    )
    assert links(page) == {
        "Run as ada": ("test-credits", "user=ada&anew="),
        "Add credits": ("add-credits", "user=ada&anew="),
        f"All {count} transactions of ada": ("history", "user=ada&period=all&anew="),
    }


def test_a_creator_has_a_statement_and_a_user_has_none(ledger: Engine) -> None:
    assert links(open_page("explore/balances.py", user="noor"))["Statement"] == (
        "creator-earnings",
        "creator=noor&anew=",
    )
    assert "Statement" not in links(open_page("explore/balances.py", user="ada"))


def test_each_user_has_a_role_and_the_runs_left_at_the_median_price(ledger: Engine) -> None:
    page, median_credits = open_page("explore/balances.py"), median(ledger)
    creators = {row[0] for row in rows(ledger, "SELECT DISTINCT creator_id FROM prompt_runs WHERE creator_id <> ''")}
    payers = {
        row[0] for row in rows(ledger, "SELECT account_id FROM credit_transactions WHERE type <> 'creator_payment'")
    }
    for row in table(page):
        is_creator, is_user = row["User"] in creators, row["User"] in payers
        assert (
            row["Role"] == {(True, True): "Both", (True, False): "Creator", (False, True): "User"}[is_creator, is_user]
        )
        assert row["Runs left"] == row["Balance"] // median_credits
    assert {row["Role"] for row in table(page)} == {"User", "Both"}
    assert list(table(page)[0]) == ["User", "Balance", "Dollars", "Runs left", "Mark", "Role", "Since (UTC)"]
    assert f"A typical run costs {median_credits:,} credits" in captions(page)


@pytest.mark.parametrize(
    ("user", "added_credits", "mark"), [("ben", 1_499, ["Low"]), ("ben", 1_500, []), ("cleo", None, [])]
)
def test_fewer_than_five_runs_left_are_low_for_one_who_runs(
    empty: Engine, user: str, added_credits: int | None, mark: list[str]
) -> None:
    world.add(empty, "ada", 10_000, key="fund")
    for number in range(3):  # the median run costs 300
        world.charge(empty, world.HAIKU, key=f"run-{number}")
    if added_credits is None:  # a creator alone, with 80 credits
        request = world.ChargeRequest("ada", "summarise", "claude-3-haiku", user, 100)
        world.charge(empty, request, key="paid")
    else:
        world.add(empty, user, added_credits, key="low")
    (row,) = (row for row in table(open_page("explore/balances.py")) if row["User"] == user)
    assert list(row["Mark"]) == mark
    # A badge is Markdown.
    said = [text.value for text in open_page("explore/balances.py", user=user).markdown]
    assert any("Low balance" in text for text in said) == bool(mark)


def test_without_runs_nobody_knows_how_many_are_left(empty: Engine) -> None:
    world.add(empty, "ada", 10_000, key="fund")
    (row,) = table(open_page("explore/balances.py"))
    assert (row["Runs left"], list(row["Mark"])) == (None, [])
    assert metrics(open_page("explore/balances.py", user="ada"))["Runs left"][0] == "–"
    assert "typical run" not in captions(open_page("explore/balances.py"))


def test_a_balance_is_drawn_over_time(ledger: Engine) -> None:
    ((line,),) = [figure["data"] for figure in charts(open_page("explore/balances.py", user="ada"))]
    drawn = [(moment[:19], credits) for moment, credits in zip(line["x"], line["y"], strict=True)]
    # It begins with nothing and stays what it is until now.
    assert (drawn[0], drawn[-1][1]) == ((drawn[1][0], 0), drawn[-2][1])
    assert drawn[1:-1] == rows(
        ledger,
        "SELECT strftime('%Y-%m-%dT%H:%M:%S', created_at_us / 1000000, 'unixepoch'), balance_after_credits"
        " FROM credit_transactions WHERE account_id = 'ada' ORDER BY entry_id, position",
    )


def test_a_balance_is_drawn_by_entry_number_when_the_times_are_not_in_order(empty: Engine) -> None:
    world.add(empty, "ada", 1_000, key="1", now=datetime(2026, 11, 1, tzinfo=UTC))
    world.add(empty, "ada", 500, key="2", now=datetime(2023, 11, 16, tzinfo=UTC))
    world.add(empty, "ada", 200, key="3", now=datetime(2026, 11, 2, tzinfo=UTC))
    (figure,) = charts(open_page("explore/balances.py", user="ada"))
    assert (figure["data"][0]["x"], figure["data"][0]["y"]) == ([1, 2, 3], [1_000, 1_500, 1_700])
    assert "entry number" in figure["layout"]["xaxis"]["title"]["text"]


def test_the_way_back_leads_to_all_users(ledger: Engine) -> None:
    page = click(open_page("explore/balances.py", user="ada"), "All users")
    assert "user" not in page.query_params
    assert "72 users" in page.caption[1].value


@pytest.mark.parametrize("user_id", ["nobody", "%", "x" * 3_000, "ada\0x"])
def test_an_unknown_user_is_no_failure(ledger: Engine, user_id: str) -> None:
    page = open_page("explore/balances.py", user=user_id)
    assert [info.title for info in page.info] == ["No such user"]
    assert button_labels(page) == ["All users"]


def test_a_link_cannot_put_a_link_of_its_own_on_the_page(ledger: Engine) -> None:
    said = open_page("explore/balances.py", user="[here](//evil.example)").info[0].value
    assert ("here" in said, "](" in said) == (True, False)


def test_an_account_without_transactions_says_what_to_do_next(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES ('ada', 0, 0)"
        )
    page = open_page("explore/balances.py", user="ada")
    assert [info.title for info in page.info] == ["Nothing has happened yet"]
    assert links(page)["Add credits"] == ("add-credits", "user=ada&anew=")


def test_an_empty_ledger_says_what_to_do_next(empty: Engine) -> None:
    page = open_page("explore/balances.py")
    assert [info.title for info in page.info] == ["No users yet"]
    assert links(page) == {"Add credits": ("add-credits", "")}
