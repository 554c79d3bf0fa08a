"""Screens say by which time they count, and show when a run took place where that is not when it was posted."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from tests.support import page_driver, world
from tests.support.page_driver import captions, charts, downloads, metrics, open_page, table
from tests.support.world import HAIKU, HAIKU_WITH_FEE, NOW

SCREENS_WITH_DAYS = (
    "explore/overview.py",
    "explore/history.py",
    "explore/creator_earnings.py",
    "replay/replay_history.py",
)
USED_AT = datetime(2026, 2, 27, 23, 59, 59, 250_000, tzinfo=UTC)
USED_DAY, POSTED_DAY = "2026-02-27", "2026-03-01"
POSTED, USED = "Posted (UTC)", "Used (UTC)"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    """A dashboard in which ada holds 10,000 credits."""
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 10_000, key="fund")
        yield engine


def times(page: AppTest, number: int = 0) -> list[tuple[object, ...]]:
    """What the columns of time of one of the page's big tables say, row by row; None is an empty cell."""
    rows = table(page, number)
    return [tuple(text and str(text)[:19] for name, text in row.items() if "(UTC)" in name) for row in rows]


def headings(page: AppTest, number: int = 0) -> list[str]:
    return [name for name in table(page, number)[0] if "(UTC)" in name]


# --- by which time a screen counts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS_WITH_DAYS)
def test_a_screen_with_a_choice_of_days_says_by_which_time_they_count(ledger: Engine, screen: str) -> None:
    world.charge(ledger, HAIKU_WITH_FEE, key="run")
    days = open_page(screen).get_by_key("period:preset")
    assert days.label == "Days of posting (UTC)"
    assert days.help.startswith("Entries count on the day they were posted. ")


def test_a_statement_counts_by_the_time_of_posting(ledger: Engine) -> None:
    world.charge(ledger, replace(HAIKU_WITH_FEE, used_at=USED_AT), key="run")
    with downloads() as downloaded:
        page = open_page("explore/creator_earnings.py", creator="ben", days=["2026-03-01", "2026-03-31"])
        file = downloaded.files["statement-ben-2026-03-01-to-2026-03-31.csv"]()
    assert metrics(page)["Net"] == ("800", "$0.0008")
    first, _sum = csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline=""))
    assert (first["time_utc"], first["earned_credits"]) == ("2026-03-01 12:00:00", "800")
    of_february = open_page("explore/creator_earnings.py", creator="ben", days=["2026-02-01", "2026-02-28"])
    assert [info.title for info in of_february.info] == ["Nobody earned on these days"]


@pytest.mark.parametrize("screen", SCREENS_WITH_DAYS)
def test_a_run_counts_on_the_day_it_was_posted_and_not_on_the_day_it_was_used(ledger: Engine, screen: str) -> None:
    world.charge(ledger, replace(HAIKU_WITH_FEE, used_at=USED_AT), key="run")
    nothing = [info.title for info in open_page(screen, days=USED_DAY).info]
    assert nothing[0].startswith(("Nothing ", "Nobody earned"))
    assert [info.title for info in open_page(screen, days=POSTED_DAY).info] == []


def test_a_balance_over_time_says_by_which_time(ledger: Engine) -> None:
    (drawn,) = charts(open_page("explore/balances.py", user="ada"))
    assert drawn["layout"]["xaxis"]["title"]["text"] == "posted (UTC)"


def test_a_replay_says_in_its_limits_by_which_day_it_counts(ledger: Engine) -> None:
    world.charge(ledger, HAIKU, key="run")
    limits = [text.value for text in open_page("replay/replay_history.py").expander[0].markdown]
    assert limits[0] == (
        r"- A charge counts on the day when it was posted, even if the run took place on another day\."
    )


# --- when a run took place --------------------------------------------------------------------------------------------


