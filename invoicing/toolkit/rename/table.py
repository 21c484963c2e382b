"""The table of a rename and its columns, as the catalog has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from invoicing.errors import UsageError
from invoicing.toolkit.rename import nodes
from invoicing.toolkit.rename.columns.marks import original
from invoicing.toolkit.rename.grants import GRANTEE, GRANTOR, LOST, Grant
from invoicing.toolkit.rename.names import qualified
from invoicing.toolkit.rename.view.standing import read_view, rename_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import asyncpg

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.names import Names

# Types whose `=` says true only of values that are the same byte by byte.
EXACT = frozenset(
    {"bool", "int2", "int4", "int8", "oid", "uuid", "bytea", "money", "char", "name"}
    | {"date", "time", "timestamp", "timestamptz"}
)
# The schemas that the client's session looks in: ours is pinned, and has kept them.
_SCHEMAS = (
    "coalesce(nullif(current_setting('invoicing.schemas', true), '')::name[], "
    "current_schemas(true))"
)
_TABLE = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind = 'v' AS is_view,
    to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL AS may_be_shard
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = coalesce($2,
    (SELECT s.name FROM unnest({_SCHEMAS}) WITH ORDINALITY AS s (name, place)
     JOIN pg_catalog.pg_namespace AS sn ON sn.nspname = s.name
     JOIN pg_catalog.pg_class AS sc ON sc.relnamespace = sn.oid AND sc.relname = $1
     ORDER BY s.place LIMIT 1))
"""
# The table behind the view that a rename has put in its place (see `view`).
_BEHIND = f"""
SELECT c.oid, r.schema_name AS nspname, r.table_name AS relname, c.relname AS base
FROM invoicing_rename.rename AS r JOIN pg_catalog.pg_namespace AS n ON n.nspname = r.schema_name
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = r.definition ->> 'base'
WHERE r.phase <> 'contracted' AND r.table_name = $1
    AND c.relkind IN ('r', 'p') AND (r.schema_name = $2
        OR $2::text IS NULL AND r.schema_name = ANY ({_SCHEMAS}))
ORDER BY array_position({_SCHEMAS}, n.nspname) LIMIT 1
"""
_COLLATED = """CASE WHEN a.attcollation <> b.typcollation THEN (
        SELECT quote_ident(cn.nspname) || '.' || quote_ident(cl.collname)
        FROM pg_catalog.pg_collation AS cl
        JOIN pg_catalog.pg_namespace AS cn ON cn.oid = cl.collnamespace
        WHERE cl.oid = a.attcollation) END"""
# A domain without its constraints: what it is made of in the end.
_BASE = """(WITH RECURSIVE base AS (
        SELECT t.typbasetype AS oid, t.typtypmod AS typmod, 1 AS level WHERE t.typtype = 'd'
        UNION ALL SELECT b.typbasetype, CASE WHEN base.typmod = -1 THEN b.typtypmod
            ELSE base.typmod END, base.level + 1
        FROM base JOIN pg_catalog.pg_type AS b ON b.oid = base.oid AND b.typtype = 'd')
    SELECT {what} FROM base JOIN pg_catalog.pg_type AS b ON b.oid = base.oid
    ORDER BY base.level DESC LIMIT 1)"""
