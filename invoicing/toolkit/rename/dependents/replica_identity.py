"""Indexes by which replicas know a row."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import FOLLOWS, STAYS, Kind, Reaction

KINDS = (
    Kind(
        "replica-identity",
        Reaction(
            "refused",
            "replicas know a row by {old}. Run first: ALTER TABLE {table} REPLICA IDENTITY DEFAULT",
        ),
        FOLLOWS,
        """
        SELECT i.indexrelid::regclass::text, 'pg_class', i.indexrelid
        FROM tree JOIN pg_catalog.pg_index AS i ON i.indrelid = tree.relid
        WHERE i.indisreplident AND tree.attnum = ANY (i.indkey::int2[])
        """,
        in_place=STAYS,
    ),
)
