"""Write down what SQLAlchemy's events report, for one recording.

Each method is called by `events` while the program waits, so each is short; whatever is wrong
in one of them is caught there.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from secrets import randbits
from threading import get_ident
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from invoicing.toolkit.profiling.capture.attribute_reads import AttributeReads
from invoicing.toolkit.profiling.capture.cause import (
    load_cause_of,
    parent_of,
    relationships_on,
    renews,
    returning_of,
)
from invoicing.toolkit.profiling.capture.collector import without_collections
from invoicing.toolkit.profiling.capture.cursor import CountingStrategy
from invoicing.toolkit.profiling.capture.entities import entity_columns
from invoicing.toolkit.profiling.capture.explain import PlanQuestion, Questions
from invoicing.toolkit.profiling.capture.invoked import Invoked
from invoicing.toolkit.profiling.capture.parameters import hashes_of, shown_parameters
from invoicing.toolkit.profiling.capture.pending import PendingStatement
from invoicing.toolkit.profiling.capture.traffic import (
    ConnectionTraffic,
    WireTraffic,
    is_autocommit,
)
from invoicing.toolkit.profiling.capture.units import ALLOWED, UnitOfWork
from invoicing.toolkit.profiling.capture.waits import waiter
from invoicing.toolkit.profiling.capture.wire import WireTap
from invoicing.toolkit.profiling.statement import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import ExceptionContext, ExecutionContext
    from sqlalchemy.orm import InstanceState, QueryContext, Session

    from invoicing.toolkit.profiling.capture.entities import EntityColumns
    from invoicing.toolkit.profiling.capture.stack import CallerFinder
    from invoicing.toolkit.profiling.statement import Allowance, Statement


class Capture:
    """The statements of one recording, and what is needed to write down more of them.

    Attributes:
        transactions: units of work, in the order they began.
        connections_opened: connections made by the recorded code.
        left_out: units of work that were not in the sample.
        making: for each thread the statement whose rows were fetched last.
        runs: the statement of each run of a query, which its objects have the number of.
        attribute_reads: what the program has read of the objects it loaded.
        allowances: the blocks of `allow` that were entered.
        invoked: the SQLAlchemy statements that came again.
        lose: called when something is wrong in here.
    """

    def __init__(
        self,
        finder: CallerFinder,
        *,
        parameters: bool,
        wire: bool,
        explain: bool,
        takes: Callable[[], bool] | None,
        lose: Callable[[], None],
    ) -> None:
        self.transactions: list[Transaction] = []
        self.connections_opened = self.left_out = 0
        self.making: dict[int, PendingStatement] = {}
        self.attribute_reads = AttributeReads()
        self.allowances: list[Allowance] = []
        self.invoked = Invoked()
        self.lose = lose
        self._began = perf_counter_ns()
        self._finder = finder
        self._parameters = parameters
        self._tap_wire = wire
        self._takes = takes
        self._questions = Questions() if explain else None
        self._salt = randbits(64)
        self._pending: list[PendingStatement] = []
        self._statements: list[Statement] | None = None
        self._wires: dict[int, ConnectionTraffic] = {}
        self._units: dict[Connection, UnitOfWork] = {}
        self.runs: dict[int, PendingStatement] = {}
        self._filling: WeakKeyDictionary[InstanceState[Any], PendingStatement] = WeakKeyDictionary()
        self._running: dict[ExecutionContext, PendingStatement] = {}
        self._tasks: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._threads: dict[object, int] = {}
        self._numbers = count(1)
        self._waits: Counter[int] = Counter()
        self._all_waits = 0
        self._columns: dict[str, tuple[EntityColumns, ...]] = {}
        self._autocommit: dict[Engine, bool] = {}

    # what the session says

    def session_begins(
        self, session: Session, _transaction: object, connection: Connection
    ) -> None:
        """Note whose unit of work it is."""
        self._unit(connection).transaction.session = session.hash_key

    def made(self, state: InstanceState[Any], context: QueryContext | None) -> None:
        """Note that an object has just been made of a row.

        It is made at once of the rows its thread fetched last; nothing else comes between.
        """
        pending = self.making.get(get_ident())
        if pending is not None:
            pending.made_at = perf_counter_ns()
            # The state keeps the number of the run that made it; what a flush returns is no run.
            if context is not None:
                self.runs[context.runid] = pending
            if pending.only_row:
                pending.only_key = state.key

    def filled(
        self, state: InstanceState[Any], context: QueryContext | None, _attributes: object = None
    ) -> None:
        """Note that an object that was there has just been filled of a row, as a whole or not."""
        self.made(state, context)
        pending = self.runs.get(context.runid) if context is not None else None
        # Of columns that are loaded later `before` has noted it.
        if pending is not None and not pending.fills:
            self._filling[state] = pending

    def _keep_source(self, pending: PendingStatement, context: ExecutionContext) -> None:
        # What made the object stays its source, though its state will have the number of this run.
        pending.fills = True
        state = parent_of(context)
        source = self._source_of(state)
        if state is not None and source is not None:
            self._filling[state] = source
            pending.parent_source = source

    def _source_of(self, state: InstanceState[Any] | None) -> PendingStatement | None:
        if state is None:
            return None
        made = self.runs.get(state.runid) if state.runid is not None else None
        source = self._filling.get(state, made)
        return None if source is not None and source.fills else source

    # what the program does besides

    def waited(self, who: object) -> None:
        """Note that a task, or a thread, has waited, or holds what it has for old: see `waits`."""
        self._waits[self._task(who)] += 1
        self._all_waits += 1

    def _task(self, who: object) -> int:
        known: Any = self._threads if isinstance(who, int) else self._tasks
        number = known.get(who)
        if number is None:
            number = known[who] = next(self._numbers)
        return int(number)

    # what the connection says

    def commit(self, connection: Connection, *_: object) -> None:
        """Close a unit of work; the server gets it only after this."""
        self._end(connection, "commit")

    def rollback(self, connection: Connection, *_: object) -> None:
        """Close a unit of work; the server gets it only after this."""
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
        parameters: Any,
        context: ExecutionContext,
        executemany: bool,
    ) -> None:
        """Write down a statement that is about to be sent."""
        unit = self._unit(connection)
        if not unit.taken:
            # Objects made next are of rows that are not in the recording.
            self.making.pop(get_ident(), None)
            return
        pending = PendingStatement(text, unit.transaction, unit.wire, self)
        pending.lines = self._finder.find(text)
        pending.since = self._since(context)  # what tells two equal statements apart
        pending.load_cause = load_cause = load_cause_of(context)
        if load_cause is not None and load_cause.is_column_load:
            self._keep_source(pending, context)
        if load_cause is not None and load_cause.path:
            pending.parent_source = self._source_of(parent_of(context))
            # The first relationship that is loaded by itself: who asks for the others?
            for relationship in relationships_on(load_cause.path):
                self.attribute_reads.watch(relationship.parent)
                self.attribute_reads.watch(relationship.mapper)
        else:
            self.invoked.note(text, context)
            if load_cause is None:
                pending.returning = returning_of(context)
        pending.hashes = hashes_of(parameters)
        pending.allowances = ALLOWED.get()
        # The rows of one INSERT ... VALUES come as an executemany, with one set of parameters.
        executemany = executemany and isinstance(parameters, list)
        if executemany:
            pending.executions, pending.parameter_count = len(parameters), sum(map(len, parameters))
        else:
            pending.parameter_count = len(parameters or ())
        if self._parameters:
            pending.parameters = shown_parameters(context, parameters, executemany)
        self._pending.append(pending)
        if self._questions is not None and not executemany:
            asked = PlanQuestion(len(self._pending), connection.engine, text, parameters)
            self._questions.note(asked, unit.transaction)
        self._running[context] = pending
        pending.began = perf_counter_ns()

    def _since(self, context: ExecutionContext) -> tuple[int, int, int]:
        who = waiter()
        if renews(context):
            self.waited(who)
        task = self._task(who)
        return task, self._waits.get(task, 0), self._all_waits

    @property
    def questions(self) -> list[PlanQuestion]:
        """What is to be explained."""
        return self._questions.asked() if self._questions is not None else []

    def after(
        self,
        _connection: Connection,
        cursor: Any,
        _text: str,
        _parameters: object,
        context: Any,
        _executemany: bool,
    ) -> None:
        """Write down that it has been executed."""
        now = perf_counter_ns()
        pending = self._running.pop(context, None)
        if pending is None:
            return
        pending.ended = now
        pending.marks.append(pending.wire.marks())
        pending.rowcount = cursor.rowcount
        if cursor.description is None:
            return
        pending.returns_rows = True
        pending.columns = columns = self._entity_columns(context)
        if len(columns) > 1:
            for column in columns:
                self.attribute_reads.watch(column.mapper)
        few = 0 <= pending.rowcount <= 1 and len(columns) <= 1
        if few and context.dialect.name == "postgresql":
            # PostgreSQL's drivers have the row by now, and the object made of it tells its key.
            pending.only_row = True
            pending.fetched_at = now
            self.making[get_ident()] = pending
            return
        # What a dialect sets here too, when it has its own way of fetching.
        context.cursor_fetch_strategy = CountingStrategy(context, pending)

    def failed(self, error: ExceptionContext) -> None:
        """Write down that it has failed."""
        now = perf_counter_ns()
        context = error.execution_context
        pending = self._running.pop(context, None) if context is not None else None
        if pending is None:
            return
        pending.ended = now
        pending.marks.append(pending.wire.marks())
        original = error.original_exception
        cause = original.__cause__ or original
        pending.error = type(cause).__name__
        pending.sqlstate = next(
            (
                str(state)
                for raised in (original, cause)
                for state in (getattr(raised, "sqlstate", None), getattr(raised, "pgcode", None))
                if state
            ),
            None,
        )

    # what the pool says

    def opened(self, _dbapi_connection: object, _record: object) -> None:
        """Count a connection made."""
        self.connections_opened += 1

    def checked_in(self, dbapi_connection: object, _record: object) -> None:
        """Count what ended the use of the connection, such as a COMMIT or a ROLLBACK.

        It is heard of what others do too: their traffic is not this recording's.
        """
        wire = self._wires.get(id(dbapi_connection))
        if wire is not None:
            wire.check_in()

    # what is known

    @property
    def statements(self) -> list[Statement]:
        """The statements so far."""
        if self._statements is not None:
            return self._statements
        with without_collections():
            statements = [
                pending.statement(number, self._began, self._salt, self._finder)
                for number, pending in enumerate(self._pending, 1)
            ]
        numbers = dict(zip(self._pending, statements, strict=True))
        for pending, statement in numbers.items():
            if pending.parent_source is not None:
                statement.parent_source = numbers[pending.parent_source].number
        return statements

    @property
    def count(self) -> int:
        """How many statements there are so far."""
        return len(self._pending if self._statements is None else self._statements)

    @property
    def traffic(self) -> WireTraffic | None:
        """What passed on the wire; None where it is not known of every connection."""
        wires = self._wires.values()
        if self.left_out or not all(wire.counts_requests for wire in wires):
            return None
        totals = [sum(column) for column in zip(*(wire.total() for wire in wires), strict=True)]
        return WireTraffic(*totals)

    def close(self) -> None:
        """Leave every connection as it was found, and keep nothing but the result."""
        for pending in self._running.values():
            pending.error = "unfinished"
        self.attribute_reads.stop()
        for wire in self._wires.values():
            wire.release()
        self._statements = self.statements
        held = (self.making, self._units, self._running, self._columns, self.runs, self._filling)
        for kept in (self._pending, *held, self._tasks):
            kept.clear()

    # details

    def _unit(self, connection: Connection) -> UnitOfWork:
        unit = self._units.get(connection)
        if unit is None:
            dbapi_connection = connection.connection.dbapi_connection
            wire = self._wires.get(id(dbapi_connection)) or self._new_wire(dbapi_connection)
            wire.held = True
            autocommit = self._autocommit.get(connection.engine)
            if autocommit is None or "isolation_level" in connection.get_execution_options():
                autocommit = self._autocommit[connection.engine] = is_autocommit(connection)
            transaction = Transaction(len(self.transactions) + 1, wire.connection, None, autocommit)
            transaction.is_async = connection.dialect.is_async
            taken = self._takes is None or self._takes()
            if taken:
                self.transactions.append(transaction)
            else:
                self.left_out += 1
            unit = self._units[connection] = UnitOfWork(transaction, wire, taken=taken)
        return unit

    def _new_wire(self, dbapi_connection: Any) -> ConnectionTraffic:
        driver = getattr(dbapi_connection, "driver_connection", dbapi_connection)
        tap = WireTap.on(driver) if self._tap_wire else None
        wire = ConnectionTraffic(len(self._wires) + 1, dbapi_connection, tap)
        self._wires[id(dbapi_connection)] = wire
        return wire

    def _entity_columns(self, context: ExecutionContext) -> tuple[EntityColumns, ...]:
        compiled: Any = context.compiled
        if compiled is None:
            return ()
        found = self._columns.get(compiled.string)
        if found is None:
            found = self._columns[compiled.string] = entity_columns(context, context.dialect)
        return found
