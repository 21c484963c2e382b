"""Constraints that no copy can be built of without a long lock."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import FOLLOWS, NOTHING, STAYS, Kind, Reaction

_CONSTRAINTS = """
SELECT quote_ident(c.conname) || ' ON ' || c.conrelid::regclass, 'pg_constraint', c.oid
FROM tree JOIN pg_catalog.pg_constraint AS c ON c.conrelid = tree.relid
WHERE c.contype = '{type}' AND c.conparentid = 0 AND (tree.attnum = ANY (c.conkey)
    OR EXISTS (SELECT FROM hanging AS h WHERE h.classid = 'pg_constraint'::regclass
        AND h.objid = c.oid))
"""
KINDS = (
    Kind(
        "primary-key",
        Reaction(
            "refused",
            "{old} is in the primary key, which others refer to. Use --strategy view",
        ),
        FOLLOWS,
        _CONSTRAINTS.replace("{type}", "p"),
        same_name=NOTHING,
        in_place=STAYS,
    ),
    Kind(
        "exclusion-constraint",
        Reaction(
            "refused",
            "an exclusion constraint cannot be built without a long lock. Drop it first. Or use "
            "--strategy view",
        ),
        FOLLOWS,
        _CONSTRAINTS.replace("{type}", "x"),
        in_place=STAYS,
    ),
)
