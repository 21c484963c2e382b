"""Write down what SQLAlchemy's events tell, for one recording.

Each method is called by `listening` while the program waits, so each is short; whatever is wrong
in one of them is caught there.
"""

from __future__ import annotations

import sys
from itertools import count, islice
from secrets import randbits
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from invoicing.profiling.entities import EntityColumns, entity_columns
from invoicing.profiling.fetching import CountingStrategy
from invoicing.profiling.meter import Meter, Totals
from invoicing.profiling.model import Statement, Transaction
from invoicing.profiling.origin import Origin, cause_of
from invoicing.profiling.parameters import count_of, key_of, shown_parameters
from invoicing.profiling.wire import WireTap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, CursorResult
    from sqlalchemy.engine import ExceptionContext, ExecutionContext
    from sqlalchemy.orm import ORMExecuteState, QueryContext, Session

    from invoicing.profiling.callers import CallerFinder


class Unit:
    """A unit of work that is under way: what is known of it, and how its traffic is counted."""

    __slots__ = ("context", "meter", "statement", "transaction")

    def __init__(self, transaction: Transaction, meter: Meter) -> None:
        self.transaction = transaction
        self.meter = meter
        self.context: ExecutionContext | None = None
        self.statement: Statement | None = None


class Fetched:
    """Told of the rows of one statement as they are fetched, and of objects as they are made."""

    __slots__ = ("_counted", "_recording", "built", "columns", "fetched", "meter", "statement")

    def __init__(
        self,
        statement: Statement,
        columns: tuple[EntityColumns, ...],
        meter: Meter,
        recording: Recording,
    ) -> None:
        self.statement = statement
        self.columns = columns
        self.meter = meter
        self.fetched = self.built = 0
        self._counted = 0
        self._recording = recording
        statement.entities = tuple(one.new() for one in columns)

    def __call__(self, began: int, rows: Sequence[Any]) -> None:
        """Count `rows`, which were asked for at `began`."""
        try:
            self._count(perf_counter_ns() - began, rows)
        except Exception:  # noqa: BLE001 -- the program must not notice
            self._recording.lose()

    def _count(self, took: int, rows: Sequence[Any]) -> None:
        statement = self.statement
        self.settle()
        statement.database_seconds += took / 1e9
        statement.fetches += 1
        if statement.streamed:
            self.meter.charge(statement)
        self._counted += len(rows)
        if statement.rows is None or statement.rows < self._counted:
            statement.rows = self._counted
        for one, entity in zip(self.columns, statement.entities, strict=True):
            one.add(entity, rows)
        self.fetched = perf_counter_ns()

    def settle(self) -> None:
        """Add the time of making objects since the last fetch to the statement's."""
        if self.built > self.fetched > 0:
            nested = self._recording.seconds_within(self.statement, self.fetched, self.built)
            took = (self.built - self.fetched) / 1e9 - nested
            self.statement.orm_seconds += max(took, 0.0)
            self.fetched = self.built


