"""The box in the sidebar that finds screens, entries, price plans, prompts and users."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.support import page_driver
from tests.support.page_driver import open_page, run


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("find"), demo=True) as engine:
        yield engine


def found(text: str) -> dict[str, tuple[str, str]]:
    """Where each link leads that is there for the text, by its label."""
    page = open_page("explore/balances.py")
    others = len(page.main.get("page_link"))  # which stand below what is found
    page.text_input(key="find").set_value(text)
    links = run(page).main.get("page_link")
    links = links[: len(links) - others]
    return {link.proto.label.replace("\\", ""): (link.proto.page, link.proto.query_string) for link in links}


def test_nothing_typed_finds_nothing(ledger: Engine) -> None:
    assert found("  ") == {}


@pytest.mark.parametrize(
    ("text", "label", "leads_to"),
    [
        ("HIST", "History", ("history", "")),
        ("simul", "Simulate runs", ("simulate-runs", "")),  # a screen that is not in the list of screens
        ("17", "Entry 17", ("history", "to_entry=17&anew=")),
        ("#17", "Entry 17", ("history", "to_entry=17&anew=")),
        ("V1", "promptflow-v1", ("pricing-lab", "to_plan=promptflow-v1&anew=")),
        ("news-dig", "News digest", ("test-credits", "to_prompt=news-digest&anew=")),
        ("noor", "noor", ("balances", "to_user=noor&anew=")),
        (" NOOR ", "noor", ("balances", "to_user=noor&anew=")),
    ],
)
def test_a_part_of_a_name_or_id_finds_what_it_names(
    ledger: Engine, text: str, label: str, leads_to: tuple[str, str]
) -> None:
    assert found(text)[label] == leads_to


def test_screens_come_before_users_and_of_each_kind_there_are_five_at_most(ledger: Engine) -> None:
    labels = list(found("a"))
    assert labels.index("Balances") < labels.index("ada")
    pages = [page for page, _ in found("a").values()]
    assert (pages.count("balances"), pages.count("test-credits")) == (6, 5)  # with the screen Balances


@pytest.mark.parametrize("text", ["no such thing", "0", "-5", "#", "%"])
def test_what_nothing_has_in_its_name_says_so(ledger: Engine, text: str) -> None:
    page = open_page("explore/balances.py")
    page.text_input(key="find").set_value(text)
    assert any("Nothing has this in its name or id." in one.value for one in run(page).main.caption)
    assert found(text) == {}


def test_what_was_found_is_gone_on_the_next_screen(ledger: Engine) -> None:
    page = open_page("explore/balances.py")
    page.text_input(key="find").set_value("noor")
    assert next(link.proto.label for link in run(page).main.get("page_link")) == "noor"
    assert run(page.switch_page("models/models.py")).text_input(key="find").value == ""
    assert [link.proto.label for link in page.main.get("page_link") if link.proto.page != "guide"] == []
