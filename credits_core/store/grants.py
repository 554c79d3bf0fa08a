"""What the running product may do on PostgreSQL, table by table, and the role that gets exactly that.

The role that owns the tables migrates. The product runs as another role, which can neither change nor delete history,
nor switch off what guards it.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from credits_core.errors import InvalidRequest

_READ, _ADD = "SELECT", "INSERT"
_DERIVED = (_READ, _ADD, "UPDATE", "DELETE")


def _change(*columns: str) -> str:
    return f"UPDATE ({', '.join(columns)})"


GRANTS: dict[str, tuple[str, ...]] = {
    "activity": (_READ, _ADD),
    "alembic_version": (_READ,),
    "alert_samples": (_READ, _ADD, "DELETE"),
    "alerts": (
        _READ,
        _ADD,
        "DELETE",
        _change("said", "counts_from_us", "ended_at_us", "told_at_us", "end_told_at_us"),
    ),
    "api_calls": (_READ, _ADD, "DELETE"),
    "api_keys": (_READ, _ADD, _change("expires_at_us", "revoked_at_us", "replaced_at_us")),
    "audit_runs": (_READ, _ADD),
    "clean_start": (_READ, _ADD),
    "credit_transactions": (_READ, _ADD),
    "daily_sums": _DERIVED,
    "daily_totals": _DERIVED,
    "daily_works": _DERIVED,
    "events_to_settle": (_READ, _ADD, "DELETE"),
    "hold_ends": (_READ, _ADD),
    "holds": (_READ, _ADD, _change("ended_by_entry_id")),
    "invariant_results": (_READ, _ADD, "DELETE"),
    "job_leases": _DERIVED,
    "job_runs": _DERIVED,
    "journal_entries": (_READ, _ADD),
    "lot_draws": (_READ, _ADD),
    "lot_terms": (_READ, _ADD),
    "lots": (_READ, _ADD, _change("left_credits")),
    "partial_refunds": (_READ, _ADD),
    "payout_approvals": (_READ, _ADD),
    "payout_cycles": (_READ, _ADD),
    "payout_file_lines": (_READ, _ADD),
    "payout_files": (_READ, _ADD),
    "payout_moves": (_READ, _ADD),
    "payout_reports": (_READ, _ADD),
    "payout_terms": (_READ, _ADD),
    "payouts": (_READ, _ADD),
    "low_balance_levels": (_READ, _ADD, "DELETE"),
    "low_balance_progress": (_READ, _ADD, _change("entry_id", "told_event_id", "failed_tries", "next_try_at_us")),
    "people": (_READ, _ADD, _change("roles", "since_us", "added_by", "removed_at_us")),
    "plan_activations": (_READ, _ADD),
    "price_list_activations": (_READ, _ADD),
    "price_lists": (_READ, _ADD, _change("last_activation_id")),
    "price_plans": (
        _READ,
        _ADD,
        _change("toml", "revision", "actor", "saved_at_us", "discarded_at_us", "last_activation_id"),
    ),
    "prompt_runs": (_READ, _ADD),
    "proposals": (_READ, _ADD, _change("state", "decided_by", "decided_at_us", "decision_reason", "entry_id")),
    "purchase_events": (_READ, _ADD),
    "purchase_moves": (_READ, _ADD),
    "purchase_receipts": (_READ, _ADD),
    "purchases": (_READ, _ADD),
    "refunds": (_READ, _ADD),
    "rollup_watermark": (_READ, _change("entry_id", "time_zone", "circulating_credits")),
    "sandbox_events": (_READ, _ADD, _change("told_at_us")),
    "saved_views": _DERIVED,
    "seals": (_READ, _ADD),
    "sign_in_sessions": (_READ, _ADD, _change("seen_at_us", "ended_at_us"), "DELETE"),
    "spending_limits": (
        _READ,
        _ADD,
        "DELETE",
        _change(
            *(
                "limit_credits",
                "time_zone",
                "begins_us",
                "ends_us",
                "spent_credits",
                "after_entry_id",
                "actor",
                "set_at_us",
            )
        ),
    ),
    "trial_users": (_READ, _ADD, "DELETE"),
    "unlock_answers": (_READ, _ADD),
    "unlocked_flows": (_READ, _ADD, _change("refunded_by_entry_id")),
    "user_credits": (_READ, _ADD, _change("balance_credits", "has_parts", "has_lots")),
    "user_parts": (_READ, _ADD, _change("balance_credits")),
    "watch_findings": (_READ, _ADD, _change("numbers", "entries", "looked_at_us", "looked_by", "note")),
    "watch_key_days": _DERIVED,
    "watch_progress": (_READ, _ADD, _change("entry_id")),
    "webhook_deliveries": (
        _READ,
        _ADD,
        "DELETE",
        _change("state", "tries", "next_at_us", "tried_at_us", "status", "answer"),
    ),
    "webhook_endpoints": (
        _READ,
        _ADD,
        _change(
            *("secret", "old_secret", "old_until_us", "after_entry_id", "after_event_id", "after_activation_id"),
            *("failing_since_us", "disabled_at_us", "disabled_because", "removed_at_us"),
        ),
    ),
    "webhook_events": (_READ, _ADD),
    "webhook_held_users": (_READ, _ADD, "DELETE", _change("after_entry_id", "after_event_id")),
}
"""The privileges of the running product, by table. A sequence may be read, for backups, and asked for its next
number, and never be set."""

_KINDS_OF_ROLE = """
SELECT rolsuper, rolcreaterole, rolbypassrls, rolreplication FROM pg_catalog.pg_roles WHERE rolname = :role
"""
# Memberships by which a role could still do everything, with what it would be.
_WIDE_MEMBERSHIPS = """
SELECT 'the owner of the table ' || c.relname FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())
    AND c.relkind IN ('r', 'S') AND pg_catalog.pg_has_role(:role, c.relowner, 'MEMBER')
