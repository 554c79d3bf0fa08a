"""Imports the balances of the former credit system from a CSV file (`user_id,credits`).

This is the specification's migration: every row becomes an opening balance, once. A second import of the same file
changes nothing; a file with a bad row imports nothing at all. The rows are written in pieces, so an import that was
stopped is finished by running it again.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, Engine

from credits_core.bulk import csv_rows
from credits_core.bulk.csv_rows import SentFile
from credits_core.bulk.pieces import for_a_while, in_pieces
from credits_core.bulk.refusals import ImportStopped
from credits_core.errors import CreditsError, DataFileInvalid, InvalidRequest
from credits_core.ledger import opening
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import AccountLooksAlike, IdempotencyKeyReused
from credits_core.store import database
from credits_core.values.credits import require_credits
from credits_core.values.fields import require_new_user_id
from credits_core.values.progress import Progress, Work, finish
from credits_core.values.roles import Actor, May

_COLUMNS = ["user_id", "credits"]
_LARGEST_PIECE = 500
_EXAMPLES = 5
ONLY_IN_CASE = "only in upper and lower case"
"""With these words ends what is wrong with a line whose id is another one's in other letters."""
EXAMPLE_FILE = "user_id,credits\nada,5000000\nben,250000\nchloe,0\n"
"""A file as an import takes it."""
_WHOLE_NUMBER = re.compile(r"[0-9]{1,40}")


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """How many rows were imported now, were imported before, or opened an empty account; and the sum imported now."""

    imported: int
    imported_before: int
    empty: int
    imported_credits: int

    def plus(self, outcomes: Mapping[str, Receipt | None]) -> "ImportSummary":
        """The summary after a further piece."""
        receipts = [receipt for receipt in outcomes.values() if receipt is not None]
        new = [receipt for receipt in receipts if not receipt.replayed]
        return ImportSummary(
            imported=self.imported + len(new),
            imported_before=self.imported_before + len(receipts) - len(new),
            empty=self.empty + len(outcomes) - len(receipts),
            imported_credits=self.imported_credits + sum(receipt.transactions[0].amount_credits for receipt in new),
        )


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would write now: how many opening balances of how many credits in all, how many empty accounts.

    `imported_before` counts the rows that are there already. `first` are the first rows, with their lines.
    """

    new: int
    new_credits: int
    imported_before: int
    empty: int
    first: tuple[tuple[int, str, int], ...]

    @property
    def rows(self) -> int:
        """How many rows the file has."""
        return self.new + self.imported_before + self.empty


def plan_import(connection: Connection, path: Path | SentFile, *, distinct: bool = False) -> ImportPlan:
    """What `import_legacy` would write now. Writes nothing.

    Raises:
        DataFileInvalid, CirculationTooLarge: as `import_legacy`.
    """
    rows = read_legacy_balances(path)
    _check(connection, path, rows, distinct=distinct)
    imported = opening.imported_before(connection, rows)
    new = _new(rows, imported)
    return ImportPlan(
        new=len(new),
        new_credits=sum(new),
        imported_before=len(imported),
        empty=len(rows) - len(new) - len(imported),
        first=tuple((line, user_id, credits) for user_id, (line, credits) in islice(rows.items(), _EXAMPLES)),
    )


def read_legacy_balances(path: Path | SentFile) -> dict[str, tuple[int, int]]:
    """The line number and the credits (0 to 2^53-1) of every user in the file. Blank lines are skipped.

    Raises:
        DataFileInvalid: the file cannot be read, has another header, or has bad rows, each named by its line.
    """
    balances: dict[str, tuple[int, int]] = {}
    problems: list[str] = []
    for line, fields in csv_rows.read_rows(path, _COLUMNS):
        try:
            user_id, balance_credits = _parse(fields)
        except InvalidRequest as refusal:
            problems.append(f"line {line}: {refusal}")
            continue
        if user_id in balances:
            problems.append(f"line {line}: {user_id} is already on line {balances[user_id][0]}")
        balances.setdefault(user_id, (line, balance_credits))
    if problems:
        raise DataFileInvalid(str(path), problems)
    return balances


def import_legacy(
    engine: Engine, path: Path | SentFile, *, now: datetime, actor: Actor, distinct: bool = False
) -> ImportSummary:
    """Import the file: check every row before any is written, then write them in pieces, each a short unit of work.

    Charges and reads go on between the pieces. After a stop, importing the same file again writes what is missing.
    With `distinct`, users whose ids differ only in upper and lower case are different people.

    Raises:
        NotAllowed: the actor may not move credits of any user.
        NeedsApproval: what the file adds is more than one person may move. Nothing is imported.
        DataFileInvalid: as `read_legacy_balances`; a user was imported before with other credits, or would hold too
            many; or an id differs from another one only in upper and lower case. Nothing is imported, unless other
            writers have made such a row impossible after the check: then the message says so.
        CirculationTooLarge: all users together would hold more than 2^62 credits. Nothing is imported.
    """
    return finish(importing(engine, path, now=now, actor=actor, distinct=distinct))


def importing(
    engine: Engine, path: Path | SentFile, *, now: datetime, actor: Actor, distinct: bool = False
) -> Work[ImportSummary]:
    """As `import_legacy`, telling after each piece how many rows are done. What is left half way keeps its pieces."""
    actor.require(May.MOVE_CREDITS)
    rows = read_legacy_balances(path)
    opening_credits = {user_id: balance_credits for user_id, (_, balance_credits) in rows.items()}
    with database.read(engine) as connection:
        leaves_room = _check(connection, path, rows, distinct=distinct)
        if actor.needs_second(sum(opening_credits.values())):  # otherwise nobody needs to know what is new of it
            opening.require_one_may_import(actor, sum(_new(rows, opening.imported_before(connection, rows))))
    summary, done = ImportSummary(0, 0, 0, 0), 0

    def give(piece: Sequence[tuple[str, int]]) -> dict[str, Receipt | None]:
        give_some = partial(
            opening.import_opening_balances,
            opening_credits=dict(piece),
            now=now,
            actor=actor,
            distinct=distinct,
            leaves_room=leaves_room,
            pace=for_a_while,
        )
        return database.write(engine, partial(_give, give=give_some, path=path, rows=rows, written=summary.imported))

    for outcomes in in_pieces(list(opening_credits.items()), give, largest=_LARGEST_PIECE):
        summary, done = summary.plus(outcomes), done + len(outcomes)
        yield Progress(done, len(rows))
    return summary


def _new(rows: Mapping[str, tuple[int, int]], imported: Collection[str]) -> list[int]:
    return [credits for user_id, (_, credits) in rows.items() if credits and user_id not in imported]


def _check(connection: Connection, path: Path | SentFile, rows: dict[str, tuple[int, int]], *, distinct: bool) -> bool:
    opening_credits = {user_id: balance_credits for user_id, (_, balance_credits) in rows.items()}
    refused, leaves_room = opening.refusals(connection, opening_credits, distinct=distinct)
    _refuse(path, rows, refused, written=0)
    return leaves_room


def _give(
    connection: Connection,
    give: Callable[[Connection], dict[str, Receipt | CreditsError | None]],
    path: Path | SentFile,
    rows: dict[str, tuple[int, int]],
    written: int,
) -> dict[str, Receipt | None]:
    outcomes = give(connection)
    refused = {user_id: outcome for user_id, outcome in outcomes.items() if isinstance(outcome, CreditsError)}
    _refuse(path, rows, refused, written=written)
    return {user_id: outcome for user_id, outcome in outcomes.items() if not isinstance(outcome, CreditsError)}


def _refuse(
    path: Path | SentFile, rows: dict[str, tuple[int, int]], refused: Mapping[str, CreditsError], *, written: int
) -> None:
    problems = [f"line {rows[user_id][0]}: {_problem(user_id, refusal, rows)}" for user_id, refusal in refused.items()]
    if problems and written:
        raise ImportStopped(str(path), problems, written)
    if problems:
        raise DataFileInvalid(str(path), problems)


def _problem(user_id: str, refusal: CreditsError, rows: dict[str, tuple[int, int]]) -> str:
    if isinstance(refusal, AccountLooksAlike):
        known = refusal.known_user_id
        where = f", on line {rows[known][0]}," if known in rows else ", who has an account,"
        return f"{user_id} differs from {known}{where} {ONLY_IN_CASE}"
    if isinstance(refusal, IdempotencyKeyReused):
        return f"{user_id} was imported before with other credits, by entry {refusal.entry_id}"
    return str(refusal)


def _parse(fields: list[str]) -> tuple[str, int]:
    if len(fields) != len(_COLUMNS):
        raise InvalidRequest("row", csv_rows.mismatch(_COLUMNS, fields))
    user_id, digits = fields
    require_new_user_id("user_id", user_id)
    if not _WHOLE_NUMBER.fullmatch(digits):
        raise InvalidRequest("credits", f"must be a whole number, 0 or more, not {digits[:40]!r}")
    return user_id, require_credits("credits", int(digits), minimum=0)
