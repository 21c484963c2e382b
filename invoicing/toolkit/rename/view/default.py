"""`UPDATE ... SET it = DEFAULT` while a view stands in the table's place.

PostgreSQL asks the view for its own default, which the renamed column can have by neither name (an
INSERT would write both), and writes NULL. So a trigger on the table, before all others, looks at
the statement where an UPDATE writes NULL to the column: one that says DEFAULT is given the table's
default, in the client's own session, as it is at that moment.

What it does not detect: a spelling such as `SET"it"=DEFAULT`, for a text is looked at, not parsed
(so the plan asks to accept it where NULL could be written),
and DEFAULT for an identity column; a statement within a function in SQL, whose text the server does
not give (the plan refuses those that it finds). Where a text says both DEFAULT and another value
for the column, or has DEFAULT in a list of values, it is an error, not a guess.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents import word
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import literal, quote

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names

# What may have anything in it: strings and comments.
_PASSED_OVER = (
    r"\$([[:alpha:]_]\w*|)\$.*?\$\1\$|[eE]'([^'\\]|\\.|'')*'|'([^']|'')*'"
    r"|/\*([^*]|\*+[^*/])*\*+/|--[^\n]*"
)
# Where a text is cut: before what may set a column of another table.
_BEGINS = r"\m(update\s+(?!set\M)|(insert|merge)\s+into\M|delete\s+from\M)"
_HINT = "Set the column to DEFAULT in a statement that gives it no other value, nor in a list."
# A statement is looked at as far as its values, which may be megabytes.
_FUNCTION = r"""CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql AS {tag}
DECLARE
    stack pg_catalog.text;
    sent pg_catalog.text;
    value pg_catalog.text;
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    -- Of what a function runs, the statement is in its context, the innermost first.
    sent := pg_catalog.left(coalesce(pg_catalog.split_part(pg_catalog.substring(stack, E'\n.*'),
        E'"\nPL/pgSQL function ', 1), pg_catalog.current_query()), 100000);
    IF sent OPERATOR(pg_catalog.~*) '^[[:space:]]*execute[[:space:]]' THEN
        sent := (SELECT pg_catalog.string_agg(p.statement, '; ')
            FROM pg_catalog.pg_prepared_statements AS p
            WHERE pg_catalog.strpos(pg_catalog.lower(sent), pg_catalog.lower(p.name))
                OPERATOR(pg_catalog.>) 0);
    END IF;
    IF pg_catalog.strpos(pg_catalog.lower(sent), 'default') OPERATOR(pg_catalog.=) 0 THEN
        RETURN NEW;
    END IF;
    sent := pg_catalog.regexp_replace(sent, {passed_over}, ' ', 'g');
    sent := (SELECT pg_catalog.string_agg(s.part, ' ') FROM
        pg_catalog.unnest(pg_catalog.string_to_array(
            pg_catalog.regexp_replace(sent, {begins}, E'\x01\\1', 'gi'), E'\x01')) AS s (part)
        WHERE s.part OPERATOR(pg_catalog.~*) {ours});
    IF sent IS NULL THEN
        RETURN NEW;
    END IF;
    IF sent OPERATOR(pg_catalog.~*) {listed} OR sent OPERATOR(pg_catalog.~*)
        {given} AND sent OPERATOR(pg_catalog.~*) {another}
    THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = {message},
            HINT = {hint},
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = {new_name};
    END IF;
    IF sent OPERATOR(pg_catalog.~*) {given} THEN
        -- Every partition has the default of the table that the statement names.
        value := (SELECT pg_catalog.format('SELECT (%s)::%s',
                pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                pg_catalog.format_type(a.atttypid, a.atttypmod))
            FROM pg_catalog.pg_attrdef AS d JOIN pg_catalog.pg_attribute AS a
                ON a.attrelid OPERATOR(pg_catalog.=) d.adrelid
                AND a.attnum OPERATOR(pg_catalog.=) d.adnum
            WHERE a.attname OPERATOR(pg_catalog.=) {new_name}
                AND d.adrelid OPERATOR(pg_catalog.=)
                    coalesce(pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid, TG_RELID));
        IF value IS NOT NULL THEN
            EXECUTE value INTO NEW.{new};
        END IF;
    END IF;
    RETURN NEW;
END
{tag}"""
_FUNCTIONS = """
SELECT p.oid::regprocedure::text AS subject
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname = 'sql'
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'invoicing_rename')
    AND p.prosqlbody IS NULL AND p.prosrc ~* $1 AND p.prosrc ~* $2 ORDER BY 1
"""


def default_trigger(names: Names, base: str) -> list[str]:
    """Return what puts the trigger on the table behind the view."""
    trigger, new = quote(names.default_trigger), quote(names.new)
    return [
        (
            f"CREATE OR REPLACE TRIGGER {trigger} BEFORE UPDATE OF {new} ON {base} FOR EACH ROW"
            f" WHEN (NEW.{new} IS NOT DISTINCT FROM NULL)"
            f" EXECUTE FUNCTION {names.function(names.default_trigger)}()"
        ),
        f"ALTER TABLE {base} ENABLE ALWAYS TRIGGER {trigger}",
    ]


def default_function(names: Names) -> str:
    """Return what makes its function; it locks nothing.

    Nothing is pinned for it: the default is printed, and read again, as the client's session does.
    """
    either, given = _either(names), _given(names)
    another = rf"(\mset\M|,)\s*({either})\s*=(?![\s(]*default\M)"
    listed = rf"\((([^()]*,)?\s*)({either})\s*(,[^()]*)?\)\s*=.*\mdefault\M"
    schema = r'(?:"[^"]*"\s*\.\s*|\w+\s*\.\s*)?'
    ours = rf"^(?:update|insert\s+into|merge\s+into)\s+(?:only\s+)?{schema}(?:{_name(names.table)})"
    ours += r"(?![\w$])"
    message = f"it is ambiguous whether {names.table}.{names.new} is to have its default here"
    values = {
        "tag": f"$rename_{names.key}$",
        "function": names.function(names.default_trigger),
        "passed_over": literal(_PASSED_OVER),
        "begins": literal(_BEGINS),
        "ours": literal(ours),
        "listed": literal(listed),
        "given": literal(given),
        "another": literal(another),
        "message": literal(message),
        "hint": literal(_HINT),
        "new_name": literal(names.new),
        "new": quote(names.new),
    }
    return _FUNCTION.format_map(values)


async def asking_for_default(context: RenameContext) -> list[PlanFinding]:
    """Refuse functions in SQL that set the column to its default: their text is not known then."""
    column = context.column()
    if column.default is None:
        return []
    table, given = word(context.table.name), _given(context.names)
    message = (
        "its UPDATE ... SET {old} = DEFAULT would write NULL while the view stands: the server "
        "does not tell what a function in SQL runs. Write it in plpgsql or BEGIN ATOMIC, or pause "
        "it, then: --accept null-default"
    ).replace("{old}", quote(context.target.old))
    rows = await context.connection.fetch(_FUNCTIONS, table, given)
    return [refused("null-default", row["subject"], message) for row in rows]


def _given(names: Names) -> str:
    return rf'(^|[^\w$".])({_either(names)})\s*=[\s(]*default\M'


def _either(names: Names) -> str:
    return "|".join(sorted({_name(names.old), _name(names.new)}))


def _name(name: str) -> str:
    """Return a pattern of PostgreSQL's for a name as SQL has it: quoted, or as a word."""
    quoted = re.escape(quote(name))
    return f"{quoted}|{re.escape(name)}" if name.replace("$", "").isidentifier() else quoted
