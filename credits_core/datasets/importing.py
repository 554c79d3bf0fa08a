"""Brings a file of usage in: every row is matched, priced once to see that it can be, and kept or refused."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TextIO

from credits_core.datasets.columns import Kept, Writer
from credits_core.datasets.folder import DataSet, Folder, metadata_of, pseudonym
from credits_core.datasets.matching import Matcher
from credits_core.errors import CreditsError, DataFileInvalid, InvalidRequest
from credits_core.pricing.models import Model
from credits_core.pricing.refusals import UnpricedServiceTier, UnpricedUsage
from credits_core.usage.files import Source
from credits_core.usage.forms import Forms, Question
from credits_core.usage.reading import MODEL_COLUMN, HowToRead, read_rows
from credits_core.usage.runs import NOBODY_NAMED, LoggedRun, RefusedRow, UnusedRow
from credits_core.values.days import to_microseconds
from credits_core.values.progress import Progress, Work
from credits_core.values.roles import Actor, May

_BLOCK = 8_192
_ROWS_BETWEEN = 2_048
COLUMNS_BY_HAND = "columns"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that somebody brings in: how it is read, what it is to be called, and who asks when.

    With `has_pseudonyms`, nobody can be known by what is kept.
    """

    source: Source
    how: HowToRead
    name: str
    now: datetime
    actor: Actor
    answers: Mapping[Question, str] = field(default_factory=dict)
    has_pseudonyms: bool = False


@dataclass(slots=True)
class _Counts:
    rows: int = 0
    refused: int = 0
    runs: int = 0
    free: int = 0
    own_cost: int = 0
    sums: int = 0
    sum_requests: int = 0
    uncounted: int = 0
    unused: Counter[str] = field(default_factory=Counter)
    users: set[str] = field(default_factory=set)
    models: dict[str, str] = field(default_factory=dict)
    by_model: Counter[str] = field(default_factory=Counter)
    first_us: int | None = None
    last_us: int | None = None


def bringing_in(folder: Folder, wanted: Wanted, matcher: Matcher) -> Work[DataSet]:
    """Bring the file in and return the data set. Rows in are rows used and rows refused. The work counts its bytes.

    Left before its end, or refused, it leaves nothing behind.

    Raises:
        NotAllowed: the actor may not bring in usage.
        InvalidRequest, DataSetExists: the name cannot be taken.
        DataFileInvalid: the file cannot be read to its end, or no row of it is a run.
    """
    wanted.actor.require(May.KEEP_USAGE)
    key = folder.pseudonym_key() if wanted.has_pseudonyms else None
    counts, forms = _Counts(), Forms(dict(wanted.answers))
    size = max(1, wanted.source.size)
    with folder.writing(wanted.name) as (rows_path, refused_path):
        writer = Writer(rows_path)
        try:
            with refused_path.open("w", encoding="utf-8") as refused:
                block: list[LoggedRun | RefusedRow] = []
                for record, found in read_rows(wanted.source, wanted.how, forms):
                    counts.rows += 1
                    if isinstance(found, UnusedRow):
                        counts.unused[found.why] += 1
                    else:
                        block.append(found)
                    if len(block) == _BLOCK:
                        _keep(block, counts, matcher, writer, refused, key)
                        block = []
                    if counts.rows % _ROWS_BETWEEN == 0:
                        yield Progress(min(record.done, size), size, counts.rows)
                _keep(block, counts, matcher, writer, refused, key)
            if not counts.runs:
                raise DataFileInvalid(wanted.source.name, [_nothing(counts, refused_path.read_text(encoding="utf-8"))])
            data_set = _described(wanted, counts)
            writer.finish(metadata_of(data_set))
        finally:
            writer.close()
    return folder.named(wanted.name)


def _nothing(counts: _Counts, refused: str) -> str:
    first = json.loads(refused.splitlines()[0]) if refused else None
    why = f". The first refused row is line {first['line']}: {first['column']} {first['reason']}" if first else ""
    return f"has {counts.rows:,} rows, and none of them is a run{why}"


