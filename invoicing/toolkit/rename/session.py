"""The session that works on a rename: the context, with its journal and what may write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.context import RenameContext

if TYPE_CHECKING:
    from invoicing.toolkit.rename import journal
    from invoicing.toolkit.rename.connection.ddl import Ddl
    from invoicing.toolkit.rename.connection.pool import Pool


@dataclass(frozen=True)
class RenameSession(RenameContext):
    """The context of the session that holds the lock: it may write, and what it does is kept.

    Attributes:
        waited_for: the session that held the lock when this one began; None for none.
    """

    pool: Pool
    entry: journal.Entry
    ddl: Ddl
    waited_for: str | None = None

    async def state(self) -> state.State | None:
        """Return the rename's row."""
        return await state.load(self.connection, self.names)
