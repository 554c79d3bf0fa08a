"""The screen Margin on the demo: its figures are those of the report, and it says who loses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.lab.inspector.shape import CardFee
from credits_core.reports.margin import By, in_all, margins
from credits_core.store import database
from credits_core.values.days import DayRange
from credits_core.values.text import format_credits
from tests.support import page_driver
from tests.support.page_driver import charts, metrics, open_page, table

FEE = CardFee(290, 0)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("margin"), demo=True) as engine:
        yield engine


@pytest.mark.parametrize("by", By)
def test_the_figures_and_every_row_are_those_of_the_report(ledger: Engine, by: By) -> None:
    with database.read(ledger) as connection:
        listed = margins(connection, DayRange(), by, FEE)
    page = open_page("plans/margin.py", by=str(by).capitalize(), period="all")
    total = in_all(listed)
    shown = metrics(page)
    assert shown["Users paid"][0] == format_credits(total.paid_credits)
    assert shown["Left for us"][0] == format_credits(total.left_credits)
    assert [(row[str(by).capitalize()], row["Left"]) for row in table(page)] == [
        (one.name, one.left_credits) for one in listed
    ]
    assert charts(page)


def test_a_card_fee_that_takes_everything_makes_everybody_lose(ledger: Engine) -> None:
    page = open_page("plans/margin.py", period="all", card="50")
    (warning,) = page.warning
    assert "lose" in warning.proto.title
    assert "more on what its models cost would mend" in warning.value


def test_an_empty_ledger_says_so(tmp_path: Path) -> None:
    with page_driver.dashboard(tmp_path, demo=False):
        page = open_page("plans/margin.py")
    assert not page.metric
    assert [one.proto.title for one in page.info] == ["Nothing was paid on these days"]
