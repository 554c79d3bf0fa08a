"""Laws for any file at all: it is refused, or every row of it is used or refused, and nothing else happens."""

import gzip
import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as some

from credits_core.errors import DataFileInvalid
from credits_core.usage.files import FileInMemory, records
from credits_core.usage.formats import FORMATS
from credits_core.usage.forms import Forms
from credits_core.usage.reading import HowToRead, opened, read_rows, surveying
from credits_core.usage.runs import LoggedRun, RefusedRow, UnusedRow
from credits_core.values.progress import finish

CELL = some.one_of(
    some.sampled_from(
        [
            *("", "0", "12", "2162.0", "1.2E+05", "2,162", "-1", "1e999", "NaN", "true", "gpt-4o", "5/10/2024 0:00"),
            *("2026-03-01", "1715299200", "{}", '{"input": 5, "total": 5}', "[[[", "31.12.9999", "12:00", "\x00", "é"),
        ]
    ),
    some.text(max_size=8),
)
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=6),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
COLUMNS = {key: (*one.needed, *one.telling, "model") for key, one in FORMATS.items()}


def require_that_it_adds_up(source: FileInMemory) -> None:
    try:
        rows = len(list(records(source)))
        found = opened(source)
    except DataFileInvalid:
        return
    for kind in [found.format] if found.format else [*FORMATS.values()]:
        how = HowToRead(kind, model="openai/gpt-4o")
        said = [row for _, row in read_rows(source, how, Forms())]
        assert all(isinstance(row, LoggedRun | UnusedRow | RefusedRow) for row in said)
        survey = finish(surveying(source, how))
        assert len(said) == rows == survey.rows == survey.used + survey.refused


@given(some.binary(max_size=300))
def test_any_bytes_are_a_file_that_is_refused_or_read(content: bytes) -> None:
    require_that_it_adds_up(FileInMemory("any", content))
    require_that_it_adds_up(FileInMemory("any.gz", gzip.compress(content)))
    require_that_it_adds_up(FileInMemory("any.gz", gzip.compress(content)[:-3]))
    require_that_it_adds_up(FileInMemory("any", b"PAR1" + content))
    require_that_it_adds_up(FileInMemory("any", b"PK\x03\x04" + content))


@pytest.mark.parametrize("key", COLUMNS)
@given(data=some.data())
def test_any_cells_below_known_columns_add_up(key: str, data: some.DataObject) -> None:
    columns = COLUMNS[key]
    rows = data.draw(some.lists(some.lists(CELL, min_size=1, max_size=len(columns) + 1), max_size=5))
    text = "\n".join(";".join(json.dumps(cell) for cell in row) for row in [list(columns), *rows])
    require_that_it_adds_up(FileInMemory("log.csv", text.encode("utf-8", errors="replace")))


@pytest.mark.parametrize("key", COLUMNS)
@given(data=some.data())
def test_any_values_under_known_names_add_up(key: str, data: some.DataObject) -> None:
    row = some.dictionaries(some.sampled_from(COLUMNS[key]), JSON)
    rows = data.draw(some.lists(row, min_size=1, max_size=4))
    require_that_it_adds_up(FileInMemory("log.jsonl", "\n".join(map(json.dumps, rows)).encode()))
    require_that_it_adds_up(FileInMemory("log.json", json.dumps(rows).encode()))


def test_what_is_nested_too_deeply_is_refused() -> None:
    for content in ("[" * 200_000, '{"a":' * 200_000, '{"metadata": 1}\n' + '{"a":' * 200_000):
        require_that_it_adds_up(FileInMemory("deep", content.encode()))


def test_an_encrypted_zip_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("log.csv", "a,b\n1,2\n")
    content = bytearray(packed.getvalue())
    content[6] |= 1  # the flag of an encrypted file
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataFileInvalid, match="cannot be read"):
        list(records(FileInMemory("log.zip", bytes(content))))
