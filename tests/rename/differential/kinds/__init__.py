"""What a schema is made of, by kind: each maker returns parts of one example."""

from tests.rename.differential.kinds import code, columns, constraints, dependents, indexes, table

__all__ = ["MAKERS", "table"]
MAKERS = (
    *columns.MAKERS,
    *constraints.MAKERS,
    *indexes.MAKERS,
    *dependents.MAKERS,
    *code.MAKERS,
)
