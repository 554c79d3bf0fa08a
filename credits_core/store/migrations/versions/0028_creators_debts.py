"""Refunds under a new rule: a creator who has spent the share owes it. Refunds that are there keep their rule."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

_RULES = "rule = 'platform_bears_cost' OR rule = 'cost_booked_back'"
_WITH_OWED = f"rule = 'creator_owes_share' OR {_RULES}"
_ASKED, _ASKED_NOW = (
    "rule = 'platform_bears_cost' OR NOT provider_refunded",
    "rule <> 'cost_booked_back' OR NOT provider_refunded",
)
_CHANGED = {"rule_known": (_RULES, _WITH_OWED), "asked_by_rule": (_ASKED, _ASKED_NOW)}


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        for name, (_, words) in _CHANGED.items():
            op.drop_constraint(op.f(f"ck_refunds_{name}"), "refunds", type_="check")
            op.create_check_constraint(op.f(f"ck_refunds_{name}"), "refunds", sa.text(words))
        return
    # As in migration 0020: the words of the table are changed where SQLite keeps them.
    bind = op.get_bind()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    (sql,) = bind.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'refunds'").one()
    for before, now in _CHANGED.values():
        sql = sql.replace(f"({before})", f"({now})")
        assert sql.count(f"({now})") == 1, "refunds has these words once"
    bind.exec_driver_sql("UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = 'refunds'", (sql,))
    bind.exec_driver_sql("PRAGMA writable_schema = RESET")
