"""Distribute a schema: its tables move to one node, all together, and keep their names.

Citus copies the rows in one transaction, in which writers wait; what is left on the coordinator
afterwards is emptied. Every step looks first whether it was done, so that a run that was
interrupted is run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db.citus import has_citus, is_distributed, shards_of
from invoicing.db.refusal import explain
from invoicing.db.url import quoted
from invoicing.errors import UsageError
from invoicing.models import Account
from invoicing.rollup import build_rollup, drop_rollup, rollup_state
from invoicing.toolkit.rename.names import literal
from invoicing.units.errors import CannotDistributeError, NoCitusError, NotAUnitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoicing.db import AsyncSession, Database

OURS = (*(table.name for table in Account.metadata.sorted_tables), "alembic_version")
_CITUS = text("""
    SELECT (SELECT extversion FROM pg_extension WHERE extname = 'citus') AS version,
        EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citus') AS available
""")
_TABLES = text("""
    SELECT relname::text AS name, greatest(reltuples, 0)::bigint AS rows,
        pg_total_relation_size(oid) AS bytes
    FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace) AND relkind IN ('r', 'p')
    ORDER BY relname
""")
_NODES = text("""
    SELECT format('%s:%s', nodename, nodeport) FROM pg_dist_node
    WHERE noderole = 'primary' AND isactive AND shouldhaveshards ORDER BY 1
""")
_BLOCKING = text("""
    SELECT format('%s of %s leads to another schema: drop that foreign key', conname,
        conrelid::regclass) AS reason
    FROM pg_constraint AS f JOIN pg_class AS a ON a.oid = f.conrelid
    JOIN pg_class AS b ON b.oid = f.confrelid
    WHERE f.contype = 'f' AND a.relnamespace <> b.relnamespace
        AND CAST(:schema AS regnamespace) IN (a.relnamespace, b.relnamespace)
    UNION ALL
    SELECT format('a rename of %s is under way: finish it (invoicing rename contract), or take it '
        'back (invoicing rename rollback)', c.oid::regclass)
    FROM pg_class AS c WHERE c.relnamespace = CAST(:schema AS regnamespace) AND EXISTS (
        SELECT FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
        WHERE t.tgrelid = c.oid AND p.pronamespace = to_regnamespace('invoicing_rename'))
    UNION ALL
    SELECT format('%s may not do it: %s owns the schema', current_user, nspowner::regrole)
    FROM pg_namespace WHERE oid = CAST(:schema AS regnamespace)
        AND NOT pg_has_role(nspowner, 'USAGE')
    ORDER BY 1
""")
_MOVE = text("""
    SELECT format('ALTER TABLE public.%I SET SCHEMA %I', relname, CAST(:unit AS text))
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND relname = ANY (:tables)
    UNION ALL
    SELECT format('ALTER TYPE public.%I SET SCHEMA %I', typname, CAST(:unit AS text))
    FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typname = 'invoice_status'
    UNION ALL
    SELECT format('ALTER FUNCTION public.%I() SET SCHEMA %I', proname, CAST(:unit AS text))
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = 'set_updated_at'
""")
_DISTRIBUTE = "SELECT citus_schema_distribute({literal})"
_EMPTY = "SELECT truncate_local_data_after_distributing_table({literal})"


@dataclass(frozen=True)
class LocalTable:
    """A table of the schema: about how many rows it has, and its bytes on the coordinator."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class DistributionPlan:
    """What `distribute` would do.

    Attributes:
        schema: the schema's name.
        distributed: whether it is distributed already.
        tables: its tables; of a distributed one those whose rows are left on the coordinator.
        nodes: where a schema may go; Citus takes them in turn.
        rolled_up: whether the roll-up is dropped first, and built again on its node.
    """

    schema: str
    distributed: bool
    tables: list[LocalTable]
    nodes: list[str]
    rolled_up: bool

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return self.distributed and not self.tables

    @property
    def statements(self) -> list[str]:
        """The statements, in their order."""
        schema = quoted(self.schema)
        move = [] if self.distributed else [_DISTRIBUTE.format(literal=literal(schema))]
        names = (f"{schema}.{quoted(table.name)}" for table in self.tables)
        return move + [_EMPTY.format(literal=literal(name)) for name in names]


