"""An index that finds accounts whose ids differ only in upper and lower case."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("ix_user_credits_folded_id", "user_credits", [sa.text("lower(user_id)")])
