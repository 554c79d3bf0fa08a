"""Opens the dashboard's pages without a browser, as a link does, on a database of the test's own."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
import streamlit as st
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit import dataframe_util
from streamlit.testing.v1 import AppTest

from credits_core import settings, startup
from credits_core.plans.book import PriceBooks
from credits_core.store import database
from pages.parts import clock, resources, sending
from pages.parts.sending import Offer
from tests.support import world

TODAY = date(2026, 11, 22)
MAIN_SCRIPT = Path(__file__).resolve().parent.parent.parent / "pages" / "navigation.py"


@contextmanager
def dashboard(folder: Path, *, demo: bool | None, zone: str = "") -> Iterator[Engine]:
    """The dashboard on a new database in this folder, with the demo world or empty; and an engine to look into it.

    With `demo` None it is empty as well, and asks how to begin. It is the last day of the demo world, whenever the test
    runs.
    """
    path = folder / "credits.db"
    path.write_bytes(_as_opened(demo=bool(demo)))
    url = f"sqlite:///{path}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDITS_DATABASE_URL", url)
        patch.setenv("CREDITS_DEMO", {None: "", True: "1", False: "0"}[demo])
        patch.setenv("CREDITS_TIME_ZONE", zone)
        patch.setattr(clock, "today", lambda: TODAY)
        _forget_cached()
        engine, of_pages = database.create_engine_for(url), resources.engine()
        try:
            yield engine
        finally:
            # Another dashboard may have been opened and closed meanwhile, and the pages have made an engine anew then.
            for opened in (engine, of_pages, resources.engine()):
                opened.dispose()
            _forget_cached()


@contextmanager
def small_dashboard(folder: Path) -> Iterator[Engine]:
    """The dashboard on an empty database, with the hand-written prices of `tests/support/world.py`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "load_models", lambda: world.price_book().models)
        with dashboard(folder, demo=False) as engine:
            world.make_prices_live(engine, world.PRICE_LIST)
            world.put_in_force(engine, world.price_book().plan)
            yield engine


@cache
def _as_opened(*, demo: bool) -> bytes:
    """The file that the dashboard makes when it opens where there is none."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "credits.db"
        with database.opened(f"sqlite:///{path}") as engine:
            startup.prepare(engine, PriceBooks(settings.load_models()), demo=demo, now=datetime.now(UTC))
        return path.read_bytes()


def _forget_cached() -> None:
    st.cache_resource.clear()
    st.cache_data.clear()


@cache
def _pages() -> Any:
    return AppTest.from_file(str(MAIN_SCRIPT), default_timeout=300).run()._registered_pages


def open_page(file: str, **query: str | list[str]) -> AppTest:
    """The page as a link with this query opens it, in a new session. It must not fail."""
    page = AppTest.from_file(str(MAIN_SCRIPT), default_timeout=300)
    page._registered_pages = _pages()  # by a run of another page, whose filters would take the query for theirs
    page.switch_page(file)
    for name, value in query.items():
        page.query_params[name] = value
    return run(page)


def run(page: AppTest) -> AppTest:
    """The page after another run, which must not fail."""
    for box in page.selectbox:
        if box.value is not None and box.value not in box.options:
            box.options.append(box.value)  # somebody typed it; the test driver knows options alone
    page.run()
    assert not page.exception, page.exception
    assert [error.value for error in page.error if "Reload the page" in error.value] == []
    return page


def choose(page: AppTest, **values: object) -> AppTest:
    """The page after a person has set these inputs, by their keys, one after the other."""
    for key, value in values.items():
        box = page.get_by_key(key)
        box.set_value(str(value) if box.type == "text_input" else value)
        run(page)
    return page


def click(page: AppTest, label: str) -> AppTest:
    """The page after a click on the one button with this label."""
    (button,) = (button for button in page.button if button.label == label)
    button.click()
    return run(page)


def button_labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def metrics(page: AppTest) -> dict[str, tuple[str, str]]:
    """Each metric's value and what stands under it as they are read, by its label."""
    return {metric.label: (as_read(metric.value), as_read(metric.delta)) for metric in page.metric}


def as_read(markdown: str) -> str:
    """Markdown without its escapes, and without what keeps an address from becoming a link."""
    return re.sub(r":color\[(.*?)\]", r"\1", markdown).replace("\\", "")


def table(page: AppTest, number: int = 0) -> list[dict[str, Any]]:
    """The rows of one of the page's big tables, missing cells as None."""
    frame = page.dataframe[number].value
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def captions(page: AppTest) -> str:
    """Every caption of the page, a line each or more."""
    return "\n".join(caption.value for caption in page.caption)


def small_tables(page: AppTest) -> dict[str, list[tuple[str, ...]]]:
    """The rows of the page's small tables as they are read, by what the table is called for screen readers."""
    return {
        found.proto.alt: [
            tuple(row)
            for row in dataframe_util.convert_arrow_bytes_to_pandas_df(
                found.proto.arrow_data.styler.display_values
            ).itertuples(index=False)
        ]
        for found in page.table
    }


def charts(page: AppTest) -> list[dict[str, Any]]:
    """The page's Plotly figures."""
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def links(page: AppTest) -> dict[str, tuple[str, str]]:
    """Where each link to another page leads, path and query, by its label; those to the guide are left out."""
    found = (link for link in page.main.get("page_link") if link.proto.page != "guide")
    return {link.value: (link.proto.page, link.proto.query_string) for link in found}


@dataclass
class Downloads:
    """What the download buttons of a page would give: by file name, a function that makes the file."""

    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)

    def button(self, _label: str, data: Callable[[], bytes], file_name: str, *_: Any, **__: Any) -> bool:
        self.files[file_name] = data
        return False


@contextmanager
def downloads() -> Iterator[Downloads]:
    """Stands in for `st.download_button`, whose file only a browser can ask for, and asks for files that are sent."""
    caught, address = Downloads(), sending.address

    def offered(key: str, offer: Offer) -> str:
        path = address(key, offer)
        caught.files[offer.file_name] = lambda: fetched(path).content
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "download_button", caught.button)
        patch.setattr(sending, "address", offered)
        yield caught


def fetched(path: str) -> httpx.Response:
    """What the server answers to a browser that asks for an offered file."""
    with TestClient(Starlette(routes=[sending.ROUTE])) as browser:
        return browser.get(path)


def click_in_row(page: AppTest, row: int, label: str = "Revoke", *, column: str = "") -> AppTest:
    """The page after a click on the button with this label in this row of the table that has such a column.

    Without a column, in the table of keys.
    """
    name = column or ("Action" if label == "Revoke" else label)
    (drawn,) = (found for found in page.dataframe if name in found.proto.button_click_widgets)
    states = page._tree.get_widget_states()
    clicked = states.widgets.add()
    clicked.id = drawn.proto.button_click_widgets[name]
    clicked.string_trigger_value.data = json.dumps({"row": row, "label": label})
    page._run(states)
    assert not page.exception, page.exception
    return page
