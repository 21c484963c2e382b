"""NOT VALID constraints that rows violate: each UPDATE of such a row fails, the backfill's too.

What it does not detect: a trigger of the table's own that raises an error for an old row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename.model import PlanFinding
from invoicing.toolkit.rename.names import quote
from invoicing.visible import plural

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext

# As many rows as are counted, and as long as that may take, in seconds.
_ROWS = 1_000
_PATIENCE = 10
# NOT NULL can be NOT VALID since 18, which also has checks that are not enforced at all.
_CONSTRAINTS = """
SELECT quote_ident(k.conname) AS name, format('%I.%I', n.nspname, c.relname) AS relation,
    CASE k.contype WHEN 'n' THEN format('%I IS NOT NULL', (SELECT attname FROM pg_attribute AS a
        WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]))
        ELSE pg_get_expr(k.conbin, k.conrelid) END AS expression
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND c.relkind IN ('r', 'p')
WHERE k.conrelid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_tree($1::oid::regclass))
    AND k.contype IN ('c', 'n') AND NOT k.convalidated AND k.coninhcount = 0
    AND coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true'
    AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = k.conrelid
        AND a.attnum = ANY (k.conkey) AND a.attname = $2)
ORDER BY 1
"""


async def unvalidated_findings(context: RenameContext) -> list[PlanFinding]:
    """Refuse constraints that would end the backfill; those of the new column are ours."""
    found = []
    connection, target = context.connection, context.target
    rows = await connection.fetch(_CONSTRAINTS, context.table.oid, target.new)
    for name, table, expression in rows:
        violated = f"{table} WHERE NOT ({expression})"
        said = await _violations(connection, violated)
        if said is None:
            continue
        message = (
            f"it is NOT VALID, and {said}: each UPDATE of such a row fails, and the backfill "
            f"would end there. To see them: SELECT * FROM {violated}. Correct them, "
            f"then run: ALTER TABLE {table} VALIDATE CONSTRAINT {name}. Or drop it first. Or use "
            "--strategy view"
        )
        found.append(
            PlanFinding("not-valid", f"{name} ON {quote(target.table)}", "refused", message)
        )
    return found


async def _violations(connection: Connection, violated: str) -> str | None:
    query = f"SELECT count(*) FROM (SELECT FROM {violated} LIMIT {_ROWS}) AS v"
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = '{_PATIENCE}s'")
            rows: int = await connection.fetchval(query)
    except asyncpg.QueryCanceledError:
        return f"{_PATIENCE} s are not enough to see whether rows violate it"
    except asyncpg.PostgresError as error:
        return f"it cannot be evaluated for every row ({error})"
    if rows == _ROWS:
        return f"{rows:,} or more rows violate it"
    return f"{plural(rows, 'row')} violate{'s' if rows == 1 else ''} it" if rows else None
