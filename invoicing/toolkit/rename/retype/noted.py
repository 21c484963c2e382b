"""The conversion of a rename that is under way, or of one whose way back is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.retype.sides import Conversion

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext


async def with_noted(context: RenameContext) -> RenameContext:
    """Return the context with what the rename's own row says of types.

    After the contract of a rename that changed the type, the rename of the new name to the old one
    takes the expressions the other way round, as long as the column has the type that it was given.
    """
    connection, names = context.connection, context.names
    own = await state.load(connection, names)
    if own is not None and (
        own.phase is not Phase.CONTRACTED or names.new in context.table.columns or names.keeps_name
    ):
        noted = own.definition.get("conversion")
        return replace(context, conversion=Conversion.of(noted)) if noted else context
    back = await state.load(connection, names.reversed())
    noted = back.definition.get("conversion") if back is not None else None
    if back is None or noted is None or back.phase is not Phase.CONTRACTED:
        return context
    conversion = Conversion.of(noted).reversed()
    column = context.table.columns.get(names.old)
    here = column is not None and column.type == conversion.old.type
    return replace(context, conversion=conversion) if here else context