async def plan_distribution(database: Database) -> DistributionPlan:
    """Look what distributing the schema takes; nothing is changed.

    Raises:
        NoCitusError: the database has no Citus that distributes schemas.
        NotAUnitError: INVOICING_SCHEMA is not set, or names the public schema.
        CannotDistributeError: something keeps it from being distributed; all of it is named.
    """
    async with database.transaction() as session:
        await refuse_without_citus(session, database)
        schema = database.settings.database_schema
        if schema is None or schema == "public":
            given = {"unit": NotAUnitError.unit, "tables": list(OURS)}
            raise NotAUnitError(list(await session.scalars(_MOVE, given)))
        if await session.scalar(text("SELECT current_schema()")) != schema:
            message = (
                f"DATABASE_URL sets a search_path of its own, and INVOICING_SCHEMA is {schema!r}. "
                "Nothing was changed. Take the search_path out of the URL's options"
            )
            raise UsageError(message)
        there = await is_distributed(session)
        nodes = list(await session.scalars(_NODES))
        given = {"schema": quoted(schema)}
        reasons = [] if there else list(await session.scalars(_BLOCKING, given))
        if not nodes:
            reasons.append("no node may hold it: SELECT citus_add_node('host', 5432)")
        if reasons:
            raise CannotDistributeError(schema, reasons)
        tables = [LocalTable(*row) for row in await session.execute(_TABLES, given)]
        names = {table.name for table in tables}
        if there:
            tables = await _left(session, schema, tables)
        rolled_up = not there and "invoice_rollup" in names
        rolled_up = rolled_up and (await rollup_state(session)).usable
    return DistributionPlan(schema, there, tables, nodes, rolled_up)


async def distribute(
    database: Database, *, progress: Callable[[str], None] | None = None
) -> DistributionPlan:
    """Do what the plan says, as far as it is not done; return the plan.

    Raises:
        StatementFailedError: Citus or the server refused; of the step nothing was kept.
    """
    show = progress or (lambda _: None)
    plan = await plan_distribution(database)
    if plan.rolled_up:
        show("dropping the roll-up, whose triggers do not know another node")
        await drop_rollup(database)
    for statement in plan.statements:
        show(statement)
        try:
            async with database.transaction() as session:
                await session.execute(text("SET LOCAL statement_timeout = 0"))
                await session.execute(text("SET LOCAL client_min_messages = warning"))
                # By the driver: a colon in a name is no parameter.
                await (await session.connection()).exec_driver_sql(statement)
        except DBAPIError as error:
            raise explain(error) from None
    if plan.rolled_up:
        show("building the roll-up")
        await build_rollup(database)
    return plan


async def refuse_without_citus(session: AsyncSession, database: Database) -> None:
    """Refuse a database in which no schema can be distributed.

    Raises:
        NoCitusError: it has no Citus, or one before 12.
    """
    if not await has_citus(session):
        row = (await session.execute(_CITUS)).one()
        raise NoCitusError(database.shown_url, version=row.version, available=row.available)


async def _left(session: AsyncSession, schema: str, tables: list[LocalTable]) -> list[LocalTable]:
    """Return the tables of which the coordinator still has rows that no statement sees."""
    shards = await shards_of(session, quoted(schema))
    pages = text("SELECT pg_relation_size(CAST(:table AS regclass))")
    left = []
    for table in tables:
        name = f"{quoted(schema)}.{quoted(table.name)}"
        if table.name in shards and await session.scalar(pages, {"table": name}):
            left.append(table)
    return left
