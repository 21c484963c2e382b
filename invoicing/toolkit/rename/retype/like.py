"""What a new column of another type has of the old one: nothing that goes with the type.

Beside a domain with constraints stands what that is made of: its values are checked where the old
column gets them.

As ALTER COLUMN ... TYPE does it: storage, compression and collation are the new type's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.table import Column


def like(of: Names | RenameContext, column: Column) -> Column:
    """Return what the new column is made like."""
    made = of.conversion
    if made is None and column.unchecked_type is not None:
        return replace(
            column, type=column.unchecked_type, type_default=None, collation=column.base_collation
        )
    if made is None:
        return column
    return replace(
        column,
        type=made.new.type,
        type_name=made.new.type_name,
        type_default=None,
        collation=None,
        storage=None,
        compression=None,
    )
