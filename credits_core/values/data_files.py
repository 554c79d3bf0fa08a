"""Reads a TOML file of `data/` into a model that checks it."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from credits_core.errors import DataFileInvalid

Model = TypeVar("Model", bound=BaseModel)


def load(model: type[Model], path: Path) -> Model:
    """What the file says, as this model.

    Raises:
        DataFileInvalid: the file is missing or wrong; every problem is listed.
    """
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise DataFileInvalid(str(path), problems) from None
