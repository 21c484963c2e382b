"""Columns that are computed from this one."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import FOLLOWS, STAYS, Kind, Reaction

KINDS = (
    Kind(
        "generated-column",
        Reaction(
            "refused",
            "it is computed from {old}, and another expression would rewrite the table. Drop it "
            "first. Or use --strategy view",
        ),
        FOLLOWS,
        """
        SELECT DISTINCT quote_ident(a.attname), 'pg_attrdef', d.oid
        FROM hanging AS h JOIN pg_catalog.pg_attrdef AS d ON d.oid = h.objid
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE h.classid = 'pg_attrdef'::regclass
            AND (d.adrelid, d.adnum) NOT IN (SELECT relid, attnum FROM tree)
        """,
        in_place=STAYS,
    ),
)
