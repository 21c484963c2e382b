"""SQL for a table whose rows Citus keeps on another node, with all the tables of its schema.

Citus takes DDL, functions and triggers there by itself. What it does not is here: a sequence that
triggers use, a question to the shard's own catalog, and what a shard that has moved leaves behind.
A command or a name is given as a literal.
"""

from __future__ import annotations

# What Citus calls a table of a distributed schema on its node.
SHARD = """
SELECT pg_catalog.shard_name(s.logicalrelid, s.shardid) FROM pg_catalog.pg_dist_shard AS s
JOIN pg_catalog.pg_class AS c ON c.oid = s.logicalrelid
JOIN pg_catalog.pg_dist_schema AS d ON d.schemaid = c.relnamespace WHERE s.logicalrelid = $1
"""
# What a command ($2, in which a percent sign is two) says on the node of a table's ($1) shard.
ASK_SHARD = """
SELECT success, result FROM pg_catalog.run_command_on_shards(
    $1::pg_catalog.oid::pg_catalog.regclass, $2)
"""
# Rows as they are estimated, and the bytes of heap, table and indexes, as JSON. Of a table that was
# never analyzed, rows of 100 bytes.
SIZES = """
SELECT pg_catalog.json_build_array((CASE WHEN c.reltuples < 0
        THEN pg_catalog.pg_relation_size(c.oid) / 100 ELSE c.reltuples END)::pg_catalog.int8,
    pg_catalog.pg_relation_size(c.oid), pg_catalog.pg_table_size(c.oid),
    pg_catalog.pg_indexes_size(c.oid))
FROM pg_catalog.pg_class AS c WHERE c.oid = {shard}::pg_catalog.regclass
"""
# Drops what it can of the shards that were moved away; it is in no transaction.
CLEAN = "CALL pg_catalog.citus_cleanup_orphaned_resources()"


def placement_of(relation: str) -> str:
    """Return SQL for a number that tells where a table's shard is: a move gives it another."""
    return (
        "(SELECT p.placementid::oid FROM pg_catalog.pg_dist_shard AS s"
        " JOIN pg_catalog.pg_dist_placement AS p USING (shardid)"
        f" WHERE s.logicalrelid = {relation})"
    )


def on_every_node(command: str) -> str:
    """Return the statement that runs a command on the coordinator and on every worker."""
    return f"""DO $on_every_node$
DECLARE
    failed text;
BEGIN
    SELECT pg_catalog.format('node %s: %s', nodeid, result) INTO failed
    FROM pg_catalog.run_command_on_all_nodes({command}) WHERE NOT success;
    IF failed IS NOT NULL THEN
        RAISE EXCEPTION '%', failed;
    END IF;
END
$on_every_node$"""


def count(sequence: str) -> str:
    """Return the statement of a function that counts on its own node.

    A node that came since the sequence was made has none (see `without`); writes do not fail there.
    """
    there = f"pg_catalog.to_regclass({sequence})"
    return f"IF {there} IS NOT NULL THEN PERFORM pg_catalog.nextval({there}); END IF;"


def counted(sequence: str) -> str:
    """Return SQL for what a sequence has counted on all nodes; one that is away is an error."""
    here = f"SELECT coalesce(pg_sequence_last_value(to_regclass({sequence})), 0)"
    return (
        "(SELECT pg_catalog.sum(result::pg_catalog.int8)::pg_catalog.int8"
        f" FROM pg_catalog.run_command_on_all_nodes({_quoted(here)}))"
    )


def without(sequence: str) -> str:
    """Return the query for the nodes on which a sequence is not: they came since it was made."""
    return (
        "SELECT nodeid FROM pg_catalog.run_command_on_all_nodes("
        f"{_quoted(f'SELECT to_regclass({sequence}) IS NULL')}) WHERE result = 't' ORDER BY 1"
    )


def _quoted(command: str) -> str:
    return f"$on_node${command}$on_node$"
