"""Rows that no batch fills, for a trigger of the table's own keeps an UPDATE from them.

Such a trigger returns NULL. For which rows cannot be known before, so the backfill looks at its
end, and never says that all is done while rows are not filled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns.filler import filler_of
from invoicing.toolkit.rename.columns.preflight import firing_triggers
from invoicing.toolkit.rename.columns.sync import unfilled
from invoicing.toolkit.rename.errors import RowsDifferError
from invoicing.toolkit.rename.names import MARK
from invoicing.toolkit.rename.table import leaves

if TYPE_CHECKING:
    from invoicing.toolkit.rename.session import RenameSession


class Unfilled:
    """How many rows were not filled when the last pass ended."""

    def __init__(self, session: RenameSession) -> None:
        self._session = session
        self._rows: int | None = None

    async def none_left(self) -> bool:
        """Return whether every row is filled; the ranges of those that are not are taken again.

        Raises:
            RowsDifferError: a whole pass filled none of them.
        """
        names = self._session.names
        rows, left = await self._session.connection.fetchrow(
            f"SELECT {MARK} count(*), count(*) FILTER (WHERE {self._condition})"
            f" FROM {names.relation}"
        )
        if not left:
            return True
        await self._take_again()
        if self._rows is not None and left >= self._rows:
            raise await self._error(rows, left)
        self._rows = left
        return False

    @property
    def _condition(self) -> str:
        return unfilled(self._session.names)

    async def _take_again(self) -> None:
        filler = filler_of(self._session)
        for leaf in await leaves(self._session.connection, self._session.table):
            await filler.take_again(self._session, leaf, self._condition)

    async def _error(self, rows: int, left: int) -> RowsDifferError:
        target = self._session.target
        triggers = await firing_triggers(self._session)
        if triggers:
            cause = f"These triggers decide which rows an UPDATE changes: {', '.join(triggers)}"
            remedy = (
                "Let them pass where current_setting('invoicing.backfill', true) = 'on', or "
                "disable them meanwhile, then"
            )
        else:
            cause, remedy = "No trigger of the table explains it", "Look at these rows, then"
        return RowsDifferError(
            str(target),
            rows=rows,
            missing=left,
            different=0,
            danger=f"The backfill's UPDATE leaves them as they are. {cause}",
            advice=(
                f"{remedy} run: {target.command('backfill')}; to give the rename up: "
                f"{target.command('rollback')}"
            ),
        )
