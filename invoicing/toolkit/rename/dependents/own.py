"""What is part of the table, copied with the column, or names neither column nor row.

Indexes, constraints and extended statistics are copied (see `copies`); those that are not have
kinds of their own.
"""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind

_PARTS = """
SELECT '', 'pg_class', relid FROM tree
UNION ALL SELECT '', 'pg_attrdef', d.oid
FROM tree JOIN pg_catalog.pg_attrdef AS d ON (d.adrelid, d.adnum) = (tree.relid, tree.attnum)
UNION ALL SELECT '', 'pg_class', c.oid
FROM hanging AS h JOIN pg_catalog.pg_class AS c ON c.oid = h.objid AND c.relkind = 'S'
WHERE h.classid = 'pg_class'::regclass
UNION ALL SELECT '', 'pg_class', i.indexrelid
FROM tree JOIN pg_catalog.pg_index AS i ON i.indrelid = tree.relid
UNION ALL SELECT '', 'pg_constraint', k.oid
FROM tree JOIN pg_catalog.pg_constraint AS k ON tree.relid IN (k.conrelid, k.confrelid)
WHERE k.contype IN ('c', 'f', 'n', 'p', 't', 'u', 'x')
UNION ALL SELECT '', 'pg_statistic_ext', s.oid
FROM tree JOIN pg_catalog.pg_statistic_ext AS s ON s.stxrelid = tree.relid
UNION ALL SELECT '', 'pg_trigger', t.oid
FROM tree JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = tree.relid
"""
_BYSTANDERS = """
SELECT '', c.relname::text, d.objid
FROM tree JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_class'::regclass
    AND d.refobjid = tree.relid AND d.refobjsubid = 0
JOIN pg_catalog.pg_class AS c ON c.oid = d.classid
WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass,
    'pg_proc'::regclass, 'pg_publication_rel'::regclass)
"""
KINDS = (Kind("part", NOTHING, NOTHING, _PARTS), Kind("bystander", NOTHING, NOTHING, _BYSTANDERS))
