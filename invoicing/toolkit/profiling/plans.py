"""A plan as PostgreSQL gives it in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is added to a scan that has a filter: the columns that indexes of its table begin with; its
# table's name, with the schema and quoted, as a statement can have it; and, of a partition, the
# topmost table that it is a part of.
INDEXED = "Indexed"
TABLE = "Table"
PARTITION_OF = "Partition Of"


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a node, and all below it."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes_of(inner)


def filtered_scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the scans that read a whole table and keep a part of it."""
    return [
        node
        for node in nodes_of(plan)
        if "Seq Scan" in str(node.get("Node Type")) and "Filter" in node
    ]
