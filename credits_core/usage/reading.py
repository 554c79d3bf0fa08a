"""Reads a whole file of usage: every row becomes a run, is unused, or is refused with line, column and reason. Pure.

The file is read twice. The first time (`surveying`) finds out what its rows tell about numbers and dates and which
models they name; the second time (`reading`) takes every row in that form.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from itertools import islice

from credits_core.errors import DataFileInvalid
from credits_core.usage import formats
from credits_core.usage.cells import Cells
from credits_core.usage.files import FoundForm, Record, Source, form_of, records
from credits_core.usage.formats import Format
from credits_core.usage.forms import ANSWERS, BadCell, Forms, Question
from credits_core.usage.mapping import Mapped, proposed, read_mapped
from credits_core.usage.runs import LoggedRun, ReadRow, RefusedRow, UnusedRow
from credits_core.values.progress import Progress, Work

_FIRST = 200
_ROWS_BETWEEN = 2_000
MODEL_COLUMN = "model"


@dataclass(frozen=True, slots=True)
class HowToRead:
    """How the rows of a file are read: by a known format, or else by columns that somebody named.

    `model` is taken where a row names none. `answers` are what somebody said about numbers, dates and parts.
    """

    format: Format | None = None
    columns: Mapped | None = None
    model: str = ""
    answers: Mapping[Question, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as its beginning shows it: how it is written, its format where it is known, and what columns may be."""

    form: FoundForm
    format: Format | None
    nearest: Format | None
    missing: tuple[str, ...]
    proposal: Mapped
    first: tuple[Record, ...]


@dataclass(slots=True)
class Survey:
    """What all rows of a file tell before anything is kept.

    `models` counts the runs by provider and model as the file names them. `open_questions` has one example for each
    question that somebody has to answer, and `asked` how many rows depend on it.
    """

    rows: int = 0
    used: int = 0
    refused: int = 0
    models: Counter[tuple[str, str]] = field(default_factory=Counter)
    users: set[str] = field(default_factory=set)
    first_at: datetime | None = None
    last_at: datetime | None = None
    has_sums: bool = False
    has_own_cost: bool = False
    rounded: int = 0
    answers: dict[Question, str] = field(default_factory=dict)
    open_questions: dict[Question, str] = field(default_factory=dict)
    asked: Counter[Question] = field(default_factory=Counter)


def opened(source: Source) -> Opened:
    """What the beginning of a file shows.

    Raises:
        DataFileInvalid: it cannot be read as a table at all.
    """
    form = form_of(source)
    first = tuple(islice(records(source), _FIRST))
    whole = [one.cells for one in first if one.problem is None]
    if not whole:
        raise DataFileInvalid(source.name, ["has no row that can be read"])
    columns = tuple(dict.fromkeys(column for cells in whole for column in cells))
    found = formats.recognise(columns, whole[0])
    near = formats.nearest(columns)
    return Opened(
        form=replace(form, columns=columns),
        format=found,
        nearest=near[0] if near else None,
        missing=near[1] if near else (),
        proposal=proposed(columns, whole),
        first=first,
    )


def unknown_format(source: Source, found: Opened) -> DataFileInvalid:
    """The refusal of a file whose format is not known, which names the nearest one."""
    said = f"is of no known format. Its columns are {', '.join(found.form.columns)[:300]}"
    if found.nearest is not None:
        needs = f", which also needs {', '.join(found.missing)}" if found.missing else ""
        said += f". The nearest format is {found.nearest.key} ({found.nearest.title}){needs}"
    return DataFileInvalid(source.name, [f"{said}. Or say which column is which"])


def read_rows(source: Source, how: HowToRead, forms: Forms) -> Iterator[tuple[Record, ReadRow]]:
    """Every row with what it says, in the order of the file.

    A row with the id of an earlier one is the same request only when time, model and usage agree too: providers use ids
    again. Then it is refused.
    """
    seen: dict[bytes, int] = {}
    for record in records(source):
        found = read_row(record, how, forms)
        if isinstance(found, LoggedRun) and found.request_id:
            same = repr((found.request_id, found.at, found.model, found.usage))
            mark = blake2b(same.encode(), digest_size=16).digest()
            before = seen.setdefault(mark, found.line)
            if before != found.line:
                reason = f"is the same request as line {before}: id, time, model and usage agree"
                found = RefusedRow(found.line, "request_id", found.request_id[:80], reason)
        yield record, found


