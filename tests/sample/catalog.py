"""What a database says of our three tables, in a form that can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from invoicing.db import Database

_TABLES = "('account'::regclass, 'invoice'::regclass, 'invoice_line'::regclass)"
_QUESTIONS = {
    "indexes": f"""
        SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered,
            i.indisreplident, i.indisprimary, c.reloptions, obj_description(c.oid, 'pg_class')
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid IN {_TABLES} ORDER BY 1""",
    "constraints": f"""
        SELECT conrelid::regclass::text, conname, contype::text, convalidated, condeferrable,
            pg_get_constraintdef(oid), conindid::regclass::text,
            obj_description(oid, 'pg_constraint')
        FROM pg_constraint WHERE conrelid IN {_TABLES} OR confrelid IN {_TABLES} ORDER BY 1, 2""",
    "columns": f"""
        SELECT attrelid::regclass::text, attname, attnotnull FROM pg_attribute
        WHERE attrelid IN {_TABLES} AND attnum > 0 ORDER BY 1, 2""",
    "triggers": f"""
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text
        FROM pg_trigger WHERE tgrelid IN {_TABLES} AND NOT tgisinternal ORDER BY 1, 2""",
}
_ROWS = """
    SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM invoice),
        (SELECT count(*) FROM invoice_line),
        (SELECT coalesce(sum(hashtextextended(a::text, 0)::numeric), 0) FROM account a)
        + (SELECT coalesce(sum(hashtextextended(i::text, 0)::numeric), 0) FROM invoice i)
        + (SELECT coalesce(sum(hashtextextended(l::text, 0)::numeric), 0) FROM invoice_line l)
"""


async def describe(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return indexes, constraints, columns and triggers of the tables."""
    async with database.read_only() as session:
        return {
            name: [tuple(row) for row in await session.execute(text(question))]
            for name, question in _QUESTIONS.items()
        }


async def rows_of(database: Database) -> tuple[object, ...]:
    """Return how many rows each table has, and a sum over their contents."""
    async with database.read_only() as session:
        await session.execute(text("SET TIME ZONE 'UTC'"))
        return tuple((await session.execute(text(_ROWS))).one())


async def run(database: Database, *statements: str) -> None:
    """Run statements in one transaction."""
    async with database.engine.begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
