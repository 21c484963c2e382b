"""What is noted of a statement while the program waits, and the `Statement` made of it later.

Capturing has to cost next to nothing; whatever can be worked out afterwards is.
"""

from __future__ import annotations

from collections import Counter
from threading import get_ident
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol

from invoicing.toolkit.profiling.capture.cause import cause_of, steps_on
from invoicing.toolkit.profiling.capture.entities import (
    count_rows,
    large_columns,
    new_counts,
    size_of,
)
from invoicing.toolkit.profiling.capture.parameters import hashes_of_literals, hashes_of_values
from invoicing.toolkit.profiling.capture.traffic import NOTHING, total_of
from invoicing.toolkit.profiling.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from invoicing.toolkit.profiling.capture.attribute_reads import AttributeReads
    from invoicing.toolkit.profiling.capture.cause import LoadCause
    from invoicing.toolkit.profiling.capture.entities import EntityColumns
    from invoicing.toolkit.profiling.capture.stack import CallerFinder, CallerLines
    from invoicing.toolkit.profiling.capture.traffic import ConnectionTraffic
    from invoicing.toolkit.profiling.statement import Allowance, EntityRows, Transaction

FOLDED = 1000
# Rows from which on it is worth while to see how large the values are, and who reads them.
SEVERAL, MANY = 10, 100


class CaptureState(Protocol):
    """What a statement needs of the recording that notes it: see `Capture`."""

    making: dict[int, PendingStatement]
    attribute_reads: AttributeReads
    lose: Callable[[], None]


