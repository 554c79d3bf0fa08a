import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from pages.parts import links as page_links
from tests.support import page_driver, world
from tests.support.page_driver import captions, charts, downloads, links, metrics, open_page, run, table
from tests.support.plain_sql import rows, scalar

SUM = (
    "SELECT COALESCE(SUM(t.amount_credits), 0) FROM credit_transactions t JOIN journal_entries e ON e.id = t.entry_id"
    " WHERE t.type = 'creator_payment'"
)
DAY = "date(created_at_us / 1000000, 'unixepoch')"
SOME_DAYS = ["2026-11-03", "2026-11-09"]
ALL_FEES = (
    "SELECT creator_id, creator_fee_credits AS fee, creator_share_credits AS share, created_at_us FROM prompt_runs"
    " WHERE creator_id IS NOT NULL UNION ALL"
    " SELECT creator_id, unlock_fee_credits, creator_share_credits, created_at_us FROM unlocked_flows"
)
NOT_REFUNDED = "entry_id NOT IN (SELECT refunds_entry_id FROM journal_entries WHERE refunds_entry_id IS NOT NULL)"
FEES = (
    "SELECT creator_id, prompt_id AS work, 'prompt' AS kind, creator_fee_credits AS fee, creator_share_credits AS share"
    f" FROM prompt_runs WHERE creator_id IS NOT NULL AND {NOT_REFUNDED} UNION ALL"
    " SELECT creator_id, flow_id, 'flow', unlock_fee_credits, creator_share_credits FROM unlocked_flows"
    f" WHERE {NOT_REFUNDED}"
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("earnings"), demo=True) as engine:
        yield engine


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ({}, ""),
        ({"creator": "noor"}, " AND t.account_id = 'noor'"),
        (
            {"days": SOME_DAYS},
            " AND date(t.created_at_us / 1000000, 'unixepoch') BETWEEN '2026-11-03' AND '2026-11-09'",
        ),
    ],
)
def test_the_metrics_are_what_was_paid_for_runs_and_unlocks_and_taken_back(
    ledger: Engine, query: dict[str, Any], condition: str
) -> None:
    found = {label: value for label, (value, _) in metrics(open_page("explore/creator_earnings.py", **query)).items()}
    of_payouts = {found.pop(label, "") for label in ("Waiting", "Payable", "On the way", "Paid")}
    assert (of_payouts == {""}) == ("creator" not in query)
    from_runs, from_unlocks, taken_back = (
        int(str(scalar(ledger, f"{SUM}{condition} AND e.type = :type", type=type_)))
        for type_ in ("prompt_run", "flow_unlock", "refund")
    )
    of_fees = condition.replace("t.account_id", "creator_id").replace("t.created_at_us", "created_at_us")
    gross = scalar(ledger, f"SELECT SUM(fee) FROM ({ALL_FEES}) WHERE 1 = 1{of_fees}")
    assert found == {
        "Net": f"{from_runs + from_unlocks + taken_back:,}",
        "Gross fees": f"{gross:,}",
        "Creator share": f"{from_runs + from_unlocks:,}",
        "Refunds": f"{-taken_back:,}",
    }


