"""Stand between a result and its cursor: count rows, and know when they were fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.cursor import ResultFetchStrategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CursorResult

    from invoicing.profiling.draft import Draft


class CountingStrategy(ResultFetchStrategy):
    """Fetch as `inner` does, and tell `draft` of it.

    What goes wrong in `inner` is the program's to see; `draft.fetched` never raises.
    """

    __slots__ = ("_draft", "_inner")

    def __init__(self, inner: ResultFetchStrategy, draft: Draft) -> None:
        self._inner = inner
        self._draft = draft

    def soft_close(self, result: CursorResult[Any], dbapi_cursor: Any) -> None:  # noqa: ANN401
        """Close as `inner` does."""
        self._inner.soft_close(result, dbapi_cursor)

    def hard_close(self, result: CursorResult[Any], dbapi_cursor: Any) -> None:  # noqa: ANN401
        """Close as `inner` does."""
        self._inner.hard_close(result, dbapi_cursor)

    def yield_per(
        self,
        result: CursorResult[Any],
        dbapi_cursor: Any,  # noqa: ANN401
        num: int,
    ) -> None:
        """Let `inner` choose how to fetch in parts, and go on counting."""
        self._inner.yield_per(result, dbapi_cursor, num)
        if result.cursor_strategy is not self:
            self._inner = result.cursor_strategy
            result.cursor_strategy = self

    def fetchone(
        self,
        result: CursorResult[Any],
        dbapi_cursor: Any,  # noqa: ANN401
        hard_close: bool = False,
    ) -> Any:  # noqa: ANN401
        """Fetch one row."""
        asked = self._draft.asks()
        row = self._inner.fetchone(result, dbapi_cursor, hard_close)
        self._draft.fetched(asked, () if row is None else (row,))
        return row

    def fetchmany(
        self,
        result: CursorResult[Any],
        dbapi_cursor: Any,  # noqa: ANN401
        size: int | None = None,
    ) -> Any:  # noqa: ANN401
        """Fetch some rows."""
        asked = self._draft.asks()
        rows: Sequence[Any] = self._inner.fetchmany(result, dbapi_cursor, size)
        self._draft.fetched(asked, rows)
        return rows

    def fetchall(self, result: CursorResult[Any], dbapi_cursor: Any) -> Any:  # noqa: ANN401
        """Fetch the rows that are left."""
        asked = self._draft.asks()
        rows: Sequence[Any] = self._inner.fetchall(result, dbapi_cursor)
        self._draft.fetched(asked, rows)
        return rows

    def handle_exception(
        self,
        result: CursorResult[Any],
        dbapi_cursor: Any,  # noqa: ANN401
        err: BaseException,
    ) -> Any:  # noqa: ANN401
        """Raise as `inner` does."""
        self._inner.handle_exception(result, dbapi_cursor, err)