UNION ALL SELECT 'the owner of the schema' FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = current_schema() AND pg_catalog.pg_has_role(:role, n.nspowner, 'MEMBER')
UNION ALL SELECT 'the owner of the database' FROM pg_catalog.pg_database AS d
    WHERE d.datname = current_database() AND pg_catalog.pg_has_role(:role, d.datdba, 'MEMBER')
UNION ALL SELECT 'a member of ' || r.rolname FROM pg_catalog.pg_roles AS r
    WHERE r.rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program')
    AND pg_catalog.pg_has_role(:role, r.oid, 'MEMBER')
"""
_OF_TABLES = """
SELECT c.relname, p.privilege FROM pg_catalog.pg_class AS c
CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (privilege)
WHERE c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())
AND c.relname = ANY (:tables) AND pg_catalog.has_table_privilege(:role, c.oid, p.privilege)
"""
_OF_COLUMNS = """
SELECT c.relname, a.attname FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())
AND c.relname = ANY (:tables) AND pg_catalog.has_column_privilege(:role, c.oid, a.attnum, 'UPDATE')
"""
_SEQUENCES = """
SELECT c.relname FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())
AND c.relkind = 'S'
"""


def grant(connection: Connection, role: str) -> None:
    """Give this role what the running product needs, and take from it whatever else it has on the ledger's tables.

    To be called by the owner of the tables, again after each migration. Repeating it changes nothing.

    Raises:
        InvalidRequest: the database is not PostgreSQL, there is no such role, or the role can do more in another way,
            such as a superuser or the owner of the tables.
    """
    if connection.dialect.name != "postgresql":
        raise InvalidRequest("CREDITS_DATABASE_URL", "must name a PostgreSQL database: SQLite has no roles")
    kinds = connection.execute(text(_KINDS_OF_ROLE), {"role": role}).one_or_none()
    if kinds is None:
        raise InvalidRequest("role", f"{role} does not exist: make it first with CREATE ROLE … LOGIN")
    for is_so, what in zip(
        kinds, ("a superuser", "a maker of roles", "free of row security", "a replica"), strict=True
    ):
        if is_so:
            raise _too_wide(role, f"it is {what}")
    wide = connection.execute(text(_WIDE_MEMBERSHIPS), {"role": role}).scalars().all()
    if wide:
        raise _too_wide(role, f"it is {wide[0]}")
    for statement in _statements(connection, role):
        connection.exec_driver_sql(statement)
    if more := excess(connection, role):
        raise _too_wide(role, f"it has {', '.join(more[:3])} from PUBLIC or another role; take that away first")


def _too_wide(role: str, why: str) -> InvalidRequest:
    return InvalidRequest("role", f"{role} cannot be narrowed: {why}; nothing was granted")


def _statements(connection: Connection, role: str) -> Iterator[str]:
    quote = connection.dialect.identifier_preparer.quote_identifier
    named, schema = quote(role), quote(str(connection.execute(text("SELECT current_schema()")).scalar_one()))
    yield f"GRANT USAGE ON SCHEMA {schema} TO {named}"
    yield f"REVOKE CREATE ON SCHEMA {schema} FROM {named}"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {named}"
    yield f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {named}"
    for table, privileges in GRANTS.items():
        yield f"GRANT {', '.join(privileges)} ON {schema}.{table} TO {named}"
    for sequence in connection.execute(text(_SEQUENCES)).scalars():
        yield f"GRANT USAGE, SELECT ON SEQUENCE {schema}.{quote(sequence)} TO {named}"


def excess(connection: Connection, role: str) -> list[str]:
    """What this role may do to the ledger's tables beyond `GRANTS`, in whatever way it came by it, one phrase each."""
    asked = {"role": role, "tables": list(GRANTS)}
    phrases = [
        f"{privilege} on {table}"
        for table, privilege in connection.execute(text(_OF_TABLES), asked)
        if privilege not in GRANTS[table]
    ]
    phrases += [
        f"UPDATE of {table}.{column}"
        for table, column in connection.execute(text(_OF_COLUMNS), asked)
        if not _may_update(table, column)
    ]
    sequences = connection.execute(text(_SEQUENCES)).scalars().all()
    for sequence in sequences:
        may_set = text("SELECT pg_catalog.has_sequence_privilege(:role, pg_catalog.quote_ident(:name), 'UPDATE')")
        if connection.execute(may_set, {"role": role, "name": sequence}).scalar_one():
            phrases.append(f"setval on {sequence}")
    may_create = text("SELECT pg_catalog.has_schema_privilege(:role, current_schema(), 'CREATE')")
    if connection.execute(may_create, {"role": role}).scalar_one():
        phrases.append("CREATE in the schema")
    return sorted(phrases)


def _may_update(table: str, column: str) -> bool:
    return any(
        privilege == "UPDATE" or (privilege.startswith("UPDATE (") and column in privilege[8:-1].split(", "))
        for privilege in GRANTS[table]
    )
