"""Run the migrations on an async engine, one transaction for each, one operator at a time.

The connection comes from `config.attributes["connection"]` when the caller has one (tests, a
notebook cell, `invoicing db upgrade`); else from `-x url=...`, DATABASE_URL or the embedded server.
`-x lock_timeout=2s` and `-x statement_timeout=15min` change the two limits; those of a
rename are in invoicing/toolkit/rename/operations.py.
"""

from __future__ import annotations

import asyncio

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database
from invoicing.db.errors import MigrationInProgressError
from invoicing.db.migrations import MIGRATION_LOCK
from invoicing.errors import InvoicingError
from invoicing.models import Account
from invoicing.toolkit.postgres import database_url
from invoicing.toolkit.rename import operations  # op.expand_rename and its like

# Of every model: importing one imports them all.
METADATA = Account.metadata
LIMITS = {"lock_timeout": "5s", "statement_timeout": "15min"}
LOCK_NOT_AVAILABLE = "55P03"


def main() -> None:
    """Write the SQL (`--sql`), or run on the connection given, or on one of our own."""
    connection = context.config.attributes.get("connection")
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql",
            target_metadata=METADATA,
            literal_binds=True,
            transaction_per_migration=True,
        )
        operations.begin_script(context.get_context())
        with context.begin_transaction():
            context.run_migrations()
    elif connection is not None:
        run_on(connection)
    else:
        try:
            asyncio.run(run_on_own_engine())
        except InvoicingError as error:
            # What the alembic command shows as one line.
            raise CommandError(str(error)) from None


async def run_on_own_engine() -> None:
    """Open a database, run, and close it again."""
    url = context.get_x_argument(as_dictionary=True).get("url") or database_url()
    async with Database(url) as database, database.engine.connect() as connection:
        await connection.run_sync(run_on)


def run_on(connection: Connection) -> None:
    """Run the migrations under the advisory lock."""
    given = context.get_x_argument(as_dictionary=True)
    for name, limit in LIMITS.items():
        connection.execute(
            text("SELECT set_config(:name, :limit, false)"),
            {"name": name, "limit": given.get(name, limit)},
        )
    take_lock(connection)
    try:
        context.configure(
            connection=connection,
            target_metadata=METADATA,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.execute(text("RESET lock_timeout"))
        connection.execute(text("RESET statement_timeout"))
        connection.commit()


def take_lock(connection: Connection) -> None:
    """Wait for the advisory lock up to `lock_timeout`; say who holds it when that is not enough."""
    try:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
    except DBAPIError as error:
        connection.rollback()
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        holder = connection.execute(
            text(
                "SELECT a.pid, a.application_name FROM pg_locks AS l"
                " JOIN pg_stat_activity AS a USING (pid)"
                " WHERE l.locktype = 'advisory' AND l.granted"
                " AND (l.classid::bigint << 32 | l.objid::bigint) = :key"
            ),
            {"key": MIGRATION_LOCK},
        ).first()
        raise MigrationInProgressError(*(holder or (None, None))) from None


main()
