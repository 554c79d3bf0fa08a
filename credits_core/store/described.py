"""What a database says about its own shape, part by part, and what it should say.

A part is a table, a column, a constraint, an index, a sequence, a trigger, a trigger's function, or something that
should not be there at all, such as a rule. Its text is what the database itself prints for it. The texts of a fresh
database are in `expected`, one file for each kind of database; `python -m scripts.describe_schema` writes them.

Only what acts on the ledger's tables counts. Other tables in the same schema are somebody else's business.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from credits_core.store.tables import Base

_EXPECTED = Path(__file__).with_name("expected")
_ALEMBICS = "alembic_version"
GUARDS = frozenset(
    {"trigger", "function", "operator", "rule", "row security policy", "event trigger", "setting"}
    | {"foreign key that is switched off"}
)
"""The kinds of part that decide what happens when a row is written. All others say what a row looks like."""


class Part(NamedTuple):
    """The name of one part: `kind` is `table`, `column`, `constraint`, `index`, `trigger`, `function` and so on.

    `table` is empty for what belongs to no table.
    """

    kind: str
    table: str
    name: str


class Description(NamedTuple):
    """The text of every part, and the parts that cannot change what is stored: plain indexes."""

    texts: dict[Part, str]
    harmless: frozenset[Part] = frozenset()


@lru_cache(maxsize=2)
def expected(dialect: str) -> dict[Part, str]:
    """The parts of a fresh database at the newest migration, with their texts."""
    rows = json.loads(_EXPECTED.joinpath(f"{dialect}.json").read_text(encoding="utf-8"))
    return {Part(kind, table, name): said for kind, table, name, said in rows}


def write_expected(connection: Connection) -> Path:
    """Write down what this fresh database says, for `expected`, and return the file."""
    lines = (
        json.dumps([*part, said], ensure_ascii=False) for part, said in sorted(described(connection).texts.items())
    )
    file = _EXPECTED.joinpath(f"{connection.dialect.name}.json")
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    return file


def described(connection: Connection) -> Description:
    """What this database says about the ledger's tables and whatever acts on them."""
    shape = described_shape(connection)
    return shape._replace(texts=shape.texts | described_guards(connection).texts)


def described_shape(connection: Connection) -> Description:
    """The part of `described` that says what a row looks like."""
    return _of_postgres(connection, _SHAPE) if connection.dialect.name == "postgresql" else _shape_of_sqlite(connection)


def described_guards(connection: Connection) -> Description:
    """The part of `described` whose kinds are `GUARDS`."""
    if connection.dialect.name == "postgresql":
        return _of_postgres(connection, _GUARDING)
    return Description({Part(type_, table, name): sql for type_, table, name, sql in _of_sqlite(connection, "=")})


def _ledgers_tables() -> list[str]:
    return [*sorted(Base.metadata.tables), _ALEMBICS]


# --- SQLite ---------------------------------------------------------------------------------------------------------

# A trigger keeps its table's name as it was written, in capitals or not.
_OF_SQLITE = """
SELECT type, lower(tbl_name), name, sql FROM sqlite_master
WHERE lower(tbl_name) IN (SELECT value FROM json_each(:tables)) AND sql IS NOT NULL AND type {} 'trigger'
"""
# Neither unique nor of some rows or of an expression, which would run somebody's function.
_PLAIN_INDEXES = """
SELECT lower(m.name), list.name FROM sqlite_master AS m, pragma_index_list(m.name) AS list
WHERE m.type = 'table' AND list."unique" = 0 AND list.partial = 0
    AND NOT EXISTS (SELECT 1 FROM pragma_index_xinfo(list.name) AS info WHERE info.cid = -2)
"""


def _of_sqlite(connection: Connection, is_trigger: str) -> Sequence[Any]:
    tables = {"tables": json.dumps(_ledgers_tables())}
    return connection.execute(text(_OF_SQLITE.format(is_trigger)), tables).all()


def _shape_of_sqlite(connection: Connection) -> Description:
    texts: dict[Part, str] = {}
    for type_, table, name, sql in _of_sqlite(connection, "<>"):
        if type_ == "table":
            texts |= _table_by_parts(table, sql)
        else:
            texts[Part(type_, table, name)] = sql
    plain = connection.execute(text(_PLAIN_INDEXES))
    return Description(texts, frozenset(Part("index", table, name) for table, name in plain))


@lru_cache(maxsize=256)
def _table_by_parts(table: str, sql: str) -> dict[Part, str]:
    return dict(_parts_of_table(table, sql))


