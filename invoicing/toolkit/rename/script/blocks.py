"""The parts of a script's statements: anonymous blocks that know the column and how far it is.

A block has these variables: `rel`, the table; `col`, the old column as the catalog has it (`attnum`
is NULL where there is none); `there`, whether the new one exists; `noted`, the phase, strategy and
conversion that are noted; `counted`, `hindrance` and `kept` for what it finds; `part` and
`statement` for loops; `copies` (see `indexes`); and for another type (see `types`) `conversion` and
`types`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns.marks import setting
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.table import EXACT as EXACT_TYPES
from invoicing.toolkit.rename.table import Column

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import Options
    from invoicing.toolkit.rename.names import Names

# What stands for the type until the block runs; and columns that are compared in either way.
TYPE = "@type of the old column@"
EXACT = Column(number=0, type=TYPE, type_name="int8", type_kind="b", not_null=False)
IMAGE = replace(EXACT, type_name="json")
# Code of the database's own may run (checks, triggers); what we write means PostgreSQL's own first.
CLIENT_PATH = "pg_catalog.concat_ws(', ', 'pg_catalog', nullif({}, ''))"
_SAVED = "invoicing.settings"
_LOOK = f"""
    SELECT a.attnum, a.attnotnull, t.oid AS type_oid, format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attcollation <> t.typcollation THEN (SELECT ' COLLATE '
            || quote_ident(n.nspname) || '.' || quote_ident(l.collname) FROM pg_collation AS l
            JOIN pg_namespace AS n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation)
        ELSE '' END AS type,
        t.typtype = 'e' OR t.typnamespace = 'pg_catalog'::regnamespace AND (t.typname = ANY (ARRAY[
            {", ".join(map(literal, sorted(EXACT_TYPES)))}]) OR t.typname IN ('text', 'varchar')
            AND (SELECT l.collisdeterministic FROM pg_collation AS l WHERE l.oid = a.attcollation))
        AS exact
    INTO col FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = rel AND a.attname = {{old}} AND NOT a.attisdropped AND a.attnum > 0;
    there := EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = rel AND a.attname = {{new}}
        AND NOT a.attisdropped);
    SELECT NULL::text AS phase, NULL::text AS strategy, NULL::jsonb AS conversion INTO noted;
    IF to_regclass('{quote(STATE)}.rename') IS NOT NULL THEN
        SELECT r.phase, r.strategy, r.definition -> 'conversion' AS conversion INTO noted
        FROM {quote(STATE)}.rename AS r WHERE r.key = {{key}};
    END IF;
"""
# Each where the server knows it; and what they were before, for the rest of the script. But for the
# limit on a transaction: set within it, it counts from there, and the version row is still to come.
_SETTINGS = f"""
BEGIN
    PERFORM set_config('{_SAVED}', jsonb_object_agg(s.name, current_setting(s.name))::text, false)
    FROM pg_catalog.pg_settings AS s WHERE s.name = ANY ({{names}});
    PERFORM set_config(v.name, v.value, false) FROM (VALUES {{values}}) AS v (name, value)
    JOIN pg_catalog.pg_settings AS s USING (name);
END
"""


def do(body: str) -> str:
    """Return an anonymous block; nothing in `body` ends it."""
    tag = "$invoicing_rename$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    return f"DO {tag}\n{body}{tag}"


def settings(options: Options) -> str:
    """Return the statement that makes the session patient; an own timeout would end a backfill."""
    values = {
        "lock_timeout": f"{round(options.lock_timeout * 1000)}ms",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        "row_security": "off",
        "default_transaction_isolation": "read committed",
        "client_min_messages": "warning",
    }
    names = literal("{" + ",".join(values) + "}")
    values["transaction_timeout"] = "0"
    pairs = ", ".join(f"({literal(name)}, {literal(value)})" for name, value in values.items())
    return do(_SETTINGS.format(names=names, values=pairs))


# Before anything else, and in no time: where env.py lets it be written, before the first BEGIN.
PATIENT = do("""
BEGIN
    IF current_setting('transaction_timeout', true) IS NOT NULL THEN
        PERFORM set_config('transaction_timeout', '0', false);
    END IF;
END
""")
RESTORE = do(f"""
BEGIN
    PERFORM set_config(s.key, s.value, false)
    FROM jsonb_each_text(current_setting('{_SAVED}')::jsonb) AS s;
