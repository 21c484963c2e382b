"""What the gate asks while a view stands in the table's place: what the contract would break."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.model import PlanFinding
from invoicing.toolkit.rename.names import qualified, quote
from invoicing.toolkit.rename.strategy import Objections
from invoicing.toolkit.rename.view.changes import new_owner
from invoicing.toolkit.rename.view.shape import read_shape
from invoicing.toolkit.rename.view.sql import has_default
from invoicing.toolkit.rename.view.standing import read_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.view.shape import Shape
    from invoicing.toolkit.rename.view.standing import StandingView

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
    """Return what is missing or changed, and what depends on the view itself."""
    connection = session.connection
    shape = await read_shape(connection, session.table.oid, session.names)
    found = [*await changed(session), *await made_on_view(connection, shape.view)]
    noted = [finding for finding in found if finding.verdict == "noted"]
    noted += [
        PlanFinding("row-security", session.names.relation, "noted", message)
        for message in await unhidden(session)
    ]
    refused = [finding for finding in found if finding.verdict == "refused"]
    return Objections(refused, await has_rows(session), noted)


async def notes(context: RenameContext) -> list[str]:
    """Return what other hands have done to the view or to the table behind it, and what to run."""
    if context.table.base is None:
        return []
    view = (await read_shape(context.connection, context.table.oid, context.names)).view
    made = await made_on_view(context.connection, view)
    return [*map(str, [*await changed(context), *made]), *await unhidden(context)]


async def changed(context: RenameContext) -> list[PlanFinding]:
    """Return what is not as the rename left it: the view, its owner, or the counter of writes."""
    connection, names, target = context.connection, context.names, context.target
    noted = await state.load(connection, names)
    if noted is None or context.table.base is None or context.table.left is not None:
        return []
    if target.new not in context.table.columns:
        message = (
            "the column was dropped by other means, with its values. To give the table its name "
            f"back, run: {target.command('rollback')}"
        )
        return [PlanFinding("column-missing", quote(target.new), "refused", message)]
    shape = await read_shape(connection, context.table.oid, names)
    view = await read_view(connection, shape.view)
    again = f"Run: {target.command('expand')}"
    found = []
    if view is None:
        message = (
            "the view that stood in its place was dropped, and requests fail; no value is lost. "
            f"{again}, which makes it again; or {target.command('rollback')}, which gives the "
            "table its name back"
        )
        found.append(PlanFinding("view-missing", names.relation, "refused", message))
    elif view.base != shape.oid or not view.answers_to(names):
        message = (
            f"the view is not the rename's any more, but: {view.definition} {again}, which makes "
            "it again; the rollback drops it"
        )
        found.append(PlanFinding("view-changed", names.relation, "refused", message))
    else:
        found += _column_names(names, view)
        found += await _owners(connection, names, shape, noted.definition)
    if not await counts_writes(connection, shape.oid, names.count_trigger):
        message = f"is missing or disabled, so old-style writes are not counted. {again}"
        found.append(PlanFinding("triggers", names.count_trigger, "refused", message))
    return found


def _column_names(names: Names, view: StandingView) -> list[PlanFinding]:
    """Return the other columns that the view calls by another name than the table behind it."""
    base = qualified(view.schema, str(view.base_name))
    return [
        PlanFinding(
            "view-column",
            f"column {quote(shown)}",
            "refused",
            f"the table behind the view calls it {quote(column)}, and would after the contract. "
            f"Run: ALTER TABLE {base} RENAME COLUMN {quote(column)} TO {quote(shown)}; or ALTER "
            f"VIEW {names.relation} RENAME COLUMN {quote(shown)} TO {quote(column)};",
        )
        for shown, column in view.called(names).items()
        if column != shown
    ]


async def _owners(
    connection: Connection, names: Names, shape: Shape, definition: Mapping[str, Any]
) -> list[PlanFinding]:
    """Return that the view and the table behind it have two owners, and what makes it one."""
    view = await read_shape(connection, int(shape.view or 0), names)
    if view.owner == shape.owner:
        return []
    owner, base = new_owner(shape, view, definition), qualified(names.schema, shape.name)
    alter = f"TABLE {base}" if owner == view.owner else f"VIEW {names.relation}"
    message = (
        f"the view belongs to {view.owner}, and the table behind it to {shape.owner}: requests use "
        f"the table with the privileges of {view.owner}, and fail where it has none. Run: ALTER "
        f"{alter} OWNER TO {owner}; (the contract and the rollback do so too)"
    )
    return [PlanFinding("owner", names.relation, "noted", message)]


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
    """Tell whether a trigger of the rename's is on."""
    return bool(await connection.fetchval(_COUNTS, relation, trigger))


async def lacks_trigger(connection: Connection, names: Names, shape: Shape) -> bool:
    """Tell whether a trigger is off that the table behind the view needs."""
    needed = [names.count_trigger]
    if has_default(names, shape):
        needed.append(names.default_trigger)
    return not all([await counts_writes(connection, shape.oid, trigger) for trigger in needed])


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
