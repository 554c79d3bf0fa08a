"""Reads a page of the guide as blocks that a screen can draw: headings, text, pictures and links to other pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_BLOCK = re.compile(
    r"^(?P<marks>##?) (?P<heading>.+)$"
    r'|^<picture>[^"]*(?:"[^"]*"[^"]*){2}alt="(?P<alt>[^"]*)" src="(?P<source>[^"]*)-light\.png">\s*</picture>$'
    r"|^- \[(?P<label>[^\]]*)\]\((?P<page>[\w-]+)\.md\)(?P<rest>.*)$",
    re.MULTILINE,
)
_LINK_TO_A_FILE = re.compile(r"\[([^\]]*)\]\((?!https?://)[^)]*\)")


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a page. `target` is the picture's path without theme and ending, or the other page's name."""

    kind: Literal["title", "heading", "text", "picture", "link"]
    text: str
    target: str = ""


def blocks(markdown: str) -> Iterator[Block]:
    r"""The blocks of a page, in order; text is ready for Streamlit, which would take `$` for mathematics.

    >>> [(one.kind, one.text) for one in blocks("# Fees\n\nCosts $1. See [the API](../api.md).\n")]
    [('title', 'Fees'), ('text', 'Costs \\$1. See the API.')]
    """
    end = 0
    for found in _BLOCK.finditer(markdown):
        yield from _text(markdown[end : found.start()])
        end = found.end()
        if found["heading"]:
            yield Block("title" if found["marks"] == "#" else "heading", found["heading"])
        elif found["source"]:
            yield Block("picture", found["alt"], found["source"])
        else:
            yield Block("link", found["label"] + found["rest"], found["page"])
    yield from _text(markdown[end:])


def picture(folder: Path, block: Block, theme: str) -> Path:
    """The file of a picture in the light or the dark theme."""
    return (folder / f"{block.target}-{theme}.png").resolve()


def _text(markdown: str) -> Iterator[Block]:
    if text := markdown.strip():
        yield Block("text", _LINK_TO_A_FILE.sub(r"\1", text).replace("$", r"\$"))
