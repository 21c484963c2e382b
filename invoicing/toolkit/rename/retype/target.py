"""What a change of the type alone is to the engine: a rename to a name that no client knows."""

from __future__ import annotations

from invoicing.toolkit.rename.model import Target
from invoicing.toolkit.rename.names import working_name


def type_of(table: str, column: str, schema: str | None = None, url: str | None = None) -> Target:
    """Return the target of a change of the column's type; `Options.type` says to which.

    Args:
        table: its table.
        column: its name, which it has before and after.
        schema: None for the first of the search path that has `table`.
        url: the database, as printed command lines have to name it; None where they find it.
    """
    return Target(table, column, working_name(column), schema, url)
