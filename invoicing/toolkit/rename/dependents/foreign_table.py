"""Foreign tables of this database that lead back to the table: they ask for its column by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import Kind, Reaction

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Scope

# Of an option that is not set, postgres_fdw takes the foreign table's own name. Which host is this
# one is not known to the database: a server counts that names this database, or none.
_LEADING_BACK = """
, options AS (
    SELECT f.ftrelid, coalesce((SELECT option_value FROM pg_options_to_table(f.ftoptions)
            WHERE option_name = 'table_name'), c.relname) AS table_name,
        coalesce((SELECT option_value FROM pg_options_to_table(f.ftoptions)
            WHERE option_name = 'schema_name'), n.nspname) AS schema_name,
        coalesce((SELECT option_value FROM pg_options_to_table(f.ftoptions)
            WHERE option_name = 'updatable'), (SELECT option_value
            FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'updatable'), 'true')::bool
            AS writes
    FROM pg_catalog.pg_foreign_table AS f JOIN pg_catalog.pg_class AS c ON c.oid = f.ftrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_foreign_server AS s ON s.oid = f.ftserver
    JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
    JOIN pg_catalog.pg_proc AS p ON p.oid = w.fdwhandler AND p.proname = 'postgres_fdw_handler'
    WHERE coalesce((SELECT option_value FROM pg_options_to_table(s.srvoptions)
        WHERE option_name = 'dbname'), current_database()) = current_database()
)
SELECT o.ftrelid::regclass::text, 'pg_foreign_table', o.ftrelid,
    format('ALTER %I OPTIONS (%s column_name %L)', a.attname,
        CASE WHEN EXISTS (SELECT FROM pg_options_to_table(a.attfdwoptions)
            WHERE option_name = 'column_name') THEN 'SET' ELSE 'ADD' END, $7::text)
FROM options AS o JOIN pg_catalog.pg_attribute AS a ON a.attrelid = o.ftrelid AND a.attnum > 0
    AND NOT a.attisdropped
WHERE o.table_name = $4 AND o.schema_name = $5 AND o.writes = $6
    AND o.ftrelid NOT IN (SELECT relid FROM tree)
    AND coalesce((SELECT option_value FROM pg_options_to_table(a.attfdwoptions)
        WHERE option_name = 'column_name'), a.attname) = $3
"""


async def _leading_back(scope: Scope, *, writes: bool) -> FoundDependents:
    names = (scope.target.old, scope.table.name, scope.table.schema)
    rows = await scope.fetch(_LEADING_BACK, *names, writes, scope.target.new)
    return [tuple(row) for row in rows]


_LATER = Reaction(
    "later",
    "asks the table for {old} by a name of its own, which does not follow. After the backfill: "
    "ALTER FOREIGN TABLE {subject} {detail}. Or, if its server is another: --accept foreign-table",
    acceptable=True,
)
_TYPED = Reaction("noted", "shows {old} with a type of its own, which is its owner's to change")
KINDS = (
    Kind(
        "foreign-table",
        _LATER,
        Reaction(
            "refused",
            "may write the table, and finds the rows by ctid, which a view has not. Set its option "
            "updatable to false. Or use --strategy columns",
        ),
        find=partial(_leading_back, writes=True),
        same_name=_TYPED,
    ),
    Kind(
        "foreign-table",
        _LATER,
        _LATER,
        find=partial(_leading_back, writes=False),
        same_name=_TYPED,
    ),
)
