"""What the generators share: choices, names, and what the schema has so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from invoicing.toolkit.rename.names import quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from invoicing.toolkit.rename.model import StrategyName
    from tests.rename.differential.types import ColumnType

T = TypeVar("T")
_NAMES = (
    "by_@_{n}",
    "thing_@_{n}",
    "Some @ {n}",
    "plain_{n}",
    'x"y.{n}',
    "@{n}",
    "{n}_" + "z" * 58,
)


class Builder:
    """One example in the making.

    Attributes:
        tables: the table, and its partitions as they are called in statements.
        default: the column's own.
        advances: whether a sequence is advanced by it.
        key: the columns of the primary key.
        direct: partitions that clients write to by their own names.
        calls: statements of what was made: they write and read by way of it.
    """

    def __init__(self, chance: Random, column: ColumnType, old: str, version: int) -> None:
        self._chance, self.type, self.old, self.version = chance, column, old, version
        self.strategy: StrategyName = self.one(("columns", "view"))
        self.tables = ["@t"]
        self.default: str | None = None
        self.advances = self.not_null = False
        self.key = self.shape = self.identity = ""
        self.calls: list[str] = []
        self.direct: list[str] = []
        self._count = 0

    def one(self, choices: Sequence[T]) -> T:
        return self._chance.choice(choices)

    def maybe(self, text: str) -> str:
        return text if self.chance(0.4) else ""

    def chance(self, probability: float = 0.5) -> bool:
        return self._chance.random() < probability

    @property
    def value(self) -> str:
        return self.one(self.type.values)

    def number(self) -> int:
        self._count += 1
        return self._count

    def name(self) -> str:
        """Return a quoted name that no other thing has; it may have the column's in it."""
        name = self.one(_NAMES).format(n=self.number()).replace("@", self.old)
        return quote(name.encode()[:63].decode(errors="ignore"))

    def table(self) -> str:
        return self.one(self.tables)