def _parts_of_table(table: str, sql: str) -> Iterator[tuple[Part, str]]:
    """The parts of a CREATE TABLE: what stands around the parentheses, and each line in them.

    >>> for part, said in _parts_of_table("t", "CREATE TABLE t (a INTEGER, CONSTRAINT c CHECK (a IN (1, 2))) STRICT"):
    ...     print(part.kind, part.name, "=", said)
    column a = a INTEGER
    constraint c = CONSTRAINT c CHECK (a IN (1, 2))
    table t = CREATE TABLE t (...) STRICT
    """
    *lines, rest = _split(sql)
    for line in lines:
        constraint = re.match(r"CONSTRAINT\s+(\w+)", line, re.IGNORECASE)
        unnamed = re.match(r"(CHECK|UNIQUE|FOREIGN|PRIMARY)\b", line, re.IGNORECASE)
        if constraint:
            yield Part("constraint", table, constraint[1]), line
        elif unnamed:
            yield Part("constraint", table, line), line
        else:
            yield Part("column", table, line.split()[0].strip('"`[]')), line
    yield Part("table", table, table), rest


_PIECE = re.compile(r"""'[^']*' | "[^"]*" | `[^`]*` | \[[^\]]*\] | --[^\n]* | /\*.*?\*/ | .""", re.VERBOSE | re.DOTALL)


def _split(sql: str) -> Iterator[str]:
    depth, line, around = 0, "", ""
    for piece in _PIECE.findall(sql):
        depth -= piece == ")"
        if depth == 0 and piece == ")":
            yield line.strip()
            line, around = "", around + "(...)"
        elif depth == 1 and piece == ",":
            yield line.strip()
            line = ""
        elif depth:
            line += piece
        elif piece != "(":
            around += piece
        depth += piece == "("
    yield around.strip()


# --- PostgreSQL -----------------------------------------------------------------------------------------------------

