"""Examples that were made by hand, or that have once differed: small, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rename.differential.case import Case, Part, Work

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import StrategyName
    from tests.rename.differential.case import Names

_SCHEMA = Part("schema", ("CREATE SCHEMA @s",))
TABLE = "CREATE TABLE @t (id int PRIMARY KEY, @c bigint, note text)"
ROWS = "INSERT INTO @t (id, @c) SELECT n, n FROM generate_series(1, 9) AS n"


def example(
    *statements: str,
    strategy: StrategyName = "columns",
    ending: str = "contract",
    work: dict[str, tuple[Work, ...]] | None = None,
    before: tuple[str, ...] = (),
    old: str = "amt",
    new: str = "cents",
) -> Case:
    """Return a schema of these statements, each a part."""
    made, *more = statements
    first = [_SCHEMA, *(Part("before", (sql,)) for sql in before)]
    parts = [*first, Part("table", (made,)), *(Part("more", (sql,)) for sql in more)]
    return Case("s", "thing", old, new, strategy, ending, tuple(parts), work or {})


def statement(sql: str, by: Names = "old") -> tuple[Work, ...]:
    """Return one statement."""
    return (Work("direct write to a partition" if "@s.low" in sql else "insert", (sql,), by),)
