"""Takes the pictures of the documents: `python -m scripts.screenshots`. Needs Debian's Chromium.

Writes `docs/images/` in the light and in the dark theme, each from a fresh demo, and the short film of the README. With
names, such as `python -m scripts.screenshots cliff cures`, it takes only those; what writes to the ledger may then
differ. Pictures that nobody takes any more are removed when all are taken.
"""

import sys
from io import BytesIO
from pathlib import Path
from typing import get_args

from PIL import Image, ImageOps
from playwright.sync_api import Page

from scripts import film
from scripts.browser import ROOT, Box, Theme, carry_out, dashboard, open_screen, settle, window
from scripts.shots import DIALOG, SHOTS, Shot

IMAGES = ROOT / "docs" / "images"
_HEIGHT = 1_800
_MARGIN = 14
_COLOURS = 128
_LINE = "#9CA3AF"
"""The colour of the line: to be seen on a light and on a dark page."""


def file_names() -> set[str]:
    """Every file that this script writes into `docs/images/`."""
    pictures = {f"{shot.name}-{theme}.png" for shot in SHOTS for theme in get_args(Theme)}
    return pictures | {film.file_name(theme) for theme in get_args(Theme)}


def box_of(page: Page, shot: Shot) -> Box:
    """What of the page the picture shows."""
    column, top, end = _box(page, shot.column), _box(page, shot.first).top, _box(page, shot.last)
    aside, above = (0, 0) if shot.column == DIALOG else (_MARGIN, _MARGIN)
    height = min(end.top + end.height - top, shot.most)
    return Box(column.left - aside, top - above, column.width + 2 * aside, height + 2 * above)


def save(picture: bytes, box: Box, path: Path) -> None:
    """Write this part of a picture as a small PNG of few colours, with a line around it."""
    left, top, width, height = map(round, box)
    cut = Image.open(BytesIO(picture)).convert("RGB").crop((left, top, left + width, top + height))
    framed = ImageOps.expand(cut, border=1, fill=_LINE)
    framed.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def take(page: Page, shot: Shot, address: str, path: Path) -> None:
    """Take one picture."""
    open_screen(page, address + shot.path)
    for step in shot.steps:
        carry_out(page, step, address)
    save(settle(page), box_of(page, shot), path)


def main(names: list[str]) -> None:
    """Take the pictures with these names, or all and the film."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    unknown = set(names) - {shot.name for shot in SHOTS} - {film.NAME}
    if unknown:
        raise SystemExit(f"No picture is called {', '.join(sorted(unknown))}.")
    for theme in get_args(Theme):
        if wanted := [shot for shot in SHOTS if not names or shot.name in names]:
            with dashboard() as address, window(theme, height=_HEIGHT) as page:
                for shot in wanted:
                    print(f"{shot.name}-{theme}", flush=True)
                    take(page, shot, address, IMAGES / f"{shot.name}-{theme}.png")
        if not names or film.NAME in names:
            film.make(theme, IMAGES / film.file_name(theme))
    if not names:
        for old in sorted({path.name for path in IMAGES.iterdir()} - file_names()):
            (IMAGES / old).unlink()
    print(f"{sum(path.stat().st_size for path in IMAGES.iterdir()):,} bytes in {IMAGES}")


def _box(page: Page, selector: str) -> Box:
    found = page.locator(selector).first
    found.wait_for()
    box = found.bounding_box()
    assert box is not None, f"{selector} cannot be seen"
    return Box(box["x"], box["y"], box["width"], box["height"])


if __name__ == "__main__":
    main(sys.argv[1:])
