"""Triggers with UPDATE OF the column, or WHEN on it.

Of the table's own, a second column's strategy refuses some more, once it has tried them.
"""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import BLOCKS, FOLLOWS, Kind, Reaction
from invoicing.toolkit.rename.names import OWN_TRIGGERS

_HANGING = """
SELECT DISTINCT quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass, 'pg_trigger', t.oid
FROM hanging AS h JOIN pg_catalog.pg_trigger AS t ON t.oid = h.objid
WHERE h.classid = 'pg_trigger'::regclass AND t.tgparentid = 0 AND t.tgname !~ '{own}'
    AND t.tgrelid {on} $1
""".replace("{own}", OWN_TRIGGERS)
KINDS = (
    Kind(
        "column-trigger",
        Reaction(
            "carried",
            "UPDATE OF {old} fires for {new} too from the expand on; from the contract on, it and "
            "WHEN name {new} alone",
        ),
        FOLLOWS,
        _HANGING.replace("{on}", "="),
        same_name=Reaction("carried", "is created again in the contract, as it is"),
    ),
    Kind(
        "column-trigger",
        Reaction(
            "refused",
            "it is a partition's own, fires on {old} only, and would miss what new code writes. "
            "Create it again without UPDATE OF and WHEN on {old}, then begin. Or use --strategy "
            "view",
        ),
        FOLLOWS,
        _HANGING.replace("{on}", "<>"),
        same_name=BLOCKS,
    ),
)
