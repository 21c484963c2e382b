"""Tables that belong to an extension."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import Kind, Reaction

_OWNED = Reaction(
    "refused",
    "the table belongs to this extension, whose own code and updates know {old}. Leave it to the "
    "extension",
    acceptable=True,
)
KINDS = (
    Kind(
        "extension",
        _OWNED,
        _OWNED,
        """
        SELECT quote_ident(e.extname), 'pg_extension', e.oid
        FROM tree JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_class'::regclass
            AND d.objid = tree.relid AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
        """,
    ),
)
