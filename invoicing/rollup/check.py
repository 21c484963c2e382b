"""Compare the roll-up with the tables it sums up, on one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import explain
from invoicing.rollup.build import find_definition
from invoicing.rollup.errors import NoRollupError
from invoicing.rollup.locking import NO_TRUNCATE
from invoicing.rollup.state import rollup_state

if TYPE_CHECKING:
    from invoicing.db import Database
    from invoicing.rollup.definition import Definition

MOST_SHOWN = 20
_SETTINGS = ("SET LOCAL statement_timeout = 0", "SET LOCAL work_mem = '128MB'")
_DAYS = """
    SELECT currency, status, day, is_issued, sum(invoices) AS invoices, sum(cents) AS cents
    FROM (SELECT * FROM invoice_day_total
        UNION ALL SELECT currency, status, day, is_issued, sign, sign * CAST(cents AS numeric)
            FROM invoice_delta) AS part
    GROUP BY 1, 2, 3, 4 HAVING sum(invoices) <> 0 OR sum(cents) <> 0
"""
_ACCOUNTS = """
    SELECT account_id, currency, sum(invoices) AS invoices, sum(billed_cents) AS billed_cents,
        sum(open_cents) AS open_cents
    FROM (SELECT * FROM invoice_account_total
        UNION ALL SELECT account_id, currency, sign, sign * CAST(cents AS numeric),
                CASE WHEN status = 'open' THEN sign * CAST(cents AS numeric) ELSE 0 END
            FROM invoice_delta WHERE status IN ('open', 'paid')) AS part
    GROUP BY 1, 2 HAVING sum(invoices) <> 0 OR sum(billed_cents) <> 0 OR sum(open_cents) <> 0
"""
_DIFFERENCES = """
    SELECT invoice_id, sum(cents) AS cents
    FROM (SELECT * FROM invoice_difference
        UNION ALL SELECT invoice_id, -sign * CAST(cents AS numeric) FROM invoice_delta
        UNION ALL SELECT * FROM invoice_line_delta) AS part
    GROUP BY 1 HAVING sum(cents) <> 0
"""


@dataclass(frozen=True)
class RollupDifference:
    """A row that the roll-up has and the tables do not, or the other way round.

    Attributes:
        total: the table of totals that it is of.
        source: who has it: `roll-up` or `invoices`.
        row: its columns, as text.
    """

    total: str
    source: str
    row: str


@dataclass(frozen=True)
class RollupCheck:
    """What a comparison found.

    Attributes:
        rows: how many rows of totals the tables come to.
        unfolded: how many changes were added for it.
        different: how many rows only one of both has.
        shown: the first of them.
        seconds: how long it took.
    """

    rows: int
    unfolded: int
    different: int
    shown: list[RollupDifference]
    seconds: float


async def check_rollup(database: Database) -> RollupCheck:
    """Compare all totals, with the changes outstanding, to what the tables come to now.

    It reads every invoice and every line; writers do not wait.

    Raises:
        NoRollupError: there is none, or it is no longer usable; it says why.
        SchemaMissingError: the database is not migrated.
    """
    began = perf_counter()
    try:
        engine = database.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        async with engine.connect() as connection:
            for statement in (*_SETTINGS, NO_TRUNCATE):
                await connection.exec_driver_sql(statement)
            state = await rollup_state(connection)
            if not state.usable:
                raise NoRollupError(state.reason)
            definition = await find_definition(connection)
            rows, different, shown = 0, 0, list[RollupDifference]()
            for total, compared in _comparisons(definition).items():
                for source, row, sources, all_rows in await connection.execute(text(compared)):
                    rows, different = rows + all_rows, different + sources
                    if row is not None:
                        shown.append(RollupDifference(total, source, row))
    except DBAPIError as error:
        raise explain(error) from None
    took = perf_counter() - began
    return RollupCheck(rows, state.unfolded, different, shown[:MOST_SHOWN], took)


def _comparisons(definition: Definition) -> dict[str, str]:
    pairs = {
        "invoice_day_total": (_DAYS, definition.day_totals()),
        "invoice_account_total": (_ACCOUNTS, definition.account_totals()),
        "invoice_difference": (_DIFFERENCES, definition.differences()),
    }
    return {total: _compared(rolled, true) for total, (rolled, true) in pairs.items()}


def _compared(rolled: str, true: str) -> str:
    """Select the first rows that only one of two has; on the first row also both counts."""
    return f"""
        WITH rolled AS MATERIALIZED ({rolled}), expected AS MATERIALIZED ({true}),
        unmatched AS MATERIALIZED (
            SELECT 'roll-up' AS source, CAST(part AS text) AS row
            FROM (SELECT * FROM rolled EXCEPT ALL SELECT * FROM expected) AS part
            UNION ALL SELECT 'invoices', CAST(part AS text)
            FROM (SELECT * FROM expected EXCEPT ALL SELECT * FROM rolled) AS part
        ), counts AS (
            SELECT 1 AS place, (SELECT count(*) FROM unmatched) AS different,
                (SELECT count(*) FROM expected) AS rows
        )
        SELECT first.source, first.row, coalesce(different, 0), coalesce(rows, 0)
        FROM (SELECT *, row_number() OVER (ORDER BY row, source) AS place FROM unmatched
            ORDER BY place LIMIT {MOST_SHOWN}) AS first FULL JOIN counts USING (place)
        ORDER BY place
    """
