"""A refresh of the models' prices beside somebody who edits the same file."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from credits_core import settings
from credits_core.cli import model_prices
from credits_core.errors import DataFileInvalid
from credits_core.prices import catalogue

DAY = date(2099, 1, 1)
NOTE = b"\n# somebody's note\n"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models.toml"
    path.write_bytes(settings.MODELS_FILE.read_bytes())
    return path


def while_it_works(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Let something happen as soon as a refresh has read the file and looks up the first price."""
    prices_of = catalogue.prices_of

    def look_up(*arguments: Any) -> Any:
        monkeypatch.setattr(catalogue, "prices_of", prices_of)
        meanwhile()
        return prices_of(*arguments)

    monkeypatch.setattr(catalogue, "prices_of", look_up)


def test_a_refresh_does_not_undo_what_somebody_saved_while_it_worked(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = models.read_bytes() + NOTE
    while_it_works(monkeypatch, lambda: models.write_bytes(edited))
    with pytest.raises(DataFileInvalid, match="was changed by somebody else meanwhile; run the command again"):
        model_prices.refresh(models, DAY)
    assert models.read_bytes() == edited
    assert [path.name for path in models.parent.iterdir()] == ["models.toml"]
    model_prices.refresh(models, DAY)
    assert models.read_bytes().endswith(NOTE)
    assert b"2099-01-01" in models.read_bytes()


def test_a_file_that_was_removed_meanwhile_is_not_made_again(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    while_it_works(monkeypatch, models.unlink)
    with pytest.raises(DataFileInvalid, match="cannot be written"):
        model_prices.refresh(models, DAY)
    assert list(models.parent.iterdir()) == []
