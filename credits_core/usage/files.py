"""Opens a file of usage, whatever form it came in: CSV, JSON lines, JSON or Parquet, also in gzip or zip. Pure.

Text may be in UTF-8 or UTF-16, with or without a mark, or in the encoding of Western European spreadsheets. A row keeps
its line, so that whoever mends the file finds it. What a row means is not known here.
"""

import codecs
import csv
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from credits_core.errors import DataFileInvalid
from credits_core.values.text import counted

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 65_536
_PIECE = 1_048_576
_LONGEST_CELL = 2**26
"""Some logs keep whole conversations in a cell."""
_MOST_JSON = 512 * 1_048_576
_ROWS_AT_ONCE = 4_096
_LONGEST_LINE = 2**26
_MOST_UNPACKED = 2**31
_DAMAGED = (EOFError, OSError, RuntimeError, OverflowError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, csv.Error)
"""What a file makes its reader raise that is cut, corrupt, encrypted, or nested too deeply."""


class Source(Protocol):
    """A file that is there to be read, several times if need be."""

    @property
    def name(self) -> str:
        """What people call the file."""

    @property
    def size(self) -> int:
        """How many bytes it has."""

    def open_bytes(self) -> BinaryIO:
        """The file from its beginning."""


@dataclass(frozen=True, slots=True)
class FileAt:
    """A file on this machine."""

    path: Path

    @property
    def name(self) -> str:
        """The name without its folder."""
        return self.path.name

    @property
    def size(self) -> int:
        """How many bytes it has.

        Raises:
            DataFileInvalid: it is not there.
        """
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise DataFileInvalid(str(self.path), [f"cannot be read: {error.strerror}"]) from None

    def open_bytes(self) -> BinaryIO:
        """The file from its beginning.

        Raises:
            DataFileInvalid: it cannot be opened.
        """
        try:
            return self.path.open("rb")
        except OSError as error:
            raise DataFileInvalid(str(self.path), [f"cannot be read: {error.strerror}"]) from None


@dataclass(frozen=True, slots=True)
class FileInMemory:
    """A file that somebody sent."""

    name: str
    content: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.content)

    def open_bytes(self) -> BinaryIO:
        """The file from its beginning."""
        return io.BytesIO(self.content)


@dataclass(frozen=True, slots=True)
class Record:
    """One row: the line where it begins (in Parquet its number, from 1), and its cells by the names of the columns.

    `problem` says why the row has no cells: it is broken. `done` is how many bytes of the file are read by now.
    """

    line: int
    cells: Mapping[str, Any]
    done: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class FoundForm:
    """How a file is written: its kind, and of text the encoding and the separator. Columns in the order of the file."""

    kind: str
    encoding: str | None
    separator: str | None
    columns: tuple[str, ...]


def records(source: Source) -> Iterator[Record]:
    """Every row of the file in its order, read a piece at a time. Rows without any content are no rows.

    Raises:
        DataFileInvalid: the file is empty, cannot be unpacked or decoded, is no usage at all, or has no columns.
    """
    with source.open_bytes() as raw, _refusing(source.name):
        yield from _records(source.name, raw, raw)


