"""Run by alembic, on the connection and within the transaction that :class:`mlab.store.database.Database` opened."""

from __future__ import annotations

from alembic import context

from mlab.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
