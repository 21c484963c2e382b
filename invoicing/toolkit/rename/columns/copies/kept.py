"""What can be built on no other column without a long lock, and keeps the old one where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import TREE

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext

# The kinds of dependents that say of each what becomes of it: referenced, whole_constraint,
# generated_column, replica_identity; and foreign keys and UNIQUE constraints that have no copies.
_KEPT = f"""
WITH {TREE}, on_it AS (
    SELECT k.*, tree.attnum, k.confrelid = tree.relid AND k.contype = 'f'
            AND tree.attnum = ANY (k.confkey) AS refers,
        k.conrelid = tree.relid AND (tree.attnum = ANY (k.conkey) OR EXISTS (SELECT FROM hanging
            AS h WHERE h.classid = 'pg_constraint'::regclass AND h.objid = k.oid)) AS has
    FROM tree JOIN pg_catalog.pg_constraint AS k ON tree.relid IN (k.conrelid, k.confrelid)
    WHERE k.conparentid = 0
)
SELECT quote_ident(k.conname) || ' ON ' || k.conrelid::regclass
FROM on_it AS k WHERE refers OR has AND (k.contype IN ('p', 'x')
    OR k.contype = 'f' AND coalesce(to_jsonb(k) ->> 'confdelsetcols',
        to_jsonb(k) ->> 'conperiod', 'false') <> 'false'
    OR k.contype = 'u' AND EXISTS (SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indexrelid = k.conindid AND i.indisexclusion))
UNION SELECT quote_ident(a.attname) || ' of ' || a.attrelid::regclass
FROM hanging AS h JOIN pg_catalog.pg_attrdef AS d ON d.oid = h.objid
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE h.classid = 'pg_attrdef'::regclass AND a.attgenerated <> ''
UNION SELECT 'the replica identity ' || i.indexrelid::regclass
FROM tree JOIN pg_catalog.pg_index AS i ON i.indrelid = tree.relid
WHERE i.indisreplident AND tree.attnum = ANY (i.indkey::int2[])
ORDER BY 1
"""


async def kept_for(context: RenameContext) -> list[str]:
    """Return what it is, for a message; nothing where the new column takes the old one's place."""
    if context.target.keeps_name or context.conversion is not None:
        return []
    rows = await context.connection.fetch(_KEPT, context.table.oid, context.target.old)
    return [*_domain(context), *(row[0] for row in rows)]


def _domain(context: RenameContext) -> list[str]:
    """Return the column's domain if no column of it could be added, also if it could be by now."""
    columns, target = context.table.columns, context.target
    old, new = columns.get(target.old), columns.get(target.new)
    if old is None or old.base_type is None:
        return []
    other = new is not None and new.type == old.base_type != old.type
    return [f"domain {old.type}"] if old.unchecked_type is not None or other else []