class PendingStatement:
    """One statement, as it is noted.

    Attributes:
        began, ended: nanoseconds of `perf_counter_ns`; ended is 0 while it runs.
        cursor_time: nanoseconds spent fetching rows after that.
        marks: the tap's counts: before and after it ran, then around each fetch of a stream.
        making: nanoseconds spent making objects of its rows, up to the last fetch.
        parent_source: the statement that brought the object of which this one loads a part.
        only_row: whether it is known to have one row at the most, whose fetching is not watched.
        only_key: the identity key of the object made of it, if one was.
        returning: whether a write's RETURNING is the program's own; None where it is not known.
        allowances: the blocks of `allow` that it is sent within.
        fills: whether it loads columns of an object that is there.
        fetched_at, made_at: when rows were last fetched, when an object was last made of them.
    """

    # Defaults of the class: most pending never say otherwise, and are quicker made.
    ended = cursor_time = fetches = counted = fetched_at = made_at = making = 0
    parameter_count = began = 0
    # The task, its waits so far, and those of all.
    since = (0, 0, 0)
    # Of each parameter, or of all of an executemany; salted only in the end.
    hashes: tuple[int, ...] = ()
    values: tuple[set[int], ...] = ()
    executions = 1
    rowcount = -1
    load_cause: LoadCause | None = None
    parent_source: PendingStatement | None = None
    returns_rows = streamed = only_row = fills = False
    only_key: Any = None
    returning: bool | None = None
    parameters: tuple[tuple[str, Any], ...] | None = None
    columns: tuple[EntityColumns, ...] = ()
    lines: CallerLines = ([], [], [])
    keys: list[list[Any]] | None = None
    wide: Counter[tuple[int, str]] | None = None
    entities: tuple[EntityRows, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    error: str | None = None
    sqlstate: str | None = None

    def __init__(
        self, text: str, transaction: Transaction, wire: ConnectionTraffic, capture: CaptureState
    ) -> None:
        self.text = text
        self.transaction = transaction
        self.wire = wire
        self.marks = [wire.marks()]
        self._capture = capture

    def asks(self) -> int:
        """Note that rows are about to be fetched, and return the time."""
        if self.streamed:
            self.marks.append(self.wire.marks())
        return perf_counter_ns()

    def fetched(self, asked: int, rows: Sequence[Any]) -> None:
        """Note `rows`, which were asked for at `asked`."""
        try:
            now = perf_counter_ns()
            self.cursor_time += now - asked
            self.fetches += 1
            self.counted += len(rows)
            if self.streamed:
                self.marks.append(self.wire.marks())
            if rows:
                if self.columns:
                    self._note_keys(rows)
                    if len(rows) >= SEVERAL:
                        self._note_sizes(rows)
                if len(rows) > 1 and not self.values:
                    self.values = hashes_of_values(rows)
                now = perf_counter_ns()
            if self.made_at:
                self._end_of_making()
            self.fetched_at = now
            self._capture.making[get_ident()] = self
        except Exception:
            self._capture.lose()

    def _end_of_making(self) -> None:
        if self.made_at > self.fetched_at:
            self.making += self.made_at - self.fetched_at
            self.fetched_at = self.made_at

    def _note_keys(self, rows: Sequence[Any]) -> None:
        if self.keys is None:
            self.keys = [[*map(column.key, rows)] for column in self.columns]
        else:
            for entity, keys in zip(self.columns, self.keys, strict=True):
                keys.extend(map(entity.key, rows))
        if len(self.keys[0]) > FOLDED:
            self.fold()

    def _note_sizes(self, rows: Sequence[Any]) -> None:
        # Who has loaded so many rows, or large values, may look at few of them.
        large = large_columns(rows)
        if self.wide is None:
            self.wide = Counter()
        for place, entity in enumerate(self.columns):
            for column in large & entity.columns.keys():
                self.wide[place, entity.columns[column]] += size_of(rows, column)
            if large or len(rows) >= MANY:
                self._capture.attribute_reads.watch(entity.mapper)

    def fold(self) -> None:
        """Count the keys noted so far."""
        if len(self.entities) < len(self.columns):
            self.entities = new_counts(self.columns)
        if self.only_row and self.columns:
            (entity,) = self.entities
            entity.rows = entity.distinct = self.rowcount
            if self.only_key is not None and entity.keys is not None:
                entity.keys.add(tuple(self.only_key[1]))
        if self.keys is not None:
            count_rows(self.columns, self.entities, self.keys)
            self.keys = None

    def statement(
        self, number: int, recording_began: int, salt: int, finder: CallerFinder
    ) -> Statement:
        """Return what is known so far."""
        self.fold()
        self._end_of_making()
        load_cause = self.load_cause
        statement = Statement(number, self.text, (self.began - recording_began) / 1e9)
        statement.stack, statement.within, statement.awaited_at = finder.named(self.lines)
        statement.connection = self.transaction.connection
        statement.transaction = self.transaction.number
        statement.session = self.transaction.session
        statement.task, statement.waits, statement.all_waits = self.since
        if load_cause is not None:
            statement.relationship, statement.parent = load_cause.relationship, load_cause.parent
            statement.parent_root, statement.steps = (
                load_cause.parent_root,
                steps_on(load_cause.path),
            )
            statement.parent_class = load_cause.parent_class
            statement.collection = bool(statement.steps and statement.steps[-1].collection)
        statement.cause = cause_of(statement, load_cause)
        statement.parameter_count = self.parameter_count
        statement.parameters = self.parameters
        hashes = self.hashes or hashes_of_literals(self.text)
        statement.parameters_key = hash((salt, *hashes))
        if self.executions == 1:
            statement.parameter_keys = tuple(hash((salt, key)) for key in hashes)
        statement.values = tuple(
            frozenset(hash((salt, key)) for key in column) for column in self.values
        )
        statement.executions, statement.returning = self.executions, self.returning
        statement.fetches = 1 if self.only_row else self.fetches
        for (place, attribute), size in (self.wide or {}).items():
            self.entities[place].wide[attribute] = size
        statement.entities = self.entities
        statement.streamed, statement.allowances = self.streamed, self.allowances
        statement.error, statement.sqlstate = self.error, self.sqlstate
        if self.ended:
            statement.database_seconds = (self.ended - self.began + self.cursor_time) / 1e9
        statement.orm_seconds = self.making / 1e9
        self._rows(statement)
        self._add_wire(statement)
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

    def _add_wire(self, statement: Statement) -> None:
        if not self.wire.counts_bytes:
            return
        # Of a statement that still runs only the first mark is there.
        traffic = total_of(self.marks[: len(self.marks) // 2 * 2] or [NOTHING])
        statement.bytes_received = traffic.received
        if not self.wire.counts_requests:
            return
        statement.round_trips, statement.bytes_sent = traffic.requests, traffic.sent
        server = traffic.waited - traffic.requests * self.wire.latency
        statement.server_seconds = max(server, 0) / 1e9
