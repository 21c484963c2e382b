"""What is noted of a statement while the program waits, and the `Statement` made of it later.

Noting has to cost next to nothing; whatever can be worked out afterwards is.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from invoicing.profiling.meter import Traffic
from invoicing.profiling.model import Statement
from invoicing.profiling.origin import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from invoicing.profiling.callers import CallerFinder, Lines
    from invoicing.profiling.entities import EntityColumns
    from invoicing.profiling.meter import Meter
    from invoicing.profiling.model import EntityRows, Transaction
    from invoicing.profiling.origin import Origin

FOLDED = 1000


class Draft:
    """One statement, as it is noted.

    Attributes:
        began, ended: nanoseconds of `perf_counter_ns`; ended is 0 while it runs.
        fetching: nanoseconds spent fetching rows after that.
        marks: the tap's counts: before and after it ran, then around each fetch of a stream.
        made: spans of time in which objects were made of its rows, without the current one.
        fetched_at, made_at: the current one.
    """

    __slots__ = (
        "_lose",
        "began",
        "columns",
        "counted",
        "ended",
        "entities",
        "error",
        "executions",
        "fetched_at",
        "fetches",
        "fetching",
        "keys",
        "lines",
        "made",
        "made_at",
        "marks",
        "meter",
        "origin",
        "parameter_count",
        "parameters",
        "parameters_key",
        "returns_rows",
        "rowcount",
        "sqlstate",
        "streamed",
        "text",
        "transaction",
    )

    def __init__(
        self,
        text: str,
        transaction: Transaction,
        meter: Meter,
        origin: Origin | None,
        lines: Lines,
        lose: Callable[[], None],
    ) -> None:
        self.text = text
        self.transaction = transaction
        self.meter = meter
        self.origin = origin
        self.lines = lines
        self._lose = lose
        self.marks: list[Traffic] = []
        self.parameter_count = self.parameters_key = 0
        self.executions = 1
        self.began = self.ended = self.fetching = self.fetches = self.counted = 0
        self.fetched_at = self.made_at = 0
        self.rowcount = -1
        self.returns_rows = self.streamed = False
        self.made: list[tuple[int, int]] | None = None
        self.parameters: tuple[tuple[str, Any], ...] | None = None
        self.columns: tuple[EntityColumns, ...] = ()
        self.keys: list[list[Any]] | None = None
        self.entities: tuple[EntityRows, ...] = ()
        self.error: str | None = None
        self.sqlstate: str | None = None

    def asks(self) -> int:
        """Note that rows are about to be fetched, and return the time."""
        if self.streamed:
            self.marks.append(self.meter.marks())
        return perf_counter_ns()

    def fetched(self, asked: int, rows: Sequence[Any]) -> None:
        """Note `rows`, which were asked for at `asked`."""
        try:
            now = perf_counter_ns()
            self.fetching += now - asked
            self.fetches += 1
            self.counted += len(rows)
            if self.made_at:
                self.end_of_making()
            if self.streamed:
                self.marks.append(self.meter.marks())
            if self.columns and rows:
                self._note_keys(rows)
                now = perf_counter_ns()
            self.fetched_at = now
        except Exception:  # noqa: BLE001 -- the program must not notice
            self._lose()

    def end_of_making(self) -> None:
        """Note that objects were made of the rows fetched last."""
        if self.made_at > self.fetched_at:
            self.made = [*(self.made or ()), (self.fetched_at, self.made_at)]
            self.fetched_at = self.made_at
        self.made_at = 0

    def _note_keys(self, rows: Sequence[Any]) -> None:
        if self.keys is None:
            self.keys = [[] for _ in self.columns]
        for one, keys in zip(self.columns, self.keys, strict=True):
            keys.extend(map(one.key, rows))
        if len(self.keys[0]) > FOLDED:
            self.fold()

    def fold(self) -> None:
        """Count the keys noted so far."""
        if len(self.entities) < len(self.columns):
            self.entities = tuple(one.new() for one in self.columns)
        if self.keys is not None:
            for one, entity, keys in zip(self.columns, self.entities, self.keys, strict=True):
                one.add(entity, keys)
            self.keys = None

    def statement(self, number: int, recording_began: int, finder: CallerFinder) -> Statement:
        """Return what is known so far, but for the time of making objects."""
        self.fold()
        origin = self.origin
        statement = Statement(number, self.text, (self.began - recording_began) / 1e9)
        statement.stack, statement.within = finder.named(self.lines)
        statement.connection = self.transaction.connection
        statement.transaction = self.transaction.number
        statement.session = self.transaction.session if origin is None else origin.session
        if origin is not None:
            statement.relationship, statement.parent = origin.relationship, origin.parent
        statement.cause = cause_of(statement, origin)
        statement.parameter_count = self.parameter_count
        statement.parameters = self.parameters
        statement.parameters_key = self.parameters_key
        statement.executions = self.executions
        statement.fetches = self.fetches
        statement.entities = self.entities
        statement.streamed = self.streamed
        statement.error, statement.sqlstate = self.error, self.sqlstate
        if self.ended:
            statement.database_seconds = (self.ended - self.began + self.fetching) / 1e9
        self._rows(statement)
        self._wire(statement)
        return statement

    def _rows(self, statement: Statement) -> None:
        rowcount = self.rowcount if self.rowcount >= 0 else None
        if self.returns_rows:
            # A driver that reads rows one by one may count those it has read.
            statement.rows = max(rowcount or 0, self.counted)
            if not statement.rows and rowcount is None and not self.fetches:
                statement.rows = None
        elif self.ended and self.error is None:
            statement.rows, statement.affected = 0, rowcount

    def _wire(self, statement: Statement) -> None:
        if not self.meter.counts_bytes:
            return
        marks = self.marks
        traffic = Traffic()
        for before, after in zip(marks[::2], marks[1::2], strict=False):
            traffic = after.since(before, traffic)
        statement.bytes_received = traffic.received
        if not self.meter.counts_requests:
            return
        statement.round_trips, statement.bytes_sent = traffic.requests, traffic.sent
        server = traffic.waited - traffic.requests * self.meter.latency
        statement.server_seconds = max(server, 0) / 1e9
