"""The short film of the README as data, and how it is made: a caption over each picture, a ring around each click."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page

from scripts.browser import (
    WIDTH,
    Step,
    Theme,
    button,
    carry_out,
    click,
    dashboard,
    go,
    open_screen,
    see,
    settle,
    target,
    window,
)
from scripts.shots import BENCH, DAYS, HEAD

NAME = "film"
_HEIGHT = 790
_SEEN = (220, 40, WIDTH, _HEIGHT)
"""What of the window the film shows, without the sidebar: left, top, right and bottom, in pixels."""
_SHOWN_WIDTH, _BAR, _COLOURS = 900, 44, 200
_INK, _PAPER, _RING = "#FFFFFF", "#4F46E5", "#E11D48"
_CLICK_MS, _RING_PIXELS = 900, 26


@dataclass(frozen=True, slots=True)
class Scene:
    """What is done, then what is seen, under a caption for so many milliseconds. `first` is said over each click."""

    caption: str
    steps: tuple[Step, ...]
    first: str = ""
    milliseconds: int = 1_700


SCENES = (
    Scene("Where users' credits go: models, creators, PromptFlow", (go(f"/?{DAYS}"),)),
    Scene("Plans: 905 runs of last month paid too much", (go("/pricing-lab"),), milliseconds=2_200),
    Scene(
        "Saved. A draft never charges anyone",
        (click(button("Save as draft")), see("text=Saved the draft")),
        first="Each fix is tried on last month. Save one as a draft",
    ),
    Scene(
        "Compare: users pay less, the platform earns less",
        (click('role=link[name="Who loses?"]'), see('role=heading[name="Plan B instead of A"]')),
        first="Who loses by it?",
        milliseconds=2_200,
    ),
    Scene(
        "Replay: every run of the past under the fix",
        (click('role=link[name="Replay all history under this plan"]'), see(HEAD)),
        first="Try it on the whole past",
    ),
    Scene(
        "Charged. The receipt says who was paid",
        (go(f"/test-credits?{BENCH}"), click(button("Run")), see('role=heading[name="What happened"]')),
        first="Test bench: run a prompt",
        milliseconds=2_800,
    ),
)


def file_name(theme: Theme) -> str:
    """The film's file in this theme."""
    return f"{NAME}-{theme}.gif"


def make(theme: Theme, path: Path) -> None:
    """Play every scene in a fresh demo and write the film."""
    print(f"{NAME}-{theme}", flush=True)
    frames: list[Image.Image] = []
    durations: list[int] = []
    with dashboard() as address, window(theme, height=_HEIGHT) as page:
        open_screen(page, address)
        for scene in SCENES:
            for step in scene.steps:
                if step.does in ("click", "type", "row") and frames:
                    frames.append(_framed(_with_ring(page, step), scene.first))
                    durations.append(_CLICK_MS)
                carry_out(page, step, address)
            frames.append(_framed(settle(page), scene.caption))
            durations.append(scene.milliseconds)
    small = [frame.quantize(_COLOURS, dither=Image.Dither.NONE) for frame in frames]
    small[0].save(path, save_all=True, append_images=small[1:], duration=durations, loop=0, optimize=True)


def _with_ring(page: Page, step: Step) -> bytes:
    found, place = target(page, step)
    found.scroll_into_view_if_needed()
    box = found.bounding_box()
    assert box is not None, f"{step.where} cannot be seen"
    x, y = (
        (box["x"] + place["x"], box["y"] + place["y"])
        if place
        else (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    )
    picture = Image.open(BytesIO(settle(page))).convert("RGB")
    ring = (x - _RING_PIXELS, y - _RING_PIXELS, x + _RING_PIXELS, y + _RING_PIXELS)
    ImageDraw.Draw(picture).ellipse(ring, outline=_RING, width=4)
    with BytesIO() as written:
        picture.save(written, "PNG")
        return written.getvalue()


def _framed(picture: bytes, caption: str) -> Image.Image:
    seen = Image.open(BytesIO(picture)).convert("RGB").crop(_SEEN)
    seen = seen.resize((_SHOWN_WIDTH, round(seen.height * _SHOWN_WIDTH / seen.width)), Image.Resampling.LANCZOS)
    frame = Image.new("RGB", (_SHOWN_WIDTH, seen.height + _BAR), _PAPER)
    frame.paste(seen, (0, _BAR))
    ImageDraw.Draw(frame).text((18, _BAR // 2), caption, _INK, ImageFont.load_default(20), anchor="lm")
    return frame
