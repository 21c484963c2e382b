"""What Citus knows of a schema: whether it is distributed, and where its tables are.

Citus is asked only where its extension is; what it adds to the catalog is not there elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

_HAS_CITUS = text("SELECT to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL")
_SHARDS = text("""
    SELECT c.relname::text, shard_name(s.logicalrelid, s.shardid)
    FROM pg_dist_shard AS s JOIN pg_class AS c ON c.oid = s.logicalrelid
    JOIN pg_dist_schema AS d ON d.schemaid = c.relnamespace
    WHERE c.relnamespace = CAST(:schema AS regnamespace)
""")
_IS_DISTRIBUTED = text("""
    SELECT EXISTS (SELECT FROM pg_dist_schema
        WHERE schemaid = CAST(quote_ident(current_schema()) AS regnamespace))
""")


async def has_citus(session: AsyncSession | AsyncConnection) -> bool:
    """Tell whether the database has Citus, of a version that distributes schemas."""
    return bool(await session.scalar(_HAS_CITUS))


async def shards_of(session: AsyncSession | AsyncConnection, schema: str) -> dict[str, str]:
    """Return what each table of a distributed schema is called on its node, qualified.

    Args:
        session: any session.
        schema: its name, quoted; empty is returned for one that is not distributed.
    """
    if not await has_citus(session):
        return {}
    rows = await session.execute(_SHARDS, {"schema": schema})
    return {row[0]: row[1] for row in rows}


async def is_distributed(session: AsyncSession | AsyncConnection) -> bool:
    """Tell whether the schema that is worked in is spread over the nodes."""
    if not await has_citus(session):
        return False
    return bool(await session.scalar(_IS_DISTRIBUTED))
