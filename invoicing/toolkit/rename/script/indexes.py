"""Indexes on the new column, for those who use its name: built CONCURRENTLY, by psql's gexec.

No block can build them, which are transactions of their own. So a block learns from probes what
they are on the new column (see `columns.copies.definitions`), and leaves that in a setting of the
session; a query of it returns the statements that psql then runs. One that was killed leaves an
index that is not valid, which is dropped first. The contract drops them all with the new column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns.copies import index
from invoicing.toolkit.rename.columns.copies.definitions import INDEX_KEYS, INDEX_PREDICATE
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.script.blocks import CLIENT_PATH, do, execute, lock, raise_if
from invoicing.toolkit.rename.script.renamed import renamed, renamings, shortened

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import Options
    from invoicing.toolkit.rename.names import Names

_CLONE = "pg_temp.invoicing_rename_clone"
_PATH = "invoicing.path"
_PATIENCE = "invoicing.patience"
# What each is on the new column: $1 are the originals, of which the table's oid is $2.
_ASKED = f"""
SELECT coalesce(jsonb_agg(c.value || jsonb_build_object('sql', format('%I.%I', t.schema, c.name),
    'create', format('CREATE %sINDEX CONCURRENTLY %I ON %I.%I %s%s%s%s%s',
        CASE WHEN c.value -> 'unique' = 'true' THEN 'UNIQUE ' END, c.name, t.schema, t.name, c.keys,
        CASE WHEN c.value -> 'nulls_not_distinct' = 'true' THEN ' NULLS NOT DISTINCT' END,
        ' WITH (' || (c.value ->> 'parameters') || ')',
        ' TABLESPACE ' || quote_ident(c.value ->> 'tablespace'), ' WHERE ' || c.predicate),
    'attach', CASE WHEN c.value -> 'is_constraint' = 'true' AND c.value -> 'is_primary' = 'false'
        THEN format('ALTER TABLE %I.%I ADD CONSTRAINT %I UNIQUE USING INDEX %I%s', t.schema, t.name,
            c.name, c.name, c.value ->> 'timing') END,
    'note', jsonb_build_object('kind', 'index', 'table', $2::bigint, 'schema', '', 'old_name',
        c.value -> 'name', 'name', c.name, 'digest', '', 'valid', true, 'whole', NULL))), '[]')
FROM (SELECT n.nspname AS schema, r.relname AS name FROM pg_class AS r
    JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE r.oid = $2) AS t, (
    SELECT o.value, {{name}} AS name, {INDEX_KEYS} AS keys, {INDEX_PREDICATE} AS predicate
    FROM jsonb_array_elements($1) AS o (value) JOIN pg_class AS p
        ON p.relname = 'invoicing_' || (o.value ->> 'oid') AND p.relnamespace = pg_my_temp_schema()
    JOIN pg_index AS i ON i.indexrelid = p.oid) AS c
"""
_LEARN = """    copies := '[]';
    EXECUTE {count} INTO counted USING ARRAY[rel::oid], ARRAY[col.attnum::text];
    IF counted > 0 THEN
        BEGIN
{clone}            FOR part IN EXECUTE {query}
                USING ARRAY[rel::oid], ARRAY[col.attnum::text] LOOP
                CONTINUE WHEN part.exclusion OR part.is_primary AND part.timing <> '';
                hindrance := part.name;
                EXECUTE format('CREATE INDEX %I ON {table} %s%s', 'invoicing_' || part.oid,
                    part.keys, ' WHERE ' || part.predicate);
                copies := copies || jsonb_build_array(to_jsonb(part));
            END LOOP;
{rename}            EXECUTE {asked} INTO copies USING copies, rel::oid;
            RAISE SQLSTATE 'RN002';  -- what was made for this is undone, what was learnt is not
        EXCEPTION WHEN SQLSTATE 'RN002' THEN NULL;
            WHEN OTHERS THEN RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format({message}, hindrance, SQLERRM), HINT = {hint};
        END;
    END IF;
