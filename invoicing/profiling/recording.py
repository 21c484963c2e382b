"""Write down what SQLAlchemy's events tell, for one recording.

Each method is called by `listening` while the program waits, so each is short; whatever is wrong
in one of them is caught there.
"""

from __future__ import annotations

import sys
from itertools import islice
from secrets import randbits
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, cast

from invoicing.profiling.draft import Draft
from invoicing.profiling.entities import entity_columns
from invoicing.profiling.fetching import CountingStrategy
from invoicing.profiling.meter import Meter, Traffic
from invoicing.profiling.model import Transaction
from invoicing.profiling.origin import Origin
from invoicing.profiling.parameters import count_of, key_of, shown_parameters
from invoicing.profiling.wire import WireTap

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, CursorResult, Engine
    from sqlalchemy.engine import ExceptionContext, ExecutionContext
    from sqlalchemy.orm import ORMExecuteState, QueryContext, Session

    from invoicing.profiling.callers import CallerFinder
    from invoicing.profiling.entities import EntityColumns
    from invoicing.profiling.model import Statement


class Unit:
    """A unit of work that is under way: what is known of it, and how its traffic is counted."""

    __slots__ = ("context", "draft", "meter", "transaction")

    def __init__(self, transaction: Transaction, meter: Meter) -> None:
        self.transaction = transaction
        self.meter = meter
        self.context: ExecutionContext | None = None
        self.draft: Draft | None = None


