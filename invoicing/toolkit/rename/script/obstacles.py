"""What a script cannot carry over, asked on the server by the script itself.

A script has no connection while it is written, so it refuses whatever it does not know: each query
returns descriptions, and any row ends the script. A rename's contract leaves the old column what
PostgreSQL lets follow it (see `in_place`); a change of the type has another column, which gets the
default and NOT NULL. Variables of the script: `rel`, the table; `col`, the old column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents import word
from invoicing.toolkit.rename.names import LAST, OWN_TRIGGERS, STATE, literal

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names

_TABLE = """
SELECT pg_describe_object('pg_class'::regclass, c.oid, 0) || CASE
    WHEN c.relkind = 'p' THEN ' is partitioned' WHEN c.relispartition THEN ' is a partition'
    WHEN c.relpersistence = 't' THEN ' is temporary' WHEN c.reloftype <> 0 THEN ' is made of a type'
    WHEN c.relkind = 'r' THEN ' is stored in another way than a heap' ELSE ' is no table' END
FROM pg_class AS c LEFT JOIN pg_am AS m ON m.oid = c.relam
WHERE c.oid = rel AND (c.relkind <> 'r' OR c.relispartition OR c.relpersistence = 't'
    OR c.reloftype <> 0 OR m.amname <> 'heap')
UNION ALL
SELECT pg_describe_object('pg_class'::regclass, i.inhrelid, 0) || ' inherits from '
    || i.inhparent::regclass FROM pg_inherits AS i WHERE rel IN (i.inhparent, i.inhrelid)
UNION ALL
SELECT 'extension citus, which distributes tables' FROM pg_extension AS e WHERE e.extname = 'citus'
"""
# A NOT NULL that was proved is added to the new column; one that was not is not known to hold.
_DEPENDENTS = f"""
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend AS d
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = rel AND d.refobjsubid = col.attnum
    AND NOT (d.classid = 'pg_trigger'::regclass AND EXISTS (SELECT FROM pg_trigger AS t
        WHERE t.oid = d.objid AND t.tgname ~ '{OWN_TRIGGERS}'))
    -- Its own default is copied: see `marks`.
    AND NOT (d.classid = 'pg_attrdef'::regclass AND EXISTS (SELECT FROM pg_attrdef AS f
        WHERE f.oid = d.objid AND f.adrelid = rel AND f.adnum = col.attnum))
    AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint AS k
        WHERE k.oid = d.objid AND k.contype = 'n' AND k.convalidated AND NOT k.connoinherit))
    {{stays}}
UNION ALL
SELECT 'security label of ' || pg_describe_object('pg_class'::regclass, rel, col.attnum)
FROM pg_seclabel AS s WHERE s.classoid = 'pg_class'::regclass AND s.objoid = rel
    AND s.objsubid = col.attnum
UNION ALL
SELECT pg_describe_object('pg_rewrite'::regclass, r.oid, 0) FROM pg_rewrite AS r
WHERE r.ev_class = rel
UNION ALL
-- A row used as a whole (`to_jsonb(t)`) names no column.
SELECT pg_describe_object('pg_rewrite'::regclass, r.oid, 0) FROM pg_depend AS d
JOIN pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = rel
    AND r.ev_action::text ~ ':varattno 0 '
UNION ALL
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_class AS c
JOIN pg_type AS t ON t.oid = c.reltype
JOIN pg_depend AS d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
WHERE c.oid = rel AND d.deptype <> 'i'
UNION ALL
SELECT pg_describe_object('pg_trigger'::regclass, t.oid, 0) FROM pg_trigger AS t
WHERE t.tgrelid = rel AND NOT t.tgisinternal AND t.tgname !~ '{OWN_TRIGGERS}'
    AND ({{named}} AND replace(encode(t.tgargs, 'escape'), {{nul}}, ' ') ~* {{column}}
        OR t.tgtype::int & 3 = 3 AND t.tgname > '{LAST}' COLLATE "C")
