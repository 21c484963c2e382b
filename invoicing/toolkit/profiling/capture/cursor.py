"""Stand between a result and its cursor: count rows, and know when they were fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.cursor import (
    BufferedRowCursorFetchStrategy,
    CursorFetchStrategy,
    ResultFetchStrategy,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CursorResult

    from invoicing.toolkit.profiling.capture.pending import PendingStatement


class CountingStrategy(ResultFetchStrategy):
    """Fetch as the statement's own strategy does, and tell `pending` of it.

    What goes wrong in that is the program's to see; `pending.fetched` never raises.
    """

    __slots__ = ("_context", "_draft", "_inner", "alternate_cursor_description")

    def __init__(self, context: Any, pending: PendingStatement) -> None:
        self._draft = pending
        self._context = None
        inner: ResultFetchStrategy = context.cursor_fetch_strategy
        self.alternate_cursor_description = inner.alternate_cursor_description
        self._inner: ResultFetchStrategy | None = inner
        if context.execution_options.get("stream_results") or context._is_server_side:
            pending.streamed = True
            if type(inner) is CursorFetchStrategy:
                # SQLAlchemy would buffer such rows, but only where nothing else was chosen.
                # Making the buffer fetches, which must not happen while the statement is noted.
                self._inner, self._context = None, context

    def _buffer(self) -> ResultFetchStrategy:
        context: Any = self._context
        self._inner = BufferedRowCursorFetchStrategy(context.cursor, context.execution_options)
        return self._inner

    def soft_close(self, result: CursorResult[Any], dbapi_cursor: Any) -> None:
        """Close as it does."""
        # Not the buffer: closing must not begin to fetch.
        (self._inner or CursorFetchStrategy()).soft_close(result, dbapi_cursor)

    def hard_close(self, result: CursorResult[Any], dbapi_cursor: Any) -> None:
        """Close as it does."""
        (self._inner or CursorFetchStrategy()).hard_close(result, dbapi_cursor)

    def yield_per(
        self,
        result: CursorResult[Any],
        dbapi_cursor: Any,
        num: int,
    ) -> None:
        """Let it choose how to fetch in parts, and go on counting."""
        (self._inner or self._buffer()).yield_per(result, dbapi_cursor, num)
        if result.cursor_strategy is not self:
            self._inner = result.cursor_strategy
            result.cursor_strategy = self

    def fetchone(
        self,
        result: CursorResult[Any],
        dbapi_cursor: Any,
        hard_close: bool = False,
    ) -> Any:
        """Fetch one row."""
        asked = self._draft.asks()
        row = (self._inner or self._buffer()).fetchone(result, dbapi_cursor, hard_close)
        self._draft.fetched(asked, () if row is None else (row,))
        return row

    def fetchmany(
        self,
        result: CursorResult[Any],
        dbapi_cursor: Any,
        size: int | None = None,
    ) -> Any:
        """Fetch some rows."""
        asked = self._draft.asks()
        rows: Sequence[Any] = (self._inner or self._buffer()).fetchmany(result, dbapi_cursor, size)
        self._draft.fetched(asked, rows)
        return rows

    def fetchall(self, result: CursorResult[Any], dbapi_cursor: Any) -> Any:
        """Fetch the rows that are left."""
        asked = self._draft.asks()
        rows: Sequence[Any] = (self._inner or self._buffer()).fetchall(result, dbapi_cursor)
        self._draft.fetched(asked, rows)
        return rows

    def handle_exception(
        self,
        result: CursorResult[Any],
        dbapi_cursor: Any,
        err: BaseException,
    ) -> Any:
        """Raise as it does."""
        (self._inner or CursorFetchStrategy()).handle_exception(result, dbapi_cursor, err)
