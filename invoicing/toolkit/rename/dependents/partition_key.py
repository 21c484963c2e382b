"""Partition keys, of the table or of partitions that are partitioned again."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import FOLLOWS, Kind, Reaction

KINDS = (
    Kind(
        "partition-key",
        Reaction("refused", "{old} decides in which partition a row is. Use --strategy view"),
        FOLLOWS,
        """
        SELECT k.partrelid::regclass::text, 'pg_class', k.partrelid
        FROM tree JOIN pg_catalog.pg_partitioned_table AS k ON k.partrelid = tree.relid
        WHERE tree.attnum = ANY (k.partattrs::int2[]) OR EXISTS (SELECT FROM hanging AS h
            WHERE h.classid = 'pg_class'::regclass AND h.objid = k.partrelid
            AND h.relid = k.partrelid)
        """,
    ),
)
