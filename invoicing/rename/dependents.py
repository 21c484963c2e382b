"""Everything that hangs on a column: found in the catalog, and told what becomes of it.

Four verdicts: *carried* over to the new column by us; *noted*; *later*: to be changed by its owner
after the backfill, and until then the contract is refused; *refused*: nothing can begin.

What it does not detect: names in code that the database does not keep, and dynamic SQL. Functions
are searched for the column's name as a word, since the catalog does not look into their bodies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from invoicing.rename.model import Finding
from invoicing.rename.names import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.rename.column import Relation
    from invoicing.rename.model import Target
    from invoicing.rename.session import Connection


class Dependent(NamedTuple):
    """One object that hangs on the column, or names it."""

    kind: str
    subject: str
    oid: int


# The column in every table of the tree: partitions number their columns as they like.
_TREE = """
tree AS (
    SELECT t.relid, a.attnum FROM (SELECT $1::oid AS relid UNION
        SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass)) AS t
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.relid AND a.attname = $2
        AND NOT a.attisdropped
), hanging AS (
    SELECT DISTINCT d.classid, d.objid, d.objsubid, tree.relid, tree.attnum
    FROM pg_catalog.pg_depend AS d JOIN tree ON d.refobjid = tree.relid
        AND d.refobjsubid = tree.attnum AND d.refclassid = 'pg_class'::regclass
)"""
# What pg_depend knows of nothing else: `subject` is how SQL would name it.
_HANGING = f"""
WITH {_TREE}
SELECT CASE v.relkind WHEN 'm' THEN 'materialized-view' WHEN 'v' THEN 'view'
        ELSE 'rule' END AS kind, CASE WHEN v.relkind IN ('m', 'v') THEN v.oid::regclass::text
        ELSE quote_ident(r.rulename) || ' ON ' || v.oid::regclass END AS subject, r.oid AS oid
FROM hanging AS h JOIN pg_catalog.pg_rewrite AS r ON r.oid = h.objid
JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class WHERE h.classid = 'pg_rewrite'::regclass
UNION ALL
SELECT 'policy', quote_ident(p.polname) || ' ON ' || p.polrelid::regclass, p.oid
FROM hanging AS h JOIN pg_catalog.pg_policy AS p ON p.oid = h.objid
WHERE h.classid = 'pg_policy'::regclass
UNION ALL
SELECT 'column-trigger', quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass, t.oid
FROM hanging AS h JOIN pg_catalog.pg_trigger AS t ON t.oid = h.objid
WHERE h.classid = 'pg_trigger'::regclass AND t.tgparentid = 0 AND t.tgname !~ '^zz_rename_'
UNION ALL
SELECT 'generated-column', quote_ident(a.attname), d.oid
FROM hanging AS h JOIN pg_catalog.pg_attrdef AS d ON d.oid = h.objid
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE h.classid = 'pg_attrdef'::regclass AND d.adrelid = $1
    AND (d.adrelid, d.adnum) NOT IN (SELECT relid, attnum FROM tree)
UNION ALL
SELECT 'function', p.oid::regprocedure::text, p.oid
FROM hanging AS h JOIN pg_catalog.pg_proc AS p ON p.oid = h.objid
WHERE h.classid = 'pg_proc'::regclass
UNION ALL
SELECT 'partition-key', k.partrelid::regclass::text, k.partrelid
FROM tree JOIN pg_catalog.pg_partitioned_table AS k ON k.partrelid = tree.relid
WHERE tree.attnum = ANY (k.partattrs::int2[]) OR EXISTS (SELECT FROM hanging AS h
    WHERE h.classid = 'pg_class'::regclass AND h.objid = k.partrelid AND h.relid = k.partrelid)
UNION ALL
SELECT CASE c.contype WHEN 'p' THEN 'primary-key' WHEN 'x' THEN 'exclusion-constraint' END,
    quote_ident(c.conname) || ' ON ' || c.conrelid::regclass, c.oid
FROM tree JOIN pg_catalog.pg_constraint AS c ON c.conrelid = tree.relid
WHERE c.contype IN ('p', 'x') AND c.conparentid = 0 AND (tree.attnum = ANY (c.conkey)
    OR EXISTS (SELECT FROM hanging AS h WHERE h.classid = 'pg_constraint'::regclass
        AND h.objid = c.oid))
UNION ALL
SELECT 'referenced', quote_ident(c.conname) || ' ON ' || c.conrelid::regclass, c.oid
FROM tree JOIN pg_catalog.pg_constraint AS c ON c.confrelid = tree.relid
WHERE c.contype = 'f' AND c.conparentid = 0 AND tree.attnum = ANY (c.confkey)
UNION ALL
SELECT 'replica-identity', i.indexrelid::regclass::text, i.indexrelid
FROM tree JOIN pg_catalog.pg_index AS i ON i.indrelid = tree.relid
WHERE i.indisreplident AND tree.attnum = ANY (i.indkey::int2[])
UNION ALL
SELECT 'inheritance', i.inhrelid::regclass::text, i.inhrelid
FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = $1 AND NOT c.relispartition
UNION ALL
SELECT 'foreign-partition', c.oid::regclass::text, c.oid
FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = tree.relid WHERE c.relkind = 'f'
"""
_COLUMN_LISTS = f"""
WITH {_TREE}
SELECT 'publication-columns' AS kind, quote_ident(p.pubname) AS subject, p.oid
FROM tree JOIN pg_catalog.pg_publication_rel AS r ON r.prrelid = tree.relid
JOIN pg_catalog.pg_publication AS p ON p.oid = r.prpubid
WHERE tree.attnum = ANY (r.prattrs::int2[]) OR EXISTS (SELECT FROM hanging AS h
    WHERE h.classid = 'pg_publication_rel'::regclass AND h.objid = r.oid)
