"""Ask PostgreSQL how it answered what was recorded: EXPLAIN (ANALYZE, BUFFERS), on request.

Each shape is asked once, with the parameters of its first statement, after the recording, on a
connection of its own, in a READ ONLY transaction that is rolled back: only what reads is asked.
What the recorded transaction had not committed is not seen.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from invoicing.toolkit.profiling.plans import INDEXED, filtered_scans

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine

QueryPlan = dict[str, Any]
READ_ONLY = "SET TRANSACTION READ ONLY"
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
# A column, or an expression, that a whole index begins with.
INDEXES = text(
    "SELECT c.relname, pg_get_indexdef(i.indexrelid, 1, true) FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indrelid"
    " WHERE i.indpred IS NULL AND i.indisvalid AND c.relname IN :tables"
).bindparams(bindparam("tables", expanding=True))


class PlanQuestion(NamedTuple):
    """A statement to be explained, by its number in the recording."""

    number: int
    engine: Engine
    text: str
    parameters: Any


async def explain_async(questions: Iterable[PlanQuestion]) -> dict[int, QueryPlan]:
    """Return the plan of each statement by its number; without those that cannot be asked."""
    plans: dict[int, QueryPlan] = {}
    for question in questions:
        try:
            async with AsyncEngine(question.engine).connect() as connection:
                await connection.exec_driver_sql(READ_ONLY)
                rows = await connection.exec_driver_sql(
                    EXPLAIN + question.text, question.parameters
                )
                plans[question.number] = plan = _plan(rows.scalar_one())
                tables = scanned_tables(plan)
                if tables:
                    note_indexes(plan, await connection.execute(INDEXES, {"tables": tables}))
                await connection.rollback()
        except SQLAlchemyError:
            continue
    return plans


def explain(questions: Iterable[PlanQuestion]) -> dict[int, QueryPlan]:
    """Return the same, by a driver that is not async."""
    plans: dict[int, QueryPlan] = {}
    for question in questions:
        try:
            with question.engine.connect() as connection:
                connection.exec_driver_sql(READ_ONLY)
                rows = connection.exec_driver_sql(EXPLAIN + question.text, question.parameters)
                plans[question.number] = plan = _plan(rows.scalar_one())
                tables = scanned_tables(plan)
                if tables:
                    note_indexes(plan, connection.execute(INDEXES, {"tables": tables}))
                connection.rollback()
        except SQLAlchemyError:
            continue
    return plans


def scanned_tables(plan: QueryPlan) -> list[str]:
    """Return the tables that were read as a whole for a part of them."""
    return sorted({str(scan.get("Relation Name")) for scan in filtered_scans(plan)})


def note_indexes(plan: QueryPlan, rows: Iterable[Any]) -> None:
    """Add to each such scan the columns that indexes of its table begin with."""
    first = {(table, column) for table, column in rows}
    for scan in filtered_scans(plan):
        scan[INDEXED] = sorted(column for table, column in first if table == scan["Relation Name"])


def _plan(answer: Any) -> QueryPlan:
    (only,) = json.loads(answer) if isinstance(answer, str) else answer
    plan: QueryPlan = only["Plan"]
    return plan
