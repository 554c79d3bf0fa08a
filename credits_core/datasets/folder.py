"""The folder of data sets: list, open and delete them; what people matched and chose is remembered beside them."""

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from hmac import new as new_hmac
from pathlib import Path
from typing import Any

from credits_core.datasets.refusals import DataSetExists, UnknownDataSet
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.values.roles import Actor, May

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENDING, _REFUSED, _UNFINISHED = ".parquet", ".refused.jsonl", ".unfinished"
_METADATA = b"promptflow"


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a data set has. `rows = used + refused`; of the used ones `runs` are runs, and the others used nothing.

    `models` maps each name of the log to the model that it was matched with, and `runs_by_model` counts by its id.
    `sum_rows` are rows of several requests, `sum_requests` how many of those the log counts, and `uncounted_rows` those
    of which it counts none. Times are in microseconds since 1970 UTC, sizes in bytes.
    """

    name: str
    file: str
    format: str
    imported_at_us: int
    imported_by: str
    rows: int
    used: int
    refused: int
    runs: int
    free_runs: int
    users: int
    has_pseudonyms: bool
    first_at_us: int
    last_at_us: int
    models: Mapping[str, str]
    runs_by_model: Mapping[str, int]
    own_cost_rows: int
    sum_rows: int
    sum_requests: int
    uncounted_rows: int
    unused_reasons: Mapping[str, int]
    answers: Mapping[str, str]
    size: int = 0

    @property
    def unused(self) -> int:
        """The rows that were understood and stand for no run."""
        return self.used - self.runs

    @property
    def has_sums(self) -> bool:
        """Whether a row may stand for several requests."""
        return bool(self.sum_rows)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What people chose before: models by the names of logs, and columns by the columns of a file."""

    models: Mapping[str, str]
    mappings: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder with all data sets. It need not be there yet."""

    path: Path

    def data_sets(self) -> list[DataSet]:
        """Every data set, by name.

        Raises:
            DataFileInvalid: a file in the folder is none of ours, or damaged.
        """
        return [self._read(self.file_of(name)) for name in self._names()]

    def named(self, name: str) -> DataSet:
        """The data set of this name.

        Raises:
            UnknownDataSet: there is none.
            DataFileInvalid: its file is damaged.
        """
        path = self.file_of(name)
        if not _NAME.fullmatch(name) or not path.is_file():
            raise UnknownDataSet(name, self._names())
        return self._read(path)

    def file_of(self, name: str) -> Path:
        """Where the rows of a data set are, or will be."""
        return self.path.joinpath(f"{name}{_ENDING}")

    def refused_rows(self, name: str) -> Iterator[dict[str, Any]]:
        """The rows that were refused: line, column, what was found, and the reason."""
        path = self.path.joinpath(f"{name}{_REFUSED}")
        if path.is_file():
            with path.open(encoding="utf-8") as lines:
                yield from map(json.loads, lines)

    def delete(self, name: str, *, actor: Actor) -> None:
        """Delete a data set for ever. The ledger never had it.

        Raises:
            NotAllowed: the actor may not.
            UnknownDataSet: there is none of this name.
        """
        actor.require(May.KEEP_USAGE)
        if not _NAME.fullmatch(name) or not self.file_of(name).is_file():
            self.named(name)
        self.file_of(name).unlink()
        self.path.joinpath(f"{name}{_REFUSED}").unlink(missing_ok=True)

    def require_free(self, name: str) -> str:
        """The name itself, when a new data set may have it.

        Raises:
            InvalidRequest: it is no name for a file.
            DataSetExists: there is one of this name, in upper or lower case.
        """
        if not _NAME.fullmatch(name):
            raise InvalidRequest("name", f"must be 1 to 64 letters, digits or . _ -, not {name[:80]!r}")
        if name.lower() in map(str.lower, self._names()):
            raise DataSetExists(name)
        return name

    def free_name(self, file: str) -> str:
        """A name for a data set from the name of its file, with a number where that is taken.

        >>> Folder(Path("nowhere")).free_name("Spend logs (März).csv.gz")
        'Spend-logs-M-rz'
        """
        stem = re.sub(r"(\.(csv|tsv|txt|jsonl?|ndjson|parquet|gz|zip))+$", "", file, flags=re.IGNORECASE)
        base = re.sub(r"[^A-Za-z0-9._]+", "-", stem).strip("-._")[:56] or "usage"
        taken = {*map(str.lower, self._names())}
        number = 1
        while (name := base if number == 1 else f"{base}-{number}").lower() in taken:
            number += 1
        return name

    @contextmanager
    def writing(self, name: str) -> Iterator[tuple[Path, Path]]:
        """Two unfinished files, for rows and for refused rows, that get their names when all is written, or go away.

        Raises:
            DataSetExists, InvalidRequest: as `require_free`.
        """
        self.require_free(name)
        self.path.mkdir(parents=True, exist_ok=True)
        mark = secrets.token_hex(8)
        rows, refused = (self.path.joinpath(f".{name}-{mark}{end}{_UNFINISHED}") for end in (_ENDING, _REFUSED))
        try:
            yield rows, refused
            self.require_free(name)
            refused.replace(self.path.joinpath(f"{name}{_REFUSED}"))
            rows.replace(self.file_of(name))
        finally:
            for one in (rows, refused):
                one.unlink(missing_ok=True)

    def remembered(self) -> Remembered:
        """What people chose before; nothing where nobody did."""
        try:
            found = json.loads(self._choices.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        return Remembered(found.get("models", {}), found.get("mappings", {}))

    def remember(
        self,
        *,
        models: Mapping[str, str] | None = None,
        columns: tuple[str, ...] = (),
        mapping: Mapping[str, str] | None = None,
        actor: Actor,
    ) -> None:
        """Keep what somebody chose, for the next file with the same names.

        Raises:
            NotAllowed: the actor may not bring in usage.
        """
        actor.require(May.KEEP_USAGE)
        before = self.remembered()
        mappings = dict(before.mappings)
        if mapping:
            mappings[columns_key(columns)] = dict(mapping)
        self.path.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.joinpath(f".choices-{secrets.token_hex(8)}{_UNFINISHED}")
        try:
            content = {"models": {**before.models, **(models or {})}, "mappings": mappings}
            unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
            unfinished.replace(self._choices)
        finally:
            unfinished.unlink(missing_ok=True)

    def pseudonym_key(self) -> bytes:
        """The key of the pseudonyms here: made once, so that the same person has the same one in every data set."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path.joinpath(".pseudonyms-key")
        with suppress(FileExistsError), path.open("xb") as file:
            path.chmod(0o600)
            file.write(secrets.token_bytes(32))
        return path.read_bytes()

    def _names(self) -> list[str]:
        return sorted(path.name.removesuffix(_ENDING) for path in self.path.glob(f"[!.]*{_ENDING}"))

    @property
    def _choices(self) -> Path:
        return self.path.joinpath("choices.json")

    def _read(self, path: Path) -> DataSet:
        import pyarrow
        from pyarrow import parquet

        try:
            found = json.loads((parquet.read_metadata(path).metadata or {})[_METADATA])
            return DataSet(**{**found, "size": path.stat().st_size})
        except (OSError, KeyError, TypeError, ValueError, pyarrow.ArrowException):
            raise DataFileInvalid(
                path.name, ["is no data set of ours, or is damaged. Delete it, and import again"]
            ) from None


def metadata_of(data_set: DataSet) -> dict[bytes, bytes]:
    """What a data set has, as its file keeps it."""
    return {_METADATA: json.dumps(asdict(data_set)).encode()}


def columns_key(columns: tuple[str, ...]) -> str:
    """Under which a mapping of these columns is remembered."""
    return sha256("\n".join(columns).encode()).hexdigest()[:32]


def pseudonym(user: str, key: bytes) -> str:
    """The stable pseudonym of a person: the same for the same key, and no way back without it.

    >>> pseudonym("ada@example.org", b"key") == pseudonym("ada@example.org", b"key")
    True
    """
    return f"p-{new_hmac(key, user.encode(), 'sha256').hexdigest()[:16]}"
