"""What the commands about price plans do.

Commands that only read plans and prices work without a database too, with what a new database begins with.
"""

from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import typer

from credits_core import settings
from credits_core.cli.opened import actor, opened_ledger, price_books, print_json
from credits_core.datasets.folder import Folder
from credits_core.datasets.record import history_of
from credits_core.datasets.sums import Sums
from credits_core.datasets.wording import OfData
from credits_core.errors import InvalidRequest
from credits_core.lab.inspector import shape
from credits_core.lab.inspector.findings import findings
from credits_core.lab.inspector.shape import CardFee, Cliff
from credits_core.lab.replay import report as replay_report
from credits_core.lab.replay.result import compare
from credits_core.plans import actions as plan_actions
from credits_core.plans import records as plan_records
from credits_core.plans.records import Activation, PlanRecord, PlanStatus
from credits_core.plans.refusals import DraftChanged, DraftNotSeen, UnknownPlan
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_difference import plan_difference
from credits_core.pricing.plan_toml import load_price_plan, price_plan_toml
from credits_core.pricing.quote import PriceBook
from credits_core.reports.recorded_runs import recorded_history
from credits_core.store import database
from credits_core.store.refusals import DatabaseNotReady
from credits_core.values.days import EARLIEST, DayRange

_STATUS_WORDS = {PlanStatus.IN_FORCE: "live", PlanStatus.DRAFT: "draft", PlanStatus.RETIRED: "previously live"}


def list_plans(*, as_json: bool) -> None:
    """Print every plan: live, draft or previously live."""
    records = stored_plans().values()
    if as_json:
        print_json([_record(record) for record in records])
        return
    width = max(len(record.plan.id) for record in records)
    for record in records:
        saved = f"  revision {record.revision} by {record.actor}" if record.status is PlanStatus.DRAFT else ""
        typer.echo(f"{record.plan.id:<{width}}  {_STATUS_WORDS[record.status]}{saved}")


def show(plan: str, *, as_json: bool) -> None:
    """A plan as TOML, as it can be edited and read again; a draft with its revision in the first line."""
    record = None if _is_file(plan) else _known(plan, stored_plans())
    found = record.plan if record else load_price_plan(Path(plan))
    if as_json:
        rules = {name: rule for name, rule in asdict(found).items() if name not in {"pieces", "_starts"}}
        print_json(rules | (_record(record) if record else {}))
        return
    if record and record.status is PlanStatus.DRAFT:
        saved_at = f"{record.saved_at:%Y-%m-%d %H:%M:%S} UTC"
        typer.echo(f"# Draft, revision {record.revision}, saved by {record.actor} on {saved_at}")
    typer.echo(price_plan_toml(found), nl=False)


def import_plan(file: Path, *, revision: int | None, replace: bool, as_json: bool) -> None:
    """Save the plan of a file as a draft.

    A draft that is there already is replaced only if its revision is named, or with `replace`, which prints first what
    changes.
    """
    if replace and revision is not None:
        raise InvalidRequest("revision", "cannot be used together with --replace; choose one of them")
    plan, now = load_price_plan(file), datetime.now(UTC)
    with opened_ledger() as engine:
        with database.read(engine) as connection:
            before = plan_records.plans(connection).get(plan.id)
        changes = None
        if before is not None and before.status is PlanStatus.DRAFT:
            changes = plan_difference(before.plan, plan)
            is_refused = not replace and revision != before.revision
            if not as_json and (replace or is_refused):
                _print_changes(before, changes)
            if not replace:
                _require_revision(before, revision)
        elif before is None and revision is not None:
            raise DraftChanged(plan.id, revision, 0)
        kept = database.write(
            engine, lambda connection: plan_actions.save_draft(connection, plan, seen=before, now=now, actor=actor())
        )
    if as_json:
        print_json({"id": plan.id, "status": kept.status, "revision": kept.revision, "changes": changes})
        return
    typer.echo(f"{plan.id} is a draft, revision {kept.revision}")


def _print_changes(before: PlanRecord, changes: list[str]) -> None:
    typer.echo(f"{before.plan.id}, from revision {before.revision} to the file:")
    for change in changes or ["no difference"]:
        typer.echo(f"  {change}")


