"""What ends a script, besides what it cannot carry over."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.contract import in_other_schema
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.script.blocks import raise_if
from invoicing.toolkit.rename.script.changes import changes
from invoicing.toolkit.rename.script.conditions import unguarded

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names


def refuse_others(names: Names) -> str:
    """Refuse while another rename of the table is under way, the way back included."""
    return (
        f"    counted := 0;\n    IF to_regclass('{quote(STATE)}.rename') IS NOT NULL THEN\n"
        f"        SELECT count(*) INTO counted FROM {quote(STATE)}.rename AS r"
        f" WHERE r.schema_name = {literal(names.schema)}"
        f" AND r.table_name = {literal(names.table)} AND r.key <> {literal(names.key)}"
        f" AND r.phase <> {literal(Phase.CONTRACTED)};\n    END IF;\n"
    ) + raise_if(
        "counted > 0",
        f"another rename of {names.table} is under way, or this one was contracted and the"
        " old column was added again",
        "End that first, or run the revision itself: alembic, without --sql.",
    )


def refuse_rows(names: Names, confirmed: str | None) -> str:
    """Refuse what was not confirmed; by the name without a schema, where that has two."""
    bare = f"{names.table}.{names.old}"
    whole = f"{names.schema}.{bare}"
    if confirmed == whole:
        return ""
    rows, confirm = f"EXISTS (SELECT FROM {names.relation})", bare
    parts = map(literal, (names.schema, names.table, names.old))
    if confirmed is not None:
        rows, confirm = f"{rows} AND {in_other_schema(*parts)}", whole
    argument = shlex.quote(f"confirm={confirm}")
    return raise_if(
        rows,
        f"{confirm} has rows, and dropping it was not confirmed",
        f"Write the script with: alembic -x {argument} upgrade --sql ...",
    )


def refuse_unguarded(names: Names) -> str:
    """Refuse where nothing keeps the columns equal."""
    return raise_if(
        unguarded(names),
        f"the triggers that keep {names.old} and {names.new} equal are missing or off",
        f"Run: {names.command('expand')}",
    )


def refuse_changes(names: Names) -> str:
    """Refuse what was changed on the old column since, and say what makes the new one the same."""
    return (
        "    SELECT string_agg(c.statement, '; ' ORDER BY c.statement COLLATE \"C\")"
        f" INTO hindrance FROM ({changes(names)}) AS c (statement);\n"
    ) + raise_if(
        "hindrance IS NOT NULL",
        f"{names.old} of {names.relation} was changed since the expand, and {names.new} was"
        " not. To have the same there, run: ",
        f"Then run the script again. Or take it back on {names.old}.",
        fact="hindrance",
    )
