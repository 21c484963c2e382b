"""Build on the new column what the old one has: NOT NULL, constraints, indexes, statistics.

Nothing here makes a reader or a writer wait: indexes are built CONCURRENTLY, constraints are added
NOT VALID under a short lock and validated without one, and NOT NULL is never proved by a scan under
ACCESS EXCLUSIVE. What is there already is left; what a killed build left behind is built again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.rename.names import literal, quote, shortened
from invoicing.rename.sync import present

if TYPE_CHECKING:
    import asyncpg

    from invoicing.rename.carry import Carried
    from invoicing.rename.names import Names
    from invoicing.rename.operator import Operator
    from invoicing.rename.session import Connection

# The first version in which a NOT NULL can be added NOT VALID.
NAMED_NOT_NULL = 18
# Partitions that have no part of the index yet.
_PARTITIONS = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned
FROM pg_inherits AS h JOIN pg_class AS c ON c.oid = h.inhrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE h.inhparent = $1 AND NOT EXISTS (SELECT FROM pg_inherits AS ih
    JOIN pg_index AS i ON i.indexrelid = ih.inhrelid
    WHERE ih.inhparent = to_regclass($2) AND i.indrelid = c.oid)
ORDER BY c.oid
"""
_NOT_NULL_CONSTRAINT = """
SELECT k.conname FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid
    AND a.attnum = ANY (k.conkey)
WHERE k.conrelid = $1 AND k.contype = 'n' AND a.attname = $2
"""
_NOT_NULL_CHECK = "SELECT conname FROM pg_constraint WHERE conrelid = $1 AND conname = $2"


def not_null_statements(names: Names, version: int, name: str | None = None) -> list[list[str]]:
    """Return the transactions that make the column NOT NULL: add, validate, and tidy up.

    Args:
        names: the rename's.
        version: the server's.
        name: the constraint's, once PostgreSQL has chosen one that is free.
    """
    new, alter = quote(names.new), f"ALTER TABLE {names.relation}"
    if version >= NAMED_NOT_NULL:
        usual = name or shortened(f"{names.table}_{names.new}_not_null")
        validate = f"{alter} VALIDATE CONSTRAINT {quote(usual)}"
        return [[f"{alter} ADD NOT NULL {new} NOT VALID"], [validate]]
    check = quote(names.not_null_check)
    validate = f"{alter} VALIDATE CONSTRAINT {check}"
    return [
        [f"{alter} ADD CONSTRAINT {check} CHECK ({present(new)}) NOT VALID"],
        [validate],
        # The valid check proves it: SET NOT NULL does not read the table.
        [f"{alter} ALTER COLUMN {new} SET NOT NULL", f"{alter} DROP CONSTRAINT {check}"],
    ]


def create_index(one: Carried) -> str:
    """Return the statement that builds an index; of a partitioned table, only the empty whole."""
    unique = "UNIQUE " if one.unique else ""
    how, only = ("", "ONLY ") if one.partitioned else ("CONCURRENTLY ", "")
    return f"CREATE {unique}INDEX {how}{quote(one.name)} ON {only}{one.relation} {one.definition}"


def add_constraint(one: Carried) -> str:
    """Return the statement that adds a constraint without looking at the rows."""
    return f"ALTER TABLE {one.relation} ADD CONSTRAINT {quote(one.name)} {one.definition} NOT VALID"


def validate_constraint(one: Carried) -> str:
    """Return the statement that looks at the rows, while others write."""
    return f"ALTER TABLE {one.relation} VALIDATE CONSTRAINT {quote(one.name)}"


def create_statistics(one: Carried) -> str:
    """Return the statement that makes extended statistics."""
    return f"CREATE STATISTICS IF NOT EXISTS {one.sql_name}{one.definition} FROM {one.relation}"


