"""Imports the balances of the former credit system from a CSV file (`user_id,credits`), all rows or none.

This is the specification's migration: every row becomes an opening balance, once. A second import of the same file
changes nothing; a file with a bad row imports nothing at all.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from credits_core.bulk import csv_rows
from credits_core.errors import CreditsError, DataFileInvalid, InvalidRequest
from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import IdempotencyKeyReused
from credits_core.store import database
from credits_core.values.credits import require_credits
from credits_core.values.fields import require_id

_COLUMNS = ["user_id", "credits"]
_WHOLE_NUMBER = re.compile(r"[0-9]{1,40}")


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """How many rows were imported now, were imported before, or opened an empty account; and the sum imported now."""

    imported: int
    imported_before: int
    empty: int
    imported_credits: int


def read_legacy_balances(path: Path) -> dict[str, tuple[int, int]]:
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


def import_legacy(engine: Engine, path: Path, *, now: datetime, actor: str) -> ImportSummary:
    """Import the file in one unit of work.

    Raises:
        DataFileInvalid: as `read_legacy_balances`, or a user was imported before with other credits. Nothing is
            imported.
        CirculationTooLarge: all users together would hold more than 2^62 credits.
    """
    rows = read_legacy_balances(path)

    def import_all(connection: Connection) -> ImportSummary:
        outcomes = actions.import_opening_balances(
            connection,
            {user_id: balance_credits for user_id, (_, balance_credits) in rows.items()},
            now=now,
            actor=actor,
        )
        problems = [
            f"line {rows[user_id][0]}: {_problem(user_id, outcome)}"
            for user_id, outcome in outcomes.items()
            if isinstance(outcome, CreditsError)
        ]
        if problems:
            raise DataFileInvalid(str(path), problems)
        receipts = [outcome for outcome in outcomes.values() if isinstance(outcome, Receipt)]
        new = [receipt for receipt in receipts if not receipt.replayed]
        return ImportSummary(
            imported=len(new),
            imported_before=len(receipts) - len(new),
            empty=len(outcomes) - len(receipts),
            imported_credits=sum(receipt.transactions[0].amount_credits for receipt in new),
        )

    return database.write(engine, import_all)


def _problem(user_id: str, refusal: CreditsError) -> str:
    if isinstance(refusal, IdempotencyKeyReused):
        return f"{user_id} was imported before with other credits, by entry {refusal.entry_id}"
    return str(refusal)


def _parse(fields: list[str]) -> tuple[str, int]:
    if len(fields) != len(_COLUMNS):
        raise InvalidRequest("row", csv_rows.mismatch(_COLUMNS, fields))
    user_id, digits = fields
    require_id("user_id", user_id)
    if not _WHOLE_NUMBER.fullmatch(digits):
        raise InvalidRequest("credits", f"must be a whole number, 0 or more, not {digits[:40]!r}")
    return user_id, require_credits("credits", int(digits), minimum=0)