# Every name is looked up in pg_catalog: a search path can put somebody else's tables and functions before it.
# Rows of a kind, a table, a name, a text, and whether it is harmless.
_ON_POSTGRES = """
WITH here AS MATERIALIZED (
    SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = pg_catalog.current_schema()
), ours AS MATERIALIZED (
    SELECT c.* FROM pg_catalog.pg_class AS c JOIN here ON c.relnamespace = here.oid WHERE c.relname = ANY (:tables)
), of_extensions AS MATERIALIZED (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend AS d WHERE d.deptype = 'e'
)
"""
_SHAPE = """
SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view'
        ELSE pg_catalog.concat('relation of kind ', c.relkind) END, c.relname, c.relname,
        pg_catalog.concat_ws(' ', 'table', CASE c.relpersistence WHEN 'p' THEN NULL ELSE 'not logged' END,
        CASE WHEN c.relrowsecurity THEN 'with row security' END,
        CASE WHEN c.relforcerowsecurity THEN 'forced' END), false
    FROM ours AS c WHERE c.relkind NOT IN ('i', 'I', 'S', 'c')
UNION ALL
SELECT 'column', c.relname, a.attname, pg_catalog.concat_ws(' ',
        pg_catalog.format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN 'not null' END,
        'default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid),
        CASE a.attidentity WHEN '' THEN NULL ELSE pg_catalog.concat('identity ', a.attidentity) END,
        CASE a.attgenerated WHEN '' THEN NULL ELSE pg_catalog.concat('generated ', a.attgenerated) END,
        CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || l.collname END), false
    FROM ours AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
    WHERE c.relkind = 'r'
UNION ALL
SELECT 'constraint', c.relname, o.conname, pg_catalog.pg_get_constraintdef(o.oid, true), false
    FROM ours AS c JOIN pg_catalog.pg_constraint AS o ON o.conrelid = c.oid
    WHERE o.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT 'index', c.relname, n.relname,
        pg_catalog.pg_get_indexdef(i.indexrelid, 0, true)
            || CASE WHEN i.indisvalid AND i.indisready AND i.indislive THEN '' ELSE ' INVALID' END,
        NOT i.indisunique AND NOT i.indisexclusion AND i.indexprs IS NULL AND i.indpred IS NULL
    FROM ours AS c JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid
    JOIN pg_catalog.pg_class AS n ON n.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint AS o
        WHERE o.conindid = i.indexrelid AND o.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'sequence', c.relname, n.relname, pg_catalog.concat_ws(' ',
        pg_catalog.format_type(s.seqtypid, NULL), 'from', s.seqstart, 'by', s.seqincrement,
        'within', s.seqmin, s.seqmax, CASE WHEN s.seqcycle THEN 'again and again' END), false
    FROM ours AS c JOIN pg_catalog.pg_depend AS d ON d.refobjid = c.oid AND d.deptype IN ('a', 'i')
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    JOIN pg_catalog.pg_class AS n ON n.oid = d.objid
    JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = n.oid
UNION ALL
SELECT 'table that inherits', c.relname, h.inhrelid::pg_catalog.regclass::pg_catalog.text, '', false
    FROM ours AS c JOIN pg_catalog.pg_inherits AS h ON c.oid IN (h.inhparent, h.inhrelid) WHERE c.relkind = 'r'
"""
_GUARDING = """
SELECT 'trigger', c.relname, g.tgname, pg_catalog.pg_get_triggerdef(g.oid, true)
        || CASE WHEN g.tgenabled IN ('O', 'A') THEN '' ELSE ' DISABLED' END, false
    FROM ours AS c JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = c.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT DISTINCT 'foreign key that is switched off', c.relname, o.conname, '', false
    FROM ours AS c JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = c.oid
    JOIN pg_catalog.pg_constraint AS o ON o.oid = g.tgconstraint
    WHERE g.tgisinternal AND g.tgenabled NOT IN ('O', 'A')
UNION ALL
SELECT 'function', '', p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
        pg_catalog.concat_ws(' ', 'returns', pg_catalog.format_type(p.prorettype, NULL), l.lanname, p.provolatile,
        CASE WHEN p.prosecdef THEN 'security definer' END, p.proconfig::pg_catalog.text, p.prosrc), false
    FROM pg_catalog.pg_proc AS p JOIN here ON here.oid = p.pronamespace
    JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
    WHERE (p.proname = ANY (:functions) OR p.proname IN (SELECT f.proname FROM pg_catalog.pg_proc AS f
            WHERE f.pronamespace = 'pg_catalog'::pg_catalog.regnamespace)
        OR p.oid IN (SELECT g.tgfoid FROM ours AS c JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = c.oid))
    AND NOT EXISTS (SELECT 1 FROM of_extensions AS e
        WHERE e.objid = p.oid AND e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
UNION ALL
SELECT 'operator', '', o.oprname || ' of ' || pg_catalog.format_type(o.oprleft, NULL) || ' and '
        || pg_catalog.format_type(o.oprright, NULL), o.oprcode::pg_catalog.text, false
    FROM pg_catalog.pg_operator AS o JOIN here ON here.oid = o.oprnamespace
    WHERE NOT EXISTS (SELECT 1 FROM of_extensions AS e
        WHERE e.objid = o.oid AND e.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass)
UNION ALL
SELECT 'rule', c.relname, r.rulename, pg_catalog.pg_get_ruledef(r.oid, true), false
    FROM ours AS c JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'
UNION ALL
SELECT 'row security policy', c.relname, y.polname, '', false
    FROM ours AS c JOIN pg_catalog.pg_policy AS y ON y.polrelid = c.oid
UNION ALL
SELECT 'event trigger', '', v.evtname, '', false
    FROM pg_catalog.pg_event_trigger AS v
    WHERE v.evtenabled <> 'D' AND NOT EXISTS (SELECT 1 FROM of_extensions AS e
        WHERE e.objid = v.oid AND e.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass)
UNION ALL
SELECT 'setting', '', pg_catalog.concat_ws(' for ', s.setting, r.rolname), '', false
    FROM (SELECT d.setrole, d.setdatabase, pg_catalog.unnest(d.setconfig) AS setting
        FROM pg_catalog.pg_db_role_setting AS d) AS s LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
    WHERE s.setting LIKE 'session_replication_role=%' AND s.setting NOT LIKE '%=origin'
    AND s.setdatabase IN (0, (SELECT b.oid FROM pg_catalog.pg_database AS b
        WHERE b.datname = pg_catalog.current_database()))
"""


def _of_postgres(connection: Connection, parts: str) -> Description:
    schema = connection.execute(text("SELECT pg_catalog.quote_ident(pg_catalog.current_schema())")).scalar_one()
    functions = [part.name.partition("(")[0] for part in expected("postgresql") if part.kind == "function"]
    asked = (
        {"tables": _ledgers_tables(), "functions": functions} if parts is _GUARDING else {"tables": _ledgers_tables()}
    )
    rows = connection.execute(text(_ON_POSTGRES + parts), asked).all()
    texts = {Part(kind, table, name): _without_schema(said, schema) for kind, table, name, said, _ in rows}
    return Description(texts, frozenset(Part(*row[:3]) for row in rows if row[4]))


def _without_schema(said: str, schema: str) -> str:
    # Whether names come with their schema depends on the search path and the server's version.
    return re.sub(rf"(?<![\w.\"]){re.escape(schema)}\.", "", said)
