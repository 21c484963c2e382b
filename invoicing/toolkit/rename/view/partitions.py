"""What a view in a partitioned table's place breaks: code that names a partition itself.

A partition has the column by its new name alone while the view stands, and none can be attached or
detached by the table's name. Both end in an error, never in another row; what does so is looked for
in the database's functions and in the statements that ran.

What it does not detect: names that are put together from pieces, and statements of clients where
pg_stat_statements is not kept or not for this account to read (the finding says so).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename.dependents import word
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import MARK
from invoicing.toolkit.rename.workload.workload import statistics_view

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext

# $1 is the table, $2 the column and $3 the table as patterns.
_PARTITIONS = r"""
WITH partition AS (
    SELECT c.oid::regclass::text AS shown, pg_catalog.lower(c.relname) AS name,
        '(^|[^\w$])' || regexp_replace(c.relname, '([^\w])', '\\\1', 'g') || '([^\w$]|$)' AS word
    FROM pg_catalog.pg_partition_tree($1::oid::regclass) AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND t.relid <> $1
), named AS (
    SELECT f.subject, f.text, (SELECT min(p.shown) FROM partition AS p WHERE f.text ~* $2
        AND strpos(lower(f.text), p.name) > 0 AND f.text ~* p.word) AS partition
    FROM ({texts}) AS f (subject, text)
)
SELECT subject, min(partition) AS partition FROM named WHERE partition IS NOT NULL
    OR text ~* '\m(attach|detach)\s+partition\M|\mpartition\s+of\M' AND text ~* $3
GROUP BY subject ORDER BY 1
"""
_FUNCTIONS = """
SELECT p.oid::regprocedure::text, p.prosrc FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'invoicing_rename')
"""
_STATEMENTS = """
SELECT '"' || left(regexp_replace(query, '\\s+', ' ', 'g'), 120) || '"', query
FROM {view} WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND strpos(query, '{mark}') = 0
"""
_MEANING = (
    "while the view stands, no partition can be attached or detached by the table's name, and code "
    "that names a partition itself finds the new column name there alone"
)


async def partition_findings(context: RenameContext) -> list[PlanFinding]:
    """Refuse what names a partition, and note what the view means for the others."""
    unread = ""
    view, sees_all = await statistics_view(context.connection)
    if view is None:
        unread = ", but the statements of clients are not known: pg_stat_statements is not kept"
    found = await _named(context, _FUNCTIONS)
    if view is not None:
        try:
            statements = _STATEMENTS.replace("{view}", view).replace("{mark}", MARK)
            found += await _named(context, statements)
        except (asyncpg.ObjectNotInPrerequisiteStateError, asyncpg.InsufficientPrivilegeError):
            sees_all = False
        if not sees_all:
            unread = ", but not every statement of clients can be read by this account"
    if not found:
        message = f"{_MEANING}. No function does so{unread or ', nor any statement that ran'}"
        return [PlanFinding("partitioned", context.table.sql, "noted", message)]
    return [
        refused(
            "partitioned",
            row["subject"],
            f"names {row['partition'] or 'partitions of the table'}: {_MEANING}. Pause it or "
            "change it, then: --accept partitioned",
        )
        for row in found
    ]


async def _named(context: RenameContext, texts: str) -> list[asyncpg.Record]:
    query = _PARTITIONS.replace("{texts}", texts)
    names = word(context.target.old), word(context.table.name)
    return list(await context.connection.fetch(query, context.table.oid, *names))
