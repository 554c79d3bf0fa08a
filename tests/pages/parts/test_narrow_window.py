"""What a narrow window leaves out of tables. Nothing that names a row or says how much is left out."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from pages.parts import window
from tests.support import page_driver

HISTORY = ["Entry", "Posted (UTC)", "Account", "Credits", "Dollars", "Type", "About"]
STATEMENT = ["Creator", "Net", "Dollars", "Gross fees", "Creator share", "Refunds", "Runs", "Unlocks"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("demo"), demo=True) as engine:
        yield engine


def columns(file: str, **query: str) -> list[str]:
    return list(page_driver.open_page(file, **query).dataframe[0].value)


@pytest.mark.parametrize(
    ("file", "query", "wide", "left_out"),
    [
        ("explore/history.py", {}, HISTORY, {"Type"}),
        ("explore/history.py", {"legs": "true"}, HISTORY, {"Dollars"}),
        ("explore/creator_earnings.py", {}, STATEMENT, {"Runs", "Unlocks"}),
        (
            "models/models.py",
            {},
            ["Model", "Type", "Typical run, credits", "In", "Out", "Cached", "Also priced by", "Context"],
            {"Cached", "Also priced by", "Context"},
        ),
        (
            "explore/balances.py",
            {},
            ["User", "Balance", "Dollars", "Runs left", "Mark", "Role", "Since (UTC)"],
            {"Since (UTC)"},
        ),
    ],
)
@pytest.mark.usefixtures("demo")
def test_a_table_has_fewer_columns_in_a_narrow_window(
    monkeypatch: pytest.MonkeyPatch, file: str, query: dict[str, str], wide: list[str], left_out: set[str]
) -> None:
    assert columns(file, **query) == wide

    monkeypatch.setattr(window, "is_narrow", lambda: True)
    assert columns(file, **query) == [name for name in wide if name not in left_out]
