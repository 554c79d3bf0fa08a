"""What a backup says of itself, written last: a backup without it does not exist. Pure."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

FORMAT = 1
SUFFIX, DRILL_SUFFIX = ".json", ".drill.json"


class Kind(StrEnum):
    """What the content is: a SQLite file, or what `pg_dump --format=custom` writes."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a ledger comes to, which a restored one must come to as well. No seal yet: number 0 and empty hashes."""

    schema: str
    entries: int
    newest_entry_id: int
    sum_of_balances_credits: int
    seal_number: int
    seal_hash: str
    first_seal_hash: str = ""
    """Which ledger it is: `ledgers.own`. Manifests from before it was kept say nothing."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup. The content is compressed with zstandard, and then encrypted with age if `is_encrypted`.

    `sha256` and `stored_bytes` are of the file as it is stored, `content_bytes` of what it becomes again.
    """

    name: str
    kind: Kind
    made_at: datetime
    file: str
    stored_bytes: int
    content_bytes: int
    sha256: str
    is_encrypted: bool
    figures: Figures


@dataclass(frozen=True, slots=True)
class Drilled:
    """The result of a drill. `lost_entries` is how many entries the ledger had by then that the backup had not, or None
    where the ledger could not be asked.
    """

    at: datetime
    is_good: bool
    took: timedelta
    lost_entries: int | None
    message: str


def name_at(made_at: datetime) -> str:
    """The name of a backup that is made now.

    >>> name_at(datetime(2026, 11, 27, 3, 0, 5, 12, tzinfo=UTC))
    'credits-20261127T030005.000012Z'
    """
    return f"credits-{made_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def to_text(manifest: Manifest) -> str:
    """The manifest as JSON, for `from_text`."""
    return _json({"format": FORMAT} | asdict(manifest))


def from_text(text: str) -> Manifest | None:
    """The manifest in this text; None where it is none: half of one, or of a form that this version does not know."""
    try:
        found = json.loads(text)
        if found.pop("format") != FORMAT:
            return None
        found["made_at"] = datetime.fromisoformat(found["made_at"])
        found["kind"] = Kind(found["kind"])
        found["figures"] = Figures(**found["figures"])
        made = Manifest(**found)
        # The file is beside the manifest, whoever wrote it.
        return made if made.file.startswith(f"{made.name}.") and "/" not in made.file else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def drill_to_text(drilled: Drilled) -> str:
    """The result of a drill as JSON, for `drill_from_text`."""
    return _json(asdict(drilled) | {"took": drilled.took // timedelta(microseconds=1)})


def drill_from_text(text: str) -> Drilled | None:
    """The result of a drill in this text, or None where it is none."""
    try:
        found = json.loads(text)
        found["at"] = datetime.fromisoformat(found["at"])
        found["took"] = timedelta(microseconds=found["took"])
        return Drilled(**found)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _json(content: dict[str, object]) -> str:
    return f"{json.dumps(content, indent=2, default=str)}\n"
