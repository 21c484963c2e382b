"""What the gate asks while a view stands in the table's place: what the contract would break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.model import PlanFinding
from invoicing.toolkit.rename.names import qualified
from invoicing.toolkit.rename.strategy import Objections
from invoicing.toolkit.rename.view.shape import read_shape

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.session import RenameSession

# What would be dropped with the view, or keeps it from being dropped.
_ON_THE_VIEW = """
SELECT pg_describe_object(t.classid, t.objid, t.objsubid) FROM (
    SELECT 'pg_trigger'::regclass::oid AS classid, oid AS objid, 0 AS objsubid
    FROM pg_trigger WHERE tgrelid = $1
    UNION SELECT 'pg_rewrite'::regclass, oid, 0 FROM pg_rewrite
    WHERE ev_class = $1 AND rulename <> '_RETURN'
    UNION SELECT d.classid, d.objid, d.objsubid FROM pg_depend AS d
    JOIN pg_class AS v ON v.oid = $1
    JOIN pg_type AS y ON y.oid = v.reltype
    WHERE d.deptype = 'n' AND (d.refclassid, d.refobjid) IN (('pg_class'::regclass, v.oid),
        ('pg_type'::regclass, y.oid), ('pg_type'::regclass, y.typarray))
        AND NOT (d.classid = 'pg_rewrite'::regclass
            AND EXISTS (SELECT FROM pg_rewrite WHERE oid = d.objid AND ev_class = $1))) AS t
ORDER BY 1
"""
_COUNTS = """
SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1 AND tgname = $2 AND tgenabled = 'A')
"""


# The view's option may be written as true, on or 1.
_UNHIDDEN = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_class AS v
        ON v.relnamespace = c.relnamespace AND v.relname = $2 AND v.relkind = 'v'
    WHERE c.oid = $1 AND c.relrowsecurity AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_options_to_table(v.reloptions)
        WHERE option_name = 'security_invoker' AND option_value::bool))
"""


async def objections(session: RenameSession) -> Objections:
    """Return what is missing, and what depends on the view itself."""
    connection, names = session.connection, session.names
    shape = await read_shape(connection, session.table.oid, names)
    again = f"Run: {session.target.command('expand')}; then verify it"
    found = []
    if shape.view is None:
        message = f"the view that stood in its place was dropped. {again}"
        found.append(PlanFinding("view-missing", names.relation, "refused", message))
    if not await counts_writes(connection, shape.oid, names.count_trigger):
        message = f"is missing or disabled, so old-style writes are not counted. {again}"
        found.append(PlanFinding("triggers", names.count_trigger, "refused", message))
    found += await made_on_view(connection, shape.view)
    noted = [
        PlanFinding("row-security", names.relation, "noted", message)
        for message in await unhidden(session)
    ]
    return Objections(found, await has_rows(session), noted)


async def unhidden(context: RenameContext) -> list[str]:
    """Say that the view shows rows which row security hides: it was enabled after the expand."""
    names = context.names
    if not await context.connection.fetchval(_UNHIDDEN, context.table.oid, names.table):
        return []
    message = (
        "row security is enabled on the table behind the view, and the view shows every row. Run: "
        f"ALTER VIEW {names.relation} SET (security_invoker = true) (PostgreSQL 15)"
    )
    return [message]


async def has_rows(session: RenameSession) -> bool:
    """Tell whether there is anything in the table; statistics may not know yet."""
    shape = await read_shape(session.connection, session.table.oid, session.names)
    base = qualified(session.names.schema, shape.name)
    return bool(await session.connection.fetchval(f"SELECT EXISTS (SELECT FROM {base})"))


async def counts_writes(connection: Connection, relation: int, trigger: str) -> bool:
    """Tell whether the counter of old-style writes is on."""
    return bool(await connection.fetchval(_COUNTS, relation, trigger))


async def made_on_view(connection: Connection, view: int | None) -> list[PlanFinding]:
    """Return what was made on the view while it stood, and would go with it."""
    if view is None:
        return []
    message = (
        "was created while the view stood in the table's place, and depends on the view. Drop it, "
        "and recreate it on the table afterwards"
    )
    rows = await connection.fetch(_ON_THE_VIEW, view)
    return [PlanFinding("on-the-view", row[0], "refused", message) for row in rows]
