"""Build the roll-up while others write, and drop it."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db.citus import shards_of
from invoicing.db.refusal import explain
from invoicing.rollup.definition import (
    AMOUNT,
    DELTAS,
    OLD_AMOUNT,
    OWN_WRITES,
    TOTALS,
    Definition,
)
from invoicing.rollup.errors import CannotRollUpError, RollupBusyError
from invoicing.rollup.fold import FOLD_LOCK
from invoicing.rollup.locking import (
    LOCK_NOT_AVAILABLE,
    NO_TRUNCATE,
    lock_holders,
    run_locked,
    sqlstate_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from invoicing.db import AsyncSession, Database

SERIALIZATION_FAILURE = "40001"
_PLACE = text("""
    SELECT c.oid, quote_ident(n.nspname) AS schema, c.relname, c.relkind, c.relispartition,
        EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE c.oid IN (inhparent, inhrelid))
            AS has_family,
        EXISTS (SELECT FROM pg_catalog.pg_subscription_rel WHERE srrelid = c.oid) AS is_subscribed,
        ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = c.oid
            AND attnum > 0 AND NOT attisdropped AND attnotnull) AS filled
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid IN (CAST('invoice' AS regclass), CAST('invoice_line' AS regclass))
    ORDER BY c.relname
""")
_BUILT = (
    "INSERT INTO invoice_rollup (built_at, folded_at) VALUES (now(), now())"
    " ON CONFLICT (is_only)"
    " DO UPDATE SET built_at = excluded.built_at, folded_at = excluded.folded_at"
)


@dataclass(frozen=True)
class Build:
    """What was built: the rows of the totals, and how long it took."""

    days: int
    accounts: int
    differences: int
    seconds: float


async def build_rollup(
    database: Database, *, progress: Callable[[str], None] | None = None
) -> Build:
    """Make the triggers, then fill the totals on one snapshot; run again, it builds them anew.

    Writers wait for milliseconds, once, while the triggers are made. What they commit after the
    snapshot waits as changes, which the services add.

    Raises:
        CannotRollUpError: the tables are of a kind of which triggers would not see each change.
        RollupBusyError: the lock for the triggers could not be had, or another build is at work.
        SchemaMissingError: the database is not migrated.
    """
    began = perf_counter()
    show = progress or (lambda _: None)
    try:
        async with database.transaction() as session:
            definition = await find_definition(session)
        show("triggers")
        unusable = f"DELETE FROM {definition.schema}.invoice_rollup"
        made = [*definition.functions(), *definition.triggers(), unusable]
        await run_locked(database, "build", made)
        show("totals")
        days, accounts, differences = await _fill(database, definition)
    except DBAPIError as error:
        if sqlstate_of(error) in {LOCK_NOT_AVAILABLE, SERIALIZATION_FAILURE}:
            raise RollupBusyError("build", await lock_holders(database)) from None
        raise explain(error) from None
    return Build(days, accounts, differences, perf_counter() - began)


async def drop_rollup(database: Database) -> None:
    """Drop the triggers and empty the totals; writing costs what it did without them.

    Raises:
        RollupBusyError: the lock for the triggers could not be had.
        SchemaMissingError: the database is not migrated.
    """
    try:
        async with database.transaction() as session:
            schema = (await session.execute(_PLACE)).first().schema  # type: ignore[union-attr]
        definition = Definition(schema)
        gone = [
            f"DELETE FROM {schema}.invoice_rollup",
            *definition.drops(),
            f"TRUNCATE {', '.join(f'{schema}.{table}' for table in (*TOTALS, *DELTAS))}",
        ]
        await run_locked(database, "drop", gone)
    except DBAPIError as error:
        raise explain(error) from None


async def find_definition(session: AsyncSession | AsyncConnection) -> Definition:
    """Return the roll-up's SQL for the tables as they are.

    Of an amount that is being renamed the column that each row has: the old one until the new one
    is NOT NULL.

    Raises:
        CannotRollUpError: triggers on these tables would not see each change.
    """
    invoice, line = (await session.execute(_PLACE)).all()
    for table in (invoice, line):
        if table.relkind not in {"r", b"r"} or table.has_family:
            raise CannotRollUpError(
                f"{table.relname} is no plain table (a view, a partition or one with children), "
                "and triggers that see whole statements would miss changes"
            )
        if table.is_subscribed:
            raise CannotRollUpError(
                f"a subscription writes to {table.relname}, which fires no trigger of a statement"
            )
    if invoice.schema != line.schema:
        raise CannotRollUpError("invoice and invoice_line are in different schemas")
    for amount in (AMOUNT, OLD_AMOUNT):
        if amount in invoice.filled:
            return Definition(invoice.schema, amount, await shards_of(session, invoice.schema))
    raise CannotRollUpError(f"invoice has no column {AMOUNT} that is NOT NULL")


async def _fill(database: Database, definition: Definition) -> list[int]:
    engine = database.engine.execution_options(isolation_level="REPEATABLE READ")
    async with engine.begin() as connection:
        # None of these takes a snapshot: the first statement after them does.
        settings = ("statement_timeout = 0", "work_mem = '128MB'")
        for setting in settings:
            await connection.exec_driver_sql(f"SET LOCAL {setting}")
        for statement in (OWN_WRITES, NO_TRUNCATE, FOLD_LOCK):
            await connection.exec_driver_sql(statement)
        for statement in definition.empty():
            await connection.exec_driver_sql(statement)
        filled = [await connection.exec_driver_sql(sql) for sql in definition.fill()]
        await connection.exec_driver_sql(_BUILT)
    tidy = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with tidy.connect() as connection:
        tables = ", ".join((*TOTALS, *DELTAS))
        await connection.exec_driver_sql(f"VACUUM (SKIP_LOCKED, ANALYZE) {tables}")
    return [result.rowcount for result in filled]
