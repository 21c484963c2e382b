"""The last question: what PostgreSQL knows to depend on the column, and no kind has claimed.

A new version, or an extension, brings kinds of objects that are not known here. What becomes
of them is not known, so nothing begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import Dependent, Kind, Reaction

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import Scope

_UNKNOWN = Reaction(
    "refused",
    "it depends on {old} or on the table's rows, and it is not known what a rename does to it. "
    "Drop it first, and create it again on {then} after the contract",
    acceptable=True,
)
UNCLAIMED = Kind("unknown-dependent", _UNKNOWN, _UNKNOWN)
# Of indexes and constraints only what refers to them: their own parts are internal.
_EVERYTHING = """
, target AS (
    SELECT 'pg_class'::regclass AS classid, relid AS objid, 0 AS subid, 'na' AS types FROM tree
    UNION ALL SELECT 'pg_class'::regclass, relid, attnum, 'na' FROM tree
    UNION ALL SELECT 'pg_type'::regclass, oid, 0, 'na' FROM row_type
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid, 0, 'n' FROM tree
        JOIN pg_catalog.pg_constraint AS k ON k.conrelid = tree.relid
            AND tree.attnum = ANY (k.conkey)
    UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, 0, 'n' FROM tree
        JOIN pg_catalog.pg_index AS i ON i.indrelid = tree.relid
            AND tree.attnum = ANY (i.indkey::int2[])
)
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) AS subject,
    (SELECT relname::text FROM pg_catalog.pg_class WHERE oid = d.classid) AS catalog,
    d.objid AS oid
FROM target JOIN pg_catalog.pg_depend AS d ON d.refclassid = target.classid
    AND d.refobjid = target.objid AND d.refobjsubid = target.subid
    AND strpos(target.types, d.deptype::text) > 0
ORDER BY 1
"""


async def find(scope: Scope, claimed: set[tuple[str, int]]) -> list[Dependent]:
    """Return what depends on the column, the table or its row type, and is not claimed."""
    rows = await scope.fetch(_EVERYTHING)
    return [
        Dependent(UNCLAIMED, *row) for row in rows if (row["catalog"], row["oid"]) not in claimed
    ]