async def build(operator: Operator, one: Carried) -> None:
    """Build one object, unless it is there and valid."""
    if one.kind == "statistics":
        await operator.ddl.long(create_statistics(one))
    elif one.kind in {"index", "unique"}:
        await (_partitioned_index if one.partitioned else _index)(operator, one)
    else:
        validated = await is_validated(operator.connection, one)
        if validated is None:
            also = [one.refers] if one.refers else []
            await operator.ddl.short(add_constraint(one), also=also)
        if one.valid and not validated:
            await operator.ddl.long(validate_constraint(one))


async def make_not_null(operator: Operator) -> None:
    """Make the new column NOT NULL, from wherever an earlier run has left it."""
    names, connection = operator.names, operator.connection
    version = connection.get_server_version().major
    relation = operator.relation.oid
    if await is_not_null(connection, relation, names.new):
        return
    find = _NOT_NULL_CONSTRAINT if version >= NAMED_NOT_NULL else _NOT_NULL_CHECK
    value = names.new if version >= NAMED_NOT_NULL else names.not_null_check
    add, *_ = not_null_statements(names, version)
    if await connection.fetchval(find, relation, value) is None:
        await operator.ddl.short(*add)
    name = await connection.fetchval(find, relation, value)
    _, validate, *rest = not_null_statements(names, version, name)
    await operator.ddl.long(*validate)
    for statements in rest:
        await operator.ddl.short(*statements)


async def is_not_null(connection: Connection, table: int, column: str) -> bool | None:
    """Tell whether a column is NOT NULL, proved for every row; None when there is no such one."""
    found: bool | None = await connection.fetchval(
        "SELECT a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE"
        " k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey) AND k.contype = 'n'"
        " AND NOT k.convalidated) FROM pg_attribute AS a WHERE a.attrelid = $1 AND a.attname = $2",
        table,
        column,
    )
    return found


async def index_is_valid(connection: Connection, one: Carried) -> bool | None:
    """Tell whether an index is valid; None when there is none."""
    found: bool | None = await connection.fetchval(
        "SELECT i.indisvalid FROM pg_index AS i WHERE i.indexrelid = to_regclass($1)", one.sql_name
    )
    return found


async def is_validated(connection: Connection, one: Carried) -> bool | None:
    """Tell whether a constraint is validated; None when there is none."""
    found: bool | None = await connection.fetchval(
        "SELECT convalidated FROM pg_constraint WHERE conrelid = $1 AND conname = $2",
        one.relation_oid,
        one.name,
    )
    return found


async def _index(operator: Operator, one: Carried) -> None:
    valid = await index_is_valid(operator.connection, one)
    if valid:
        return
    if valid is False:
        await operator.ddl.long(f"DROP INDEX CONCURRENTLY {one.sql_name}")
    # A definition names no tablespace, so the session does.
    tablespace = literal(one.tablespace or "")
    await operator.connection.execute(f"SET default_tablespace = {tablespace}")
    await operator.ddl.long(create_index(one))
    await operator.connection.execute("RESET default_tablespace")


async def _partitioned_index(operator: Operator, one: Carried) -> None:
    """Build it on every partition CONCURRENTLY, then put the whole together.

    A partition that is attached meanwhile gets its own from the empty whole, which is made first.
    """
    connection = operator.connection
    if await index_is_valid(connection, one) is None:
        await operator.ddl.short(create_index(one))
    for part in await connection.fetch(_PARTITIONS, one.relation_oid, one.sql_name):
        child = _on_partition(one, part)
        await (_partitioned_index if child.partitioned else _index)(operator, child)
        await operator.ddl.short(
            f"ALTER INDEX {one.sql_name} ATTACH PARTITION {child.sql_name}", also=[part["oid"]]
        )


def _on_partition(one: Carried, part: asyncpg.Record) -> Carried:
    return replace(
        one,
        relation=f"{quote(part['schema'])}.{quote(part['name'])}",
        relation_oid=part["oid"],
        schema=part["schema"],
        name=shortened(f"{part['name']}_{one.name}"),
        partitioned=part["partitioned"],
    )