def drawn_by_day(bars: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Day, creator and credits of every bar that is there, in order."""
    return sorted(
        (day, bar["name"], credits) for bar in bars for day, credits in zip(bar["x"], bar["y"], strict=True) if credits
    )


def test_each_bar_is_what_a_creator_earned_on_a_day(ledger: Engine) -> None:
    bars = charts(open_page("explore/creator_earnings.py"))[0]["data"]
    earned = "SELECT account_id FROM credit_transactions WHERE type = 'creator_payment' GROUP BY account_id"
    leading = [str(creator) for (creator,) in rows(ledger, f"{earned} ORDER BY SUM(amount_credits) DESC LIMIT 5")]
    drawn = drawn_by_day(bars)
    assert [bar["name"] for bar in bars] == [*leading, "Other creators"]
    assert [bar for bar in drawn if bar[1] in leading] == rows(
        ledger,
        f"SELECT {DAY} AS day, account_id, SUM(amount_credits) FROM credit_transactions WHERE type = 'creator_payment'"
        f" AND account_id IN {tuple(leading)} GROUP BY day, account_id ORDER BY day, account_id",
    )
    assert [(day, credits) for day, creator, credits in drawn if creator == "Other creators"] == rows(
        ledger,
        f"SELECT {DAY} AS day, SUM(amount_credits) FROM credit_transactions WHERE type = 'creator_payment'"
        f" AND account_id NOT IN {tuple(leading)} GROUP BY day ORDER BY day",
    )
    assert len({bar["marker"]["color"] for bar in bars}) == 6


def test_one_creators_bars_are_that_creators_alone(ledger: Engine) -> None:
    (bar,) = charts(open_page("explore/creator_earnings.py", creator="rosa"))[0]["data"]
    assert (bar["name"], sum(bar["y"])) == ("rosa", scalar(ledger, f"{SUM} AND t.account_id = 'rosa'"))


def test_creators_beyond_the_first_five_are_drawn_together(empty: Engine) -> None:
    world.add(empty, "ada", 1_000_000, key="add")
    for number in range(8):
        request = world.ChargeRequest("ada", "summarise", "claude-3-haiku", f"creator-{number}", 1_000 * (number + 1))
        world.charge(empty, request, key=f"run-{number}")
    bars = charts(open_page("explore/creator_earnings.py"))[0]["data"]
    assert [(bar["name"], bar["y"]) for bar in bars] == [
        ("creator-7", [6_400]),
        ("creator-6", [5_600]),
        ("creator-5", [4_800]),
        ("creator-4", [4_000]),
        ("creator-3", [3_200]),
        ("Other creators", [800 + 1_600 + 2_400]),
    ]
    assert [row["Creator"] for row in table(open_page("explore/creator_earnings.py"))] == [
        f"creator-{n}" for n in range(7, -1, -1)
    ]


def test_the_statement_ranks_creators_by_net_and_says_what_it_is_made_of(ledger: Engine) -> None:
    shown = table(open_page("explore/creator_earnings.py"))
    assert [(row["Creator"], row["Net"]) for row in shown] == rows(
        ledger,
        "SELECT account_id, SUM(amount_credits) FROM credit_transactions WHERE type = 'creator_payment'"
        " GROUP BY account_id ORDER BY 2 DESC",
    )
    assert sorted((row["Creator"], row["Gross fees"], row["Creator share"]) for row in shown) == rows(
        ledger, f"SELECT creator_id, SUM(fee), SUM(share) FROM ({ALL_FEES}) GROUP BY creator_id ORDER BY creator_id"
    )
    assert [row["Net"] for row in shown] == [row["Creator share"] - row["Refunds"] for row in shown]
    assert list(shown[0]) == ["Creator", "Net", "Dollars", "Gross fees", "Creator share", "Refunds", "Runs", "Unlocks"]


@pytest.mark.parametrize(("number", "kind", "column"), [(1, "prompt", "Prompt"), (2, "flow", "Flow")])
def test_the_top_prompts_and_flows_are_those_with_the_highest_fees(
    ledger: Engine, number: int, kind: str, column: str
) -> None:
    shown = table(open_page("explore/creator_earnings.py"), number)
    assert [(row[column], row["Uses"], row["Fees"], row["Creator share"]) for row in shown] == rows(
        ledger,
        f"SELECT work, COUNT(*), SUM(fee), SUM(share) FROM ({FEES}) WHERE kind = :kind GROUP BY work"
        " ORDER BY 3 DESC LIMIT 10",
        kind=kind,
    )


def test_the_latest_unlocks_are_listed(ledger: Engine) -> None:
    assert [
        (row["Entry"], row["Flow"], row["User"], row["Fee"])
        for row in table(open_page("explore/creator_earnings.py"), 3)
    ] == (
        rows(
            ledger,
            "SELECT entry_id, flow_id, user_id, unlock_fee_credits FROM unlocked_flows ORDER BY entry_id DESC LIMIT 10",
        )
    )


@pytest.mark.parametrize("month", ["2026-10", "2026-11"])
def test_a_creators_statement_has_every_payment_of_the_month_and_their_sum(ledger: Engine, month: str) -> None:
    first, last = f"{month}-01", f"{month}-{'31' if month == '2026-10' else '30'}"
    with downloads() as downloaded:
        page = open_page("explore/creator_earnings.py", creator="noor", days=[first, last])
        file = downloaded.files[f"statement-noor-{first}-to-{last}.csv"]()
    *lines, total = csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline=""))
    payments = rows(
        ledger,
        "SELECT entry_id, amount_credits FROM credit_transactions WHERE type = 'creator_payment'"
        " AND account_id = 'noor' AND strftime('%Y-%m', created_at_us / 1000000, 'unixepoch') = :month"
        " ORDER BY entry_id",
        month=month,
    )
    assert len(payments) > 5
    assert [(int(line["entry"]), int(line["earned_credits"])) for line in lines] == payments
    month_credits = sum(int(str(credits)) for _, credits in payments)
    assert (total["about"], int(total["earned_credits"])) == ("Sum", month_credits)
    assert {(line["period"], line["plans"], line["creator"]) for line in (*lines, total)} == {
        (f"{first} to {last}", "promptflow-v1", "noor")
    }
    assert metrics(page)["Net"][0] == f"{month_credits:,}"


def test_the_statement_of_all_creators_has_a_line_for_each_and_the_sum(ledger: Engine) -> None:
    with downloads() as downloaded:
        page = open_page("explore/creator_earnings.py", days=SOME_DAYS)
        file = downloaded.files["statement-all-creators-2026-11-03-to-2026-11-09.csv"]()
    *lines, total = csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline=""))
    assert [(line["creator"], int(line["net_credits"])) for line in lines] == [
        (row["Creator"], row["Net"]) for row in table(page)
    ]
    nets = rows(
        ledger,
        "SELECT account_id, SUM(amount_credits) FROM credit_transactions WHERE type = 'creator_payment'"
        f" AND {DAY} BETWEEN '2026-11-03' AND '2026-11-09' GROUP BY account_id ORDER BY 2 DESC",
    )
    assert [(line["creator"], int(line["net_credits"])) for line in lines] == nets
    assert (total["creator"], int(total["net_credits"])) == ("All creators", sum(int(str(net)) for _, net in nets))
    assert {(line["period"], line["plans"]) for line in (*lines, total)} == {
        ("2026-11-03 to 2026-11-09", "promptflow-v1")
    }


@pytest.mark.parametrize(("query", "whose"), [({}, "all-creators"), ({"creator": "noor"}, "noor")])
def test_a_statement_is_offered_as_csv_and_as_pdf(ledger: Engine, query: dict[str, str], whose: str) -> None:
    with downloads() as downloaded:
        open_page("explore/creator_earnings.py", **query)
        files = {name: make() for name, make in downloaded.files.items()}
    month = f"{datetime.now(UTC):%Y-%m}"
    of_month = [f"statement-{whose}-{month}.csv", f"statement-{whose}-{month}.pdf"] if query else []
    assert list(files) == [f"statement-{whose}-all-days.csv", f"statement-{whose}-all-days.pdf", *of_month]
    assert files[f"statement-{whose}-all-days.pdf"].startswith(b"%PDF")


def test_a_link_from_another_page_shows_the_creator_it_names_alone(ledger: Engine) -> None:
    page = open_page("explore/creator_earnings.py", creator="noor")
    page.query_params.clear()
    run(page.switch_page("explore/balances.py"))
    page.switch_page("explore/creator_earnings.py")
    page.query_params.update(page_links.link_to(creator="rosa"))
    assert [row["Creator"] for row in table(run(page))] == ["rosa"]
    assert metrics(page) == metrics(open_page("explore/creator_earnings.py", creator="rosa"))


@pytest.mark.parametrize(
    "query", [{"creator": "nobody"}, {"creator": "x" * 3_000}, {"days": ["2020-01-01", "2020-01-02"]}]
)
def test_where_nobody_earned_the_page_says_so(ledger: Engine, query: dict[str, Any]) -> None:
    page = open_page("explore/creator_earnings.py", **query)
    assert [info.title for info in page.info] == ["Nobody earned on these days"]
    assert (metrics(page), len(page.dataframe)) == ({}, 0)


@pytest.mark.parametrize("query", [{"month": "2026-13"}, {"creator": "\0"}, {"days": "soon"}])
def test_a_value_that_makes_no_sense_is_no_filter(ledger: Engine, query: dict[str, str]) -> None:
    assert metrics(open_page("explore/creator_earnings.py", **query)) == metrics(
        open_page("explore/creator_earnings.py")
    )


def test_an_empty_ledger_says_what_to_do_next(empty: Engine) -> None:
    page = open_page("explore/creator_earnings.py")
    assert [info.title for info in page.info] == ["No creator has earned yet"]
    assert links(page) == {"Run a prompt": ("test-credits", "")}


@pytest.mark.parametrize("creator", [None, "noor"])
def test_earnings_and_fees_are_compared_with_the_days_before(ledger: Engine, creator: str | None) -> None:
    of_one = f" AND t.account_id = '{creator}'" if creator else ""
    changes = []
    for first, last in (("2026-11-16", "2026-11-22"), ("2026-11-09", "2026-11-15")):
        of_days = f" AND date(t.created_at_us / 1000000, 'unixepoch') BETWEEN '{first}' AND '{last}'"
        changes.append(int(str(scalar(ledger, f"{SUM}{of_one}{of_days}"))))
    now, before = changes
    page = open_page(
        "explore/creator_earnings.py",
        days=["2026-11-16", "2026-11-22"],
        **({"creator": creator} if creator else {}),
    )
    change = round(100 * (now - before) / before)
    assert metrics(page)["Net"] == (f"{now:,}", f"{change:+} %")
    assert "Compared with the 7 days before." in captions(page)
    assert re.fullmatch(r"[+-]\d+ %", metrics(page)["Gross fees"][1])


def test_earnings_are_compared_with_no_days_that_the_ledger_does_not_know(ledger: Engine) -> None:
    page = open_page("explore/creator_earnings.py")
    assert "Compared with" not in captions(page)
    assert metrics(page)["Net"][1].startswith("$")
