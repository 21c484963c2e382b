"""Functions that copy whole rows to where the number of columns is fixed.

`INSERT INTO archive SELECT OLD.*` fails as soon as the table has one column more.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind, Reaction, lines

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Scope


async def _copying(scope: Scope, *, from_table: bool) -> FoundDependents:
    found = []
    for function, uses in scope.uses_of_rows():
        copying = [use for use in uses if not use.by_position]
        if copying and any(use.from_table for use in copying) is from_table:
            where = lines(sorted({use.line for use in copying}))
            found.append((function.subject, "pg_proc", function.oid, where))
    return found


_FAILS = Reaction(
    "refused",
    "it copies whole rows of the table ({detail}): from the expand on a row has one column more, "
    "and it would fail. Let it name the columns, then begin",
    acceptable=True,
)
KINDS = (
    Kind("row-copy", _FAILS, NOTHING, find=partial(_copying, from_table=False)),
    Kind("row-copy", _FAILS, _FAILS, find=partial(_copying, from_table=True)),
)