def _require_revision(record: PlanRecord, revision: int | None) -> None:
    """Check that a draft is the one that was looked at. Any other plan never changes and needs no revision.

    Raises:
        DraftNotSeen: the revision is another one, or none was named.
    """
    if record.status is PlanStatus.DRAFT and revision != record.revision:
        raise DraftNotSeen(record.plan.id, revision, record.revision, saved_by=record.actor, saved_at=record.saved_at)


def discard(plan: str, *, revision: int | None, as_json: bool) -> None:
    """Discard a draft. What was activated once is kept for ever."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        with database.read(engine) as connection:
            found = _known(plan, plan_records.plans(connection))
        _require_revision(found, revision)
        database.write(engine, lambda connection: plan_actions.discard_draft(connection, found, now=now, actor=actor()))
    if as_json:
        print_json({"id": plan, "discarded": True})
        return
    typer.echo(f"{plan} is discarded")


def activate(plan: str, *, reason: str, revision: int | None, as_json: bool) -> None:
    """Make a stored plan live, from the next charge on. A draft needs the revision that was looked at."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        with database.read(engine) as connection:
            found = _known(plan, plan_records.plans(connection))
        _require_revision(found, revision)
        database.write(
            engine, lambda connection: plan_actions.activate(connection, found, reason=reason, now=now, actor=actor())
        )
        with database.read(engine) as connection:
            newest = plan_records.activations(connection)[0]
    if as_json:
        print_json(_activation(newest))
        return
    typer.echo(f"{plan} is live from the next charge on")


def journal(*, as_json: bool) -> None:
    """Every activation, newest first: which plan, when, by whom and why."""
    with opened_ledger() as engine, database.read(engine) as connection:
        activations = plan_records.activations(connection)
    if as_json:
        print_json([_activation(activation) for activation in activations])
        return
    for activation in activations:
        typer.echo(
            f"{activation.number}  {activation.plan_id}  {activation.activated_at:%Y-%m-%d %H:%M:%S}Z  "
            f"{activation.actor}  {activation.reason}"
        )


def inspect(plan: str, card_fee_bps: int, card_fee_credits: int, *, as_json: bool) -> None:
    """Print hidden problems in a plan: cliffs, fee inversions, losses, and runs without a markup."""
    found, card_fee = find_plan(plan), CardFee(card_fee_bps, card_fee_credits)
    if not as_json:
        for finding in findings(found, card_fee):
            typer.echo(f"{finding.kind:<9}  {finding.sentence}")
        return
    print_json(
        {
            "plan": found.id,
            "cliffs": [_cliff(cliff) for cliff in shape.cliffs(found)],
            "inversions": [asdict(inversion) for inversion in shape.inversions(found)],
            "losses": [asdict(zone) for zone in shape.losses(found, card_fee)],
            "unmarked": [asdict(costs) for costs in shape.unmarked(found)],
            "unseen": [asdict(costs) for costs in shape.unseen(found)],
        }
    )


def replay(
    plan: str, *, first: str | None, last: str | None, data: str | None = None, sums: str | None = None, as_json: bool
) -> None:
    """Price the ledger's runs and unlocks, or a data set's runs, again under the plan. Changes nothing."""
    found_plan, days = find_plan(plan), DayRange(day("from", first), day("to", last), settings.time_zone())
    if data is not None:
        _replay_data(found_plan, days, data, _sums(sums), as_json=as_json)
        return
    if sums is not None:
        raise InvalidRequest("sums", "is for rows of a data set; name one with --data")
    books = price_books()
    with opened_ledger() as engine, database.read(engine) as connection:
        history, plans = recorded_history(connection, days), books.at(connection).plans
    in_words = replay_report.scope(days)
    if history.is_empty:
        raise InvalidRequest("ledger", f"has no run and no unlock to price again ({in_words})")
    found = compare(history, found_plan, plans)
    if as_json:
        print_json(replay_report.as_json(found, days))
        return
    for line in replay_report.lines(found, in_words):
        typer.echo(line)


