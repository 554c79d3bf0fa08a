"""The guide in the dashboard: every page with its pictures, and the links to it from every screen."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pages.parts import guidance
from tests.support import page_driver
from tests.support.page_driver import MAIN_SCRIPT, open_page

NAMED_IN_NAVIGATION = re.compile(r'screen\(\s*"([\w/]+\.py)",\s*"([^"]+)"')
TASKS = sorted(path.stem for path in guidance.FOLDER.glob("*.md"))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("guide"), demo=True) as engine:
        yield engine


def test_every_screen_has_its_pages_of_the_guide() -> None:
    named = {title: file for file, title in NAMED_IN_NAVIGATION.findall(MAIN_SCRIPT.read_text(encoding="utf-8"))}
    assert named.pop("Guide") == "guide/guide.py"
    assert {title: file for title, (file, _) in guidance.SCREENS.items()} == named


@pytest.mark.parametrize("title", guidance.SCREENS)
def test_what_am_i_looking_at_links_to_the_guide(ledger: Engine, title: str) -> None:
    file, names = guidance.SCREENS[title]
    links = [link.proto for link in open_page(file).main.get("page_link") if link.proto.page == "guide"]
    assert [link.query_string for link in links] == [f"task={name}" for name in names]
    assert [link.label for link in links] == [guidance.titles()[name] for name in names]
    assert all((guidance.FOLDER / f"{name}.md").is_file() for name in names)


@pytest.mark.parametrize("task", TASKS)
def test_a_page_of_the_guide_is_shown_whole(ledger: Engine, task: str) -> None:
    written = (guidance.FOLDER / f"{task}.md").read_text(encoding="utf-8")
    page = open_page("guide/guide.py", task=task)
    assert page.header[0].value == guidance.titles()[task]
    assert [one.value for one in page.subheader] == re.findall("^## (.*)$", written, re.MULTILINE)
    assert len(page.get("image")) == written.count("<picture>")
    shown = "\n".join(one.value for one in page.markdown)
    assert not re.search(r"<|\]\((?!https?:)", shown)
    assert not re.search(r"(?<!\\)\$", shown)
    listed = re.findall(r"^- \[(.*)\]\(([\w-]+)\.md\)$", written, re.MULTILINE)
    links = [link.proto for link in page.main.get("page_link") if link.proto.page == "guide"]
    assert [(link.label, link.query_string) for link in links][-len(listed) :] == [
        (label, f"task={name}") for label, name in listed
    ]


def test_a_page_of_the_guide_links_to_its_screen(ledger: Engine) -> None:
    page = open_page("guide/guide.py", task="cure-a-cliff")
    assert "pricing-lab" in [link.proto.page for link in page.main.get("page_link")]


def test_a_page_that_the_guide_does_not_have_leads_to_the_list(ledger: Engine) -> None:
    page = open_page("guide/guide.py", task="../api")
    assert [one.value for one in page.info] == ["Choose a task from the list."]
    assert page.header[0].value == "The guide"


def test_labels_of_links_are_the_titles_of_the_pages() -> None:
    for path in (Path(guidance.FOLDER) / f"{task}.md" for task in TASKS):
        for label, name in re.findall(r"\[([^\]]*)\]\(([\w-]+)\.md\)", path.read_text(encoding="utf-8")):
            assert label == guidance.titles()[name], path
