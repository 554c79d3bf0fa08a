"""The screen Models without a browser: opening it, the ids in its table, and a click on one of them."""

from streamlit.testing.v1 import AppTest

from tests.support.page_driver import click_in_row, open_page, table


def page_for(**query: str) -> AppTest:
    """The screen as a link with this query opens it."""
    return open_page("models/models.py", **query)


def ids(page: AppTest) -> list[str]:
    """The ids of the models in the table, from the top."""
    return [row["Model"] for row in table(page)]


def select(page: AppTest, model_id: str) -> AppTest:
    """The page after a click on the model's id."""
    return click_in_row(page, ids(page).index(model_id), model_id, column="Model")
