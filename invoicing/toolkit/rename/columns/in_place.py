"""A contract by PostgreSQL's own RENAME, for columns of which nothing else can take the place.

A key that others refer to, a primary key, an exclusion constraint or a column that is computed from
this one cannot be built again on another column without a long lock. Where there is such a thing,
the contract drops the new column, gives the old one its name, and PostgreSQL takes along whatever
is on it. Until then both columns are equal as in every rename, so that a constraint on the one
holds for what is written by the other, and copies on the new one serve those who use its name.

What was made on the new column by hand would go with it: the gate names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns import marks, sync, triggers
from invoicing.toolkit.rename.columns.copies.made import read_made
from invoicing.toolkit.rename.columns.copies.properties import given_by_hand
from invoicing.toolkit.rename.dependents.kind import TREE
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import OWN_TRIGGERS, quote
from invoicing.toolkit.rename.renamings import find_renamings, rename_statement, why_taken
from invoicing.toolkit.rename.table import find_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoicing.toolkit.rename.columns.copies import Copy
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.renamings import Renaming
    from invoicing.toolkit.rename.session import RenameSession

# Everything on the new column but the rename's own triggers and default, and the table's triggers
# that fire on both. What PostgreSQL made on a partition is the parent's, and goes with it.
# $1 is the table, $2 the new column, $3 the old one.
ON_NEW = f"""
WITH {TREE}, named AS (
    SELECT h.*, pg_describe_object(h.classid, h.objid, h.objsubid) AS subject,
        coalesce(i.relname, k.conname, s.stxname) AS name, k.contype
    FROM hanging AS h
    LEFT JOIN pg_catalog.pg_class AS i ON h.classid = 'pg_class'::regclass AND i.oid = h.objid
    LEFT JOIN pg_catalog.pg_constraint AS k ON h.classid = 'pg_constraint'::regclass
        AND k.oid = h.objid
    LEFT JOIN pg_catalog.pg_statistic_ext AS s ON h.classid = 'pg_statistic_ext'::regclass
        AND s.oid = h.objid
)
SELECT DISTINCT subject, name::text, contype::text FROM named WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS t WHERE classid = 'pg_trigger'::regclass
        AND t.oid = objid AND (t.tgname ~ '{OWN_TRIGGERS}' OR t.tgparentid <> 0 OR EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attname = $3
            WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.tgrelid)))
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS p
        WHERE classid = 'pg_class'::regclass AND p.inhrelid = objid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS p
        WHERE classid = 'pg_constraint'::regclass AND p.oid = objid AND p.conparentid <> 0)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef AS f WHERE f.oid = objid
        AND classid = 'pg_attrdef'::regclass AND f.adrelid = relid AND f.adnum = attnum)
ORDER BY 1
"""


async def in_place_findings(
    context: RenameContext, kept: Sequence[str], copies: Iterable[Copy]
) -> list[PlanFinding]:
    """Return what the plan says of it, and the names that are taken."""
    if not kept:
        return []
    old, new = quote(context.target.old), quote(context.target.new)
    message = (
        f"the contract drops {new} and renames {old} itself, in one transaction, for what can be "
        f"built on no other column stays on it: {'; '.join(kept)}"
    )
    found = [PlanFinding("in-place", old, "noted", message)]
    called = {copy.name for copy in copies}
    for renaming in await _renamings(context):
        taken = await why_taken(context.connection, renaming)
        if renaming.new_name not in called and taken is not None:
            subject = f"{quote(renaming.name)} ON {renaming.table}"
            found.append(refused("name-taken", subject, taken))
    return found


async def on_new(session: RenameSession, copies: Iterable[Copy]) -> list[PlanFinding]:
    """Return what was made on the new column by hand, and would be dropped with it."""
    target = session.target
    by_hand = {made.name for made in await read_made(session) if made.by_hand}
    known = {copy.name for copy in copies} - by_hand | {session.names.not_null_check}
    rows = await session.connection.fetch(ON_NEW, session.table.oid, target.new, target.old)
    message = (
        f"is on {quote(target.new)}, which the contract drops, for {quote(target.old)} itself gets "
        f"its name. Make it on {quote(target.old)} and drop it here, or drop it and make it again "
        "after the contract"
    )
    found = [row["subject"] for row in rows if row["name"] not in known and row["contype"] != "n"]
    for table in await find_tree(session.connection, session.table, target):
        new = table.columns.get(target.new)
        if new is not None and new.not_null and not table.columns[target.old].not_null:
            found.append(f"NOT NULL of table {table.sql}")
    return [refused("unfinished", subject, message) for subject in found]


async def statements(session: RenameSession) -> list[str]:
    """Return what the contract runs in one transaction: everything in it is only the catalog."""
    own = [*await given_by_hand(session), *await triggers.on_old(session)]
    return in_place_statements(session.names, own, await renames(session))


def in_place_statements(names: Names, own: Sequence[str], renamed: Sequence[str]) -> list[str]:
    """Return it of what is known.

    Args:
        names: the rename's.
        own: what gives the old column what was changed on the new one, and makes the table's own
            triggers what they were.
        renamed: what changes the names that have the column's in them.
    """
    old, new, table = quote(names.old), quote(names.new), names.relation
    return [
        f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
        *sync.drop_triggers(names),
        *marks.unmark_statements(names, names.old),
        *own,
        f"ALTER TABLE {table} DROP COLUMN {new}",
        f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}",
        *renamed,
    ]


async def renames(context: RenameContext) -> list[str]:
    """Return what changes the names of indexes, constraints and statistics."""
    return [rename_statement(renaming) for renaming in await _renamings(context)]


async def _renamings(context: RenameContext) -> list[Renaming]:
    table, names = context.table, context.names
    return await find_renamings(context.connection, table.oid, names, names.old)
