"""Load a whole table at once: the totals are filled from it, not change by change."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

from invoicing.rollup.build import find_definition
from invoicing.rollup.fold import FOLD_LOCK
from invoicing.rollup.state import rollup_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from invoicing.db import AsyncSession


@asynccontextmanager
async def filled_at_once(session: AsyncSession) -> AsyncIterator[None]:
    """Switch the triggers off for the block, and fill the totals at its end, where there are any.

    The session's transaction must have both tables to itself. When the block raises, the
    transaction has to be rolled back, which also switches the triggers on again.
    """
    await session.execute(text(FOLD_LOCK))
    if not (await rollup_state(session)).usable:
        yield
        return
    definition = await find_definition(session)
    connection = await session.connection()
    for statement in definition.switched_off():
        await connection.exec_driver_sql(statement)
    yield
    noted = "UPDATE invoice_rollup SET built_at = now(), folded_at = now()"
    switched_on = (*definition.functions(), *definition.switched_on())
    for statement in (*definition.empty(), *definition.fill(), noted, *switched_on):
        await connection.exec_driver_sql(statement)