END
""")


def step(names: Names, body: str, *, searched: bool) -> str:
    """Return one statement: it has the rename's lock and knows the column, or it fails.

    Args:
        names: the rename's.
        body: what it does.
        searched: whether the search path has to find the same table.
    """
    found = f"pg_catalog.to_regclass({literal(quote(names.table))})"
    other = f"{found} IS DISTINCT FROM pg_catalog.to_regclass({literal(names.relation)})"
    find = raise_if(
        other,
        f"the search path does not find {names.relation} as {names.table}",
        "Name the schema in the revision (schema=...), and write the script again.",
    )
    look = _LOOK.format(old=literal(names.old), new=literal(names.new), key=literal(names.key))
    return do(
        "DECLARE\n    path text := pg_catalog.current_setting('search_path');\n"
        "    rel regclass;\n    col record;\n    noted record;\n    there boolean;\n"
        "    kept record;\n    hindrance text;\n    counted bigint;\n    part record;\n"
        "    statement text;\n    types jsonb;\n    conversion jsonb;\n    copies jsonb;\n"
        f"BEGIN\n{find if searched else ''}"
        "    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);\n"
        f"{locked(names)}    rel := {literal(names.relation)};{look}"
        f"    PERFORM set_config('search_path', {CLIENT_PATH.format('path')}, true);\n"
        f"{_refuse_renamed(names)}{body}"
        "    PERFORM set_config('search_path', path, true);\nEND\n"
    )


def refuse_denied() -> str:
    """Refuse where what the rename keeps is another role's."""
    renames = literal(f"{quote(STATE)}.rename")
    owner = f"(SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = {literal(STATE)})"
    return raise_if(
        f"to_regclass({renames}) IS NOT NULL AND NOT has_table_privilege({renames}, 'UPDATE')",
        f"this account may not write to the schema {STATE}. Run, as the schema's owner or a"
        " superuser: ",
        "Then run the script again.",
        fact=f"format('GRANT %I TO %I', pg_get_userbyid({owner}), current_user)",
    )


def _refuse_renamed(names: Names) -> str:
    """Refuse where one of the columns, known by its default, has another name by now."""
    expression = "pg_get_expr(d.adbin, d.adrelid)"
    place = literal(f"{setting(names)}_")
    letters = literal("concat\"?[(]'([on])'")
    letter = f"substring({expression} FROM {letters})"
    name = (
        f"CASE {letter} WHEN 'o' THEN {literal(names.old)} WHEN 'n' THEN {literal(names.new)} END"
    )
    query = (
        f"    SELECT string_agg(format('ALTER TABLE %s RENAME COLUMN %I TO %I', rel, a.attname,"
        f" {name}), '; ') INTO hindrance FROM pg_attrdef AS d JOIN pg_attribute AS a"
        f" ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = rel"
        f" AND strpos({expression}, {place}) > 0 AND a.attname <> {name};\n"
    )
    return query + raise_if(
        "hindrance IS NOT NULL",
        f"a column of {names.relation} was renamed while the rename of {names.old} to {names.new}"
        " is under way. Take that back: ",
        "Then run the script again.",
        fact="hindrance",
    )


def locked(names: Names) -> str:
    """Refuse while another session is at work on the table."""
    return raise_if(
        f"NOT pg_try_advisory_xact_lock({names.lock_key})",
        f"another session is renaming a column of {names.table}",
        f"To see which: {names.command('status')}. Then run the script again.",
    )


def raise_if(condition: str, message: str, hint: str, fact: str = "") -> str:
    """Return what ends the statement, and with it everything that it has done.

    Args:
        condition: SQL.
        message: what is wrong.
        hint: what to run.
        fact: an expression that belongs to the message: after its colon, else before it.
    """
    shown = literal(message)
    if fact:
        shown = f"{shown} || {fact}" if message.endswith(": ") else f"{fact} || {shown}"
    return (
        f"    IF {condition} THEN\n"
        f"        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',\n"
        f"            MESSAGE = {shown}, HINT = {literal(hint)};\n"
        f"    END IF;\n"
    )


def execute(*statements: str) -> str:
    """Return what runs statements whose names no variable can be taken for."""
    return "".join(f"    EXECUTE {literal(statement)};\n" for statement in statements)


def execute_typed(exact: list[str], image: list[str]) -> str:
    """Run statements made for `EXACT` or for `IMAGE`, whichever the column is, with its type."""
    return "".join(
        f"    EXECUTE replace(CASE WHEN col.exact THEN {literal(by_value)}"
        f" ELSE {literal(by_image)} END, {literal(TYPE)}, col.type);\n"
        for by_value, by_image in zip(exact, image, strict=True)
    )


def lock(names: Names, options: Options, mode: str) -> str:
    """Take a lock on the table; between its tries no session waits behind it."""
    longest = round(options.lock_timeout * 1000)
    message = f"cannot lock {names.relation}: another session uses it"
    hint = f"To see which: {names.command('status')}. Then run the script again."
    return f"""
    FOR attempt IN 1..{options.lock_attempts} LOOP
        BEGIN
            PERFORM set_config('lock_timeout', least(100 * 2 ^ (attempt - 1), {longest}) || 'ms',
                true);
            LOCK TABLE {names.relation} IN {mode} MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            IF attempt = {options.lock_attempts} THEN
                RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
                    MESSAGE = {literal(message)}, HINT = {literal(hint)};
            END IF;
            PERFORM pg_sleep(least(0.2 * 2 ^ (attempt - 1), 5) * (0.5 + random() / 2));
        END;
    END LOOP;
"""
