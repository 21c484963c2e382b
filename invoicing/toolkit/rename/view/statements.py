"""What cannot be done to a view, looked for in the database's functions and in what was run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename.dependents import word
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import MARK
from invoicing.toolkit.rename.view.grouping import GroupingKey, groups_by_key
from invoicing.toolkit.rename.workload.statement import reads_catalogs_only
from invoicing.toolkit.rename.workload.workload import statistics_view

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext

# The first version with MERGE into views.
MERGE = 17
_GROUPS = r"\mgroup\s+by\M"
_FUNCTIONS = f"""
SELECT p.oid::regprocedure::text AS subject, p.prosrc AS query, p.prosrc ~* $2 AS cannot
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'invoicing_rename')
    AND p.prosrc ~* $1 AND (p.prosrc ~* $2 OR p.prosrc ~* '{_GROUPS}') ORDER BY 1
"""
_STATEMENTS = f"""
SELECT '"' || min(left(regexp_replace(query, '\\s+', ' ', 'g'), 120)) || '"' AS subject,
    sum(calls)::bigint AS calls, min(query) AS query, bool_or(query ~* $2) AS cannot
FROM {{view}} WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND query ~* $1 AND (query ~* $2 OR query ~* '{_GROUPS}') AND strpos(query, $3) = 0
GROUP BY queryid ORDER BY 1
"""
_KEY = """
SELECT $2 AS table, coalesce(array_agg(a.attname::text) FILTER (WHERE i.indrelid IS NOT NULL), '{}')
    AS key, array_agg(a.attname::text) AS columns
FROM pg_attribute AS a LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
    AND a.attnum = ANY (i.indkey::int2[])
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
"""
_UNABLE = (
    "{ran} something that cannot be done to a view, and would fail while it stands. Pause "
    "it or change it, then: --accept view-statement"
)


async def statements_no_view_takes(context: RenameContext) -> list[PlanFinding]:
    """Find what cannot be done to a view, in functions and in statements that ran."""
    connection, name = context.connection, context.table.name
    table, cannot = word(name), _cannot(name, context.version)
    key = GroupingKey(*await connection.fetchrow(_KEY, context.table.oid, name))
    found = [
        refused("view-statement", row["subject"], _UNABLE.format(ran="has"))
        for row in await connection.fetch(_FUNCTIONS, table, f"{cannot}|{_changing(name)}")
        if row["cannot"] or groups_by_key(row["query"], key)
    ]
    view, _ = await statistics_view(connection)
    try:
        rows = (
            await connection.fetch(_STATEMENTS.format(view=view), table, cannot, MARK)
            if view is not None
            else []
        )
    except (asyncpg.ObjectNotInPrerequisiteStateError, asyncpg.InsufficientPrivilegeError):
        rows = []
    for row in rows:
        if not row["cannot"] and not groups_by_key(row["query"], key):
            continue
        if reads_catalogs_only(row["query"], context.names.schema, name):
            continue
        said = _UNABLE.format(ran=f"ran {row['calls']:,} times, and is")
        found.append(refused("view-statement", row["subject"], said))
    return found


def _named(table: str) -> str:
    return rf'(\w+\.|"[^"]*"\.)?"?{re.escape(table)}"?([^\w$]|$)'


def _changing(table: str) -> str:
    """Return what is done to a table itself: a function does it again, a migration did it once.

    What is done to partitions is another kind of finding.
    """
    name, options = _named(table), r"((table|only|if|exists|concurrently)\s+)*"
    return "|".join(
        (
            rf"\m(alter|comment\s+on|reindex)\s+{options}{name}(?!\s*(at|de)tach\M)",
            rf"\mcreate\s[^;]*\m(index|trigger)\s[^;]*\mon\s+(only\s+)?{name}",
            rf"\m(references|inherits\s*\()\s*{name}",
            # A view has none of these.
            rf"\mlike\s+{name}[^;)]*\mincluding\s+(all|indexes|constraints|identity|generated)\M",
        )
    )


def _cannot(table: str, version: int) -> str:
    name = _named(table)
    choices = [
        rf"\m(truncate|copy|cluster)\s+(table\s+|only\s+)*{name}",
        r"\mon\s+conflict\s+on\s+constraint\M|\mtablesample\M|\mcurrent\s+of\M",
        r"\m(ctid|xmin|tableoid|pg_get_serial_sequence)\M",
    ]
    if version < MERGE:
        choices.append(rf"\mmerge\s+into\s+(only\s+)?{name}")
    return "|".join(choices)
