"""A file of usage is the same file however it was saved: encoding, separator, ends of lines, packing, kind."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from credits_core.errors import DataFileInvalid
from credits_core.usage.files import FileAt, FileInMemory, form_of, records

ROWS = [{"user": "ada", "note": "é, “x”", "tokens": "5"}, {"user": "ben", "note": "two\nlines", "tokens": "7"}]


def csv_text(separator: str, end: str) -> str:
    quoted = [[f'"{one}"' for one in row.values()] for row in ROWS]
    return end.join(separator.join(line) for line in [list(ROWS[0]), *quoted, ["", "", ""]]) + end


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"__MACOSX/._{name}", b"x")
        archive.writestr(name, content)
    return packed.getvalue()


def as_parquet() -> bytes:
    packed = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), packed)
    return packed.getvalue()


SAVED = {
    "plain": csv_text(",", "\n").encode(),
    "semicolons and a mark": csv_text(";", "\r\n").encode("utf-8-sig"),
    "tabs in UTF-16": csv_text("\t", "\r\n").encode("utf-16"),
    "UTF-16 without a mark": csv_text("\t", "\n").encode("utf-16-le"),
    "a western spreadsheet": csv_text(";", "\r\n").encode("cp1252"),
    "bars": csv_text("|", "\n").encode(),
    "Excel's first line": f"sep=;\r\n{csv_text(';', chr(10))}".encode(),
    "gzip": gzip.compress(csv_text(",", "\n").encode()),
    "zip": zipped("log.csv", csv_text(",", "\n").encode()),
    "gzip in zip": zipped("log.csv.gz", gzip.compress(csv_text(",", "\n").encode())),
    "JSON lines": "\n".join(map(json.dumps, ROWS)).encode(),
    "JSON lines with a mark": ("\n\n".join(map(json.dumps, ROWS)) + "\n").encode("utf-8-sig"),
    "a JSON list": json.dumps(ROWS, indent=1).encode(),
    "a page of JSON": json.dumps({"object": "page", "data": ROWS}).encode(),
    "Parquet": as_parquet(),
    "Parquet in gzip": gzip.compress(as_parquet()),
}


@pytest.mark.parametrize("saved", SAVED.values(), ids=SAVED)
def test_the_same_rows_are_read_however_they_were_saved(saved: bytes, tmp_path: Path) -> None:
    found = [{key: one.cells[key] for key in ROWS[0]} for one in records(FileInMemory("log", saved))]
    assert found == ROWS
    path = tmp_path / "log"
    path.write_bytes(saved)
    assert [one.cells for one in records(FileAt(path))] == [one.cells for one in records(FileInMemory("log", saved))]


def test_a_row_has_the_line_where_it_begins() -> None:
    assert [one.line for one in records(FileInMemory("log", SAVED["plain"]))] == [2, 3]
    broken = b"a,b\n1,2\n\n3\n4,5,6\n7,8\n"
    found = [(one.line, one.problem) for one in records(FileInMemory("log", broken))]
    assert found == [
        (2, None),
        (4, "has 1 cell, and the header has 2"),
        (5, "has 3 cells, and the header has 2"),
        (6, None),
    ]
    lines = b'{"a": 1}\n{"a": \n[2]\n{"a": 3}\n'
    assert [(one.line, one.problem is None) for one in records(FileInMemory("log", lines))] == [
        (1, True),
        (2, False),
        (3, False),
        (4, True),
    ]


def test_a_cost_in_json_is_the_number_that_was_written() -> None:
    (row,) = records(FileInMemory("log", b'[{"cost": 0.1000000000000000055}]'))
    assert str(row.cells["cost"]) == "0.1000000000000000055"


def test_the_results_of_a_providers_pages_have_the_times_of_their_buckets() -> None:
    page = {"object": "page", "data": [{"start_time": 1, "results": [{"model": "a"}, {"model": "b"}]}, {"results": []}]}
    found = [dict(one.cells) for one in records(FileInMemory("log", json.dumps(page).encode()))]
    assert [(one["start_time"], one["model"]) for one in found] == [(1, "a"), (1, "b")]


def test_a_file_says_how_it_is_written() -> None:
    found = form_of(FileInMemory("log", SAVED["tabs in UTF-16"]))
    assert (found.kind, found.encoding, found.separator) == ("CSV", "utf-16", "\t")
    assert found.columns == ("user", "note", "tokens")
    assert form_of(FileInMemory("log", SAVED["Parquet"])).kind == "Parquet"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n \n", "is empty"),
        (gzip.compress(b"a,b\n1,2\n")[:-9], "cannot be read"),
        (b"PAR1 not really", "cannot be read as Parquet"),
        (b'[{"a": 1},', "cannot be read as JSON"),
        (zipped("book/", b""), "must hold one file, and holds 0 files"),
        (zipped("xl/workbook.xml", b"<x/>"), "is an Excel workbook"),
    ],
    ids=["nothing", "blanks", "cut gzip", "no Parquet", "cut JSON", "empty zip", "Excel"],
)
def test_what_is_no_table_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(DataFileInvalid, match=reason):
        list(records(FileInMemory("log", content)))


def test_a_zip_with_two_files_names_them() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    with pytest.raises(DataFileInvalid, match=r"holds 2 files: a\.csv, b\.csv"):
        list(records(FileInMemory("log", packed.getvalue())))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileInvalid, match="cannot be read"):
        list(records(FileAt(tmp_path / "none.csv")))
