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


_MOST_SHOWN = 40


def cut_repr(given: object) -> str:
    """What somebody sent, as a refusal repeats it: at most 40 characters of it.

    >>> cut_repr("12"), cut_repr(10**60)
    ("'12'", '1000000000000000000000000000000000000000…')
    """
    text = repr(given)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


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


_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_BROKEN_ID = re.compile(
    r"nan|null|nil|none|undefined|true|false|n/a|[+-]?inf(inity)?"  # empty cells, and what is no text
    r"|[0-9]+([.,][0-9]+)?e[+-][0-9]+|[0-9]+\.0+"  # 1.23457E+12, in some countries 1,23457E+12; 45787.0
    r"|[1-9]([.,][0-9]+)?e[0-9]{1,3}"  # 1.23E12, 1e5; one digit before it, so that 12345e67 stays an id
    rf"|[0-9]{{1,2}}-{_MONTH}(-[0-9]{{2,4}})?|{_MONTH}-[0-9]{{1,4}}"  # 1-Mar, Mar-26
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}",  # 2026-03-01, 3/1/2026
    re.IGNORECASE,
)


def require_new_user_id(field: str, text: object) -> str:
    """The text itself, when an account may be opened under it: a valid id that no spreadsheet has broken.

    Spreadsheets and programs turn ids into powers of ten, dates, truth values and words for nothing. Whole numbers are
    ids.

    Raises:
        InvalidRequest: it is not a valid id, or looks like one that was broken so.

    >>> require_new_user_id("user_id", "45787")
    '45787'
    """
    user_id = require_id(field, text)
    if is_broken_by_spreadsheet(user_id):
        raise InvalidRequest(
            field,
            f"must not be {user_id!r}: a spreadsheet or program has probably changed the id. Format the column as text "
            "and write the id again",
        )
    return user_id


def is_broken_by_spreadsheet(text: str) -> bool:
    """Whether an id looks like one that a spreadsheet or program has broken, as `require_new_user_id` explains.

    >>> [is_broken_by_spreadsheet(text) for text in ("ada", "45787", "12345e67", "1,23E+12", "1e5", "1-Mar", "NaN")]
    [False, False, False, True, True, True, True]
    """
    return _BROKEN_ID.fullmatch(text) is not None


def folded_id(text: str) -> str:
    """The same for ids that differ only in upper and lower case. Blanks and other alphabets are in no id.

    >>> folded_id("Ada@Example.org")
    'ada@example.org'
    """
    return text.lower()


MAX_TEXT = 500
"""Longest reason or description, in characters."""


def require_text(field: str, text: object, *, minimum: int = 1, longest: int = MAX_TEXT) -> str:
    """The text without blanks at its ends, when it then has `minimum` to `longest` printable characters (500).

    Raises:
        InvalidRequest: it is not such a text.
    """
    stripped = text.strip() if type(text) is str else None
    if stripped == "" and minimum:
        raise InvalidRequest(field, "must be given")
    if stripped is None or not minimum <= len(stripped) <= longest or not stripped.isprintable():
        raise InvalidRequest(field, f"must be at most {longest} printable characters")
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
