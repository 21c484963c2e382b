"""Partition keys, of the table or of partitions that are partitioned again."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import FOLLOWS, Kind, Reaction

KINDS = (
    Kind(
        "partition-key",
        Reaction(
            "refused",
            "{old} decides in which partition a row is, before any trigger runs: a row that is "
            "written by {new} alone would have no partition. Use --strategy view",
        ),
        FOLLOWS,
        """
        SELECT k.partrelid::regclass::text, 'pg_class', k.partrelid
        FROM tree JOIN pg_catalog.pg_partitioned_table AS k ON k.partrelid = tree.relid
        -- The key's columns depend on their table, also those of expressions.
        WHERE EXISTS (SELECT FROM pg_catalog.pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.objid = k.partrelid AND d.objsubid = tree.attnum AND d.refobjid = k.partrelid
            AND d.refobjsubid = 0 AND d.deptype = 'i')
        """,
    ),
)
