"""What a backup says of itself comes back as it was, and what is none is not taken for one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from credits_core.operations.backups import manifest
from credits_core.operations.backups.manifest import Drilled, Figures, Kind, Manifest

MADE = Manifest(
    name="credits-20261127T030000.000000Z",
    kind=Kind.SQLITE,
    made_at=datetime(2026, 11, 27, 3, 0, tzinfo=UTC),
    file="credits-20261127T030000.000000Z.db.zst",
    stored_bytes=807_092,
    content_bytes=2_900_000,
    sha256="ab" * 32,
    is_encrypted=False,
    figures=Figures("0018", 3_942, 3_942, 2_334_239_718, 4, "cd" * 32),
)
TEXT = manifest.to_text(MADE)


def test_a_manifest_comes_back_as_it_was() -> None:
    assert manifest.from_text(TEXT) == MADE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        TEXT[:-5],
        TEXT.replace('"format": 1', '"format": 2'),
        TEXT.replace('"kind": "sqlite"', '"kind": "oracle"'),
        TEXT.replace('"entries"', '"entrys"'),
        manifest.to_text(replace(MADE, file="../credits.db")),
        manifest.to_text(replace(MADE, file=f"{MADE.name}./../../credits.db")),
    ],
)
def test_what_is_no_manifest_is_not_taken_for_one(text: str) -> None:
    assert manifest.from_text(text) is None


def test_the_result_of_a_drill_comes_back_as_it_was() -> None:
    drilled = Drilled(MADE.made_at, True, timedelta(seconds=1, microseconds=5), 12, "Restored and proved.")
    assert manifest.drill_from_text(manifest.drill_to_text(drilled)) == drilled
    assert manifest.drill_from_text('{"at": "yesterday"}') is None
    assert manifest.drill_from_text("{") is None
