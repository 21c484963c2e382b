"""Tables that inherit from this one, and partitions on another server."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import Kind, Reaction

KINDS = (
    Kind(
        "inheritance",
        Reaction(
            "refused",
            "it inherits from the table, and inherited tables have no common trigger. Use "
            "--strategy view",
        ),
        Reaction(
            "refused",
            "it inherits from the table, and ONLY means nothing to a view: rows of both would be "
            "read and changed. If no statement says ONLY: --accept inheritance",
            acceptable=True,
            at_gate=False,
        ),
        """
        SELECT i.inhrelid::regclass::text, 'pg_class', i.inhrelid
        FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = $1 AND NOT c.relispartition AND $2 = $2
        """,
    ),
    Kind(
        "foreign-partition",
        Reaction("refused", "a partition on another server cannot be filled by batches"),
        Reaction(
            "refused",
            "it is on another server, whose column has a name of its own: the partition would ask "
            "for {new} there. Set its column_name first",
        ),
        """
        SELECT c.oid::regclass::text, 'pg_class', c.oid
        FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = tree.relid
        WHERE c.relkind = 'f' AND c.oid <> $1
        """,
    ),
)
