"""What the commands about usage of other systems do. Where there is no database yet, models have the first prices."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from credits_core import settings
from credits_core.cli.opened import actor, print_json
from credits_core.cli.plans import current_book
from credits_core.datasets.columns import read_columns
from credits_core.datasets.folder import DataSet, Folder, columns_key
from credits_core.datasets.importing import Wanted, bringing_in
from credits_core.datasets.matching import Matcher, format_title, model_of
from credits_core.datasets.own_cost import ModelCosts, compared
from credits_core.datasets.wording import rows_of_sums
from credits_core.errors import InvalidRequest
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.refusals import UnknownModel
from credits_core.usage.files import FileAt
from credits_core.usage.formats import FORMATS
from credits_core.usage.forms import ANSWERS, BadCell, Question
from credits_core.usage.mapping import Mapped, mapped
from credits_core.usage.reading import (
    HowToRead,
    Opened,
    Survey,
    open_questions_of,
    opened,
    surveying,
    unknown_format,
)
from credits_core.values.days import day_of, from_microseconds
from credits_core.values.progress import Result, Work
from credits_core.values.roles import May
from credits_core.values.text import counted, pico_usd_text

_SHOWN, _MOST_IN_JSON = 10, 1_000


def folder() -> Folder:
    """The folder with the data sets."""
    return Folder(settings.usage_folder())


def import_file(
    file: Path,
    *,
    format_key: str | None,
    name: str | None,
    model: str,
    columns: list[str],
    matches: list[str],
    answers: dict[str, str],
    has_pseudonyms: bool,
    as_json: bool,
) -> None:
    """Bring a file in, with a progress bar on stderr, and print what became of its rows."""
    kept, source, who = folder(), FileAt(file), actor()
    who.require(May.KEEP_USAGE)
    wanted_name = kept.require_free(name) if name else kept.free_name(source.name)
    models = current_book(None).models
    given = _answers(answers)
    found = opened(source)
    mapping = _mapping(kept, found, columns)
    known = None if mapping else _format(format_key) or found.format
    if known is None and mapping is None:
        raise unknown_format(source, found)
    if model and model_of(models, model) is None:
        raise UnknownModel(model)
    how = HowToRead(known, mapping, model, given)
    survey: Survey = _with_bar(surveying(source, how), "Looking")
    refusal = open_questions_of(source, survey)
    if refusal is not None:
        raise refusal
    chosen = _matches(matches, models)
    if chosen or mapping:
        kept.remember(
            models=chosen, columns=found.form.columns, mapping=mapping.as_text() if mapping else None, actor=who
        )
    matcher = Matcher(models, {**kept.remembered().models, **chosen}, known.key if known else "")
    wanted = Wanted(
        source, how, wanted_name, datetime.now(UTC), who, answers=survey.answers, has_pseudonyms=has_pseudonyms
    )
    data_set: DataSet = _with_bar(bringing_in(kept, wanted, matcher), "Reading")
    costs = compared(read_columns(kept.file_of(data_set.name)), models.anywhere)
    if as_json:
        refused = [one for one, _ in zip(kept.refused_rows(data_set.name), range(_MOST_IN_JSON), strict=False)]
        print_json(_as_json(data_set) | {"refused_rows": refused, "costs": [_cost(one) for one in costs]})
        return
    for line in _report(kept, data_set, survey):
        typer.echo(line)
    _print_costs(costs)


def list_data_sets(*, as_json: bool) -> None:
    """Print every data set."""
    found = folder().data_sets()
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    if not found:
        typer.echo("no data sets yet")
    for one in found:
        typer.echo(f"{one.name}: {_sizes(one)}")


def compare_costs(name: str, *, as_json: bool) -> None:
    """Print both costs of a data set by model."""
    kept = folder()
    kept.named(name)
    costs = compared(read_columns(kept.file_of(name)), current_book(None).models.anywhere)
    if as_json:
        print_json([_cost(one) for one in costs])
        return
    if not costs:
        typer.echo(f"{name} has no costs of its own")
    _print_costs(costs)


def list_refused(name: str, *, as_json: bool) -> None:
    """Print the refused rows of a data set."""
    kept = folder()
    kept.named(name)
    if as_json:
        print_json(list(kept.refused_rows(name)))
        return
    for row in kept.refused_rows(name):
        typer.echo(_refused(row))


def delete(name: str, *, as_json: bool) -> None:
    """Delete a data set."""
    folder().delete(name, actor=actor())
    if as_json:
        print_json({"name": name, "deleted": True})
        return
    typer.echo(f"{name} is deleted")


def _format(key: str | None) -> Any:
    if key is None:
        return None
    if key not in FORMATS:
        raise InvalidRequest("format", f"must be {', '.join(FORMATS)}, not {key!r}")
    return FORMATS[key]


def _answers(given: dict[str, str]) -> dict[Question, str]:
    for question, answer in given.items():
        if answer not in ANSWERS[Question(question)]:
            raise InvalidRequest(question, f"must be {' or '.join(ANSWERS[Question(question)])}, not {answer!r}")
    return {Question(question): answer for question, answer in given.items()}


def _mapping(kept: Folder, found: Opened, given: list[str]) -> Mapped | None:
    """The columns that were named now, or before for a file with the same ones; None where a format is known."""
    said = dict(_pair("map", one) for one in given)
    if not said and found.format is None:
        said = dict(kept.remembered().mappings.get(columns_key(found.form.columns), {}))
    if not said:
        return None
    try:
        mapping = mapped(said, found.form.columns)
    except BadCell as bad:
        raise InvalidRequest("map", bad.reason) from None
    if mapping.missing:
        raise InvalidRequest("map", f"must also name {', '.join(mapping.missing)}")
    return mapping


def _matches(given: list[str], models: ModelRegistry) -> dict[str, str]:
    chosen = {}
    for name, model in (_pair("match", one) for one in given):
        found = model_of(models, model)
        if found is None:
            raise UnknownModel(model)
        chosen[name] = found.id
    return chosen


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, meant = text.rpartition("=") if option == "match" else text.partition("=")
    if not equals or not name or not meant:
        raise InvalidRequest(option, f"must be two names with = between, not {text!r}")
    return name, meant


def _with_bar(work: Work[Result], what: str) -> Result:
    """The result of the work; a progress bar on stderr where somebody looks at it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        while True:
            try:
                done = next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
            bar.update(task, completed=done.done, total=done.total)


