"""What the runbook says about an alert, for a screen."""

import re
from functools import cache
from pathlib import Path

import streamlit as st

from pages.parts import guidance

FILE = Path(__file__).resolve().parent.parent.parent / "docs" / "runbook.md"
_LINK = re.compile(r"\[([^\]]+)\]\((?:guide/)?([a-z-]+)\.md\)", re.DOTALL)


@cache
def paragraphs() -> dict[str, str]:
    """What to do about each alert by its name, as Markdown; nothing where the documents are missing."""
    if not FILE.exists():
        return {}
    _, *found = re.split(r"^## (\w+)$", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: text.strip() for name, text in zip(found[::2], found[1::2], strict=True)}


def without_links(text: str) -> str:
    """The text with the words of each link in italics: a link between documents leads nowhere on a screen."""
    return _LINK.sub(r"*\1*", text)


def draw(name: str) -> None:
    """Draw an expander with what to do about the alert of this name, and a link to what it names of the guide."""
    if name not in paragraphs():
        return
    text = paragraphs()[name]
    with st.expander(f"What to do about {name}", icon=":material/menu_book:"):
        st.markdown(without_links(text))
        for _, page in _LINK.findall(text):
            if page in guidance.titles():
                guidance.link(page)
