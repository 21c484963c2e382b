"""Foreign keys, of any table, that refer to the column."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import FOLLOWS, NOTHING, STAYS, Kind, Reaction

KINDS = (
    Kind(
        "referenced",
        Reaction(
            "refused",
            "a foreign key refers to {old}. Drop it first. Or use --strategy view",
        ),
        FOLLOWS,
        """
        SELECT quote_ident(c.conname) || ' ON ' || c.conrelid::regclass, 'pg_constraint', c.oid
        FROM tree JOIN pg_catalog.pg_constraint AS c ON c.confrelid = tree.relid
        WHERE c.contype = 'f' AND c.conparentid = 0 AND tree.attnum = ANY (c.confkey)
        """,
        same_name=NOTHING,
        in_place=STAYS,
    ),
)