_COLUMNS = f"""
SELECT a.attrelid, a.attname AS name, a.attnum,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname::text ELSE '' END
        AS type_name, t.typtype::text AS type_kind, a.attnotnull AS not_null,
    a.attidentity::text AS identity, a.attgenerated::text AS generated,
    {original("pg_catalog.pg_get_expr(d.adbin, d.adrelid)")} AS expression,
    -- A type of C code keeps its default as the text of a value, a domain as an expression.
    coalesce(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), quote_literal(t.typdefault)
        || '::' || format_type(t.oid, NULL)) AS type_default,
    CASE WHEN a.attcollation <> t.typcollation THEN (
        SELECT quote_ident(cn.nspname) || '.' || quote_ident(cl.collname)
        FROM pg_catalog.pg_collation AS cl
        JOIN pg_catalog.pg_namespace AS cn ON cn.oid = cl.collnamespace
        WHERE cl.oid = a.attcollation) END AS collation,
    (SELECT cl.collisdeterministic FROM pg_catalog.pg_collation AS cl
     WHERE cl.oid = a.attcollation) AS deterministic,
    pg_catalog.col_description(a.attrelid, a.attnum) AS comment,
    nullif(a.attstattarget, -1) AS statistics, a.attoptions AS options,
    CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END AS storage,
    t.typstorage::text AS usual_storage, nullif(a.attcompression::text, '') AS compression,
    a.attinhcount AS inherited,
    {_BASE.format(what="format_type(base.oid, base.typmod)")} AS base_type,
    {_BASE.format(what=_COLLATED)} AS base_collation,
    EXISTS (WITH RECURSIVE base AS (SELECT t.oid, t.typbasetype, t.typnotnull UNION ALL
            SELECT b.oid, b.typbasetype, b.typnotnull FROM pg_catalog.pg_type AS b
            JOIN base ON b.oid = base.typbasetype)
        SELECT FROM base WHERE typnotnull OR EXISTS (
            SELECT FROM pg_catalog.pg_constraint WHERE contypid = base.oid)) AS constrained_type,
    EXISTS (SELECT FROM pg_catalog.pg_depend AS p WHERE p.refclassid = 'pg_class'::regclass
        AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'a'
        AND p.classid = 'pg_class'::regclass
        AND (SELECT relkind FROM pg_catalog.pg_class WHERE oid = p.objid) = 'S') AS owns_sequence
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY ($1::oid[]) AND a.attname = ANY ($2::text[]) AND NOT a.attisdropped
    AND a.attnum > 0
"""
_GRANTS = f"""
SELECT a.attrelid, a.attnum, {GRANTOR} AS grantor, {GRANTEE} AS grantee,
    x.privilege_type AS privilege, bool_or(x.is_grantable) AS grantable, {LOST} AS lost
FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid,
    pg_catalog.aclexplode(a.attacl) AS x
WHERE a.attrelid = ANY ($1::oid[]) AND a.attname = ANY ($2::text[]) AND NOT a.attisdropped
GROUP BY 1, 2, 3, 4, 5 ORDER BY 3 NULLS FIRST, 4, 5
"""
# The table and its partitions with the column, each after the one that it is a partition of.
_TREE = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
    h.inhparent AS parent
FROM (SELECT $1::oid AS relid, 0 AS level UNION SELECT relid, level
    FROM pg_catalog.pg_partition_tree($1::oid::pg_catalog.regclass)) AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = c.oid
