"""An identity that either column was given while the rename is under way.

INSERTs go on (see `marks.left_out`), but no phase can: PostgreSQL refuses SET DEFAULT on an
identity column, and an identity would go with the old one. It is named, with what takes it off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.errors import RenameRefusedError
from invoicing.toolkit.rename.model import PlanFinding, refused

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.session import RenameSession

_IDENTITY = """
SELECT format('%I.%I', n.nspname, c.relname) AS sql, quote_ident(a.attname) AS name
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attidentity <> '' AND NOT a.attisdropped AND a.attname = ANY ($2::text[])
    AND a.attrelid IN (SELECT $1::oid UNION
        SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass))
    AND NOT c.relispartition
ORDER BY 1, 2
"""


async def find_identity(context: RenameContext) -> list[PlanFinding]:
    """Return each column of the two that is an identity column now."""
    if context.names.keeps_name:
        return []  # its default is no concern of the triggers
    names = [context.target.old, context.target.new]
    return [
        refused(
            "identity",
            f"{sql}.{name}",
            "was made an identity column while the rename was under way, which the rename cannot "
            f"copy. Run: ALTER TABLE {sql} ALTER COLUMN {name} DROP IDENTITY",
        )
        for sql, name in await context.connection.fetch(_IDENTITY, context.table.oid, names)
    ]


async def refuse_identity(session: RenameSession, verb: str) -> None:
    """Refuse a phase that would have to set a default, before it has changed anything.

    Raises:
        RenameRefusedError: one of the columns is an identity column.
    """
    if findings := await find_identity(session):
        raise RenameRefusedError(session.target, findings, session.target.command(verb))
