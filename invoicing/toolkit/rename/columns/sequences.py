"""The sequences that a column owns: one of integers ends where integers end, whatever it fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.session import RenameSession

# Those of an identity column have its type by themselves.
_NARROW = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.format_type(s.seqtypid, NULL),
    s.seqrelid FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = d.objid
JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = d.classid
    AND d.refobjid IN (SELECT $1::oid UNION
        SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::pg_catalog.regclass))
    AND a.attname = $2 AND d.deptype = 'a' AND s.seqtypid <> 20
ORDER BY s.seqrelid
"""


async def narrow(context: RenameContext, column: str) -> list[tuple[str, str, int]]:
    """Return the sequences that end before bigint does, with their types, if the column is one."""
    made = context.conversion
    if made is None or made.new.type_name != "int8":
        return []
    return [
        tuple(row) for row in await context.connection.fetch(_NARROW, context.table.oid, column)
    ]


async def widen(session: RenameSession) -> None:
    """Let them go on as far as the column does; after the contract, which has made it theirs."""
    names = session.names
    column = names.old if names.keeps_name else names.new
    for name, _, oid in await narrow(session, column):
        await session.ddl.short(f"ALTER SEQUENCE {name} AS bigint", also=[oid])
