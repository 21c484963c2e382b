"""Row security policies, of this table or of another, that name the column."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import FOLLOWS, STAYS, Kind, Reaction

KINDS = (
    Kind(
        "policy",
        Reaction(
            "later",
            "the contract is refused until it does not name {old}. After the backfill run: ALTER "
            "POLICY {subject} USING (... {new} ...)",
        ),
        FOLLOWS,
        """
        SELECT quote_ident(p.polname) || ' ON ' || p.polrelid::regclass, 'pg_policy', p.oid
        FROM hanging AS h JOIN pg_catalog.pg_policy AS p ON p.oid = h.objid
        WHERE h.classid = 'pg_policy'::regclass
        """,
        in_place=STAYS,
    ),
)
