"""Ask PostgreSQL how it answered what was recorded: EXPLAIN (ANALYZE, BUFFERS), on request.

Each shape is asked once, with the parameters of its first statement, after the recording, on a
connection of its own, in a READ ONLY transaction that is rolled back: only what reads is asked.
What the program had set by then (`search_path`, a role, a tenant) is set there too. What the
recorded transaction had not committed is not seen. VERBOSE names the schema of each table;
what each node of the plan returns, which VERBOSE adds too, is not kept.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from invoicing.toolkit.profiling.fingerprint import fingerprint_of, operation_of
from invoicing.toolkit.profiling.plans import INDEXED, PARTITION_OF, TABLE, filtered_scans, nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine

    from invoicing.toolkit.profiling.statement import Transaction

QueryPlan = dict[str, Any]
READ_ONLY = "SET TRANSACTION READ ONLY"
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, FORMAT JSON) "
# Of each table its quoted name, that of the topmost partitioned table above it, and a column, or an
# expression, that a whole index begins with. The catalog is left out: it takes no further index.
TABLES = text("""
SELECT n.nspname, c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname),
  CASE WHEN c.relispartition THEN quote_ident(rn.nspname) || '.' || quote_ident(r.relname) END,
  pg_get_indexdef(i.indexrelid, 1, true)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class r ON r.oid = pg_partition_root(c.oid)
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indpred IS NULL AND i.indisvalid
WHERE (n.nspname, c.relname) IN :tables AND n.nspname <> 'pg_catalog'
""").bindparams(bindparam("tables", expanding=True))


class PlanQuestion(NamedTuple):
    """A statement to be explained, by its number in the recording."""

    number: int
    engine: Engine
    text: str
    parameters: Any
    settings: tuple[tuple[str, Any], ...] = ()


class Questions:
    """What is to be explained: each shape once, with what its connection had set by then."""

    def __init__(self) -> None:
        self._asked: dict[str, PlanQuestion] = {}
        # By connection, what was set, and in which transaction.
        self._set: dict[int, list[tuple[Transaction, str, Any]]] = {}

    def note(self, question: PlanQuestion, transaction: Transaction) -> None:
        """Keep what has not been asked, and what sets something for what follows."""
        text, operation = question.text, operation_of(question.text)
        if question.engine.dialect.name != "postgresql":
            return
        if _SETS.match(text):
            standing = self._standing(transaction)
            self._set[transaction.connection] = [
                *standing,
                (transaction, text, question.parameters),
            ]
        elif operation in {"SELECT", "WITH"} and fingerprint_of(text) not in self._asked:
            settings = tuple(each[1:] for each in self._standing(transaction))
            self._asked[fingerprint_of(text)] = question._replace(settings=settings)

    def asked(self) -> list[PlanQuestion]:
        """Return what is to be explained."""
        return [*self._asked.values()]

    def _standing(self, transaction: Transaction) -> list[tuple[Transaction, str, Any]]:
        """Return what still holds in a transaction: its own, and what earlier ones committed."""
        return [
            each
            for each in self._set.get(transaction.connection, ())
            if each[0] is transaction
            or (each[0].outcome == "commit" and not _LOCAL.search(each[1]))
        ]


# SET, and set_config(), which holds for the transaction unless its last argument says otherwise.
_SETS = re.compile(r"(?i)\s*(?:SET\s+(?!TRANSACTION|SESSION\s+CHAR)|RESET\b|SELECT\s+set_config\()")
_LOCAL = re.compile(r"(?is)^\s*SET\s+LOCAL\b|set_config\(.*,(?!\s*false)[^,]*\)")


async def explain_async(questions: Iterable[PlanQuestion]) -> dict[int, QueryPlan]:
    """Return the plan of each statement by its number; without those that cannot be asked."""
    plans: dict[int, QueryPlan] = {}
    for question in questions:
        try:
            async with AsyncEngine(question.engine).connect() as connection:
                await connection.exec_driver_sql(READ_ONLY)
                for setting in question.settings:
                    await connection.exec_driver_sql(*setting)
                rows = await connection.exec_driver_sql(
                    EXPLAIN + question.text, question.parameters
                )
                plans[question.number] = plan = _plan(rows.scalar_one())
                tables = scanned_tables(plan)
                if tables:
                    note_tables(plan, await connection.execute(TABLES, {"tables": tables}))
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
                for setting in question.settings:
                    connection.exec_driver_sql(*setting)
                rows = connection.exec_driver_sql(EXPLAIN + question.text, question.parameters)
                plans[question.number] = plan = _plan(rows.scalar_one())
                tables = scanned_tables(plan)
                if tables:
                    note_tables(plan, connection.execute(TABLES, {"tables": tables}))
                connection.rollback()
        except SQLAlchemyError:
            continue
    return plans


def scanned_tables(plan: QueryPlan) -> list[tuple[str, str]]:
    """Return the tables that were read as a whole for a part of them, by schema and name."""
    return sorted({_table_of(scan) for scan in filtered_scans(plan)})


def note_tables(plan: QueryPlan, rows: Iterable[Any]) -> None:
    """Add to each such scan what its table is called, and what its indexes begin with."""
    known = [(tuple(row[:2]), *row[2:]) for row in rows]
    for scan in filtered_scans(plan):
        own = [row for row in known if row[0] == _table_of(scan)]
        if own:
            _, scan[TABLE], partitioned, _ = own[0]
            scan[INDEXED] = sorted({row[3] for row in own if row[3] is not None})
            if partitioned is not None:
                scan[PARTITION_OF] = partitioned


def _table_of(scan: QueryPlan) -> tuple[str, str]:
    return str(scan.get("Schema")), str(scan.get("Relation Name"))


def _plan(answer: Any) -> QueryPlan:
    (only,) = json.loads(answer) if isinstance(answer, str) else answer
    plan: QueryPlan = only["Plan"]
    for node in nodes_of(plan):
        node.pop("Output", None)
    return plan
