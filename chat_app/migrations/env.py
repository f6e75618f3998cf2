"""Alembic's entry: one connection, schema changes in a transaction."""

import sqlalchemy as sql
from alembic import context

_engine = sql.create_engine(context.config.get_main_option("sqlalchemy.url") or "")

with _engine.connect() as _connection:
    context.configure(connection=_connection, render_as_batch=True, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
_engine.dispose()
