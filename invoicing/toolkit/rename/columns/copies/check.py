"""CHECK constraints: added NOT VALID to the table, which its partitions inherit, then validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from invoicing.toolkit.rename.columns.copies.model import TableConstraintCopy
from invoicing.toolkit.rename.names import quote

if TYPE_CHECKING:
    import asyncpg

    from invoicing.toolkit.rename.columns.copies.model import Copy, Search
    from invoicing.toolkit.rename.session import RenameSession

# NOT ENFORCED came with 18.
QUERY = """
SELECT k.oid, k.conrelid AS relation, k.conname AS name, k.convalidated AS valid,
    k.connoinherit AS no_inherit, k.coninhcount > 0 AS inherited,
    coalesce(pg_catalog.to_jsonb(k) ->> 'conenforced', '') = 'false' AS not_enforced,
    pg_catalog.pg_get_expr(k.conbin, k.conrelid) AS expression,
    pg_catalog.obj_description(k.oid, 'pg_constraint') AS comment
FROM unnest($1::oid[], $2::text[]::int2[]) WITH ORDINALITY AS t (relid, attnum, place)
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.relid
WHERE k.contype = 'c' AND t.attnum = ANY (k.conkey)
ORDER BY t.place, k.oid
"""


@dataclass(frozen=True, kw_only=True)
class CheckCopy(TableConstraintCopy):
    """A CHECK constraint on the new column."""

    kind: ClassVar[str] = "check"
    expression: str
    no_inherit: bool
    not_enforced: bool

    @property
    def message(self) -> str | None:
        """Return what the plan says of it."""
        if self.inherited:
            return None
        then = ", then validated" if self.valid else "; not validated, as the original is not"
        return f"{quote(self.name)} is added NOT VALID{then}"

    @property
    def add(self) -> str:
        """Return the statement that adds it without looking at the rows."""
        inherit = " NO INHERIT" if self.no_inherit else ""
        end = "NOT ENFORCED" if self.not_enforced else "NOT VALID"
        check = f"CHECK ({self.expression}){inherit}"
        return f"{self.alter} ADD CONSTRAINT {quote(self.name)} {check} {end}"

    def statements(self) -> list[str]:
        """Return what makes it."""
        if self.inherited:
            return []
        return [self.add, self.validate] if self.valid else [self.add]

    async def build(self, session: RenameSession) -> None:
        """Add and validate it, from wherever an earlier run has left it."""
        validated = await self.validated(session.connection)
        if validated is None and not self.inherited:
            await session.ddl.short(self.add, also=[self.table.oid])
        if self.valid and not validated:
            await session.ddl.long(self.validate)


async def make(search: Search, rows: list[asyncpg.Record]) -> list[Copy]:
    """Return the copies of CHECK constraints."""
    own = ("no_inherit", "not_enforced", "inherited")
    return [
        CheckCopy(**shared, expression=text, **{name: row[name] for name in own})
        for row, shared, text in await search.rewritten("check", rows, "expression")
    ]
