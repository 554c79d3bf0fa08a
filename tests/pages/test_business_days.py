"""Every screen in another time zone: its days, its times, and the name of the zone beside them."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine

from pages.parts import clock
from pages.parts.clock import today
from tests.support import page_driver, world
from tests.support.page_driver import captions, charts, downloads, metrics, open_page, table
from tests.support.plain_sql import scalar
from tests.support.world import HAIKU, HAIKU_WITH_FEE


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Runs around midnight in Berlin, which is 23:00 in UTC, but 22:00 before October 25th, which has 25 hours."""
    with page_driver.dashboard(tmp_path_factory.mktemp("berlin"), demo=False, zone="Europe/Berlin") as engine:
        world.put_in_force(engine, world.price_book().plan)
        world.add(engine, "ada", 100_000, key="fund", now=datetime(2026, 10, 24, 22, tzinfo=UTC))
        for number, (month, day, hour) in enumerate(
            [(10, 24, 22), (10, 25, 22), (10, 25, 23), (10, 31, 22), (10, 31, 23), (11, 7, 22), (11, 7, 23)]
        ):
            now = datetime(2026, month, day, hour, 30, tzinfo=UTC)
            world.charge(engine, HAIKU_WITH_FEE, key=f"run-{number}", now=now)
        world.charge(engine, HAIKU, key="last", now=datetime(2026, 11, 22, 12, tzinfo=UTC))
        yield engine


# Entry 1 is the purchase; entries 2 to 8 are the runs with a fee, of which 800 are ben's.
OF_DAYS = {"2026-10-25": 2, "2026-10-26": 1, "2026-10-31": 1, "2026-11-01": 1, "2026-11-07": 1, "2026-11-08": 1}


def test_the_overview_counts_days_of_the_zone_and_names_it(ledger: Engine) -> None:
    page = open_page("explore/overview.py", period="all")
    assert page.get_by_key("period:preset").label == "Days of posting (Europe/Berlin)"
    creators = charts(page)[1]["data"][1]
    assert {day: credits for day, credits in zip(creators["x"], creators["y"], strict=True) if credits} == {
        day: 800 * runs for day, runs in OF_DAYS.items()
    }
    of_november_1 = open_page("explore/overview.py", days="2026-11-01")
    assert metrics(of_november_1)["Prompt runs"][0] == "1"
    assert [row["Entry"] for row in table(of_november_1)] == ["6"]


def test_the_history_lists_days_of_the_zone_with_its_times(ledger: Engine) -> None:
    page = open_page("explore/history.py", days="2026-10-25")
    assert [row["Entry"] for row in table(page)] == ["3", "2", "1"]
    (frame,) = page.dataframe
    assert list(frame.value.columns)[1] == "Posted (Europe/Berlin)"
    assert '"timezone": "Europe/Berlin"' in frame.proto.columns.replace('":"', '": "')
    entry = open_page("explore/history.py", entry="2")
    assert "Entry 2 · posted 2026-10-25 00:30:00 Europe/Berlin · by tester" in captions(entry)
    explained = open_page("explain/explain_charge.py", entry="2")
    assert "posted 2026-10-25 00:30:00 Europe/Berlin." in captions(explained).replace("\\", "")


def test_a_statement_is_of_days_of_the_zone(ledger: Engine) -> None:
    with downloads() as downloaded:
        open_page("explore/creator_earnings.py", creator="ben", days=["2026-11-01", "2026-11-30"])
        text = downloaded.files["statement-ben-2026-11-01-to-2026-11-30.csv"]().decode("utf-8-sig")
    *lines, total = csv.DictReader(io.StringIO(text, newline=""))
    assert [(line["time_utc"], line["day"], line["time_zone"]) for line in lines] == [
        ("2026-10-31 23:30:00", "2026-11-01", "Europe/Berlin"),
        ("2026-11-07 22:30:00", "2026-11-07", "Europe/Berlin"),
        ("2026-11-07 23:30:00", "2026-11-08", "Europe/Berlin"),
    ]
    assert (total["earned_credits"], total["time_zone"]) == ("2400", "Europe/Berlin")


def test_a_replay_is_by_days_of_the_zone_and_its_file_says_so(ledger: Engine) -> None:
    with downloads() as downloaded:
        page = open_page("replay/replay_history.py", days=["2026-11-01", "2026-11-07"])
    assert charts(page)[-1]["data"][0]["x"] == ["2026-11-01", "2026-11-07"]
    (users,) = (metric for metric in page.metric if metric.label.startswith("Users pay"))
    assert users.proto.delta_description == f"of {2 * 1_251:,}"
    lines = csv.DictReader(io.StringIO(downloaded.files["replay-plan-1.csv"]().decode("utf-8-sig"), newline=""))
    assert [(line["entry"], line["day"], line["time_zone"]) for line in lines] == [
        ("6", "2026-11-01", "Europe/Berlin"),
        ("7", "2026-11-07", "Europe/Berlin"),
    ]
    assert "<h1>History under plan-1, 2026-11-01 to 2026-11-07, Europe/Berlin</h1>" in (
        downloaded.files["replay-plan-1.html"]().decode()
    )


def test_a_balance_is_drawn_by_the_clocks_of_the_zone(ledger: Engine) -> None:
    page = open_page("explore/balances.py", user="ben")
    (figure,) = charts(page)
    assert [moment[:16] for moment in figure["data"][0]["x"][1:4]] == [
        "2026-10-25T00:30",
        "2026-10-25T23:30",
        "2026-10-26T00:30",
    ]
    assert figure["layout"]["xaxis"]["title"]["text"] == "posted (Europe/Berlin)"


def test_the_journal_of_plans_has_times_of_the_zone(ledger: Engine) -> None:
    page = open_page("plans/pricing_lab.py")
    (journal,) = (frame.value for frame in page.dataframe if "Reason" in frame.value.columns)
    assert journal["Live since (Europe/Berlin)"][0] == "2026-03-01 13:00"


def test_the_daily_totals_are_those_of_the_zone(ledger: Engine) -> None:
    open_page("explore/overview.py")
    assert str(scalar(ledger, "SELECT time_zone FROM rollup_watermark")).startswith("Europe/Berlin ")
    assert scalar(ledger, "SELECT entry_id FROM rollup_watermark") == 9  # kept up to date by them


def test_today_is_the_day_of_the_zone(ledger: Engine) -> None:
    class Late(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2026, 11, 22, 23, 30, tzinfo=UTC)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "datetime", Late)
        assert today() == date(2026, 11, 23)
