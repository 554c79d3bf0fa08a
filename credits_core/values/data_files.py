"""Reads a TOML file of `data/` into a model that checks it."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from credits_core.errors import DataFileInvalid

Model = TypeVar("Model", bound=BaseModel)


def load(model: type[Model], path: Path) -> Model:
    """What the file says, as this model. It is read again when it has changed; do not change what is returned.

    Raises:
        DataFileInvalid: the file is missing or wrong; every problem is listed.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
    loaded: Model = _read(model, path, found.st_mtime_ns, found.st_size)
    return loaded


@lru_cache(maxsize=16)
def _read(model: type[BaseModel], path: Path, _changed_at_ns: int, _bytes: int) -> Any:
    """The file as it was then. A list of purchases asks for the name of each one's pack."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise DataFileInvalid(str(path), problems) from None
