"""The units of a cluster: where each is, how large, and how many rows it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import explain
from invoicing.models import Account, Invoice, InvoiceLine
from invoicing.units.distribute import refuse_without_citus
from invoicing.units.questions import over_units

if TYPE_CHECKING:
    from invoicing.db import Database

_MODELS = (Account, Invoice, InvoiceLine)
_UNITS = text("""
    SELECT n.nspname::text AS name, shard.node, coalesce(shard.bytes, 0)::bigint AS bytes,
        count(c.oid) FILTER (WHERE has_schema_privilege(n.oid, 'USAGE')
            AND has_table_privilege(c.oid, 'SELECT')) AS readable
    FROM pg_dist_schema AS d JOIN pg_namespace AS n ON n.oid = d.schemaid
    LEFT JOIN (
        SELECT relnamespace, min(format('%s:%s', nodename, nodeport)) AS node,
            sum(shard_size) AS bytes
        FROM citus_shards JOIN pg_class ON oid = table_name GROUP BY 1
    ) AS shard ON shard.relnamespace = n.oid
    LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = ANY (:tables)
    GROUP BY 1, 2, 3 ORDER BY 1
""")


@dataclass(frozen=True)
class Unit:
    """A distributed schema.

    Attributes:
        schema: its name.
        node: the node that has it, as `host:port`; None while it has no table.
        bytes: the size of its tables there, indexes included.
        accounts, invoices, lines: its rows; None where it has no tables of ours, or this account
            may not read them.
    """

    schema: str
    node: str | None
    bytes: int
    accounts: int | None = None
    invoices: int | None = None
    lines: int | None = None


async def list_units(database: Database) -> list[Unit]:
    """Return every distributed schema, by name; all their rows are counted in one statement.

    Raises:
        NoCitusError: the database has no Citus that distributes schemas.
    """
    try:
        async with database.transaction() as session:
            await refuse_without_citus(session, database)
            tables = [model.__tablename__ for model in _MODELS]
            rows = (await session.execute(_UNITS, {"tables": tables})).all()
            readable = [row.name for row in rows if row.readable == len(_MODELS)]
            counts = (select(func.count()).select_from(model) for model in _MODELS)
            statement = select(*(count.scalar_subquery() for count in counts))
            counted = {row[0]: row[1:] for row in await over_units(session, readable, statement)}
    except DBAPIError as error:
        raise explain(error) from None
    return [Unit(row.name, row.node, row.bytes, *counted.get(row.name, ())) for row in rows]