class Recording:
    """The statements of one recording, and what is needed to write down more of them.

    Attributes:
        transactions: units of work, in the order they began.
        connections_opened: connections made by the recorded code.
        lose: called when something is wrong in here.
    """

    def __init__(
        self, finder: CallerFinder, *, parameters: bool, wire: bool, lose: Callable[[], None]
    ) -> None:
        self.transactions: list[Transaction] = []
        self.connections_opened = 0
        self.lose = lose
        self._began = perf_counter_ns()
        self._origin_key = f"invoicing_profiling_{id(self)}"
        self._finder = finder
        self._parameters = parameters
        self._wire = wire
        self._salt = randbits(64)
        self._drafts: list[Draft] = []
        self._statements: list[Statement] | None = None
        self._meters: dict[int, Meter] = {}
        self._units: dict[Connection, Unit] = {}
        self._running: dict[ExecutionContext, Draft] = {}
        self._columns: dict[str, tuple[EntityColumns, ...]] = {}
        self._autocommit: dict[Engine, bool] = {}

    # what the session says

    def execute(self, state: ORMExecuteState) -> None:
        """Tag the statement that `Session.execute` is about to send."""
        state.update_execution_options(**{self._origin_key: Origin(state)})

    def session_begins(
        self, session: Session, _transaction: object, connection: Connection
    ) -> None:
        """Note whose unit of work it is."""
        unit = self._units.get(connection)
        if unit is not None:
            unit.transaction.session = session.hash_key

    def made(self, _state: object, context: QueryContext, _attributes: object = None) -> None:
        """Note that an object has just been made or filled of a row."""
        origin = cast("Origin | None", context.execution_options.get(self._origin_key))
        if origin is not None and origin.draft is not None:
            origin.draft.made_at = perf_counter_ns()

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
        origin: Origin | None = context.execution_options.get(self._origin_key)
        lines = self._finder.find(sys._getframe(2))  # noqa: SLF001 -- documented
        draft = Draft(text, unit.transaction, unit.meter, origin, lines, self.lose)
        if origin is not None:
            origin.draft = draft
        draft.parameter_count, draft.executions = count_of(parameters, executemany)
        draft.parameters_key = key_of(self._salt, parameters)
        if self._parameters:
            draft.parameters = shown_parameters(context, parameters, executemany)
        unit.context, unit.draft = context, draft
        self._drafts.append(draft)
        self._running[context] = draft
        draft.marks.append(unit.meter.marks())
        draft.began = perf_counter_ns()

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
        draft = self._running.pop(context, None)
        if draft is None:
            return
        draft.ended = now
        draft.marks.append(draft.meter.marks())
        draft.rowcount = cursor.rowcount
        draft.returns_rows = cursor.description is not None
        # Two names for one thing: an async driver's cursor says it, a synchronous one's context.
        draft.streamed = bool(
            getattr(cursor, "server_side", False) or getattr(context, "_is_server_side", False)
        )

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
        if unit is None or unit.context is not context or unit.draft is None:
            return
        draft, unit.context, unit.draft = unit.draft, None, None
        if draft.returns_rows:
            draft.columns = self._entity_columns(context)
            result.cursor_strategy = CountingStrategy(result.cursor_strategy, draft)

    def failed(self, error: ExceptionContext) -> None:
        """Write down that it has failed."""
        now = perf_counter_ns()
        context = error.execution_context
        draft = self._running.pop(context, None) if context is not None else None
        if draft is None:
            return
        draft.ended = now
        draft.marks.append(draft.meter.marks())
        original = error.original_exception
        cause = original.__cause__ or original
        draft.error = type(cause).__name__
        draft.sqlstate = next(
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
        """Count from here what passes on the connection."""
        meter = self._meters.get(id(dbapi_connection))
        if meter is not None:
            meter.held = True

    def checked_in(self, dbapi_connection: object, _record: object) -> None:
        """Count what ended the use of the connection, such as a COMMIT or a ROLLBACK.

        It is heard of what others do too: their traffic is not this recording's.
        """
        meter = self._meters.get(id(dbapi_connection))
        if meter is not None:
            meter.check_in()

    # what is known

    @property
    def statements(self) -> list[Statement]:
        """The statements so far."""
        if self._statements is not None:
            return self._statements
        statements = [
            draft.statement(number, self._began, self._finder)
            for number, draft in enumerate(self._drafts, 1)
        ]
        # From the last to the first: nested loads before the loads around them.
        for draft, statement in zip(reversed(self._drafts), reversed(statements), strict=True):
            draft.end_of_making()
            for began, ended in draft.made or ():
                nested = self._seconds_within(statement, statements, began, ended)
                statement.orm_seconds += max((ended - began) / 1e9 - nested, 0.0)
        return statements

    @property
    def traffic(self) -> Traffic | None:
        """What passed on the wire; None where it is not known of every connection."""
        meters = self._meters.values()
        if not all(meter.counts_requests for meter in meters):
            return None
        totals = [sum(column) for column in zip(*(meter.total() for meter in meters), strict=True)]
        return Traffic(*totals)

    def close(self) -> None:
        """Leave every connection as it was found, and keep nothing but the result."""
        for draft in self._running.values():
            draft.error = "unfinished"
        for meter in self._meters.values():
            meter.release()
        self._statements = self.statements
        self._drafts.clear()
        self._units.clear()
        self._running.clear()
        self._columns.clear()

    # details

    def _seconds_within(
        self, outer: Statement, statements: list[Statement], began: int, ended: int
    ) -> float:
        total = 0.0
        for one in islice(statements, outer.number, None):
            started = one.started * 1e9 + self._began
            if started > ended:
                break
            if started >= began and one.session == outer.session:
                total += one.database_seconds + one.orm_seconds
        return total

    def _new_unit(self, connection: Connection, *, whole: bool) -> Unit:
        dbapi_connection = connection.connection.dbapi_connection
        meter = self._meters.get(id(dbapi_connection)) or self._new_meter(dbapi_connection)
        autocommit = self._autocommit.get(connection.engine)
        if autocommit is None or "isolation_level" in connection.get_execution_options():
            autocommit = self._autocommit[connection.engine] = _is_autocommit(connection)
        number = len(self.transactions) + 1
        transaction = Transaction(number, meter.connection, None, autocommit, None, whole)
        self.transactions.append(transaction)
        return Unit(transaction, meter)

    def _new_meter(self, dbapi_connection: Any) -> Meter:  # noqa: ANN401 -- any driver's
        driver = getattr(dbapi_connection, "driver_connection", dbapi_connection)
        tap = WireTap.on(driver) if self._wire else None
        meter = Meter(len(self._meters) + 1, dbapi_connection, tap)
        self._meters[id(dbapi_connection)] = meter
        return meter

    def _entity_columns(self, context: ExecutionContext) -> tuple[EntityColumns, ...]:
        compiled: Any = context.compiled
        if compiled is None:
            return ()
        found = self._columns.get(compiled.string)
        if found is None:
            found = entity_columns(context, context.dialect)
            self._columns[compiled.string] = found
        return found


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
