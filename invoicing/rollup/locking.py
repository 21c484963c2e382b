"""Take the locks that triggers need: briefly, and again, so that no queue builds up behind us."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, text
from sqlalchemy.exc import DBAPIError

from invoicing.rollup.definition import TABLES
from invoicing.rollup.errors import RollupBusyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.db import Database

LOCK_NOT_AVAILABLE, DEADLOCK = "55P03", "40P01"
# Before a snapshot: it would see half of a later TRUNCATE, the rows gone and their totals there.
NO_TRUNCATE = f"LOCK TABLE {', '.join(TABLES)} IN ACCESS SHARE MODE"
# How long each try waits for its lock, in milliseconds, and rests afterwards.
_TRIES = (50, 100, 200, 400, 800, 1600, 2000, 2000)
_HOLDERS = text("""
    SELECT DISTINCT a.pid, a.application_name, a.state
    FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a USING (pid)
    WHERE l.locktype = 'relation' AND l.granted AND l.mode <> 'AccessShareLock'
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
        AND l.relation IN (SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS name)
        AND a.pid <> pg_backend_pid()
    ORDER BY 1 LIMIT 3
""").bindparams(bindparam("tables", [*TABLES, "invoice_rollup"]))


async def run_locked(database: Database, doing: str, statements: Sequence[str]) -> None:
    """Run statements in one transaction that has both tables to itself; writers wait for it.

    Raises:
        RollupBusyError: other sessions kept their locks through every try.
    """
    lock = f"LOCK TABLE {', '.join(TABLES)}, invoice_rollup IN SHARE ROW EXCLUSIVE MODE"
    for wait in _TRIES:
        try:
            async with database.transaction() as session:
                connection = await session.connection()
                await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait}")
                for statement in (lock, *statements):
                    await connection.exec_driver_sql(statement)
        except DBAPIError as error:
            if sqlstate_of(error) not in {LOCK_NOT_AVAILABLE, DEADLOCK}:
                raise
        else:
            return
        await asyncio.sleep(wait / 1000)
    raise RollupBusyError(doing, await lock_holders(database))


async def lock_holders(database: Database) -> str:
    """Return the sessions that hold a lock on the tables, as they may be shown."""
    async with database.transaction() as session:
        rows = (await session.execute(_HOLDERS)).all()
    shown = (f"pid {pid} ({name or 'no application_name'}, {state})" for pid, name, state in rows)
    return ", ".join(shown) or "a session that has ended meanwhile"


def sqlstate_of(error: DBAPIError) -> str | None:
    """Return the SQLSTATE of what the driver raised."""
    return getattr(error.orig, "sqlstate", None)
