"""What was changed on the old column since the two were equal, for a contract written as a script.

A run takes it over (see `columns.copies.properties`, whose keys and notes these are). The script of
an expand does so once. That of a change of the type says what to run on the new column, and drops
nothing until that is done. What the new column was given by hand stays, where the old one was left
as it was; where the contract renames the old one itself, it gets that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.grants import GRANTEE, GRANTOR
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.table import STORAGE

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names


def _storage(letter: str) -> str:
    words = " ".join(f"WHEN {literal(at)} THEN {literal(word)}" for at, word in STORAGE.items())
    return f"CASE {letter} {words} END"


# What each column has, by kind and what tells it from others of its kind; variables as in `blocks`.
_ITEMS = f"""
SELECT a.attname AS name, i.key, i.value FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_type AS t ON t.oid = a.atttypid, LATERAL (
    SELECT jsonb_build_array(w.what), w.value FROM (VALUES
        ('not null', CASE WHEN a.attnotnull THEN 'true' END),
        ('storage', CASE WHEN a.attstorage <> t.typstorage THEN {_storage("a.attstorage")} END),
        ('compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END),
        ('statistics', CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::text END),
        ('comment', col_description(a.attrelid, a.attnum))
    ) AS w (what, value) WHERE w.value IS NOT NULL
    UNION ALL SELECT jsonb_build_array('options', split_part(o, '=', 1)),
        substr(o, strpos(o, '=') + 1) FROM unnest(a.attoptions) AS o
    UNION ALL SELECT jsonb_build_array('grant', {GRANTOR}, {GRANTEE}, x.privilege_type),
        bool_or(x.is_grantable)::text FROM aclexplode(a.attacl) AS x GROUP BY 1
) AS i (key, value) WHERE a.attrelid = rel AND a.attnum > 0 AND NOT a.attisdropped
"""
# What makes the new column's item the old one's. A grantor's privileges are granted by it.
_STATEMENT = f"""CASE key ->> 0
WHEN 'not null' THEN format('%s %s NOT NULL', w.alter,
    CASE WHEN o.value IS NULL THEN 'DROP' ELSE 'SET' END)
WHEN 'options' THEN format('%s %s (%I%s)', w.alter,
    CASE WHEN o.value IS NULL THEN 'RESET' ELSE 'SET' END, key ->> 1, '=' || o.value)
WHEN 'comment' THEN format('COMMENT ON COLUMN %s.%I IS %L', w.relation, w.name, o.value)
WHEN 'grant' THEN format(
    CASE WHEN key ->> 1 IS NULL THEN '%2$s' ELSE 'SET ROLE %1$s; %2$s; RESET ROLE' END, key ->> 1,
    format(CASE WHEN o.value IS NULL THEN 'REVOKE %s (%I) ON %s FROM %s CASCADE'
        WHEN o.value = 'true' THEN 'GRANT %s (%I) ON %s TO %s WITH GRANT OPTION'
        WHEN n.value IS NULL THEN 'GRANT %s (%I) ON %s TO %s'
        ELSE 'REVOKE GRANT OPTION FOR %s (%I) ON %s FROM %s CASCADE' END,
    key ->> 3, w.name, w.relation, key ->> 2))
ELSE format('%s SET %s %s', w.alter, upper(key ->> 0), coalesce(o.value, CASE key ->> 0
    WHEN 'statistics' THEN '-1' WHEN 'compression' THEN 'default' ELSE (SELECT
    {_storage("t.typstorage")} FROM pg_type AS t WHERE t.oid = col.type_oid) END)) END"""


def changes(names: Names, *, adding: bool = False, back: bool = False) -> str:
    """Return a query of the statements that give the new column what the old one has.

    Args:
        names: the rename's.
        adding: whether the new one was just added; it becomes NOT NULL later.
        back: whether the old one is given what the new one was given by hand, instead.
    """
    giver, taker = (names.new, names.old) if back else (names.old, names.new)
    relation = literal(names.relation)
    alter = literal(f"ALTER TABLE {names.relation} ALTER COLUMN {quote(taker)}")
    # Those are the new type's own.
    of_type = "AND key ->> 0 NOT IN ('storage', 'compression')" if names.conversion else ""
    changed = """key ->> 0 = 'not null' OR n.value IS NULL
    OR n.value IS NOT DISTINCT FROM was.value OR o.value IS DISTINCT FROM was.value"""
    if back:
        changed = "o.value IS NOT NULL AND o.value IS DISTINCT FROM was.value"
    if adding or back:
        changed = f"key ->> 0 <> 'not null' AND ({changed})"
    return f"""
WITH items AS ({_ITEMS}), was AS (SELECT e.item -> 0 AS key, e.item ->> 1 AS value
    FROM {quote(STATE)}.rename AS r,
        jsonb_array_elements(r.definition -> 'properties' -> rel::oid::text) AS e (item)
    WHERE r.key = {literal(names.key)})
SELECT {_STATEMENT}
FROM (SELECT key, value FROM items WHERE name = {literal(giver)}) AS o
FULL JOIN (SELECT key, value FROM items WHERE name = {literal(taker)}) AS n USING (key)
LEFT JOIN was USING (key), (VALUES ({relation}, {literal(taker)}, {alter}))
    AS w (relation, name, alter)
WHERE o.value IS DISTINCT FROM n.value AND ({changed})
    {of_type}
"""


def carry(names: Names, *, back: bool = False) -> str:
    """Return what runs those statements, each as its grantor, and notes what they were of."""
    query = changes(names, adding=not back, back=back)
    loop = f"""    hindrance := current_setting('role');
    FOR statement IN {query} LOOP
        EXECUTE statement;
        PERFORM set_config('role', hindrance, false);
    END LOOP;
"""
    if back:
        return loop
    return f"""{loop}    UPDATE {quote(STATE)}.rename AS r SET definition = r.definition
        || jsonb_build_object('properties', jsonb_build_object(rel::oid::text, (
            SELECT coalesce(jsonb_agg(jsonb_build_array(i.key, CASE i.key ->> 0
                WHEN 'statistics' THEN to_jsonb(i.value::int)
                WHEN 'grant' THEN to_jsonb(i.value::bool) ELSE to_jsonb(i.value) END)), '[]')
            FROM ({_ITEMS}) AS i WHERE i.name = {literal(names.old)} AND i.key ->> 0 <> 'not null')
        )) WHERE r.key = {literal(names.key)};
"""


def keep_not_null_name(names: Names) -> tuple[str, str]:
    """Return what to do before and after the DROP for the name and comment of a NOT NULL.

    It has them since PostgreSQL 18; the old column's name in it gives way to the new one's.
    """
    of = "FROM pg_constraint AS k WHERE k.conrelid = rel AND k.contype = 'n' AND k.conkey ="
    pattern = literal(rf"(?<![[:alnum:]]){re.escape(names.old)}(?![[:alnum:]])")
    final = names.old if names.keeps_name else names.new
    new = literal(final.replace("\\", "\\\\"))
    relation = literal(names.relation)
    before = (
        f"    SELECT regexp_replace(k.conname, {pattern}, {new}, 'g')::name AS name,"
        f" obj_description(k.oid, 'pg_constraint') AS comment INTO kept {of} ARRAY[col.attnum];\n"
    )
    number = (
        "SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = rel AND NOT a.attisdropped"
        f" AND a.attname = {literal(final)}"
    )
    after = f"""    IF kept.name IS NOT NULL THEN
        SELECT k.conname INTO hindrance {of} ARRAY({number});
        IF hindrance <> kept.name THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', {relation}, hindrance,
                kept.name);
        END IF;
        IF kept.comment IS NOT NULL THEN
            EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', kept.name, {relation},
                kept.comment);
        END IF;
    END IF;
"""
    return before, after