"""
_OURS = """EXISTS (SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid
    WHERE i.indexrelid = to_regclass({sql}) AND i.indrelid = rel AND a.attname = {new}
        AND EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
            AND d.objid = i.indexrelid AND d.refobjid = rel AND d.refobjsubid = a.attnum))"""
_BUILD = """SELECT s.statement
FROM jsonb_array_elements({copies}) WITH ORDINALITY AS c (copy, place)
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = pg_catalog.to_regclass(c.copy ->> 'sql'),
LATERAL (VALUES (1, CASE WHEN NOT i.indisvalid THEN
        'DROP INDEX CONCURRENTLY ' || (c.copy ->> 'sql') END),
    (2, CASE WHEN i.indisvalid IS NOT TRUE THEN c.copy ->> 'create' END)) AS s (step, statement)
WHERE s.statement IS NOT NULL ORDER BY c.place, s.step
\\gexec
"""
# Of a constraint that shares its index's name.
_ATTACH = """    IF EXISTS (SELECT FROM jsonb_array_elements({copies}) AS c (copy) WHERE {due}) THEN
{lock}        FOR statement IN SELECT c.copy ->> 'attach' FROM jsonb_array_elements({copies})
            AS c (copy) WHERE {due} LOOP
            EXECUTE statement;
        END LOOP;
    END IF;
"""
_DUE = """c.copy ->> 'attach' IS NOT NULL AND NOT EXISTS (SELECT FROM pg_constraint AS k
            WHERE k.conindid = to_regclass(c.copy ->> 'sql') AND k.contype = 'u')"""


def learn(names: Names) -> str:
    """Return what lets `copies` be known, or refuses an index that cannot be copied."""
    query = index.QUERY.strip()
    first, new = renamed(names, "o.value ->> 'name'"), literal(names.new)
    plain, other = (
        shortened(f"concat(o.value ->> 'name', '_', {new}::text{more})")
        for more in ("", ", '_copy'")
    )
    again = renamed(names, "other.value ->> 'name'")
    taken = (
        f"EXISTS (SELECT FROM jsonb_array_elements($1) AS other (value) WHERE {again} = {plain})"
    )
    name = f"coalesce({first}, CASE WHEN {taken} THEN {other} ELSE {plain} END)"
    make = f"CREATE TEMPORARY TABLE invoicing_rename_clone (LIKE {names.relation})"
    rename = (
        f"ALTER TABLE {_CLONE} DROP COLUMN IF EXISTS {quote(names.new)} CASCADE",
        f"ALTER TABLE {_CLONE} RENAME COLUMN {quote(names.old)} TO {quote(names.new)}",
    )
    subject = f"{names.table} cannot be copied to {names.new}".replace("%", "%%")
    message = f"index %I of {subject}: %s"
    return _LEARN.format(
        count=literal(f"SELECT count(*) FROM ({query}) AS q"),
        query=literal(query),
        clone=execute(make),
        table=_CLONE,
        rename=execute(*rename),
        asked=literal(_ASKED.format(name=name)),
        message=literal(message),
        hint=literal("Nothing was changed. Drop it, or run the revision itself: without --sql."),
    )


def refuse_taken(names: Names) -> str:
    """Refuse names that something else has, before anything of ours is made."""
    hint = "Nothing was changed. Rename one of the two, then run the script again."
    query = (
        "SELECT string_agg(x.name, ', ') FROM (SELECT format('%I for %I', r.new_name, r.name)"
        f" AS name FROM ({renamings(names)}) AS r WHERE r.taken"
        " UNION SELECT format('%s for %I', c.copy ->> 'sql', c.copy ->> 'name')"
        " FROM jsonb_array_elements($4) AS c (copy)"
        " WHERE to_regclass(c.copy ->> 'sql') IS NOT NULL) AS x"
    )
    return (
        f"    EXECUTE {literal(query)} INTO hindrance USING rel::oid, {literal(names.old)},"
        f" {literal(names.table)}, copies;\n"
    ) + raise_if(
        "hindrance IS NOT NULL",
        f"names that the rename of {names.table}.{names.old} needs are taken: ",
        hint,
        fact="hindrance",
    )


def prepare(names: Names) -> str:
    """Return what learns what is to be built, and notes it with the rename."""
    ours = _OURS.format(sql="c.copy ->> 'sql'", new=literal(names.new))
    return (
        learn(names) + "    SELECT string_agg(c.copy ->> 'sql', ', ') INTO hindrance"
        " FROM jsonb_array_elements(copies) AS c (copy)"
        f" WHERE to_regclass(c.copy ->> 'sql') IS NOT NULL AND NOT {ours};\n"
        + raise_if(
            "hindrance IS NOT NULL",
            f"names that indexes on {names.table}.{names.new} need are taken: ",
            "Rename what has them, then run the script again.",
            fact="hindrance",
        )
        + f"    PERFORM set_config({_setting(names)}, copies::text, false);\n"
        + f"""    UPDATE {quote(STATE)}.rename AS r SET definition = r.definition
        || jsonb_build_object('copies', (SELECT coalesce(jsonb_agg(n.note), '[]') FROM (
            SELECT e.note FROM jsonb_array_elements(r.definition -> 'copies') AS e (note)
            WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(copies) AS c (copy)
                WHERE c.copy -> 'note' ->> 'old_name' = e.note ->> 'old_name'
                AND e.note ->> 'kind' = 'index')
            UNION ALL SELECT c.copy -> 'note' FROM jsonb_array_elements(copies) AS c (copy)
        ) AS n)) WHERE r.key = {literal(names.key)} AND copies <> '[]';
