"""Alembic's entry: runs the migrations on the connection that `database.migrate` hands over, in its unit of work."""

from alembic import context

from credits_core.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
