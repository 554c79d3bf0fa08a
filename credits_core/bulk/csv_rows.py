"""Reads CSV files row by row with line numbers, checks the header, and says in words what is wrong with a row.

A file that a spreadsheet has opened and saved is the same file: a byte order mark, other ends of lines, semicolons or
tabs for commas, other quotes, columns in another order and empty rows change nothing. Does not know what the columns
mean.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path

from credits_core.errors import DataFileInvalid

_SHOWN_CHARACTERS = 80
_LONGEST_FIELD = 131_072
_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that somebody sent: its name and what is in it. It opens and is named as a path is."""

    name: str
    content: bytes

    def open(self, *, encoding: str, newline: str) -> TextIOWrapper:
        """The text of the file."""
        return TextIOWrapper(BytesIO(self.content), encoding=encoding, newline=newline)

    def __str__(self) -> str:
        return self.name


def read_rows(
    path: Path | SentFile, columns: list[str], *, optional: Sequence[str] = ()
) -> Iterator[tuple[int, list[str]]]:
    """The line number and the fields of every row below the header, in the order of `columns` and then `optional`.

    Rows without any content are no rows. The line number is the row's last line. A missing optional column is an empty
    field. A row with more or fewer fields than the header comes as a single one, which all of them are in.

    Raises:
        DataFileInvalid: the file cannot be read as CSV in UTF-8, or line 1 does not have these columns, in any order.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            found = _header(first, columns, optional)
            if found is None:
                raise DataFileInvalid(str(path), [f"line 1 {_wrong_header(first, columns, optional)}"])
            separator, places = found
            reader = csv.reader(file, delimiter=separator)
            for fields in reader:
                _require_short(fields)
                if any(fields):
                    yield reader.line_num + 1, _in_order(fields, places)
    except FileNotFoundError:
        raise DataFileInvalid(str(path), ["does not exist"]) from None
    except UnicodeDecodeError:
        raise DataFileInvalid(str(path), ["cannot be read: it is not text in UTF-8"]) from None
    except (OSError, csv.Error) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {getattr(error, 'strerror', None) or error}"]) from None


def _require_short(fields: list[str]) -> None:
    # The module's own limit is one for all readers of the process, and usage may have longer fields.
    if any(len(field) > _LONGEST_FIELD for field in fields):
        raise csv.Error(f"field larger than field limit ({_LONGEST_FIELD})")


def _header(line: str, columns: list[str], optional: Sequence[str]) -> tuple[str, list[int | None]] | None:
    """The file's separator, and where each column is in its rows; None when the header has other columns."""
    for separator in _SEPARATORS:
        header = next(csv.reader([line], delimiter=separator), [])
        if len({*header}) == len(header) and {*columns} <= {*header} <= {*columns, *optional}:
            return separator, [header.index(name) if name in header else None for name in (*columns, *optional)]
    return None


def _wrong_header(line: str, columns: list[str], optional: Sequence[str]) -> str:
    """The end of a sentence: which columns the header has that no such file has, or what it should be."""
    for separator in _SEPARATORS:
        header = next(csv.reader([line], delimiter=separator), [])
        unknown = ",".join(name for name in header if name not in {*columns, *optional})
        if unknown and {*columns} & {*header}:
            others = f" and optionally {','.join(optional)}" if optional else ""
            return f"has unknown columns {unknown[:_SHOWN_CHARACTERS]!r}. The columns are {','.join(columns)}{others}"
    return mismatch(columns, next(csv.reader([line]), []))


def _in_order(fields: list[str], places: list[int | None]) -> list[str]:
    if len(fields) != len(places) - places.count(None):
        return [",".join(fields)]
    return ["" if place is None else fields[place] for place in places]


def mismatch(columns: list[str], fields: list[str]) -> str:
    """The end of a sentence: the fields should be these columns. Shows at most 80 characters of the fields.

    >>> mismatch(["user_id", "credits"], ["ada", "5", "6"])
    "must be user_id,credits, not 'ada,5,6'"
    """
    return f"must be {','.join(columns)}, not {','.join(fields)[:_SHOWN_CHARACTERS]!r}"
