"""Where the rows of a rename are, and who fills them: on this server, or on a node of Citus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from invoicing.toolkit.rename.columns.heap import HeapRows
from invoicing.toolkit.rename.columns.shard import ShardRows

if TYPE_CHECKING:
    from invoicing.toolkit.rename.columns.ranges import Range
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.table import ResolvedTable


class Filler(Protocol):
    """Counts rows, cuts them into ranges of pages, and fills a batch of them."""

    def file(self, relation: str) -> str:
        """Return SQL for what keeps a table's rows: another one, and the ranges are cut anew."""

    async def counted(self, context: RenameContext, leaf: ResolvedTable, /) -> str | None:
        """Return a query for the rows and the pages; None for the usual one."""

    async def wide(self, context: RenameContext, /) -> str:
        """Return SQL for whether a range's values may be too much for one batch.

        It has $2, the old column's name, and $3, the bytes that a batch may have.
        """

    async def prepare(self, connection: Connection) -> None:
        """Make a worker's connection ready."""

    def statement(self, names: Names, table: str, stripes: int, *, measured: bool = False) -> str:
        """Return what every batch of a table is in its first form, for a plan and the journal."""

    async def batch(
        self,
        connection: Connection,
        context: RenameContext,
        part: Range,
        pages: int,
        *,
        skip_locked: bool = False,
    ) -> tuple[int, int, int] | None:
        """Fill one stripe of some pages, with its progress.

        Returns:
            The rows that were written, and the stripe and page after them; None where the range is
            not what it was, and has to be looked at anew.
        """

    async def take_again(self, context: RenameContext, leaf: ResolvedTable, rows: str, /) -> None:
        """Let the ranges be passed over again that have rows which fulfil a condition."""


def filler_of(context: RenameContext) -> Filler:
    """Return who fills the rows of the context's table."""
    return HeapRows() if context.table.shard is None else ShardRows()
