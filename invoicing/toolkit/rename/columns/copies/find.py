"""Find everything to copy to the new column, in the order it is made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.rename.columns.copies import (
    check,
    foreign_key,
    index,
    not_null,
    referencing,
    statistics,
)
from invoicing.toolkit.rename.columns.copies.definitions import BANNED, Definitions
from invoicing.toolkit.rename.columns.copies.kept import kept_for
from invoicing.toolkit.rename.columns.copies.model import Search, TableConstraintCopy
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.table import find_tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

    from invoicing.toolkit.rename.columns.copies.model import Copy
    from invoicing.toolkit.rename.context import RenameContext

# One module for each kind: QUERY reads the originals from the catalog, `make` returns their copies.
KINDS = (not_null, check, foreign_key, index, statistics)


async def find_copies(context: RenameContext) -> list[Copy]:
    """Return what is made on the new column of the table and of its partitions."""
    connection, target = context.connection, context.target
    tables = {table.oid: table for table in await find_tree(connection, context.table, target)}
    # As texts: of the arrays' types, the driver asks the server what any but text[] and oid[] is.
    numbers = [str(table.columns[target.old].number) for table in tables.values()]
    found = [await connection.fetch(kind.QUERY, list(tables), numbers) for kind in KINDS]
    column = context.table.columns.get(target.old)
    kept, becomes = await kept_for(context), None
    if kept and column is not None and column.unchecked_type is not None:
        becomes = column.unchecked_type
        becomes += f" COLLATE {column.base_collation}" if column.base_collation else ""
    if kept:
        found = [[*filter(None, map(_beside, rows))] for rows in found]
    elif not target.keeps_name:
        # Refused by the dependents, which know what a rename of it would take.
        found = [[row for row in rows if not row.get("is_primary")] for rows in found]
    search = Search(
        connection=connection,
        target=target,
        options=context.options,
        table=context.table,
        tables=tables,
        definitions=Definitions(connection, target, context.conversion, becomes),
        conversion=context.conversion,
        originals=frozenset(row["name"] for rows in found for row in rows),
    )
    copies: list[Copy] = []
    for kind, rows in zip(KINDS, found, strict=True):
        copies += await kind.make(search, rows)
    if context.table.shard is not None:
        copies = [_as_it_is_called(copy) for copy in copies]
    if kept:
        # The original stays, and holds: nothing waits for what can have no copy.
        return [copy for copy in copies if (copy.unsupported or BANNED).startswith(BANNED)]
    return copies + await referencing.make(search)


def _as_it_is_called(copy: Copy) -> Copy:
    """Refuse a constraint that would get another name in the contract."""
    if not isinstance(copy, TableConstraintCopy) or copy.name == copy.final_name:
        return copy
    return replace(copy, unsupported=copy.unsupported or "Citus gives no constraint another name")


def _beside(row: asyncpg.Record) -> dict[str, Any] | None:
    """Return what a copy is made from where the original stays; None where there can be none.

    A table has one primary key: what stands beside it is an index, for `ON CONFLICT`.
    """
    if row.get("exclusion") or row.get("unsupported") or (row.get("is_primary") and row["timing"]):
        return None
    if not row.get("is_primary"):
        return dict(row)
    plain = {"is_primary": False, "is_constraint": False, "constraint_comment": None}
    return dict(row) | plain | {"clustered": False}


async def taken_names(
    context: RenameContext, copies: Iterable[Copy], *, in_place: bool
) -> list[PlanFinding]:
    """Refuse names that something else has; asked before anything of ours is made.

    Args:
        context: the rename's.
        copies: what is made on the new column.
        in_place: whether the contract drops it, and gives the original its name.
    """
    found = []
    for copy in copies:
        holder = await copy.holder(context.connection)
        if holder is None:
            continue
        old, new = quote(copy.old_name), quote(context.target.new)
        use = f"Verify needs it for the copy of {old} on {new}"
        if in_place and copy.name == copy.final_name:
            use = (
                f"Verify needs it for what it makes on {new} beside {old}, and the contract then "
                f"renames {old} to it"
            )
        said = f"is the name of {holder}. {use}. Rename {holder}, or {old}"
        found.append(refused("name-taken", quote(copy.name), said))
    return found


def refusals(copies: Iterable[Copy]) -> list[PlanFinding]:
    """Return those of which there can be no copy, and why."""
    return findings(copy for copy in copies if copy.unsupported is not None)


def findings(copies: Iterable[Copy]) -> list[PlanFinding]:
    """Return what the plan says of them."""
    found = []
    for copy in copies:
        subject = f"{quote(copy.old_name)} ON {copy.table.sql}"
        if copy.unsupported is not None:
            advice = "Drop it first, and add it again after the contract"
            if copy.unsupported.startswith(BANNED):
                advice = "Disable the event trigger for the rename, or let it pass this account"
            refusal = f"it cannot be copied to the new column: {copy.unsupported}. {advice}"
            found.append(PlanFinding(copy.kind, subject, "refused", refusal))
        elif copy.message is not None:
            found.append(PlanFinding(copy.kind, subject, "carried", copy.message))
    return found
