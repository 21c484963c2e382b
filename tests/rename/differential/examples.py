"""Examples that were made by hand, or that have once differed: small, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rename.differential.case import Case, Part, Work

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import StrategyName

_SCHEMA = Part("schema", ("CREATE SCHEMA @s",))
TABLE = "CREATE TABLE @t (id int PRIMARY KEY, @c bigint, note text)"
ROWS = "INSERT INTO @t (id, @c) SELECT n, n FROM generate_series(1, 9) AS n"


def example(
    *statements: str,
    strategy: StrategyName = "columns",
    ending: str = "contract",
    work: dict[str, tuple[Work, ...]] | None = None,
    old: str = "amt",
    new: str = "cents",
) -> Case:
    """Return a schema of these statements, each a part."""
    made, *more = statements
    parts = [_SCHEMA, Part("table", (made,)), *(Part("more", (sql,)) for sql in more)]
    return Case("s", "thing", old, new, strategy, ending, tuple(parts), work or {})


def insert(sql: str, by: str = "old") -> Work:
    """Return one statement."""
    return Work("by hand", (sql,), by)
