"""Move the changes into the totals: one statement, on one snapshot, one at a time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import explain
from invoicing.errors import InvoicingError
from invoicing.rollup.definition import DELTAS, OWN_WRITES
from invoicing.rollup.errors import NoRollupError, RollupBusyError
from invoicing.rollup.locking import LOCK_NOT_AVAILABLE, lock_holders, sqlstate_of
from invoicing.rollup.state import rollup_state

if TYPE_CHECKING:
    from invoicing.db import Database

# Waits for another fold, a build and a TRUNCATE; readers and writers never wait for it.
FOLD_LOCK = "LOCK TABLE invoice_rollup IN SHARE UPDATE EXCLUSIVE MODE"
# Whole groups that come to nothing are left alone. NOT IN, for the planner hashes it.
_FOLD = text("""
    WITH changed AS (
        DELETE FROM invoice_delta RETURNING *
    ), lines AS (
        DELETE FROM invoice_line_delta RETURNING *
    ), days AS (
        INSERT INTO invoice_day_total AS total
        SELECT currency, status, day, is_issued, sum(sign), sum(sign * CAST(cents AS numeric))
        FROM changed GROUP BY 1, 2, 3, 4
        HAVING sum(sign) <> 0 OR sum(sign * CAST(cents AS numeric)) <> 0
        ON CONFLICT (currency, status, day, is_issued) DO UPDATE
        SET invoices = total.invoices + excluded.invoices, cents = total.cents + excluded.cents
    ), accounts AS (
        INSERT INTO invoice_account_total AS total
        SELECT account_id, currency, sum(sign), sum(sign * CAST(cents AS numeric)),
            coalesce(sum(sign * CAST(cents AS numeric)) FILTER (WHERE status = 'open'), 0)
        FROM changed WHERE status IN ('open', 'paid') GROUP BY 1, 2
        ON CONFLICT (account_id, currency) DO UPDATE
        SET invoices = total.invoices + excluded.invoices,
            billed_cents = total.billed_cents + excluded.billed_cents,
            open_cents = total.open_cents + excluded.open_cents
    ), differing AS MATERIALIZED (
        SELECT invoice_id, sum(cents) AS cents
        FROM (SELECT invoice_id, -sign * CAST(cents AS numeric) AS cents FROM changed
            UNION ALL SELECT invoice_id, cents FROM lines) AS part
        GROUP BY 1 HAVING sum(cents) <> 0
    ), balanced AS (
        DELETE FROM invoice_difference AS difference USING differing
        WHERE difference.invoice_id = differing.invoice_id
            AND difference.cents + differing.cents = 0
        RETURNING difference.invoice_id
    ), unbalanced AS (
        INSERT INTO invoice_difference AS difference
        SELECT invoice_id, cents FROM differing
        WHERE invoice_id NOT IN (SELECT invoice_id FROM balanced)
        ON CONFLICT (invoice_id) DO UPDATE SET cents = difference.cents + excluded.cents
    ), noted AS (
        UPDATE invoice_rollup SET folded_at = now()
    )
    SELECT (SELECT count(*) FROM changed) + (SELECT count(*) FROM lines)
""")


@dataclass(frozen=True)
class Fold:
    """What was folded: how many changes, in how many seconds."""

    changes: int
    seconds: float


async def fold_rollup(database: Database) -> Fold:
    """Move every committed change into the totals; answers are the same before and after.

    Raises:
        NoRollupError: there is none, or it is no longer usable; it says why.
        RollupBusyError: another fold, a build or a TRUNCATE is at work.
        SchemaMissingError: the database is not migrated.
    """
    began = perf_counter()
    try:
        async with database.transaction() as session:
            await session.execute(text(FOLD_LOCK))
            state = await rollup_state(session)
            if not state.usable:
                raise NoRollupError(state.reason)
            # A bulk load may have left millions.
            await session.execute(text("SET LOCAL statement_timeout = 0"))
            await session.execute(text(OWN_WRITES))
            changes = (await session.execute(_FOLD)).scalar_one()
    except DBAPIError as error:
        if sqlstate_of(error) != LOCK_NOT_AVAILABLE:
            raise explain(error) from None
        raise RollupBusyError("fold", await lock_holders(database)) from None
    if changes:
        await _clear_away(database)
    return Fold(changes, perf_counter() - began)


async def fold_if_built(database: Database) -> Fold | None:
    """Fold after a load of many rows, where there is a roll-up and this account may.

    Answers are exact without it too, so that whatever keeps it from folding is no error.
    """
    with suppress(DBAPIError, InvoicingError):
        async with database.transaction() as session:
            usable = (await rollup_state(session)).usable
        if usable:
            return await fold_rollup(database)
    return None


async def _clear_away(database: Database) -> None:
    """Take away what the fold has deleted: every reader would walk past it."""
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.exec_driver_sql(f"VACUUM (SKIP_LOCKED, ANALYZE) {', '.join(DELTAS)}")