def test_the_history_shows_when_a_run_took_place_beside_when_it_was_posted(ledger: Engine) -> None:
    world.charge(ledger, replace(HAIKU, used_at=USED_AT), key="used")
    world.charge(ledger, HAIKU, key="without")
    page = open_page("explore/history.py")
    assert headings(page) == [POSTED, USED]
    assert times(page) == [
        ("2026-03-01 12:00:00", None),
        ("2026-03-01 12:00:00", "2026-02-27 23:59:59"),
        ("2026-03-01 12:00:00", None),
    ]
    drawn = json.loads(page.dataframe[0].proto.columns)
    minutes = {"type": "datetime", "format": "YYYY-MM-DD HH:mm", "timezone": "UTC"}
    assert drawn[USED]["width"] >= 120  # a time is that wide, and the column is sized by empty cells otherwise
    assert all(minutes.items() <= drawn[name]["type_config"].items() for name in (POSTED, USED))
    assert [drawn[name]["help"] for name in (POSTED, USED)] == [
        "When the entry was posted. Days count by this time.",
        "When the run took place, where its caller said so.",
    ]


@pytest.mark.parametrize(
    ("used_at", "has_column"),
    [
        (None, False),
        (NOW, False),
        (NOW - timedelta(seconds=59), False),
        (NOW - timedelta(seconds=60), True),
        (NOW + timedelta(seconds=60), True),
    ],
)
def test_a_time_of_use_that_is_the_time_of_posting_takes_no_column(
    ledger: Engine, used_at: datetime | None, *, has_column: bool
) -> None:
    world.charge(ledger, replace(HAIKU, used_at=used_at), key="run")
    assert headings(open_page("explore/history.py")) == ([POSTED, USED] if has_column else [POSTED])


@pytest.mark.parametrize(
    ("screen", "query"),
    [
        ("explore/overview.py", {"period": "all"}),
        ("explore/balances.py", {"user": "ada"}),
        ("explain/explain_charge.py", {}),
        ("explore/history.py", {"user": "ada"}),
    ],
)
def test_every_list_of_entries_shows_both_times(ledger: Engine, screen: str, query: dict[str, Any]) -> None:
    world.charge(ledger, replace(HAIKU_WITH_FEE, used_at=USED_AT), key="run")
    page = open_page(screen, **query)
    listed = [number for number in range(len(page.dataframe)) if POSTED in table(page, number)[0]]
    assert listed
    for number in listed:
        assert times(page, number)[0] == ("2026-03-01 12:00:00", "2026-02-27 23:59:59")


def test_the_csv_file_of_the_history_has_both_times(ledger: Engine) -> None:
    world.charge(ledger, replace(HAIKU, used_at=USED_AT), key="run")
    with downloads() as downloaded:
        open_page("explore/history.py")
    text = downloaded.files["credit-transactions.csv"]().decode("utf-8-sig")
    assert [(line["time_utc"], line["used_at_utc"]) for line in csv.DictReader(io.StringIO(text, newline=""))] == [
        ("2026-03-01 12:00:00", "2026-02-27 23:59:59"),
        ("2026-03-01 12:00:00", ""),
    ]


def test_a_receipt_says_when_the_run_took_place_if_that_is_known(ledger: Engine) -> None:
    world.charge(ledger, replace(HAIKU, used_at=USED_AT), key="used")
    world.charge(ledger, HAIKU, key="without")
    used, without = (captions(open_page("explore/history.py", entry=entry)) for entry in ("2", "3"))
    assert "Entry 2 · posted 2026-03-01 12:00:00 UTC · used 2026-02-27 23:59:59 UTC · by tester · sums to zero" in used
    assert "Entry 3 · posted 2026-03-01 12:00:00 UTC · by tester · sums to zero" in without


def test_an_explained_charge_shows_both_times(ledger: Engine) -> None:
    world.charge(ledger, replace(HAIKU, used_at=USED_AT), key="used")
    page = open_page("explain/explain_charge.py", entry="2")
    assert "Used at: **2026\\-02\\-27 23\\:59\\:59 UTC**" in captions(page)
    assert "Charged to ada, posted 2026-03-01 12:00:00 UTC." in captions(page)