def previewed(found: Opened, how: HowToRead, rows: int) -> list[ReadRow]:
    """What the first rows of a file say, as many as asked for, with what those rows tell about numbers and dates."""
    forms = Forms(dict(how.answers))
    for record in found.first:
        read_row(record, how, forms)
        forms.listen(record.cells.values())
    settled = forms.settled()
    return [read_row(record, how, settled) for record in found.first[:rows]]


def read_row(record: Record, how: HowToRead, forms: Forms) -> ReadRow:
    """What one row says."""
    if record.problem is not None:
        return RefusedRow(record.line, "", "", record.problem)
    cells = Cells(record.cells, forms)
    try:
        found = _said(record, cells, how)
    except BadCell as bad:
        return RefusedRow(record.line, bad.column, cells.shown(bad.column), bad.reason)
    if isinstance(found, LoggedRun) and not found.model:
        return RefusedRow(record.line, MODEL_COLUMN, "", "must be given: name a model for the whole file")
    return found


def _said(record: Record, cells: Cells, how: HowToRead) -> LoggedRun | UnusedRow:
    if how.format is not None:
        return how.format.read(record.line, cells, how.model)
    assert how.columns is not None, "a file of no known format has its columns named"
    return read_mapped(record.line, cells, how.columns, how.model)


def _questions(record: Record, how: HowToRead, answers: Mapping[Question, str], bad: BadCell) -> dict[Question, str]:
    """Everything that a row asks: its first question, and those that come up once that is answered."""
    if bad.question is None:
        return {}
    found = {bad.question: bad.reason}
    for answer in ANSWERS[bad.question]:
        supposed = {**answers, bad.question: answer}
        try:
            _said(record, Cells(record.cells, Forms(supposed)), how)
        except BadCell as next_one:
            found |= {} if next_one.question in found else _questions(record, how, supposed, next_one)
    return found


def surveying(source: Source, how: HowToRead) -> Work[Survey]:
    """Looks at every row and keeps nothing. The work counts bytes of the file.

    Raises:
        DataFileInvalid: the file cannot be read to its end.
    """
    forms, survey = Forms(dict(how.answers)), Survey()
    size = max(1, source.size)
    for record in records(source):
        survey.rows += 1
        _note(survey, record, how, forms)
        if survey.rows % _ROWS_BETWEEN == 0:
            yield Progress(min(record.done, size), size, survey.rows)
    told = forms.settled().answers
    for question, answer in told.items():
        survey.answers[question] = answer
        survey.open_questions.pop(question, None)
    survey.rounded = forms.rounded
    return survey


def _note(survey: Survey, record: Record, how: HowToRead, forms: Forms) -> None:
    if record.problem is not None:
        survey.refused += 1
        return
    cells = Cells(record.cells, forms)
    try:
        found = _said(record, cells, how)
    except BadCell as bad:
        survey.refused += 1
        forms.listen(record.cells.values() if bad.question is not None else ())
        for question, reason in _questions(record, how, forms.answers, bad).items():
            survey.asked[question] += 1
            survey.open_questions.setdefault(question, f"line {record.line}: {reason}")
        # The model is asked about even so: after an answer the row may be used.
        if bad.question is not None and (name := cells.text("model", "providedModelName", "model_permaslug")):
            survey.models[(cells.text("custom_llm_provider", "provider"), name)] += 0
        return
    survey.used += 1
    if isinstance(found, UnusedRow):
        return
    survey.models[(found.provider, found.model)] += 1
    survey.users.add(found.user)
    survey.has_sums |= found.requests != 1
    survey.has_own_cost |= found.own_cost_pico is not None
    survey.first_at = found.at if survey.first_at is None else min(survey.first_at, found.at)
    survey.last_at = found.at if survey.last_at is None else max(survey.last_at, found.at)


def open_questions_of(source: Source, survey: Survey) -> DataFileInvalid | None:
    """The refusal of a file with questions that nobody has answered, for a command; None when there are none."""
    if not survey.open_questions:
        return None
    return DataFileInvalid(
        source.name,
        [
            f"{example}. Answer with --{question.value} {' or '.join(ANSWERS[question])}"
            for question, example in survey.open_questions.items()
        ],
    )