def form_of(source: Source) -> FoundForm:
    """How the file is written, told from its beginning.

    Raises:
        DataFileInvalid: as `records`.
    """
    with source.open_bytes() as raw, _refusing(source.name):
        name, stream = _unpacked(source.name, raw)
        head = stream.read(_SAMPLE)
    kind = _kind(head)
    columns: tuple[str, ...] = ()
    for one in records(source):
        if one.problem is None:
            columns = tuple(one.cells)
            break
    if kind in ("Parquet", "JSON"):
        return FoundForm(kind, None, None, columns)
    encoding = _encoding_of_sample(head)
    text = head.decode(encoding, errors="replace")
    return FoundForm(kind, encoding, _separator(name, text.splitlines()), columns)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Whatever a damaged or hostile file makes its reader say, as the refusal of the file."""
    try:
        yield
    except UnicodeDecodeError:
        raise DataFileInvalid(name, ["cannot be read: it is no text in any known encoding"]) from None
    except _DAMAGED as error:
        raise DataFileInvalid(name, [f"cannot be read: {error}"]) from None


def _records(name: str, stream: BinaryIO, raw: BinaryIO) -> Iterator[Record]:
    name, stream = _unpacked(name, stream)
    head = stream.read(_SAMPLE)
    if not head.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise DataFileInvalid(name, ["is empty"])
    stream.seek(0)
    kind = _kind(head)
    if kind == "Parquet":
        yield from _parquet(name, stream, raw)
        return
    encoding = _encoding(stream)
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding=encoding, newline="")
    try:
        yield from _json(name, text, raw) if kind == "JSON" else _csv(name, text, raw)
    finally:
        text.detach()  # whoever opened the stream closes it


def _unpacked(name: str, stream: BinaryIO) -> tuple[str, BinaryIO]:
    """The stream without gzip or zip around it, and the name of what is in it."""
    magic = stream.read(4)
    stream.seek(0)
    if magic[:2] == b"\x1f\x8b":
        unzipped: Any = gzip.GzipFile(fileobj=stream, mode="rb")
        return _unpacked(name.removesuffix(".gz"), unzipped)
    if magic != b"PK\x03\x04":
        return name, stream
    archive = zipfile.ZipFile(stream)
    inner = [one for one in archive.namelist() if not one.endswith("/") and not _is_hidden(one)]
    if any(one.startswith(("xl/", "word/")) for one in inner):
        raise DataFileInvalid(name, ["is an Excel workbook. Save the sheet as CSV, and bring that in"])
    if len(inner) != 1:
        named = f": {', '.join(inner[:5])}" if inner else ""
        raise DataFileInvalid(name, [f"must hold one file, and holds {counted(len(inner), 'file')}{named}"])
    member: Any = archive.open(inner[0])
    return _unpacked(inner[0], member)


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith(".")


def _kind(head: bytes) -> str:
    if head[:4] == b"PAR1":
        return "Parquet"
    first = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1]
    return "JSON" if first in (b"{", b"[") else "CSV"


def _encoding_of_sample(head: bytes) -> str:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.count(0) * 4 > len(head):  # every second byte of plain letters
        return "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _encoding(stream: BinaryIO) -> str:
    """The encoding of the whole file: it is UTF-8 only when all of it is."""
    first = stream.read(_SAMPLE)
    encoding = _encoding_of_sample(first)
    if encoding != "utf-8":
        return encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    piece = first
    try:
        while piece:
            decoder.decode(piece)
            piece = stream.read(_PIECE)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _separator(name: str, lines: Sequence[str]) -> str:
    """The separator by which the header, and the row below it, have the most columns."""
    shown = [line for line in lines if line.strip()][:3]
    if not shown:
        raise DataFileInvalid(name, ["is empty"])
    if shown[0].lower().startswith("sep=") and len(shown[0].strip()) == 5:
        return shown[0].strip()[-1]
    found = {one: [len(next(csv.reader([line], delimiter=one), [])) for line in shown] for one in _SEPARATORS}
    return max(_SEPARATORS, key=lambda one: (found[one][0], found[one][0] == found[one][-1]))


def _csv(name: str, text: io.TextIOWrapper, raw: BinaryIO) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST_CELL)
    sample = text.read(_SAMPLE)
    text.seek(0)
    separator = _separator(name, sample.splitlines())
    reader = csv.reader(text, delimiter=separator)
    header: list[str] = []
    line = 1
    for fields in reader:
        first_line, line = line, reader.line_num + 1
        if not any(map(str.strip, fields)) or (not header and "".join(fields).lower().startswith("sep=")):
            continue
        if not header:
            header = _distinct([one.strip() for one in fields])
            continue
        if len(fields) != len(header):
            problem = f"has {counted(len(fields), 'cell')}, and the header has {len(header)}"
            yield Record(first_line, {}, raw.tell(), problem)
            continue
        yield Record(first_line, dict(zip(header, fields, strict=True)), raw.tell())


def _distinct(header: list[str]) -> list[str]:
    """The names of columns; an empty or repeated one gets its number."""
    names: list[str] = []
    for number, name in enumerate(header, 1):
        names.append(f"column {number}" if not name else f"{name} {number}" if name in names else name)
    return names


def _json(name: str, text: io.TextIOWrapper, raw: BinaryIO) -> Iterator[Record]:
    """The objects of JSON lines, or of one document that holds a list of them."""
    first, second = text.readline(_LONGEST_LINE), text.readline(_LONGEST_LINE)
    try:
        is_lines = isinstance(_loads(first), dict) and bool(second.strip())
    except ValueError:
        is_lines = False
    text.seek(0)
    if is_lines:
        yield from _json_lines(text, raw)
        return
    whole = text.read(_MOST_JSON)
    if len(whole) == _MOST_JSON:
        raise DataFileInvalid(name, ["is one JSON document above 512 MB. Write one object a line instead"])
    try:
        found = _loads(whole)
    except ValueError as error:
        if "\n{" in whole.lstrip():  # lines, of which the first is broken
            text.seek(0)
            yield from _json_lines(text, raw)
            return
        raise DataFileInvalid(name, [f"cannot be read as JSON: {error}"]) from None
    for number, one in enumerate(_objects(found), 1):
        yield Record(number, one, raw.tell())


def _loads(text: str) -> Any:
    """JSON with decimal fractions as they are written: a cost must not change on the way in."""
    try:
        return json.loads(text, parse_float=Decimal)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _json_lines(text: io.TextIOWrapper, raw: BinaryIO) -> Iterator[Record]:
    for number, line in enumerate(iter(lambda: text.readline(_LONGEST_LINE), ""), 1):
        if not line.strip():
            continue
        if len(line) == _LONGEST_LINE:
            raise OSError(f"line {number} is longer than {_LONGEST_LINE:,} characters")
        try:
            found = _loads(line)
        except ValueError as error:
            yield Record(number, {}, raw.tell(), f"is no JSON: {error}")
            continue
        if isinstance(found, dict):
            yield Record(number, found, raw.tell())
        else:
            yield Record(number, {}, raw.tell(), "is no JSON object")


def _objects(found: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of a document: its list; of a provider's pages the results, each with the times of its bucket."""
    if isinstance(found, dict):
        inner = next(
            (found[key] for key in ("data", "results", "rows", "items") if isinstance(found.get(key), list)), None
        )
        if inner is None:
            yield found
            return
        bucket = {key: one for key, one in found.items() if not isinstance(one, list | dict)}
        for one in inner:
            if isinstance(one, dict):
                for row in _objects(one):
                    yield {**bucket, **row}
        return
    if isinstance(found, list):
        for one in found:
            yield from _objects(one)


def _parquet(name: str, stream: BinaryIO, raw: BinaryIO) -> Iterator[Record]:
    import pyarrow  # half a second, which no other file needs
    from pyarrow import parquet

    content: Any = stream
    if stream is not raw:
        unpacked = stream.read(_MOST_UNPACKED)
        if len(unpacked) == _MOST_UNPACKED:
            raise OSError("unpacked it is above 2 GB. Unpack it first")
        content = io.BytesIO(unpacked)
    try:
        opened = parquet.ParquetFile(content)
        read, rows = 0, max(1, opened.metadata.num_rows)
        size = max(1, opened.metadata.serialized_size)
        for batch in opened.iter_batches(_ROWS_AT_ONCE):
            for cells in batch.to_pylist():
                read += 1
                yield Record(read, cells, min(raw.tell(), read * size) if read < rows else raw.tell())
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise DataFileInvalid(name, [f"cannot be read as Parquet: {[*str(error).splitlines(), ''][0]}"]) from None
