"""What a partition's column has of its own: default, storage, statistics, comment, privileges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns.copies.model import find_tree
from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.table import Relation, find_column

if TYPE_CHECKING:
    from invoicing.toolkit.rename.columns.copies.model import Table
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.table import Column


def properties(table: str, name: str, column: Column, has: Column | None = None) -> list[str]:
    """Return what gives the column `name` of one table what `column` has, and it has not."""
    alter = f"ALTER TABLE ONLY {table} ALTER COLUMN {quote(name)}"
    wanted = [
        ("storage", f"SET STORAGE {column.storage}"),
        ("compression", f"SET COMPRESSION {column.compression}"),
        ("statistics", f"SET STATISTICS {column.statistics}"),
        ("options", f"SET ({', '.join(column.options)})"),
    ]
    statements = [
        f"{alter} {change}"
        for what, change in wanted
        if getattr(column, what) not in {None, ()} and getattr(has, what, None) in {None, ()}
    ]
    if column.comment is not None and (has is None or has.comment is None):
        statements.append(f"COMMENT ON COLUMN {table}.{quote(name)} IS {literal(column.comment)}")
    for grant in column.grants:
        if has is None or grant not in has.grants:
            grantee, privilege, grantable = grant
            option = " WITH GRANT OPTION" if grantable else ""
            on = f"GRANT {privilege} ({quote(name)}) ON {table}"
            statements.append(f"{on} TO {grantee}{option}")
    return statements


async def own_properties(connection: Connection, relation: Relation, target: Target) -> list[str]:
    """Return what the partitions' new columns lack."""
    partitions = (await find_tree(connection, relation.oid, target.old))[1:]
    return await _missing(connection, partitions, target)


async def missing_properties(
    connection: Connection, relation: Relation, target: Target
) -> list[str]:
    """Return what the new column lacks, of the table and of each partition."""
    tables = await find_tree(connection, relation.oid, target.old)
    return await _missing(connection, tables, target)


async def _missing(connection: Connection, tables: list[Table], target: Target) -> list[str]:
    statements = []
    for table in tables:
        old, new = await _both(connection, table, target)
        statements += properties(table.sql, target.new, old, new) if old is not None else []
    return statements


async def _both(
    connection: Connection, table: Table, target: Target
) -> tuple[Column | None, Column | None]:
    relation = Relation(table.oid, table.schema, table.name)
    old = await find_column(connection, relation, target.old)
    return old, await find_column(connection, relation, target.new)
