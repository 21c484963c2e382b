"""What a partition's column has of its own: default, storage, statistics, comment, privileges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.table import find_tree

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.table import Column, Table


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


async def own_properties(context: RenameContext) -> list[str]:
    """Return what the partitions' new columns lack."""
    return _missing((await _tree(context))[1:], context.target)


async def missing_properties(context: RenameContext) -> list[str]:
    """Return what the new column lacks, of the table and of each partition."""
    return _missing(await _tree(context), context.target)


async def _tree(context: RenameContext) -> list[Table]:
    return await find_tree(context.connection, context.table, context.target)


def _missing(tables: list[Table], target: Target) -> list[str]:
    return [
        statement
        for table in tables
        for statement in properties(
            table.sql, target.new, table.columns[target.old], table.columns.get(target.new)
        )
    ]
