"""What each strategy cost at each size, and how that grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.profiling.comparison.growth import Extent, Growth, growth_of

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.comparison.strategies import Strategy

COUNTS = ("statements", "round_trips", "rows", "duplicate_rows")
MEASURES = ("bytes_received", "database_seconds", "orm_seconds", "seconds", "peak_memory")


@dataclass(frozen=True)
class Measured:
    """What one strategy cost at one size. Times are medians of several runs, in seconds.

    Attributes:
        strategy: the loader option.
        size: as it was given; None where there was one size.
        parents: objects at the top.
        children: related objects, each once for every parent it has.
        product: rows that one join of it all has.
        statements: sent to the server.
        round_trips: times the server had to answer, BEGIN and ROLLBACK included.
        rows: rows that came back.
        duplicate_rows: rows that repeat a parent of an earlier row.
        bytes_received: bytes the server sent.
        database_seconds: time the program waited for statements.
        server_seconds: the server's part of it.
        orm_seconds: time spent making objects of rows.
        seconds: all of it, from the first statement to the last object.
        peak_memory: bytes of memory at the most, in a run of its own.
        raised: what asking for the relationship raised; None where it was loaded.
        plans: on request, PostgreSQL's plan of each statement.
    """

    strategy: Strategy
    size: object
    parents: int
    children: int
    product: int
    statements: int
    round_trips: int | None
    rows: int
    duplicate_rows: int
    bytes_received: int | None
    database_seconds: float
    server_seconds: float | None
    orm_seconds: float
    seconds: float
    peak_memory: int
    raised: str | None = None
    plans: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def extent(self) -> Extent:
        """How large the work was."""
        return Extent(self.parents, self.children, self.product)


@dataclass(frozen=True)
class Measurements:
    """The same work by each strategy.

    Attributes:
        path: what was loaded with the parents: `Invoice.lines`.
        collection: whether there is a collection on that path.
        measured: a row for each size and strategy.
    """

    path: str
    collection: bool
    measured: list[Measured]

    def of(self, strategy: Strategy | str) -> list[Measured]:
        """Return what one strategy cost, a row for each size."""
        return [measured for measured in self.measured if measured.strategy == strategy]

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies compared, in their order."""
        return list(dict.fromkeys(measured.strategy for measured in self.measured))

    @property
    def sizes(self) -> list[object]:
        """The sizes compared, in their order."""
        return list(dict.fromkeys(measured.size for measured in self.measured))

    def growth(self, strategy: Strategy | str, figure: str) -> Growth:
        """Return how a figure of a strategy (`statements`, `rows`, `seconds`) grows."""
        rows = self.of(strategy)
        figures = [getattr(row, figure) for row in rows]
        return growth_of([row.extent for row in rows], figures, exact=figure in COUNTS)

    @property
    def growths(self) -> dict[tuple[Strategy, str], Growth]:
        """How each figure of each strategy that loads grows."""
        return {
            (strategy, figure): self.growth(strategy, figure)
            for strategy in self.strategies
            if not any(measured.raised for measured in self.of(strategy))
            for figure in (*COUNTS, *MEASURES)
        }
