"""Triggers with UPDATE OF the column, or WHEN on it."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import FOLLOWS, Kind, Reaction

KINDS = (
    Kind(
        "column-trigger",
        Reaction(
            "refused",
            "it fires on {old} only, and would miss what new code writes. Create it again without "
            "UPDATE OF and WHEN on {old}, then begin. Or use --strategy view",
        ),
        FOLLOWS,
        """
        SELECT quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass, 'pg_trigger', t.oid
        FROM hanging AS h JOIN pg_catalog.pg_trigger AS t ON t.oid = h.objid
        WHERE h.classid = 'pg_trigger'::regclass AND t.tgparentid = 0
            AND t.tgname !~ '^zz_rename_'
        """,
    ),
)
