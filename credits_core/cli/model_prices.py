"""Takes prices of the genai-prices package into `data/models.toml`: `python -m credits_core models refresh --file`.

It uses the price data that the package carries, never the network. The file is for new databases: what a run costs is
read from the database's live price list.
"""

import os
import shutil
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import typer

from credits_core import settings
from credits_core.errors import DataFileInvalid
from credits_core.prices.list_toml import PriceChange, refreshed


def refresh_and_print() -> None:
    """Take today's prices into `data/models.toml` and print what changed."""
    changes = refresh(settings.MODELS_FILE, datetime.now(UTC).date())
    for change in changes:
        typer.echo(change)
    typer.echo(f"{settings.MODELS_FILE.name}: {len(changes)} price(s) changed")


def refresh(path: Path, today: date) -> list[PriceChange]:
    """The prices that changed when every model with a `genai_prices_id` was given the package's, in the file's order.

    Rewrites `prices`, `service_tiers`, `source`, `checked_on` and `known_since` of those models and keeps everything
    else, comments included. Done again on the same day, it writes the identical file. Our corrections are applied.

    Raises:
        DataFileInvalid: the file cannot be read, used or written, somebody changed it meanwhile, or the package has no
            such model or no price for it. Every model with a problem is listed; nothing is written.
    """
    try:
        seen = path.read_bytes()
        text = seen.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
    new_text, changes = refreshed(text, str(path), settings.PRICE_CORRECTIONS_FILE, today)
    _replace(path, new_text, seen=seen)
    return changes


def _replace(path: Path, text: str, *, seen: bytes) -> None:
    """Write the file in one step, so that nobody reads half of it and a full disk leaves the old one.

    It must still be as it was `seen`, or what somebody saved in an editor meanwhile would be lost.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, temporary)
        if path.read_bytes() != seen:
            raise DataFileInvalid(str(path), ["was changed by somebody else meanwhile; run the command again"])
        temporary.replace(path)
    except OSError as error:
        raise DataFileInvalid(str(path), [f"cannot be written: {error}"]) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