def _replay_data(plan: PricePlan, days: DayRange, name: str, sums: Sums | None, *, as_json: bool) -> None:
    book, folder = current_book(None), Folder(settings.usage_folder())
    history = history_of(folder, name, book=book, days=days, sums=sums)
    if history.is_empty:
        raise InvalidRequest("data", f"{name} has no run to price again ({replay_report.scope(days)})")
    found = compare(history, plan, book.plans)
    of_data = OfData(folder.named(name), book.plan.id, sums)
    if as_json:
        print_json(replay_report.as_json(found, days) | of_data.as_json())
        return
    for line in of_data.lines(found, replay_report.scope(days)):
        typer.echo(line)


def _sums(text: str | None) -> Sums | None:
    if text is None or text in set(Sums):
        return None if text is None else Sums(text)
    raise InvalidRequest("sums", f"must be {' or '.join(Sums)}, not {text!r}")


def day(name: str, text: str | None) -> date | None:
    """The day of an option, such as 2026-11-01; None when it was not given.

    Raises:
        InvalidRequest: it is no day.
    """
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(name, f"must be a day such as 2026-11-01, not {text!r}") from None


def _cliff(cliff: Cliff) -> dict[str, int]:
    return {
        "at_credits": cliff.at_credits,
        "total_below_credits": cliff.total_below_credits,
        "total_at_credits": cliff.total_at_credits,
        "drop_credits": cliff.drop_credits,
        "overcharged_from_credits": cliff.overcharged_from_credits,
    }


def find_plan(plan: str | None) -> PricePlan:
    """The plan with this id, or in this .toml file; None gives the live plan.

    Raises:
        UnknownPlan: no plan has the id.
        DataFileInvalid: the file cannot be read or parsed.
        DatabaseNotReady: as `stored_plans`.
    """
    return _chosen(plan, {} if _is_file(plan) else stored_plans())


def stored_plans() -> dict[str, PlanRecord]:
    """Every stored plan by its id; where there is no database yet, the plan that a new one begins with.

    Raises:
        DatabaseNotReady: there is a database, but it is not at the newest migration.
    """
    try:
        with opened_ledger() as engine, database.read(engine) as connection:
            return plan_records.plans(connection)
    except DatabaseNotReady as refusal:
        return _first_plan(settings.load_price_book(), refusal)


def current_book(plan: str | None) -> PriceBook:
    """The live prices of this moment, with the plan that `find_plan` finds.

    Where there is no database yet: the prices of `data/models.toml`, with which a new one begins.

    Raises:
        UnknownPlan, DataFileInvalid, DatabaseNotReady: as `find_plan`.
    """
    try:
        with opened_ledger() as engine, database.read(engine) as connection:
            book, records = price_books().at(connection), plan_records.plans(connection)
    except DatabaseNotReady as refusal:
        book = settings.load_price_book()
        records = _first_plan(book, refusal)
    return replace(book, plan=_chosen(plan, records))


def _first_plan(book: PriceBook, refusal: DatabaseNotReady) -> dict[str, PlanRecord]:
    if refusal.found is not None:  # its prices and plans may be others
        raise refusal
    return {book.plan.id: PlanRecord(book.plan, PlanStatus.IN_FORCE, 1, "migration", EARLIEST)}


def _chosen(plan: str | None, records: dict[str, PlanRecord]) -> PricePlan:
    if plan is None:
        return next(record.plan for record in records.values() if record.status is PlanStatus.IN_FORCE)
    return load_price_plan(Path(plan)) if _is_file(plan) else _known(plan, records).plan


def _is_file(plan: str | None) -> bool:
    return plan is not None and plan.endswith(".toml")


def _known(plan: str, records: dict[str, PlanRecord]) -> PlanRecord:
    if plan not in records:
        raise UnknownPlan(plan, list(records))
    return records[plan]


def _record(record: PlanRecord) -> dict[str, Any]:
    return {
        "id": record.plan.id,
        "status": record.status,
        "in_force": record.status is PlanStatus.IN_FORCE,
        "revision": record.revision,
        "saved_by": record.actor,
        "saved_at": record.saved_at.isoformat(),
    }


def _activation(activation: Activation) -> dict[str, Any]:
    return {
        "number": activation.number,
        "plan": activation.plan_id,
        "reason": activation.reason,
        "actor": activation.actor,
        "activated_at": activation.activated_at.isoformat(),
    }
