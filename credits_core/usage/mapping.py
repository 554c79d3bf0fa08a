"""Which column of an unknown file has what: proposed from names and values, chosen by a person. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from credits_core.usage.cells import Cells, plain_name
from credits_core.usage.forms import BadCell, Forms, is_nothing, read_count, read_moment
from credits_core.usage.parts import with_parts
from credits_core.usage.runs import NOBODY_NAMED, LoggedRun, UnusedRow


class Field(StrEnum):
    """What a column of an unknown file can be."""

    TIME = "time"
    MODEL = "model"
    INPUT = "input_tokens"
    OUTPUT = "output_tokens"
    CACHE_READ = "cache_read_tokens"
    CACHE_WRITE = "cache_write_tokens"
    REASONING = "output_reasoning_tokens"
    TOTAL = "total_tokens"
    USER = "user"
    COST = "cost_usd"
    REQUESTS = "requests"
    REQUEST_ID = "request_id"
    PROVIDER = "provider"
    TIER = "service_tier"


NEEDED = (Field.TIME, Field.INPUT, Field.OUTPUT)
"""Without these, no row is a run. A file without a model needs one that is named for all its rows."""
_NAMES: Mapping[Field, tuple[str, ...]] = {
    Field.TIME: (
        *("time", "timestamp", "at", "date", "datetime", "createdat", "created", "starttime", "start", "usedat"),
        *("requesttime", "timeutc", "day", "ts", "eventtime", "zeit", "datum", "zeitpunkt", "fecha"),
    ),
    Field.MODEL: ("model", "modelname", "modelid", "llm", "engine", "deployment", "modell", "modelo"),
    Field.INPUT: (
        *("inputtokens", "prompttokens", "tokensin", "tokensprompt", "contexttokens", "intokens", "tokensinput"),
        *("input", "prompt", "numinputtokens", "inputtokencount", "requesttokens", "queryinputtokens"),
        *("eingabetokens", "contextlen", "inputlength", "promptlen", "requestlength"),
    ),
    Field.OUTPUT: (
        *("outputtokens", "completiontokens", "tokensout", "tokenscompletion", "generatedtokens", "outtokens"),
        *("tokensoutput", "output", "completion", "numoutputtokens", "outputtokencount", "responsetokens"),
        *("ausgabetokens", "generatedlen", "outputlength", "completionlen", "responselength"),
    ),
    Field.CACHE_READ: ("cachereadtokens", "cachedtokens", "cacheread", "inputcachedtokens", "cachedinputtokens"),
    Field.CACHE_WRITE: ("cachewritetokens", "cachecreationtokens", "cachewrite", "cachecreationinputtokens"),
    Field.REASONING: ("reasoningtokens", "tokensreasoning", "outputreasoningtokens", "thinkingtokens"),
    Field.TOTAL: ("totaltokens", "tokenstotal", "total"),
    Field.USER: ("user", "userid", "customer", "customerid", "enduser", "account", "email", "kunde", "nutzer"),
    Field.COST: ("cost", "costusd", "spend", "costtotal", "totalcost", "price", "kosten", "amountusd"),
    Field.REQUESTS: ("requests", "numrequests", "calls", "count", "nummodelrequests"),
    Field.REQUEST_ID: ("requestid", "id", "generationid", "traceid", "callid", "uuid"),
    Field.PROVIDER: ("provider", "vendor", "customllmprovider", "providername"),
    Field.TIER: ("servicetier", "tier", "processing"),
}
_LIKE: Mapping[Field, tuple[str, ...]] = {
    Field.TIME: ("time", "date"),
    Field.MODEL: ("model",),
    Field.INPUT: ("prompt", "input"),
    Field.OUTPUT: ("completion", "output", "generated"),
    Field.USER: ("user", "customer"),
    Field.COST: ("cost", "spend"),
}
"""Parts of names that are taken where no name is known, when the values fit."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """The columns of a file by what they are. What is not in it is in no column."""

    columns: Mapping[Field, str]

    @property
    def missing(self) -> tuple[Field, ...]:
        """What has to be chosen before a row can be read."""
        return tuple(one for one in NEEDED if one not in self.columns)

    def as_text(self) -> dict[str, str]:
        """The mapping as it is remembered."""
        return {field.value: column for field, column in self.columns.items()}


def mapped(given: Mapping[str, str], columns: Sequence[str]) -> Mapped:
    """The mapping that `as_text` gave, or a command was given, of the columns that a file has.

    Raises:
        BadCell: a key is no field, or the file has no such column.

    >>> mapped({"time": "when"}, ["when", "in"]).missing
    (<Field.INPUT: 'input_tokens'>, <Field.OUTPUT: 'output_tokens'>)
    """
    found: dict[Field, str] = {}
    for key, column in given.items():
        if key not in set(Field):
            raise BadCell(f"must be {', '.join(Field)}, not {key!r}", column="map")
        if column not in columns:
            raise BadCell(f"the file has no column {column!r}; it has {', '.join(columns)}", column="map")
        found[Field(key)] = column
    return Mapped(found)


def proposed(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Mapped:
    """What each column probably is, by its name and what is in the first rows. A person looks at it before it counts.

    >>> rows = [{"When": "2026-03-01 10:00", "LLM": "gpt-4o", "Tokens in": "1,020", "Tokens out": "129", "Note": "x"}]
    >>> proposed(list(rows[0]), rows).as_text()
    {'time': 'When', 'model': 'LLM', 'input_tokens': 'Tokens in', 'output_tokens': 'Tokens out'}
    """
    free = {plain_name(column): column for column in reversed(columns)}
    found: dict[Field, str] = {}
    for by_name in (True, False):
        for field in Field:
            if field in found:
                continue
            for name in list(free):
                known = name in _NAMES[field] if by_name else any(one in name for one in _LIKE.get(field, ()))
                if known and _fits(field, free[name], rows):
                    found[field] = free.pop(name)
                    break
    if Field.TIME not in found:
        times = [name for name, column in free.items() if _holds_only(column, rows, _is_dated)]
        if len(times) == 1:
            found[Field.TIME] = free.pop(times[0])
    return Mapped({field: found[field] for field in Field if field in found})


def _fits(field: Field, column: str, rows: Iterable[Mapping[str, Any]]) -> bool:
    if field is Field.TIME:
        return _holds_only(column, rows, _is_time)
    if field.value.endswith("_tokens") or field is Field.REQUESTS:
        return _holds_only(column, rows, _is_count)
    return True


def _holds_only(column: str, rows: Iterable[Mapping[str, Any]], is_so: Any) -> bool:
    held = [row[column] for row in rows if not is_nothing(row.get(column))]
    return bool(held) and sum(map(is_so, held)) * 2 > len(held)  # some rows may be broken


def _is_time(found: Any) -> bool:
    try:
        return read_moment(found, Forms()) is not None
    except BadCell as bad:
        return bad.question is not None


def _is_dated(found: Any) -> bool:
    return _is_time(found) and not str(found).isdecimal()


def _is_count(found: Any) -> bool:
    try:
        return read_count(found, Forms()) is not None
    except BadCell as bad:
        return bad.question is not None


def read_mapped(line: int, cells: Cells, columns: Mapped, model: str) -> LoggedRun | UnusedRow:
    """A row of a file whose columns somebody has named.

    Raises:
        BadCell: a cell cannot be read.
    """
    at = columns.columns

    def count(field: Field) -> int | None:
        return cells.count(at[field]) if field in at else None

    def text(field: Field) -> str:
        return cells.text(at[field]) if field in at else ""

    kinds = (Field.INPUT, Field.OUTPUT, Field.CACHE_READ, Field.CACHE_WRITE, Field.REASONING)
    counts = {field.value: found for field in kinds if (found := count(field))}
    cost_pico = cells.cost_pico(at[Field.COST]) if Field.COST in at else None
    if not counts:
        if cost_pico:
            raise BadCell("is 0, and the row has a cost: what was used is not in this file", column=at[Field.INPUT])
        return UnusedRow(line, "nothing was used")
    requests = count(Field.REQUESTS)
    return LoggedRun(
        line=line,
        at=cells.moment(at[Field.TIME]),
        model=text(Field.MODEL) or model,
        provider=text(Field.PROVIDER),
        usage=with_parts(counts, total=count(Field.TOTAL), forms=cells.forms, column=at[Field.INPUT]),
        user=text(Field.USER) or NOBODY_NAMED,
        requests=1 if Field.REQUESTS not in at else requests or 0,
        service_tier=text(Field.TIER) or None,
        own_cost_pico=cost_pico,
        request_id=text(Field.REQUEST_ID),
    )
