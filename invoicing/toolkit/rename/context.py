"""What is handed from function to function: the rename that is asked for, on the table it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from invoicing.errors import UsageError
from invoicing.toolkit.rename.names import Names
from invoicing.toolkit.rename.table import SYSTEM_COLUMNS, find_table

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.model import Options, Target
    from invoicing.toolkit.rename.retype.sides import Conversion
    from invoicing.toolkit.rename.table import Column, ResolvedTable


@dataclass(frozen=True)
class RenameContext:
    """A rename on one connection: what was asked for, and what that means there.

    `target` and `options` are what a person typed; `table` is what the target was resolved to once,
    with its oid, schema, name and columns; `names` is what such a rename calls the objects that it
    makes. A `RenameSession` is the same with the lock, so that whatever reads takes either.
    `conversion` is how the values of a rename that changes the type as well belong together.
    """

    connection: Connection
    target: Target
    options: Options
    table: ResolvedTable
    conversion: Conversion | None = field(default=None, kw_only=True)

    @classmethod
    async def find(cls, connection: Connection, target: Target, options: Options) -> RenameContext:
        """Resolve the table.

        Raises:
            UsageError: there is no such table.
        """
        return RenameContext(connection, target, options, await find_table(connection, target))

    @property
    def names(self) -> Names:
        """Return what the rename calls the objects that it makes."""
        target, table = self.target, self.table
        shared = (table.schema, table.name, target.old, target.new)
        return Names(*shared, self.conversion, table.shard)

    @property
    def version(self) -> int:
        """Return the server's major version."""
        return int(self.connection.get_server_version().major)

    @property
    def column_name(self) -> str:
        """Return what the column is called now: behind a view it has the new name already."""
        return self.target.new if self.table.base else self.target.old

    def column(self) -> Column:
        """Return the column to rename.

        Raises:
            UsageError: the table has none of that name.
        """
        target, name = self.target, self.column_name
        if name in SYSTEM_COLUMNS:
            message = (
                f"cannot rename {target}: {name} is a system column, which PostgreSQL gives to "
                "every table. Nothing was changed. Name a column of the table's own"
            )
            raise UsageError(message)
        if name not in self.table.columns:
            message = (
                f"cannot rename {target}: {self.table.sql} has no column {name}. Nothing was "
                f"changed. Where it was renamed already, see: {target.command('status')}"
            )
            raise UsageError(message)
        return self.table.columns[name]
