"""Partitions that were detached while the rename was under way, and what it left on them.

PostgreSQL takes the row triggers along with the detach, so nothing keeps the two columns of such a
table equal any more; the statements' triggers, the defaults and the NOT NULL stay. Where that is
found it is named; the expand, the contract and the rollback take it off. The table keeps both
columns with their values: which of them it is to have is for its owner to say.

It does not see a detached table whose statement triggers were dropped by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.columns import ranges
from invoicing.toolkit.rename.columns.marks import is_marked, original
from invoicing.toolkit.rename.model import PlanFinding
from invoicing.toolkit.rename.names import MARK, quote

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession

# Its statement triggers tell it from a table that was made LIKE this one. Parents come first.
_DETACHED = f"""
SELECT {MARK} c.oid, format('%I.%I', n.nspname, c.relname) AS sql,
    i.inhparent IS NULL AS is_root,
    o.attname IS NOT NULL AS has_old, w.attname IS NOT NULL AS has_new,
    coalesce(o.attnotnull, false) AS old_not_null,
    coalesce(w.attnotnull, false) AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS x
        WHERE x.indrelid = c.oid AND x.indisprimary AND w.attnum = ANY (x.indkey)) AS new_not_null,
    CASE WHEN {is_marked("e.old")} THEN {original("e.old")} ELSE e.old END AS default_of_old,
    {is_marked("e.old")} AS old_marked, {is_marked("e.new")} AS new_marked
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid
LEFT JOIN pg_catalog.pg_attribute AS o ON o.attrelid = c.oid AND o.attname = $3
    AND NOT o.attisdropped
LEFT JOIN pg_catalog.pg_attribute AS w ON w.attrelid = c.oid AND w.attname = $4
    AND NOT w.attisdropped
CROSS JOIN LATERAL (SELECT
    (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef AS d
        WHERE d.adrelid = c.oid AND d.adnum = o.attnum) AS old,
    (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef AS d
        WHERE d.adrelid = c.oid AND d.adnum = w.attnum) AS new) AS e
WHERE c.oid IN (SELECT tgrelid FROM pg_catalog.pg_trigger WHERE tgname = ANY ($2::text[]))
    AND c.oid NOT IN (SELECT $1::oid UNION
        SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass))
ORDER BY i.inhparent IS NOT NULL, c.oid
"""


class Detached(NamedTuple):
    """A table that was a partition when the rename began.

    Attributes:
        is_root: whether it is a part of no other table now.
        new_not_null: whether the new column is NOT NULL, which only the rename can have made it.
        default_of_old: what the old column had before the rename.
        old_marked, new_marked: whether the column has a default of the rename's.
    """

    oid: int
    sql: str
    is_root: bool
    has_old: bool
    has_new: bool
    old_not_null: bool
    new_not_null: bool
    default_of_old: str | None
    old_marked: bool
    new_marked: bool

    def cleaned_by(self, names: Names) -> list[str]:
        """Return what takes off it what the rename has put there; no value is touched."""
        drops = [f"DROP TRIGGER IF EXISTS {quote(name)} ON {self.sql}" for name in names.triggers]
        alter = f"ALTER TABLE ONLY {self.sql} ALTER COLUMN"
        default = f"SET DEFAULT {self.default_of_old}" if self.default_of_old else "DROP DEFAULT"
        if self.old_marked:
            drops.append(f"{alter} {quote(names.old)} {default}")
        if self.new_marked:
            drops.append(f"{alter} {quote(names.new)} DROP DEFAULT")
        if self.is_root:
            check = f"DROP CONSTRAINT IF EXISTS {quote(names.not_null_check)}"
            drops.append(f"ALTER TABLE {self.sql} {check}")
            if self.new_not_null:
                drops.append(
                    f"ALTER TABLE {self.sql} ALTER COLUMN {quote(names.new)} DROP NOT NULL"
                )
        return drops

    def finished_by(self, names: Names) -> str:
        """Return the statements for its owner, who has to choose one of its columns."""
        old, new, alter = quote(names.old), quote(names.new), f"ALTER TABLE {self.sql}"
        made = names.conversion
        value = old if made is None else made.new.expression
        keep = [f"UPDATE {self.sql} SET {new} = {value} WHERE {new} IS NULL AND {old} IS NOT NULL;"]
        if self.default_of_old and not (made and made.scaled):
            keep.append(f"{alter} ALTER COLUMN {new} SET DEFAULT {self.default_of_old};")
        if self.old_not_null:
            keep.append(f"{alter} ALTER COLUMN {new} SET NOT NULL;")
        keep.append(f"{alter} DROP COLUMN {old};")
        same = f"SELECT count(*) FROM {self.sql} WHERE {value} IS DISTINCT FROM {new};"
        return (
            f"rows that differ: {same} to keep {new}: {' '.join(keep)} to keep {old}, if no row "
            f"was written by {new} alone: {alter} DROP COLUMN {new};"
        )

    def finding(self, names: Names) -> PlanFinding:
        """Return it as the gate says it."""
        return PlanFinding("detached", self.sql, "noted", self.message(names))

    def message(self, names: Names) -> str:
        """Return what it is now, and what its owner has to run."""
        both = f"{quote(names.old)} and {quote(names.new)}"
        return (
            f"was detached while the rename was under way. It keeps {both}, which nothing keeps "
            "equal there, and until the rename's defaults, triggers and NOT NULL are off it, "
            f"writes to it may fail. They are taken off by {names.command('expand')}, and by "
            f"contract and rollback. Then finish it by hand: {self.finished_by(names)}"
        )


async def find_detached(context: RenameContext) -> list[Detached]:
    """Return the tables that have left the tree with something of the rename's on them."""
    names = context.names
    rows = await context.connection.fetch(
        _DETACHED, context.table.oid, names.statement_triggers, names.old, names.new
    )
    return [Detached(*row) for row in rows]


async def notes(context: RenameContext) -> list[str]:
    """Return what to say of them."""
    return [
        f"{detached.sql} {detached.message(context.names)}"
        for detached in await find_detached(context)
        if detached.is_root and detached.has_old and detached.has_new
    ]


async def clean(session: RenameSession) -> None:
    """Take off the detached tables what the rename has left there; the journal says of which."""
    connection, names = session.connection, session.names
    found = await find_detached(session)
    if not found:
        return
    said = await notes(session)
    locks = [f"LOCK TABLE {table.sql} IN ACCESS EXCLUSIVE MODE" for table in found]
    statements = [statement for table in found for statement in table.cleaned_by(names)]
    oids = [table.oid for table in found]
    await session.ddl.short(*locks, *statements, also=oids)
    # Attached again, it is to be filled again.
    if await state.has_state(connection):
        await ranges.forget_tables(connection, names, oids)
    session.entry.result["detached"] = said
