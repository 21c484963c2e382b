"""Defaults that say which of the two columns an INSERT left out, from the expand to the contract.

A default is evaluated only where the statement names no value for its column, once for each row and
right before the row's own triggers. So each of the two columns has a default that leaves a letter
in a setting of the transaction (`o` for the old column, `n` for the new), and then is what the old
column's default was. *insert* (see `sync`) reads the letters, and takes them away. A trigger's
depth is part of the setting's name, so that an INSERT within a trigger has letters of its own.

They are made of functions of PostgreSQL's alone: a dump that is taken meanwhile, or a table that
was made LIKE this one, needs nothing of ours. Each table of a tree of partitions keeps its own
default; every statement here reads them from the catalog when it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import literal

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names

_PREFIX = "invoicing_rename.k"
# A default of ours as the catalog shows it: around the column's own, or where there was none.
_MARK = rf"^\s*CASE\s+WHEN [^']*'{_PREFIX}.*?, true\)"
_OWN = rf"{_MARK} IS NOT NULL\) THEN\s+(.*)\s+ELSE NULL::.*\s+END$"
_NONE = rf"{_MARK} IS NULL\) THEN \(*NULL::"
_BARE_ROW = r"^ROW\(.*\)$"
# A bare ROW(...) has no type of its own within the CASE, so that it was given one.
_ROW = rf"{_MARK} IS NOT NULL\) AND true\) THEN\s+(ROW\(.*\))::.*\s+ELSE NULL::.*\s+END$"


def setting(names: Names) -> str:
    """Return the first part of the names of this rename's settings."""
    return _PREFIX + names.key


def letters(names: Names, depth: str = "pg_catalog.pg_trigger_depth()") -> str:
    """Return SQL for the name of the setting that has the letters."""
    return f"pg_catalog.concat({literal(setting(names) + '_')}, {depth})"


def is_marked(expression: str) -> str:
    """Return SQL that is true of a default of ours."""
    return f"coalesce(pg_catalog.strpos({expression}, {literal(chr(39) + _PREFIX)}) > 0, false)"


def original(expression: str) -> str:
    """Return SQL for the default that the column had before; NULL where it had none."""
    return (
        f"CASE WHEN NOT {expression} OPERATOR(pg_catalog.~) {literal(_NONE)} THEN coalesce("
        f"pg_catalog.substring({expression}, {literal(_ROW)}),"
        f" pg_catalog.substring({expression}, {literal(_OWN)}), {expression}) END"
    )


def mark_statement(names: Names) -> str:
    """Return the statement that gives both columns such defaults, wherever they have none yet."""
    mark = (
        f"pg_catalog.set_config({letters(names)}, pg_catalog.concat("
        f"pg_catalog.current_setting({letters(names)}, true), %L), true)"
    )
    own = literal(f"CASE WHEN {mark} IS NOT NULL THEN %s END")
    row = literal(f"CASE WHEN {mark} IS NOT NULL AND true THEN (%s)::%s END")
    # Where the column had none, and says so: a domain's own default comes by itself.
    none = literal(f"CASE WHEN {mark} IS NULL THEN NULL::%s ELSE (%s)::%s END")
    return _each(
        names,
        f"NOT {is_marked('d.expression')}",
        f"""CASE WHEN a.attname = {literal(names.new)}
            THEN pg_catalog.format({none}, 'n', d.type, 'NULL', d.type)
        WHEN d.expression IS NULL
            THEN pg_catalog.format({none}, 'o', d.type, coalesce(d.of_type, 'NULL'), d.type)
        WHEN d.expression OPERATOR(pg_catalog.~) {literal(_BARE_ROW)}
            THEN pg_catalog.format({row}, 'o', d.expression, d.type)
        ELSE pg_catalog.format({own}, 'o', d.expression) END""",
        f"a.attname IN ({literal(names.old)}, {literal(names.new)})",
    )


def unmark_statement(names: Names, column: str) -> str:
    """Return the statement that gives `column` the default that the old column had before."""
    return _each(
        names,
        "true",
        original("d.expression"),
        f"a.attname = {literal(names.old)}",
        literal(column),
    )


def _each(names: Names, where: str, default: str, which: str, column: str = "a.attname") -> str:
    """Return a statement that sets a default in each table of the tree by itself."""
    root = f"{literal(names.relation)}::pg_catalog.regclass"
    return f"""DO $marks_{names.key}$
DECLARE
    change text;
BEGIN
    FOR change IN
        SELECT pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I %s', d.relation, {column},
            coalesce('SET DEFAULT ' || ({default}), 'DROP DEFAULT'))
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
        JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = c.oid AND f.adnum = a.attnum
        CROSS JOIN LATERAL (SELECT c.oid::pg_catalog.regclass AS relation,
            pg_catalog.pg_get_expr(f.adbin, f.adrelid) AS expression,
            pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
            coalesce(pg_catalog.pg_get_expr(y.typdefaultbin, 0), pg_catalog.quote_literal(
                y.typdefault) || '::' || pg_catalog.format_type(y.oid, NULL)) AS of_type) AS d
        WHERE c.oid IN (SELECT {root} UNION
                SELECT relid FROM pg_catalog.pg_partition_tree({root}))
            AND {which} AND NOT a.attisdropped AND {where}
    LOOP
        EXECUTE change;
    END LOOP;
END
$marks_{names.key}$"""
