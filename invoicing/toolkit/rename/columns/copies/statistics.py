"""Extended statistics: they are in a schema, with an owner and a target, of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from invoicing.toolkit.rename.columns.copies.model import Copy
from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.renamings import find_holder
from invoicing.toolkit.rename.table import has_column

if TYPE_CHECKING:
    import asyncpg

    from invoicing.toolkit.rename.columns.copies.model import Search
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.session import RenameSession

QUERY = f"""
SELECT s.oid, s.stxrelid AS relation, s.stxname AS name, n.nspname AS schema,
    pg_catalog.pg_get_statisticsobjdef_columns(s.oid) AS columns,
    -- Of one expression there are no kinds to choose from.
    CASE WHEN s.stxkind <> ARRAY['e']::"char"[] THEN ARRAY(SELECT k.name FROM unnest(
        ARRAY['ndistinct', 'dependencies', 'mcv'], ARRAY['d', 'f', 'm']) AS k (name, letter)
        WHERE k.letter::"char" = ANY (s.stxkind)) ELSE '{{}}' END AS kinds,
    nullif(s.stxstattarget, -1)::int AS target,
    CASE WHEN s.stxowner <> r.oid AND pg_catalog.pg_has_role(s.stxowner, 'MEMBER')
        THEN pg_catalog.pg_get_userbyid(s.stxowner) END AS owner,
    pg_catalog.obj_description(s.oid, 'pg_statistic_ext') AS comment
FROM unnest($1::oid[], $2::text[]::int2[]) WITH ORDINALITY AS t (relid, attnum, place)
JOIN pg_catalog.pg_statistic_ext AS s ON s.stxrelid = t.relid
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.stxnamespace
JOIN pg_catalog.pg_roles AS r ON r.rolname = current_user
WHERE {has_column("pg_statistic_ext", "s.oid", "s.stxkeys", "t")}
ORDER BY t.place, s.oid
"""


@dataclass(frozen=True, kw_only=True)
class StatisticsCopy(Copy):
    """Extended statistics of the new column.

    Attributes:
        columns: what they are of: columns and expressions.
        kinds: which of them are gathered; empty where there is no choice.
        target: how finely they are gathered; None for the default.
        owner: the role that owns them, where it is another than ours.
    """

    kind: ClassVar[str] = "statistics"
    columns: str
    kinds: tuple[str, ...]
    target: int | None
    owner: str | None

    @property
    def message(self) -> str | None:
        """Return what the plan says of them."""
        return f"{quote(self.name)} is made on the new column"

    def statements(self) -> list[str]:
        """Return what makes them."""
        kinds = f" ({', '.join(self.kinds)})" if self.kinds else ""
        of = f"{self.columns} FROM {self.table.sql}"
        made = [f"CREATE STATISTICS IF NOT EXISTS {self.sql_name}{kinds} ON {of}"]
        if self.target is not None:
            made.append(f"ALTER STATISTICS {self.sql_name} SET STATISTICS {self.target}")
        if self.owner is not None:
            # At once: another member of it may go on.
            made.append(f"ALTER STATISTICS {self.sql_name} OWNER TO {quote(self.owner)}")
        return made

    async def build(self, session: RenameSession) -> None:
        """Make them, and set their target before they are gathered."""
        for statement in self.statements():
            await session.ddl.long(statement)

    async def is_ready(self, connection: Connection) -> bool:
        """Tell whether they are there."""
        return self.unsupported is None and await self.holder(connection) is not None

    async def holder(self, connection: Connection) -> str | None:
        """Return the statistics of this name."""
        return await find_holder(connection, "STATISTICS", self.table.oid, self.schema, self.name)

    def settle(self) -> list[str]:
        """Return what gives them their name, comment and owner."""
        statements = []
        if self.name != self.final_name:
            rename = f"ALTER STATISTICS {self.sql_name} RENAME TO {quote(self.final_name)}"
            statements.append(rename)
        if self.comment is not None:
            on = f"COMMENT ON STATISTICS {self.final_sql_name}"
            statements.append(f"{on} IS {literal(self.comment)}")
        return statements


async def make(search: Search, rows: list[asyncpg.Record]) -> list[Copy]:
    """Return the copies of extended statistics."""
    return [
        StatisticsCopy(
            **shared,
            columns=text,
            kinds=tuple(row["kinds"]),
            target=row["target"],
            owner=row["owner"],
        )
        for row, shared, text in await search.rewritten("statistics", rows, "columns")
    ]