class Recording:
    """The statements of one recording, and what is needed to write down more of them.

    Attributes:
        statements: in the order they were sent.
        transactions: units of work, in the order they began.
        connections_opened: connections made by the recorded code.
        totals: what passed on the wire.
        unmetered: whether a connection was used whose traffic cannot be counted.
    """

    def __init__(
        self, finder: CallerFinder, *, parameters: bool, wire: bool, lose: Callable[[], None]
    ) -> None:
        self.statements: list[Statement] = []
        self.transactions: list[Transaction] = []
        self.connections_opened = 0
        self.totals = Totals()
        self.unmetered = False
        self.began = perf_counter_ns()
        self.origin_key = f"invoicing_profiling_{id(self)}"
        self._finder = finder
        self._parameters = parameters
        self._wire = wire
        self.lose = lose
        self._salt = randbits(64)
        self._numbers = count(1)
        self._meters: dict[int, tuple[object, Meter]] = {}
        self._units: dict[Connection, Unit] = {}
        self._running: dict[ExecutionContext, tuple[Statement, Unit, int]] = {}
        self._columns: dict[str, tuple[EntityColumns, ...]] = {}
        self._fetched: list[Fetched] = []

    # what the session says

    def execute(self, state: ORMExecuteState) -> None:
        """Tag the statement that `Session.execute` is about to send."""
        state.update_execution_options(**{self.origin_key: Origin(state)})

    def session_begins(
        self, session: Session, _transaction: object, connection: Connection
    ) -> None:
        """Note whose unit of work it is."""
        unit = self._units.get(connection)
        if unit is not None:
            unit.transaction.session = session.hash_key

    def made(self, _state: object, context: QueryContext, _attributes: object = None) -> None:
        """Note that an object has just been made or filled of a row."""
        origin: Any = context.execution_options.get(self.origin_key)
        if origin is not None and origin.fetched is not None:
            origin.fetched.built = perf_counter_ns()

    # what the connection says

    def begin(self, connection: Connection) -> None:
        """Open a unit of work."""
        self._units[connection] = self._new_unit(connection, whole=True)

    def commit(self, connection: Connection, *_: object) -> None:
        """Close a unit of work; the server is told of it only after this."""
        self._end(connection, "commit")

    def rollback(self, connection: Connection, *_: object) -> None:
        """Close a unit of work; the server is told of it only after this."""
        self._end(connection, "rollback")

    def _end(self, connection: Connection, outcome: str) -> None:
        unit = self._units.pop(connection, None)
        if unit is not None:
            unit.transaction.outcome = outcome

    def before(
        self,
        connection: Connection,
        _cursor: object,
        text: str,
        parameters: Any,  # noqa: ANN401 -- as any driver takes them
        context: ExecutionContext,
        executemany: bool,
    ) -> None:
        """Write down a statement that is about to be sent."""
        unit = self._units.get(connection)
        if unit is None:
            unit = self._units[connection] = self._new_unit(connection, whole=False)
        statement = Statement(next(self._numbers), text, (perf_counter_ns() - self.began) / 1e9)
        statement.stack, statement.within = self._finder.find(sys._getframe(2))  # noqa: SLF001
        origin: Origin | None = context.execution_options.get(self.origin_key)
        statement.session = unit.transaction.session
        if origin is not None:
            origin.explain(statement)
        statement.cause = cause_of(statement, origin)
        statement.connection = unit.transaction.connection
        statement.transaction = unit.transaction.number
        statement.parameter_count, statement.executions = count_of(parameters, executemany)
        statement.parameters_key = key_of(self._salt, parameters)
        if self._parameters:
            statement.parameters = shown_parameters(context, parameters, executemany)
        self.statements.append(statement)
        unit.meter.claim()
        self._running[context] = (statement, unit, perf_counter_ns())

    def after(
        self,
        _connection: Connection,
        cursor: Any,  # noqa: ANN401 -- any driver's
        _text: str,
        _parameters: object,
        context: ExecutionContext,
        _executemany: bool,
    ) -> None:
        """Write down that it has been executed."""
        now = perf_counter_ns()
        running = self._running.pop(context, None)
        if running is None:
            return
        statement, unit, began = running
        statement.database_seconds = (now - began) / 1e9
        unit.meter.charge(statement)
        unit.context, unit.statement = context, statement
        rowcount = cursor.rowcount
        statement.streamed = bool(getattr(cursor, "server_side", False)) or bool(
            getattr(context, "_is_server_side", False)
        )
        if cursor.description is None:
            statement.rows = 0
            statement.affected = rowcount if rowcount >= 0 else None
        elif rowcount >= 0 and not statement.streamed:
            # Not to be believed before the rows are read, in a driver that reads them one by one.
            statement.rows = rowcount or None

    def result(
        self,
        connection: Connection,
        _clause: object,
        _multiparams: object,
        _params: object,
        _options: object,
        result: CursorResult[Any],
    ) -> None:
        """Count the rows that will be fetched of `result`."""
        unit = self._units.get(connection)
        context = result.context
        if unit is None or unit.context is not context or unit.statement is None:
            return
        statement, unit.context, unit.statement = unit.statement, None, None
        if result.closed or not result.returns_rows:
            return
        fetched = Fetched(statement, self._entity_columns(context), unit.meter, self)
        result.cursor_strategy = CountingStrategy(result.cursor_strategy, fetched)
        origin: Origin | None = context.execution_options.get(self.origin_key)
        if origin is not None:
            origin.fetched = fetched
            self._fetched.append(fetched)

    def failed(self, error: ExceptionContext) -> None:
        """Write down that it has failed."""
        now = perf_counter_ns()
        context = error.execution_context
        running = self._running.pop(context, None) if context is not None else None
        if running is None:
            return
        statement, unit, began = running
        statement.database_seconds = (now - began) / 1e9
        unit.meter.charge(statement)
        original = error.original_exception
        cause = original.__cause__ or original
        statement.error = type(cause).__name__
        statement.sqlstate = next(
            (
                str(state)
                for one in (original, cause)
                for state in (getattr(one, "sqlstate", None), getattr(one, "pgcode", None))
                if state
            ),
            None,
        )

    # what the pool says

    def opened(self, _dbapi_connection: object, _record: object) -> None:
        """Count a connection made."""
        self.connections_opened += 1

    def checked_out(self, dbapi_connection: object, *_: object) -> None:
        """Count what was needed to get the connection, such as a ping."""
        meter = self._meter(dbapi_connection)
        meter.held = True
        meter.claim()

    def checked_in(self, dbapi_connection: object, _record: object) -> None:
        """Count what ended the use of the connection, such as a COMMIT or a ROLLBACK.

        It is heard of what others do too: their traffic is not this recording's.
        """
        known = self._meters.get(id(_driver(dbapi_connection)))
        if known is None:
            return
        meter = known[1]
        if meter.held:
            meter.claim()
        else:
            meter.skip()
        meter.held = False

    # the end

    def settle(self) -> None:
        """Bring times up to date."""
        # Nested loads first: their time is taken off that of the loads around them.
        for fetched in reversed(self._fetched):
            fetched.settle()

    def seconds_within(self, outer: Statement, began: int, ended: int) -> float:
        """Return the time that loads of the same session took between two moments."""
        total = 0.0
        for statement in islice(self.statements, outer.number, None):
            if statement.started * 1e9 + self.began > ended:
                break
            if statement.session == outer.session and statement.started * 1e9 + self.began >= began:
                total += statement.database_seconds + statement.orm_seconds
        return total

    def close(self) -> None:
        """Count what is left, and leave every connection as it was found."""
        self.settle()
        for statement, _, _ in self._running.values():
            statement.error = statement.error or "unfinished"
        for _, meter in self._meters.values():
            if meter.held:
                meter.claim()
            if meter.tap is not None:
                meter.tap.release()
                meter.tap = None
        for kept in (self._meters, self._units, self._running, self._columns):
            kept.clear()
        self._fetched.clear()

    # details

    def _new_unit(self, connection: Connection, *, whole: bool) -> Unit:
        meter = self._meter(connection.connection.dbapi_connection)
        transaction = Transaction(
            len(self.transactions) + 1,
            meter.connection,
            autocommit=_is_autocommit(connection),
            recorded_whole=whole,
        )
        self.transactions.append(transaction)
        return Unit(transaction, meter)

    def _meter(self, dbapi_connection: object) -> Meter:
        driver = _driver(dbapi_connection)
        known = self._meters.get(id(driver))
        if known is None:
            tap = WireTap.on(driver) if self._wire else None
            if tap is None or not tap.counts_requests:
                self.unmetered = True
            # The connection is kept too: an id may be given again only when its owner has gone.
            known = (driver, Meter(len(self._meters) + 1, tap, self.totals))
            self._meters[id(driver)] = known
        return known[1]

    def _entity_columns(self, context: ExecutionContext) -> tuple[EntityColumns, ...]:
        compiled: Any = context.compiled
        if compiled is None:
            return ()
        found = self._columns.get(compiled.string)
        if found is None:
            found = entity_columns(context, context.dialect)
            self._columns[compiled.string] = found
        return found


def _driver(dbapi_connection: Any) -> object:  # noqa: ANN401 -- any driver's, or the adapter of one
    return getattr(dbapi_connection, "driver_connection", dbapi_connection)


def _is_autocommit(connection: Connection) -> bool:
    level = connection.get_execution_options().get("isolation_level")
    if level is not None:
        return str(level).upper() == "AUTOCOMMIT"
    try:
        return connection.dialect.detect_autocommit_setting(
            connection.connection.dbapi_connection  # type: ignore[arg-type]
        )
    except NotImplementedError:
        return False
