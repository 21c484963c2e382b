"""A rename's expand where there is nothing to fill: an empty table that Citus distributes.

The phases are for rows that others read and write meanwhile, and some tables of Citus are refused
by them. Without rows a plain RENAME under its lock is the same table, and the later phases find
their work done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from invoicing.toolkit.rename.names import literal, qualified, quote

if TYPE_CHECKING:
    from invoicing.db.session import Database
    from invoicing.toolkit.rename.model import Target

_HAS_CITUS = text("SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL")


async def rename_at_once(database: Database, target: Target) -> bool:
    """Rename the column if the table is distributed and empty; tell whether it was.

    Args:
        database: of the migration.
        target: the column, with its table's schema.
    """
    table = qualified(target.schema or "public", target.table)
    async with database.transaction() as session:
        connection = await session.connection()
        if not await session.scalar(_HAS_CITUS):
            return False
        listed = (
            "SELECT count(*) FROM pg_catalog.pg_dist_partition"
            f" WHERE logicalrelid = {literal(table)}::regclass"
        )
        if not (await connection.exec_driver_sql(listed)).scalar():
            return False
        await connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        await connection.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        rows = f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 1) AS first"
        if (await connection.exec_driver_sql(rows)).scalar():
            return False
        await connection.exec_driver_sql(
            f"ALTER TABLE {table} RENAME COLUMN {quote(target.old)} TO {quote(target.new)}"
        )
    return True
