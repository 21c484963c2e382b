"""The view in a table's place, read back from the catalog: whose it is, and what it shows.

A rename's view shows each column of one table by its name, and the renamed column twice: by the old
name where it was, and by the new name last. That is known without the rename's journal, and also in
a database that was restored from a dump. A view that other hands gave a condition, an expression or
another table is not taken for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import Names, shortened

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection

_VIEW = """
SELECT v.relname::text AS name, n.nspname::text AS schema, b.oid::bigint AS base,
    b.relname::text AS base_name, b.relnamespace = v.relnamespace AS beside,
    pg_catalog.pg_get_viewdef(v.oid) AS definition, ARRAY(SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = v.oid AND a.attnum > 0
        ORDER BY a.attnum) AS columns
FROM pg_catalog.pg_class AS v
JOIN pg_catalog.pg_namespace AS n ON n.oid = v.relnamespace
JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = v.oid AND r.rulename = '_RETURN'
LEFT JOIN pg_catalog.pg_class AS b ON b.relkind IN ('r', 'p') AND b.oid IN (
    SELECT d.refobjid FROM pg_catalog.pg_depend AS d WHERE d.objid = r.oid
        AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
WHERE v.oid = $1 AND v.relkind = 'v' LIMIT 1
"""
# As the server prints names; before 16 with the table's in front.
_NAME = r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_]*)'
_SHOWN = rf"(?:{_NAME}\.)?({_NAME})(?:\s+AS\s+({_NAME}))?"
_PLAIN = re.compile(rf"\s*SELECT\s+({_SHOWN}(?:,\s+{_SHOWN})*)\s+FROM\s+(?:{_NAME}\.)?{_NAME};")


@dataclass(frozen=True)
class StandingView:
    """A view as it is now.

    Attributes:
        base: the table that it shows, by its oid; None where it shows none.
        beside: whether that table is in the view's schema.
        columns: what its columns are called.
        shows: each column of the table, and what the view calls it; empty for any other view than
            one that shows columns of one table.
    """

    oid: int
    schema: str
    name: str
    base: int | None
    base_name: str | None
    beside: bool
    definition: str
    columns: tuple[str, ...]
    shows: tuple[tuple[str, str], ...]

    def answers_to(self, names: Names) -> bool:
        """Tell whether it shows the renamed column by both names, as the rename's view does."""
        return {(names.new, names.old), (names.new, names.new)} <= set(self.shows)

    def called(self, names: Names) -> dict[str, str]:
        """Return what the table calls each column of the view but the renamed one."""
        both = {names.old, names.new}
        return {shown: column for column, shown in self.shows if shown not in both}


async def read_view(connection: Connection, oid: int | None) -> StandingView | None:
    """Return the view; None where there is none of that oid."""
    row = None if oid is None else await connection.fetchrow(_VIEW, oid)
    if oid is None or row is None:
        return None
    definition = row["definition"]
    return StandingView(
        oid,
        row["schema"],
        row["name"],
        row["base"],
        row["base_name"],
        bool(row["beside"]),
        " ".join(definition.split()),
        tuple(row["columns"]),
        _shows(definition),
    )


def rename_of(view: StandingView | None) -> Names | None:
    """Return the rename that put this view there, as the catalog alone tells."""
    if view is None or not view.beside or not view.shows:
        return None
    new = view.shows[-1][1]
    for column, old in view.shows[:-1]:
        names = Names(view.schema, view.name, old, new)
        bases = {shortened(f"{view.name}_{suffix}") for suffix in ("base", f"base_{names.key}")}
        if column == new != old and view.answers_to(names) and view.base_name in bases:
            return names
    return None


def _shows(definition: str) -> tuple[tuple[str, str], ...]:
    plain = _PLAIN.fullmatch(definition)
    if plain is None:
        return ()
    found = [match.groups() for match in re.finditer(_SHOWN, plain[1])]
    return tuple((_unquoted(column), _unquoted(shown or column)) for column, shown in found)


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
