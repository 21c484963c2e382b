"""Foreign keys that refer to the column: made again to the new one before the old ones go.

Only of a change of the type that keeps the name: any column of a type that can be compared with the
new one may refer to it, so that the referring columns are changed by themselves, before or after.
Until the contract both keys are checked, and both hold, for the referred columns are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from invoicing.toolkit.rename.columns.copies.foreign_key import DESCRIBED, ForeignKeyCopy
from invoicing.toolkit.rename.names import qualified, quote
from invoicing.toolkit.rename.table import ResolvedTable

if TYPE_CHECKING:
    import asyncpg

    from invoicing.toolkit.rename.columns.copies.model import Copy, Search
    from invoicing.toolkit.rename.context import RenameContext

# The last is whether the new type's own operators compare it with that of the referring column.
_QUERY = """
SELECT k.oid, k.conrelid, n.nspname AS schema, c.relname AS table, c.relkind = 'p' AS partitioned,
    k.conname AS name, k.convalidated AS valid, k.confrelid AS refers,
    {described}
    pg_catalog.obj_description(k.oid, 'pg_constraint') AS comment,
    pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned, h.attname::text AS referring,
    pg_catalog.format_type(h.atttypid, h.atttypmod) AS type,
    h.atttypid = t.oid OR EXISTS (SELECT FROM pg_catalog.pg_amop AS p
        JOIN pg_catalog.pg_am AS m ON m.oid = p.amopmethod AND m.amname = 'btree'
        WHERE p.amoplefttype = t.oid AND p.amoprighttype = h.atttypid AND p.amopstrategy = 3
    ) AS fits
FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS r ON r.attrelid = k.confrelid AND r.attname = $2
JOIN pg_catalog.pg_attribute AS h ON h.attrelid = k.conrelid
    AND h.attnum = k.conkey[pg_catalog.array_position(k.confkey, r.attnum)]
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = $3::pg_catalog.text::pg_catalog.regtype,
    (VALUES ('{"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}'::jsonb)
    ) AS w (actions)
WHERE k.contype = 'f' AND k.confrelid = $1 AND k.conparentid = 0 AND r.attnum = ANY (k.confkey)
ORDER BY k.oid
""".replace("{described}", DESCRIBED)


@dataclass(frozen=True, kw_only=True)
class ReferencingCopy(ForeignKeyCopy):
    """A foreign key of a table, this one perhaps, that refers to the new column.

    Attributes:
        referring: the column that refers to it.
        type: that column's.
        fits: whether it can be compared with the new type.
    """

    kind: ClassVar[str] = "referencing"
    referring: str
    type: str
    fits: bool

    @property
    def drop_original(self) -> str:
        """Return what the contract does before it drops what the original refers to."""
        return f"{self.alter} DROP CONSTRAINT {quote(self.old_name)}"


async def find(context: RenameContext, column: str) -> list[asyncpg.Record]:
    """Return the foreign keys that refer to one of the two columns."""
    made = context.conversion
    type_ = None if made is None else made.new.type
    rows: list[asyncpg.Record] = await context.connection.fetch(
        _QUERY, context.table.oid, column, type_
    )
    return rows


async def make(search: Search) -> list[Copy]:
    """Return the copies of them."""
    if not search.target.keeps_name:
        return []
    rows = await find(search, search.target.old)
    return [_copy(search, row) for row in rows]


def _copy(search: Search, row: asyncpg.Record) -> ReferencingCopy:
    old, new = search.target.old, search.target.new
    name, final_name = search.names_for(row["name"])
    columns = ", ".join(map(quote, row["columns"]))
    referred = ", ".join(quote(new if each == old else each) for each in row["referred_columns"])
    table = qualified(search.table.schema, search.table.name)
    return ReferencingCopy(
        oid=row["oid"],
        table=ResolvedTable(row["conrelid"], row["schema"], row["table"]),
        schema=row["schema"],
        old_name=row["name"],
        name=name,
        final_name=final_name,
        valid=row["valid"],
        comment=row["comment"],
        unsupported=_unsupported(search, row),
        definition=f"FOREIGN KEY ({columns}) REFERENCES {table} ({referred}){row['rules']}",
        refers=row["refers"],
        not_enforced=row["not_enforced"],
        referred_part=False,
        parent=None,
        referring=row["referring"],
        type=row["type"],
        fits=row["fits"],
    )


def _unsupported(search: Search, row: asyncpg.Record) -> str | None:
    if row["partitioned"] or len(search.tables) > 1:
        return "one of the two tables is partitioned"
    if row["conrelid"] == row["refers"] and search.target.old in row["columns"]:
        return "it refers to the column from the column itself"
    if not row["owned"]:
        return f"{row['schema']}.{row['table']} belongs to another account"
    return "its ON DELETE names columns, or it is about a PERIOD" if row["unsupported"] else None
