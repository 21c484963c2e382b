"""Security labels of the column: masking rules of anonymisers, for one."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import Kind, Reaction

KINDS = (
    Kind(
        "security-label",
        Reaction(
            "refused",
            "the new column would be without the label, and show what it hides. Set the label on "
            "it after the expand, if that is soon enough, then: --accept security-label",
            acceptable=True,
        ),
        Reaction(
            "refused",
            "the view in the table's place is without the label, and may show what it hides. If "
            "it does not: --accept security-label",
            acceptable=True,
            at_gate=False,
        ),
        """
        SELECT format('label of %s ON %I', s.provider, $2::text), 'pg_seclabel', s.objoid
        FROM tree JOIN pg_catalog.pg_seclabel AS s ON s.classoid = 'pg_class'::regclass
            AND s.objoid = tree.relid AND s.objsubid = tree.attnum
        """,
    ),
)
