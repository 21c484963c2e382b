"""The names that go with a column's (see `names.renamed`), as SQL: a script learns them late."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import LIMIT, literal
from invoicing.toolkit.rename.renamings import NAMED

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names


def shortened(name: str) -> str:
    """Return SQL for what `names.shortened` returns; `name` is SQL."""
    digest = "left(encode(sha256(convert_to(v.name, 'UTF8')), 'hex'), 8)"
    longest = (
        f"(SELECT max(n) FROM generate_series(1, {LIMIT}) AS n"
        f" WHERE octet_length(left(v.name, n)) <= {LIMIT - 9})"
    )
    return (
        f"(SELECT CASE WHEN octet_length(v.name) <= {LIMIT} THEN v.name"
        f" ELSE left(v.name, {longest}) || '_' || {digest} END FROM (VALUES ({name})) AS v (name))"
    )


def renamed(names: Names, name: str) -> str:
    """Return SQL for what `names.renamed` returns."""
    pattern = literal(rf"(?<![[:alnum:]]){re.escape(names.old)}(?![[:alnum:]])")
    new = literal(names.new.replace("\\", "\\\\"))
    changed = shortened(f"regexp_replace({name}, {pattern}, {new}, 'g')")
    return f"CASE WHEN {name} ~ {pattern} THEN {changed} END"


def renamings(names: Names) -> str:
    """Return a query of what is renamed with the column; parameters as those of `NAMED`."""
    new_name = renamed(names, "n.name::text")
    return (
        f"SELECT r.*, CASE r.kind WHEN 'CONSTRAINT' THEN EXISTS (SELECT FROM pg_constraint AS k"
        f" WHERE k.conrelid = r.relid AND k.conname = r.new_name) WHEN 'STATISTICS' THEN EXISTS"
        f" (SELECT FROM pg_statistic_ext AS s WHERE s.stxname = r.new_name"
        f" AND s.stxnamespace = quote_ident(r.schema)::regnamespace) ELSE"
        f" to_regclass(format('%I.%I', r.schema, r.new_name)) IS NOT NULL END AS taken"
        f" FROM (SELECT n.*, {new_name} AS new_name FROM ({NAMED}) AS n) AS r"
        f" WHERE r.new_name <> r.name"
    )


def rename_them(names: Names, column: str) -> str:
    """Return what gives indexes, constraints and statistics their names, once the column has its.

    Args:
        names: the rename's.
        column: what it is called.
    """
    return f"""    FOR part IN EXECUTE {literal(renamings(names))}
        USING rel::oid, {literal(column)}, {literal(names.table)} LOOP
        EXECUTE CASE part.kind WHEN 'CONSTRAINT' THEN format('ALTER TABLE %s RENAME CONSTRAINT',
            part.sql) || format(' %I TO %I', part.name, part.new_name)
            ELSE format('ALTER %s %I.%I RENAME TO %I', part.kind, part.schema, part.name,
                part.new_name) END;
    END LOOP;
"""