"""
    )


def build(names: Names, options: Options) -> list[str]:
    """Return what builds them; until the last of it, names mean PostgreSQL's own first."""
    patience = f"{round(options.lock_timeout * 1000) * options.lock_attempts}ms"
    path = CLIENT_PATH.format("current_setting('search_path')")
    before = do(f"""
BEGIN
    PERFORM set_config('{_PATH}', current_setting('search_path'), false),
        set_config('{_PATIENCE}', current_setting('lock_timeout'), false);
    PERFORM set_config('search_path', {path}, false),
        set_config('lock_timeout', '{patience}', false);
END
""")
    after = do(f"""
BEGIN
    PERFORM set_config('search_path', current_setting('{_PATH}'), false),
        set_config('lock_timeout', current_setting('{_PATIENCE}'), false);
END
""")
    return [before, _BUILD.format(copies=_copies(names)), after]


def attach(names: Names, options: Options) -> str:
    """Return what makes those constraints that their originals are."""
    return _ATTACH.format(
        copies=_copies(names), due=_DUE, lock=lock(names, options, "ACCESS EXCLUSIVE")
    )


def analyze(names: Names) -> str:
    """Return what lets the planner know those of expressions."""
    body = execute(f"ANALYZE {names.relation}")
    return f"    IF {_copies(names)} <> '[]' THEN\n{body}    END IF;\n"


def refuse_unbuilt(names: Names) -> str:
    """Refuse where one of them is not there, or not valid."""
    return (
        f"    SELECT string_agg(c.copy ->> 'sql', ', ') INTO hindrance"
        f" FROM jsonb_array_elements({_copies(names)}) AS c (copy) WHERE NOT EXISTS (SELECT FROM"
        " pg_index AS i WHERE i.indexrelid = to_regclass(c.copy ->> 'sql') AND i.indisvalid);\n"
    ) + raise_if(
        "hindrance IS NOT NULL",
        f"indexes on {names.table}.{names.new} were not built: ",
        "Run the script again, by psql: it goes on from there.",
        fact="hindrance",
    )


def _setting(names: Names) -> str:
    return literal(f"invoicing.copies_{names.key}")


def _copies(names: Names) -> str:
    unset = f"nullif(pg_catalog.current_setting({_setting(names)}, true), '')"
    return f"coalesce({unset}, '[]')::pg_catalog.jsonb"