"""
# What PostgreSQL renames with the column: indexes and sequences, constraints of this table and keys
# that refer to it, columns that are computed from it, policies, views, functions of parsed bodies.
_STAYS = """AND d.classid NOT IN ('pg_class'::regclass, 'pg_constraint'::regclass,
        'pg_statistic_ext'::regclass, 'pg_attrdef'::regclass, 'pg_policy'::regclass,
        'pg_proc'::regclass)
    AND NOT (d.classid = 'pg_rewrite'::regclass AND EXISTS (SELECT FROM pg_rewrite AS r
        WHERE r.oid = d.objid AND r.rulename = '_RETURN'))"""
# A row that is compared as a whole has one column more, and is not filled at first.
_WHOLE = """
SELECT pg_describe_object(w.classid, w.oid, 0) FROM pg_class AS c, LATERAL (
    SELECT 'pg_constraint'::regclass AS classid, k.oid, k.conbin::text AS tree
    FROM pg_constraint AS k WHERE k.conrelid = rel
    UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, concat(i.indexprs, i.indpred)
    FROM pg_index AS i WHERE i.indrelid = rel
    UNION ALL SELECT 'pg_policy'::regclass, p.oid, concat(p.polqual, p.polwithcheck)
    FROM pg_policy AS p
) AS w WHERE c.oid = rel AND strpos(w.tree, ':vartype ' || c.reltype || ' ') > 0
"""
_FUNCTIONS = f"""
SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0) FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', {literal(STATE)})
    AND p.prosrc ~* {{column}} AND ({{also}} EXISTS (SELECT FROM pg_trigger AS t
        WHERE t.tgfoid = p.oid AND t.tgrelid = rel AND NOT t.tgisinternal))
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass
        AND d.objid = p.oid AND d.deptype = 'e')
"""
_COLUMN = """
SELECT w.what || ' of ' || pg_describe_object('pg_class'::regclass, rel, a.attnum)
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid, LATERAL (VALUES
    ('identity or generation', a.attidentity <> '' OR a.attgenerated <> ''),
    ('inheritance', a.attinhcount > 0){properties}
) AS w (what, there) WHERE a.attrelid = rel AND a.attnum = col.attnum AND w.there
UNION ALL
SELECT 'type ' || format_type(b.oid, NULL) || ' with a default or constraints'
FROM (WITH RECURSIVE chain AS (
    SELECT t.oid, t.typtype, t.typbasetype, t.typdefault, t.typnotnull FROM pg_type AS t
    WHERE t.oid = col.type_oid UNION ALL
    SELECT t.oid, t.typtype, t.typbasetype, t.typdefault, t.typnotnull
    FROM pg_type AS t JOIN chain ON t.oid = chain.typbasetype) SELECT * FROM chain) AS b
WHERE b.typdefault IS NOT NULL OR b.typtype = 'd' AND (b.typnotnull
    OR EXISTS (SELECT FROM pg_constraint AS k WHERE k.contypid = b.oid))
"""
# Those are the new type's own.
_PROPERTIES = """,
    ('storage', a.attstorage <> t.typstorage), ('compression', a.attcompression <> '')"""
_PUBLICATIONS = """
SELECT 'publication ' || quote_ident(p.pubname) || ' (or give alembic -x accept=publication)'
FROM pg_publication_tables AS p JOIN pg_class AS c ON c.relname = p.tablename
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = p.schemaname WHERE c.oid = rel
"""
_NO_IDENTITY = """
SELECT format('publication %I, in which the table has no replica identity', t.pubname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_publication_tables AS t ON t.schemaname = n.nspname AND t.tablename = c.relname
JOIN pg_publication AS p ON p.pubname = t.pubname AND p.pubupdate
WHERE c.oid = rel AND (c.relreplident = 'n' OR c.relreplident = 'd' AND NOT EXISTS (
    SELECT FROM pg_index AS i WHERE i.indrelid = rel AND i.indisprimary))
"""


def obstacles(names: Names, *, adding: bool, published: bool = False) -> str:
    """Return a query of everything the script cannot copy, as text.

    Args:
        names: the rename's.
        adding: whether a column like the old one is added, else the old one is dropped: functions
            may name a column that is still there.
        published: whether publications of the table are accepted.
    """
    column = literal(word(names.old))
    also = "" if adding else f"p.prosrc ~* {literal(word(names.table))} OR "
    same_type = names.conversion is None
    parts = [
        _TABLE,
        _DEPENDENTS.format(
            column=column,
            nul=literal("\\000"),
            named=not names.keeps_name,
            stays=_STAYS if same_type else "",
        ),
    ]
    if not names.keeps_name:  # what names the column goes on to name it
        parts.append(_FUNCTIONS.format(column=column, also=also))
    if adding:
        parts += [_WHOLE, _COLUMN.format(properties="" if same_type else _PROPERTIES)]
        parts += [_NO_IDENTITY if published else _PUBLICATIONS]
    return "UNION ALL".join(parts)