def _report(kept: Folder, one: DataSet, survey: Survey) -> list[str]:
    rows = f"{counted(one.rows, 'row')} = {one.used:,} used + {one.refused:,} refused"
    lines = [
        f"{one.name}: {format_title(one.format)}, {rows}",
        f"{counted(one.runs, 'run')} of {counted(one.users, 'user')}, {_days(one)}",
    ]
    lines += [f"{rows:,} used nothing: {why}" for why, rows in one.unused_reasons.items()]
    if one.free_runs:
        lines.append(f"{one.free_runs:,} were answered from the caller's own cache and cost nothing")
    if one.has_sums:
        lines.append(f"{rows_of_sums(one)}: to replay them, say --sums one-run or equal-runs")
    if survey.rounded:
        lines.append(
            f"{survey.rounded:,} numbers are powers of ten, such as 1.2E+05: a spreadsheet may have rounded them"
        )
    for named, model_id in one.models.items():
        lines.append(f"model {named} is {model_id}")
    lines += [_refused(row) for row, _ in zip(kept.refused_rows(one.name), range(_SHOWN), strict=False)]
    if one.refused > _SHOWN:
        lines.append(f"… and {one.refused - _SHOWN:,} more refused; usage refused {one.name} lists all")
    return lines


def _refused(row: dict[str, Any]) -> str:
    column = f"{row['column']} " if row["column"] else ""
    found = f" ({row['found']})" if row["found"] and row["found"] not in row["reason"] else ""
    return f"line {row['line']}: {column}{row['reason']}{found}"


def _print_costs(costs: list[ModelCosts]) -> None:
    for one in costs:
        theirs = pico_usd_text(one.theirs_pico)
        typer.echo(
            f"{one.model_id}, {counted(one.rows, 'row')}: the log says ${theirs}, our cost is {one.ours_credits:,}"
        )
        for why, pico in one.differences_pico.items():
            typer.echo(f"  {pico_usd_text(pico)} dollars: {why.value}")


def _sizes(one: DataSet) -> str:
    models = counted(len(one.runs_by_model), "model")
    return (
        f"{counted(one.runs, 'run')}, {_days(one)}, {counted(one.users, 'user')}, {models}, {one.size:,} bytes, "
        f"{format_title(one.format)}"
    )


def _days(one: DataSet) -> str:
    zone = settings.time_zone()
    first, last = (day_of(zone.day_number(at_us)) for at_us in (one.first_at_us, one.last_at_us))
    return f"{first}" if first == last else f"{first} to {last}"


def _as_json(one: DataSet) -> dict[str, Any]:
    moments = {
        name: from_microseconds(found).isoformat()
        for name, found in (
            ("imported_at", one.imported_at_us),
            ("first_at", one.first_at_us),
            ("last_at", one.last_at_us),
        )
    }
    plain = {key: found for key, found in asdict(one).items() if not key.endswith("_us")}
    return plain | moments | {"unused": one.unused}


def _cost(one: ModelCosts) -> dict[str, Any]:
    return {
        "model": one.model_id,
        "rows": one.rows,
        "ours_credits": one.ours_credits,
        "theirs_usd": pico_usd_text(one.theirs_pico),
        "differences": [
            {"why": why.name.lower(), "meaning": why.value, "usd": pico_usd_text(pico)}
            for why, pico in one.differences_pico.items()
        ],
    }
