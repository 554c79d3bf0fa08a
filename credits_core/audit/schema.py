"""Invariants of the database's own guards: foreign keys, constraints, and triggers that protect history.

The guards refuse a wrong write before it happens. A database tool, a restored copy or a careless migration can work
without them, or change them, so the audit compares them with those of a fresh database, text by text
(`store.described`), and checks that the stored rows meet them.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import takewhile
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    ForeignKey,
    Select,
    bindparam,
    cast,
    func,
    select,
    text,
    true,
    union_all,
)

from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store import described
from credits_core.store.described import GUARDS, Part
from credits_core.store.tables import Base

_SHOWN = 90
_AFTER = "after_entry_id"


def references_exist(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every entry, user and plan that a row refers to exists."""
    named, missing = _references()
    after = {_AFTER: since.entry_id}
    checked = connection.execute(named, after).scalar_one()
    violations = [
        f"{foreign_key.parent.table.name} {'/'.join(map(str, row[:-1]))}: {foreign_key.parent.name} {row.missing} does"
        " not exist"
        for foreign_key, statement in missing
        for row in connection.execute(statement, after)
    ]
    return Finding("everything that is referred to exists", checked, tuple(violations))


@lru_cache(maxsize=1)
def _references() -> tuple[Select[int], tuple[tuple[ForeignKey, Select[*tuple[Any, ...]]], ...]]:
    """Of entries after a bound one: how often something is named, and for each foreign key what names nothing."""
    counts, missing = [], []
    for table in Base.metadata.sorted_tables:
        entry_id = table.c.id if table.name == "journal_entries" else table.c.get("entry_id")
        is_new = true() if entry_id is None else entry_id > bindparam(_AFTER)
        for foreign_key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            column, named = foreign_key.parent, foreign_key.column.table.alias()
            found = named.c[foreign_key.column.name]
            counts.append(select(func.count(column).label("named")).where(is_new))
            statement = (
                select(*table.primary_key, column.label("missing"))
                .outerjoin(named, found == column)
                .where(is_new, column.is_not(None), found.is_(None))
                .order_by(*table.primary_key)
            )
            missing.append((foreign_key, statement))
    each = union_all(*counts).subquery()
    return select(cast(func.sum(each.c.named), BigInteger)), tuple(missing)


def constraints_hold(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every table, column, constraint and index is as the migrations make it, and the stored rows meet them.

    SQLite reads the whole file for that (`integrity_check`), which also finds an index that disagrees with its table;
    not after an earlier audit. PostgreSQL says which constraints it never validated.
    """
    checked, violations = _compared(connection, guards=False)
    if connection.dialect.name == "sqlite" and since.is_beginning:
        said = connection.execute(text("PRAGMA integrity_check")).scalars()
        violations += [sentence for sentence in said if sentence != "ok"]
    return Finding("every constraint is in place and holds", checked, tuple(violations))


def ledger_is_append_only(connection: Connection, _: Plans, _since: Since = BEGINNING) -> Finding:
    """The triggers that refuse to change or delete history are as the migrations make them, and nothing acts beside."""
    checked, violations = _compared(connection, guards=True)
    return Finding("history cannot be changed", checked, tuple(violations))


def _compared(connection: Connection, *, guards: bool) -> tuple[int, list[str]]:
    """How many parts the schema should have, and a sentence for each that is missing, different or too many."""
    wanted = {
        part: said
        for part, said in described.expected(connection.dialect.name).items()
        if (part.kind in GUARDS) is guards
    }
    found, harmless = described.described_guards(connection) if guards else described.described_shape(connection)
    return len(wanted), [
        *_missing(wanted, found),
        *(
            _difference(part, found[part], wanted[part])
            for part in sorted(wanted.keys() & found.keys())
            if found[part] != wanted[part]
        ),
        *(
            f"{_name(part)}{f' on {part.table}' if part.table else ''} does not belong here"
            for part in sorted(found.keys() - wanted.keys() - harmless)
        ),
    ]


def _missing(wanted: Mapping[Part, str], found: Mapping[Part, str]) -> Iterator[str]:
    for part in sorted(wanted.keys() - found.keys()):
        is_of_missing_table = part.kind != "table" and Part("table", part.table, part.table) in wanted.keys() - found
        if not is_of_missing_table:
            yield f"{part.name if part.kind in {'constraint', 'index'} else _name(part)} is missing"


def _difference(part: Part, found: str, wanted: str) -> str:
    if found == f"{wanted} NOT VALID":
        return f"{part.name} was never validated"
    if found == f"{wanted} DISABLED":
        return f"{_name(part)} is switched off"
    begin = _first_difference(found, wanted) if max(len(found), len(wanted)) > _SHOWN else 0
    says, due = found[begin:], wanted[begin:]
    if begin and says.endswith(due):
        difference = f"it also says {_cut(says.removesuffix(due))}"
    elif begin and due.endswith(says):
        difference = f"it does not say {_cut(due.removesuffix(says))}"
    else:
        difference = f"it says {_cut(says)}, and not {_cut(due)}"
    return f"{_name(part)} is not as it should be: {difference}"


def _first_difference(found: str, wanted: str) -> int:
    """Where the word begins in which the two first differ."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, wanted, strict=False)))
    return wanted.rfind(" ", 0, same) + 1


def _cut(said: str) -> str:
    said = " ".join(said.split())
    return f"‘{said[:_SHOWN]}…’" if len(said) > _SHOWN else f"‘{said}’"


def _name(part: Part) -> str:
    return f"the {part.kind} {part.table}.{part.name}" if part.kind == "column" else f"the {part.kind} {part.name}"
