"""Where the next audit may begin, and the sums that it begins with."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("audit_runs", sa.Column("last_entry_id", id_, nullable=True))
    op.add_column("audit_runs", sa.Column("carried", sa.Text(), nullable=True))