ORDER BY t.level, c.oid
"""
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_AS_READ = (
    "type", "type_name", "type_kind", "not_null", "type_default", "identity", "generated",
    "collation", "comment", "statistics", "inherited", "constrained_type", "owns_sequence",
    "base_type", "base_collation",
)  # fmt: skip
STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSION = {"p": "pglz", "l": "lz4"}


def has_column(part: str, oid: str, keys: str, of: str) -> str:
    """Return the condition that an index or statistics has a column, or an expression of it."""
    return f"""({of}.attnum = ANY ({keys}::int2[]) OR EXISTS (SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.{part}'::pg_catalog.regclass AND d.objid = {oid}
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = {of}.relid
    AND d.refobjsubid = {of}.attnum))"""


@dataclass(frozen=True)
class Column:
    """A column's definition: enough to make another one like it.

    Attributes:
        type_name: as PostgreSQL has it; empty for a type that is not PostgreSQL's own.
        default: its expression, without what `marks` put around it; None where there is none.
        type_default: what a column of this type has that has no default of its own.
        constrained_type: whether a domain's values are checked, by it or by one that it is made of.
        base_type, base_collation: what a domain is made of in the end; None for any other type.
        usual_storage: the storage that a column of this type has if nothing else is said.
        grants: privileges on the column itself, and whether each may be granted to others.
        lost_grantors: who granted some of them, and may not be acted for.
        owns_sequence: whether a sequence goes when the column goes.
    """

    number: int
    type: str
    type_name: str
    type_kind: str
    not_null: bool
    default: str | None = None
    type_default: str | None = None
    identity: str = ""
    generated: str = ""
    collation: str | None = None
    deterministic: bool = True
    comment: str | None = None
    statistics: int | None = None
    options: tuple[str, ...] = ()
    storage: str | None = None
    usual_storage: str = "PLAIN"
    compression: str | None = None
    inherited: int = 0
    constrained_type: bool = False
    base_type: str | None = None
    base_collation: str | None = None
    owns_sequence: bool = False
    grants: tuple[tuple[Grant, bool], ...] = ()
    lost_grantors: tuple[str, ...] = ()

    @property
    def unchecked_type(self) -> str | None:
        """Return what a domain with constraints is without them; None for any other type.

        A column of such a domain cannot be added without rewriting the table.
        """
        return self.base_type if self.type_kind == "d" and self.constrained_type else None

    @property
    def equal_means_identical(self) -> bool:
        """Return whether `=` on this type is true only of the same bytes."""
        if self.type_name in {"text", "varchar"}:
            return self.deterministic
        return self.type_kind == "e" or self.type_name in EXACT


@dataclass(frozen=True)
class ResolvedTable:
    """A resolved table: what a name meant in this database when it was looked up, or a partition.

    Attributes:
        columns: those of the rename's two names that it has, by name.
        base: what the table is called while a view stands in its place; None while none does.
        parent: the table that it is a partition of.
        left: the rename whose view that is, where no journal knows of it.
        shard: what Citus calls it on the node that its schema is on; None where that is none.
    """

    oid: int
    schema: str
    name: str
    columns: Mapping[str, Column] = field(default_factory=dict, compare=False)
    base: str | None = None
    partitioned: bool = False
    parent: int | None = None
    left: Names | None = None
    shard: str | None = None

    @property
    def sql(self) -> str:
        """Return the table, qualified and quoted."""
        return qualified(self.schema, self.name)


async def find_table(connection: Connection, target: Target) -> ResolvedTable:
    """Return the table that `target` means, with the columns of both names.

    Raises:
        UsageError: there is none.
    """
    row, left = await connection.fetchrow(_TABLE, target.table, target.schema), None
    if row is None or row["is_view"]:
        schema = target.schema if row is None else row["nspname"]
        behind = await _behind_a_view(connection, target.table, schema)
        if behind is None and row is not None:
            view = await read_view(connection, row["oid"])
            left = rename_of(view)
            if view is not None and left is not None:
                behind = dict(row) | {"oid": view.base, "base": view.base_name}
        row = behind or row
    if row is None:
        where = f"schema {target.schema}" if target.schema else "the search path"
        message = (
            f"cannot rename {target}: there is no table {target.table} in {where} of this "
            "database. Nothing was changed. Give its schema with --schema, and check DATABASE_URL"
        )
        raise UsageError(message)
    columns = await _read_columns(connection, [row["oid"]], [target.old, target.new])
    shard = None
    if row.get("may_be_shard"):
        shard = await connection.fetchval(nodes.SHARD, row["oid"])
    return ResolvedTable(
        row["oid"],
        row["nspname"],
        row["relname"],
        columns.get(row["oid"], {}),
        row.get("base"),
        left=left,
        shard=shard,
    )


async def _behind_a_view(
    connection: Connection, table: str, schema: str | None
) -> asyncpg.Record | None:
    if await connection.fetchval("SELECT to_regclass('invoicing_rename.rename')") is None:
        return None
    return await connection.fetchrow(_BEHIND, table, schema)


async def find_tree(
    connection: Connection, table: ResolvedTable, target: Target
) -> list[ResolvedTable]:
    """Return the table, then its partitions, as far as they have the old column."""
    rows = await connection.fetch(_TREE, table.oid, target.old)
    oids = [row["oid"] for row in rows]
    columns = await _read_columns(connection, oids, [target.old, target.new])
    return [ResolvedTable(**row, columns=columns.get(row["oid"], {})) for row in rows]


async def leaves(connection: Connection, table: ResolvedTable) -> list[ResolvedTable]:
    """Return the tables that hold the rows: the partitions, or the table itself."""
    rows = await connection.fetch(
        "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND c.oid IN (SELECT $1::oid UNION ALL"
        " SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass) WHERE isleaf)"
        " ORDER BY c.oid",
        table.oid,
    )
    return [ResolvedTable(*row) for row in rows]


async def _read_columns(
    connection: Connection, oids: Collection[int], names: Collection[str]
) -> dict[int, dict[str, Column]]:
    grants: dict[tuple[int, int], list[asyncpg.Record]] = {}
    for row in await connection.fetch(_GRANTS, oids, names):
        grants.setdefault((row["attrelid"], row["attnum"]), []).append(row)
    columns: dict[int, dict[str, Column]] = {}
    for row in await connection.fetch(_COLUMNS, oids, names):
        granted = grants.get((row["attrelid"], row["attnum"]), [])
        columns.setdefault(row["attrelid"], {})[row["name"]] = _column(row, granted)
    return columns


def _column(row: asyncpg.Record, grants: Sequence[asyncpg.Record]) -> Column:
    return Column(
        **{name: row[name] for name in _AS_READ},
        number=row["attnum"],
        default=row["expression"] if not row["generated"] else None,
        deterministic=row["deterministic"] is not False,
        options=tuple(row["options"] or ()),
        storage=STORAGE.get(row["storage"] or ""),
        usual_storage=STORAGE[row["usual_storage"]],
        compression=_COMPRESSION.get(row["compression"] or ""),
        grants=tuple(
            (Grant(grant["grantor"], grant["grantee"], grant["privilege"]), grant["grantable"])
            for grant in grants
        ),
        lost_grantors=tuple(sorted({name for grant in grants for name in grant["lost"]})),
    )
