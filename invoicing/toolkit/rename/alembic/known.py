"""What the models say against a script, while it is written; the script itself asks the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Table

    from invoicing.toolkit.rename.alembic.ops import RenameOp


def refuse_key(context: MigrationContext, operation: RenameOp) -> None:
    """Refuse a script that changes the type of a key: only a run can carry that over.

    Raises:
        UsageError: the models of env.py have the column in the primary key, or in a foreign key.
    """
    if operation.type_ is None:
        return
    for table in _tables(context):
        if (table.schema, table.name) != (operation.schema, operation.table):
            continue
        for name in {operation.old, operation.new} & set(table.columns.keys()):
            column = table.columns[name]
            key = "the primary key" if column.primary_key else "a foreign key"
            if column.primary_key or column.foreign_keys:
                message = (
                    f"cannot write {operation.name} of {operation.table}.{operation.old} as a "
                    f"script: it is in {key}, which a script builds on no other column. Nothing "
                    "was written. Run it without --sql: alembic upgrade, or invoicing retype"
                )
                raise UsageError(message)


def _tables(context: MigrationContext) -> Iterator[Table]:
    given = context.opts.get("target_metadata")
    for metadata in given if isinstance(given, (list, tuple)) else [given]:
        if metadata is not None:
            yield from metadata.tables.values()
