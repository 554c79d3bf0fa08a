"""Checks of the texts that callers send: ids, reasons and descriptions."""

import re
from typing import TypeGuard

from credits_core.errors import InvalidRequest

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._@/|+-]{0,127}"
ID_FORM = "1 to 128 characters: a letter or digit, then letters, digits or . _ @ / | + -"
"""The form of an id, as `require_id` explains it."""
_ID = re.compile(ID_PATTERN)
MODEL_ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._@/|+:~-]{0,127}"
MODEL_ID_FORM = "1 to 128 characters: a letter or digit, then letters, digits or . _ @ / | + : ~ -"
_MODEL_ID = re.compile(MODEL_ID_PATTERN)


def is_id(text: object) -> TypeGuard[str]:
    """Whether `require_id` accepts the text.

    >>> is_id("ada"), is_id("platform:revenue"), is_id(None)
    (True, False, False)
    """
    return type(text) is str and _ID.fullmatch(text) is not None


def require_id(field: str, text: object) -> str:
    """The text itself, when it is a valid id of a user, prompt, flow, model or actor.

    An id has 1 to 128 characters: a letter or digit, then letters, digits and `. _ @ / | + -`. Only the platform's own
    accounts have a colon, and no id begins with a character that a spreadsheet reads as a formula.

    Raises:
        InvalidRequest: it is not a string of this form.

    >>> require_id("user_id", "ada@example.org")
    'ada@example.org'
    """
    # A subclass of str may print something other than its text, and a request is hashed as it prints.
    if type(text) is not str or not _ID.fullmatch(text):
        raise InvalidRequest(
            field,
            f"must be {ID_FORM}, not {text if isinstance(text, int) else str(text)[:140]!r}",
        )
    return text


MAX_TEXT = 500
"""Longest reason or description, in characters."""


def require_text(field: str, text: object, *, minimum: int = 1) -> str:
    """The text without blanks at its ends, when it then has `minimum` to 500 printable characters.

    Raises:
        InvalidRequest: it is not such a text.
    """
    stripped = text.strip() if type(text) is str else None
    if stripped == "" and minimum:
        raise InvalidRequest(field, "must be given")
    if stripped is None or not minimum <= len(stripped) <= MAX_TEXT or not stripped.isprintable():
        raise InvalidRequest(field, f"must be at most {MAX_TEXT} printable characters")
    return stripped


def require_model_id(field: str, text: object) -> str:
    """The text itself when it can name a model: an id that may begin with @ or ~ after a slash, and hold a colon.

    Raises:
        InvalidRequest: it is not a string of that form.

    >>> require_model_id("model_id", "openrouter/qwen/qwen3-coder:free")
    'openrouter/qwen/qwen3-coder:free'
    """
    if type(text) is not str or not _MODEL_ID.fullmatch(text):
        raise InvalidRequest(
            field, f"must be {MODEL_ID_FORM}, not {text if isinstance(text, int) else str(text)[:140]!r}"
        )
    return text
