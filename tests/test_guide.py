"""The guide is true: its pictures are those that the script takes, and the words that one clicks stand on screens."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from pages.parts import guidance
from scripts import film, screenshots
from scripts.browser import Theme

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs" / "guide").glob("*.md"))
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
PICTURE = re.compile(r'(?:srcset|src)="([^"]+)"')
BOLD = re.compile(r"\*\*([^*]+)\*\*")
LINK = re.compile(r"\]\(([\w-]+)\.md\)")
OF_SEVERAL_PEOPLE = {"approve-a-change"}
"""Pages about people who sign in one after the other: the dashboard that pictures are taken of has nobody."""
OF_WHAT_JOBS_FIND = {"look-into-what-is-unusual"}
"""Pages about what jobs find in time: the dashboard that pictures are taken of has just begun, and nothing is found."""
MOST_BYTES, MOST_BYTES_OF_A_FILM = 4_000_000, 2_000_000


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def said_on_screens() -> tuple[set[str], list[re.Pattern[str]]]:
    """Every text in the code of the pages: as it is, and as a pattern where a part of it is put in.

    With the names of scenarios, and of what is stored by a name of its own, such as a role, as screens write it.
    """
    core = ROOT / "credits_core"
    named = text_of(core / "store" / "kinds.py") + text_of(core / "values" / "roles.py")
    plain = {word.capitalize() for word in re.findall(r'= "(\w+)"', named)}
    plain |= set(re.findall(r'^name = "(.*)"$', text_of(ROOT / "data" / "scenarios.toml"), re.MULTILINE))
    patterns = []
    for path in sorted((ROOT / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                plain.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                parts = [re.escape(str(one.value)) if isinstance(one, ast.Constant) else ".+" for one in node.values]
                patterns.append(re.compile("".join(parts)))
    return plain, patterns


def is_on_a_screen(words: str) -> bool:
    plain, patterns = said_on_screens()
    said = " ".join(words.split())  # a line of the document may end within
    return said in plain or any(pattern.fullmatch(said) for pattern in patterns)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_is_bold_in_the_guide_stands_on_a_screen(path: Path) -> None:
    assert [words for words in BOLD.findall(text_of(path)) if not is_on_a_screen(words)] == []


@pytest.mark.parametrize(
    ("words", "there"),
    [("Save as draft", True), ("Run 1,000 times", True), ("Save as", True), ("Save as draught", False), ("Run", True)],
)
def test_a_word_is_found_where_it_is(words: str, *, there: bool) -> None:
    assert is_on_a_screen(words) == there


def test_every_picture_that_a_document_shows_is_taken_by_the_script_and_every_one_taken_is_shown() -> None:
    shown = {(path.parent / name).resolve() for path in DOCUMENTS for name in PICTURE.findall(text_of(path))}
    taken = {screenshots.IMAGES / name for name in screenshots.file_names()}
    assert shown == taken == set((ROOT / "docs" / "images").iterdir())
    assert len(taken) >= 40


def test_a_picture_is_shown_in_both_themes() -> None:
    for path in DOCUMENTS:
        shown = PICTURE.findall(text_of(path))
        assert [name.replace("-dark", "-light") for name in shown[::2]] == shown[1::2], path
        assert all("-dark." in name for name in shown[::2])


def test_the_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in screenshots.IMAGES.iterdir()}
    assert sum(sizes.values()) < MOST_BYTES
    assert max(sizes[film.file_name(theme)] for theme in get_args(Theme)) < MOST_BYTES_OF_A_FILM


def test_every_page_of_the_guide_is_in_its_index_and_belongs_to_a_screen() -> None:
    names = {path.stem for path in PAGES} - {guidance.INDEX}
    assert set(LINK.findall(text_of(guidance.FOLDER / "README.md"))) == names
    assert {name for _, pages in guidance.SCREENS.values() for name in pages} == names | {guidance.INDEX}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_of_the_guide_is_short_and_says_what_can_go_wrong(path: Path) -> None:
    text = text_of(path)
    assert text.startswith("# ")
    assert len(text.split()) < 800
    if path.stem != guidance.INDEX:
        assert "\n1. Open " in text or "\n1. Type " in text
        assert "\n## What can go wrong\n" in text
        assert "<picture>" in text or path.stem in OF_SEVERAL_PEOPLE | OF_WHAT_JOBS_FIND