def _keep(
    block: Sequence[LoggedRun | RefusedRow],
    counts: _Counts,
    matcher: Matcher,
    writer: Writer,
    refused: TextIO,
    key: bytes | None,
) -> None:
    """Keep the runs of a block that have a known model and a price; list the other rows in their order."""
    kept: list[Kept] = []
    for run in block:
        found = run if isinstance(run, RefusedRow) else _matched(run, matcher)
        if isinstance(found, RefusedRow):
            counts.refused += 1
            refused.write(f"{json.dumps(asdict(found))}\n")
            continue
        assert isinstance(run, LoggedRun), "what is not refused is a run"
        user = pseudonym(run.user, key) if key is not None and run.user != NOBODY_NAMED else run.user
        kept.append(Kept(run, found.id, user))
        _count(counts, run, found.id, user)
    if kept:
        writer.write(kept)


def _matched(run: LoggedRun, matcher: Matcher) -> Model | RefusedRow:
    model = matcher.model(run.provider, run.model)
    if model is None:
        return RefusedRow(run.line, MODEL_COLUMN, run.model[:80], "is no model that is known here. Match it with one")
    return _problem(run, model) or model


def _problem(run: LoggedRun, model: Model) -> RefusedRow | None:
    """Why a run cannot be priced, or None."""
    if run.is_free or run.known_cost_credits is not None:
        return None
    try:
        model.price_for(run.usage, run.at, service_tier=run.service_tier).inference_cost(run.usage)
    except UnpricedServiceTier:
        reason = f"the price list has no price of {model.id} in this tier on {run.at:%Y-%m-%d}"
        return RefusedRow(run.line, "service_tier", run.service_tier or "", reason)
    except UnpricedUsage as refusal:
        return RefusedRow(run.line, "usage", "", str(refusal))
    except InvalidRequest as refusal:
        return RefusedRow(run.line, refusal.field, "", refusal.problem)
    except CreditsError as refusal:
        return RefusedRow(run.line, MODEL_COLUMN, run.model[:80], str(refusal))
    return None


def _count(counts: _Counts, run: LoggedRun, model_id: str, user: str) -> None:
    at_us = to_microseconds(run.at)
    counts.runs += 1
    counts.free += run.is_free
    counts.own_cost += run.own_cost_pico is not None
    if run.requests != 1:
        counts.sums += 1
        counts.sum_requests += run.requests
        counts.uncounted += run.requests == 0
    counts.users.add(user)
    counts.models[run.model] = model_id
    counts.by_model[model_id] += 1
    counts.first_us = at_us if counts.first_us is None else min(counts.first_us, at_us)
    counts.last_us = at_us if counts.last_us is None else max(counts.last_us, at_us)


def _described(wanted: Wanted, counts: _Counts) -> DataSet:
    assert counts.first_us is not None, "there are runs"
    assert counts.last_us is not None, "there are runs"
    return DataSet(
        name=wanted.name,
        file=wanted.source.name,
        format=COLUMNS_BY_HAND if wanted.how.format is None else wanted.how.format.key,
        imported_at_us=to_microseconds(wanted.now),
        imported_by=wanted.actor.recorded,
        rows=counts.rows,
        used=counts.rows - counts.refused,
        refused=counts.refused,
        runs=counts.runs,
        free_runs=counts.free,
        users=len(counts.users),
        has_pseudonyms=wanted.has_pseudonyms,
        first_at_us=counts.first_us,
        last_at_us=counts.last_us,
        models=dict(sorted(counts.models.items())),
        runs_by_model=dict(counts.by_model.most_common()),
        own_cost_rows=counts.own_cost,
        sum_rows=counts.sums,
        sum_requests=counts.sum_requests,
        uncounted_rows=counts.uncounted,
        unused_reasons=dict(counts.unused.most_common()),
        answers={question.value: answer for question, answer in wanted.answers.items()},
    )
