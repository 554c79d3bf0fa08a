from pathlib import Path

import pytest

from credits_core.bulk.csv_rows import mismatch, read_rows
from credits_core.errors import DataFileInvalid

COLUMNS = ["name", "count"]


def _read(folder: Path, content: bytes) -> list[tuple[int, list[str]]]:
    path = folder / "rows.csv"
    path.write_bytes(content)
    return list(read_rows(path, COLUMNS))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"name,count", []),
        (b"name,count\n\n", []),
        (b"name,count\na,1\n\nb,2\n", [(2, ["a", "1"]), (4, ["b", "2"])]),
        (b'"name","count"\r\n"a,b","1"\r\n', [(2, ["a,b", "1"])]),
        (b"\xef\xbb\xbfname,count\n\xc3\xa9,1", [(2, ["é", "1"])]),
        (b'name,count\n"a\nb",1\nc,2\n', [(3, ["a\nb", "1"]), (4, ["c", "2"])]),
        (b"name,count\na\n \na,b,c\n", [(2, ["a"]), (3, [" "]), (4, ["a,b,c"])]),
        (b"name;count\r\na,b;1\r\n", [(2, ["a,b", "1"])]),
        (b'"count"\t"name"\n1\ta\n', [(2, ["a", "1"])]),
        (b"count,name\n1,a\n2\n", [(2, ["a", "1"]), (3, ["2"])]),
        (b"name,count\na,1\n,\n", [(2, ["a", "1"])]),
    ],
)
def test_rows_have_the_line_they_end_on_and_their_fields_in_order(
    tmp_path: Path, content: bytes, rows: list[tuple[int, list[str]]]
) -> None:
    assert _read(tmp_path, content) == rows


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "line 1 must be name,count, not ''"),
        (b"\nname,count\n", "line 1 must be name,count, not ''"),
        (b"name\n", "line 1 must be name,count, not 'name'"),
        (b"count,count\n", "line 1 must be name,count, not 'count,count'"),
        (b"name,count,extra\n", "line 1 has unknown columns 'extra'. The columns are name,count"),
        (b"name;count;extra;\n", "line 1 has unknown columns 'extra,'. The columns are name,count"),
        (b"name," + b"x" * 90 + b"\n", f"line 1 has unknown columns '{'x' * 80}'. The columns are name,count"),
        (b"name,count,count\n", "line 1 must be name,count, not 'name,count,count'"),
        (b"name|count\n", "line 1 must be name,count, not 'name|count'"),
        (b"Name,count\n", "line 1 has unknown columns 'Name'. The columns are name,count"),
        (b"name,count\n\xff,5\n", "cannot be read: it is not text in UTF-8"),
        (b"name,count\n" + b"x" * 140_000, "cannot be read: field larger than field limit"),
    ],
)
def test_a_file_with_another_header_or_that_is_no_csv_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(DataFileInvalid) as caught:
        _read(tmp_path, content)
    assert caught.value.path == str(tmp_path / "rows.csv")
    (found,) = caught.value.problems
    assert found.startswith(problem)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileInvalid, match="does not exist"):
        list(read_rows(tmp_path / "missing.csv", COLUMNS))


def test_of_a_long_row_the_first_80_characters_are_shown() -> None:
    assert mismatch(COLUMNS, ["x" * 79, "y", "z"]) == f"must be name,count, not '{'x' * 79},'"
