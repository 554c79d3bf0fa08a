"""Reads CSV files row by row with line numbers, checks the header, and says in words what is wrong with a row.

Does not know what the columns mean.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from credits_core.errors import DataFileInvalid

_SHOWN_CHARACTERS = 80


def read_rows(path: Path, columns: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The line number and the fields of every row below the header. Blank lines are no rows.

    The line number is the row's last line. A row may have more or fewer fields than the header.

    Raises:
        DataFileInvalid: the file cannot be read as CSV in UTF-8, or line 1 is not these columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if header != columns:
                raise DataFileInvalid(str(path), [f"line 1 {mismatch(columns, header)}"])
            for fields in filter(None, reader):
                yield reader.line_num, fields
    except FileNotFoundError:
        raise DataFileInvalid(str(path), ["does not exist"]) from None
    except UnicodeDecodeError:
        raise DataFileInvalid(str(path), ["cannot be read: it is not text in UTF-8"]) from None
    except (OSError, csv.Error) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {getattr(error, 'strerror', None) or error}"]) from None


def mismatch(columns: list[str], fields: list[str]) -> str:
    """The end of a sentence: the fields should be these columns. Shows at most 80 characters of the fields.

    >>> mismatch(["user_id", "credits"], ["ada", "5", "6"])
    "must be user_id,credits, not 'ada,5,6'"
    """
    return f"must be {','.join(columns)}, not {','.join(fields)[:_SHOWN_CHARACTERS]!r}"