"""
_PUBLICATIONS = """
SELECT DISTINCT 'publication' AS kind, quote_ident(t.pubname) AS subject, p.oid
FROM pg_catalog.pg_publication_tables AS t
JOIN pg_catalog.pg_publication AS p ON p.pubname = t.pubname
JOIN pg_catalog.pg_class AS c ON c.relname = t.tablename
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = t.schemaname
WHERE c.oid IN (SELECT $1::oid UNION
    SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass))
"""
# Bodies kept as text: a trigger's function of this table, or one that names table and column both.
_FUNCTIONS = """
SELECT CASE WHEN t.timing = 2 THEN 'before-trigger-function'
    WHEN t.timing IS NOT NULL THEN 'trigger-function' ELSE 'function' END AS kind,
    p.oid::regprocedure::text AS subject, p.oid
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
LEFT JOIN LATERAL (SELECT max(g.tgtype::int & 2) AS timing FROM pg_catalog.pg_trigger AS g
    WHERE g.tgfoid = p.oid AND NOT g.tgisinternal AND g.tgtype::int & 1 = 1 AND g.tgrelid IN (
        SELECT $1::oid UNION SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass))
    ) AS t ON true
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'invoicing_rename')
    AND p.prosrc ~ $2 AND (t.timing IS NOT NULL OR p.prosrc ~ $3)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_proc'::regclass
        AND d.objid = p.oid AND d.deptype = 'e')
"""


async def find_dependents(
    connection: Connection, relation: Relation, target: Target
) -> list[Dependent]:
    """Return what hangs on the old column, but for what is carried over (see `carry`)."""
    found = await connection.fetch(_HANGING, relation.oid, target.old)
    if connection.get_server_version().major >= 15:  # noqa: PLR2004 -- column lists came with it
        found += await connection.fetch(_COLUMN_LISTS, relation.oid, target.old)
    found += await connection.fetch(_PUBLICATIONS, relation.oid)
    found += await connection.fetch(
        _FUNCTIONS, relation.oid, word(target.old), word(relation.table)
    )
    unique = {Dependent(*row): None for row in found}
    return list(unique)


def word(name: str) -> str:
    """Return a pattern of PostgreSQL's that finds `name` as a word by itself."""
    return rf"(^|[^\w$]){re.escape(name)}([^\w$]|$)"


def judge(dependents: Iterable[Dependent], target: Target) -> list[Finding]:
    """Return what becomes of each of them in the three steps."""
    old, new = quote(target.old), quote(target.new)
    found = []
    for one in dependents:
        verdict, message = _VERDICTS[one.kind]
        said = message.format(
            kind=one.kind, old=old, new=new, subject=one.subject, table=quote(target.table)
        )
        found.append(Finding(one.kind, one.subject, verdict, said))  # type: ignore[arg-type]
    return found


_LATER = "the contract is refused until it does not name {old}. After the backfill "
_VIEW = " Or take the other way: --strategy view"
_VERDICTS = {
    "view": ("later", _LATER + "run: CREATE OR REPLACE VIEW {subject} AS ... {new} AS {old} ..."),
    "materialized-view": ("later", _LATER + "make it again over {new}"),
    "rule": ("later", _LATER + "make it again with {new}"),
    "policy": ("later", _LATER + "run: ALTER POLICY {subject} USING (... {new} ...)"),
    "function": ("later", _LATER + "run: CREATE OR REPLACE FUNCTION with {new}"),
    "trigger-function": ("later", _LATER + "run: CREATE OR REPLACE FUNCTION with {new}"),
    "before-trigger-function": (
        "refused",
        "it runs before the two columns are made equal, and would see no {old} in what new code "
        "writes. Let it not name {old}, then begin." + _VIEW,
    ),
    "column-trigger": (
        "refused",
        "it fires on {old} only, and would miss what new code writes. Make it again without "
        "UPDATE OF and WHEN on {old}, then begin." + _VIEW,
    ),
    "generated-column": (
        "refused",
        "it is computed from {old}, and another expression would rewrite the table. Drop it "
        "first." + _VIEW,
    ),
    "partition-key": ("refused", "{old} decides in which partition a row is." + _VIEW),
    "primary-key": ("refused", "{old} is in the primary key, which others refer to." + _VIEW),
    "exclusion-constraint": (
        "refused",
        "an exclusion constraint cannot be built without a long lock. Drop it first." + _VIEW,
    ),
    "referenced": ("refused", "a foreign key refers to {old}. Drop it first." + _VIEW),
    "replica-identity": (
        "refused",
        "replicas know a row by {old}. Run first: ALTER TABLE {table} REPLICA IDENTITY DEFAULT",
    ),
    "inheritance": (
        "refused",
        "it inherits from the table, and inherited tables have no common trigger." + _VIEW,
    ),
    "foreign-partition": ("refused", "a partition on another server cannot be filled by batches"),
    "publication-columns": (
        "later",
        _LATER + "run: ALTER PUBLICATION {subject} SET TABLE {table} (... {new} ...)",
    ),
    "publication": (
        "refused",
        "subscribers stop at a row with a column they lack. Add it there, then: --accept {kind}",
    ),
}
# What an operator may accept at the gate, by the kind alone.
KINDS = frozenset(_VERDICTS)
