"""Any SELECT to a DataFrame with the right dtypes, fast, and in the session's own transaction.

The server's COPY sends the rows as CSV, and pyarrow reads them as the types that the statement is
known to have, block after block: no Python object is made for a value. What a type's own
`process_result_value` would do is left out, for it works value by value.

| PostgreSQL | dtype |
|---|---|
| smallint, integer, bigint | Int64: integers stay integers beside NULL, cents too |
| boolean | boolean |
| real, double precision | float64 |
| numeric | decimal128 of Arrow (decimal256 if need be), exact |
| timestamptz | datetime64[us, UTC] |
| timestamp, date | datetime64[us], datetime64[s] |
| time | time64[us] of Arrow |
| bytea | bytes |
| text, uuid, enums, json, arrays, intervals and all others | str, as the server writes them |
"""

from __future__ import annotations

import asyncio
import inspect
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.db import Database
from invoicing.db.copying import unless_lost
from invoicing.db.refusal import refused
from invoicing.db.url import quoted
from invoicing.notebook.errors import (
    FrameError,
    MissingAwaitError,
    NoQueryError,
    QuerySourceError,
)
from invoicing.notebook.parameters import bound_text, first_word
from invoicing.notebook.refused_sql import refused_sql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from asyncpg.prepared_stmt import PreparedStatement
    from pandas.api.extensions import ExtensionDtype

# What COPY takes; those that write need RETURNING.
_QUERIES = {"SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE"}
# Bytes of CSV that are read at once: what is needed beside the result.
_BLOCK = 8_000_000
_MICROSECONDS = "us"
_ARROW = {
    "bool": pa.bool_(),
    "int2": pa.int64(),
    "int4": pa.int64(),
    "int8": pa.int64(),
    "oid": pa.int64(),
    "float4": pa.float64(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64(_MICROSECONDS),
    "timestamp": pa.timestamp(_MICROSECONDS),
    "timestamptz": pa.timestamp(_MICROSECONDS),  # as the server is asked to write them, in UTC
}
_PANDAS = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
# The most digits that Arrow's exact numbers have.
_DIGITS = ((38, pa.decimal128), (76, pa.decimal256))


async def read_frame(
    source: Database | AsyncSession,
    statement: Executable | str,
    parameters: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return a row for each row of `statement` and a column for each of its columns.

    Args:
        source: a database, or a session, whose transaction's own changes are then seen.
        statement: a select of columns, or of a whole class, with parameters as it has them; or SQL
            with `:name` for each parameter.
        parameters: the values of the names in SQL; a list is one for `IN :names`.

    Raises:
        MissingParameterError: SQL has a name that `parameters` has not.
        QuerySourceError: `source` or `statement` is something else.
        QueryRefusedError: SQL names what is not there, or compares with another type.
        NoQueryError: the statement returns no rows, or is one that COPY does not take.
        FrameError: two columns have one name, or a value is outside of what the dtype can hold
            (an infinite date, a numeric NaN); it names the column.
        StatementFailedError: the server refused the statement.
    """
    _check(source, statement)
    parameters, by_hand = parameters or {}, isinstance(statement, str)
    if isinstance(statement, str):
        statement = bound_text(statement, parameters)
    sql, values = _compiled(statement)
    if not first_word(sql):
        raise NoQueryError("")
    async with _driver(source) as connection:
        try:
            columns = _columns(await connection.prepare(sql))
            if not columns or first_word(sql) not in _QUERIES:
                raise NoQueryError(first_word(sql))
            reader = _FrameReader(columns)
            async with _iso_dates(connection):
                copying = connection.copy_from_query(
                    # A comment at the end goes no further than its line.
                    _in_utc(sql, columns) + "\n",
                    *values,
                    output=reader.take,
                    format="csv",
                    encoding="utf-8",
                )
                await unless_lost(connection, copying)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if by_hand:
                raise await refused_sql(error, connection, parameters) from None
            raise refused(error) from None
    return await asyncio.to_thread(reader.frame)


def _check(source: object, statement: object) -> None:
    """Refuse what analysts give by mistake, with what to write instead."""
    for given in (source, statement):
        if inspect.iscoroutine(given):
            raise MissingAwaitError(given.__name__)
    if not isinstance(source, (Database, AsyncSession)):
        advice = "Read from a Database or a session: database = await open_database()"
        raise QuerySourceError(type(source).__name__, advice)
    if not isinstance(statement, (str, Executable)):
        name = getattr(statement, "__name__", "")
        advice = f"Write: select({name})" if isinstance(statement, type) else "Give a select or SQL"
        raise QuerySourceError(name or type(statement).__name__, advice)


def _compiled(statement: Executable) -> tuple[str, list[Any]]:
    """Return the SQL with $1, $2, ... and their values, as the driver takes them."""
    dialect = asyncpg_dialect()  # type: ignore[no-untyped-call]
    compiled: Any = statement.compile(  # type: ignore[attr-defined]
        dialect=dialect, compile_kwargs={"render_postcompile": True}
    )
    values = []
    for name in compiled.positiontup or ():
        value, bound = compiled.params[name], compiled.binds.get(name)
        process = (
            None if bound is None else bound.type.dialect_impl(dialect).bind_processor(dialect)
        )
        values.append(process(value) if process else value)
    return str(compiled), values


@asynccontextmanager
async def _driver(source: Database | AsyncSession) -> AsyncIterator[asyncpg.Connection]:
    if isinstance(source, Database):
        async with source.read_only() as session, _driver(session) as driver:
            yield driver
        return
    await source.flush()
    connection = await source.connection()
    options = connection.sync_connection.get_execution_options()  # type: ignore[union-attr]
    if options.get("isolation_level") != "AUTOCOMMIT":
        # SQLAlchemy begins the transaction with the first statement, and COPY is none of its own.
        await connection.exec_driver_sql("SELECT 1")
    raw = await connection.get_raw_connection()
    yield raw.driver_connection


@asynccontextmanager
async def _iso_dates(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Let the server write dates as ISO 8601 does, which it does unless that was changed."""
    before = str(getattr(connection.get_settings(), "DateStyle", "ISO"))
    if before.startswith("ISO"):
        yield
        return
    setting = "SELECT set_config('DateStyle', $1, false)"
    await connection.fetchval(setting, "ISO")
    try:
        yield
    finally:
        if not connection.is_closed():
            await connection.fetchval(setting, before)


def _in_utc(sql: str, columns: dict[str, str]) -> str:
    """Return the statement with its moments in UTC; what it says of time zones is left as it is."""
    if "timestamptz" not in columns.values():
        return sql
    shown = ", ".join(
        f"{quoted(name)} AT TIME ZONE 'UTC'" if kind == "timestamptz" else quoted(name)
        for name, kind in columns.items()
    )
    return f"SELECT {shown} FROM (\n{sql.rstrip().removesuffix(';')}\n) AS frame"  # noqa: S608 -- the caller's own


def _columns(prepared: PreparedStatement) -> dict[str, str]:
    columns: dict[str, str] = {}
    for attribute in prepared.get_attributes():
        if attribute.name in columns:
            message = f"two columns are called {attribute.name!r}. Give one another name: .label()"
            raise FrameError(attribute.name, message)
        columns[attribute.name] = attribute.type.name
    return columns


class _FrameReader:
    """Takes CSV as it comes, and makes Arrow tables of whole rows."""

    def __init__(self, columns: dict[str, str]) -> None:
        self._columns = columns
        self._pending = bytearray()
        self._tables: list[pa.Table] = []

    async def take(self, data: bytes) -> None:
        """Take some bytes, which may end in the middle of a row."""
        self._pending += data
        if len(self._pending) >= _BLOCK:
            await asyncio.to_thread(self._read, self._end_of_rows())

    def frame(self) -> pd.DataFrame:
        """Return what was read."""
        self._read(len(self._pending))
        table = pa.concat_tables(self._tables) if self._tables else self._schema().empty_table()
        self._tables.clear()
        for place, (name, kind) in enumerate(self._columns.items()):
            if kind in _CONVERTED:
                table = table.set_column(place, name, _CONVERTED[kind](name, table.column(place)))
        shown: pd.DataFrame = table.to_pandas(
            types_mapper=_dtype, date_as_object=False, split_blocks=True, self_destruct=True
        )
        for name, kind in self._columns.items():
            if kind == "date":
                shown[name] = shown[name].astype("datetime64[s]")
        return shown

    def _end_of_rows(self) -> int:
        """Return where the last whole row ends: a line's end outside of quotes."""
        end = self._pending.rfind(b"\n") + 1
        while end and self._pending.count(b'"', 0, end) % 2:
            end = self._pending.rfind(b"\n", 0, end - 1) + 1
        return end

    def _schema(self) -> pa.Schema:
        return pa.schema(
            [(name, _ARROW.get(kind, pa.string())) for name, kind in self._columns.items()]
        )

    def _read(self, end: int) -> None:
        if not end:
            return
        rows = pa.py_buffer(bytes(self._pending[:end]))
        del self._pending[:end]
        schema = self._schema()
        try:
            table = csv.read_csv(
                pa.BufferReader(rows),
                read_options=csv.ReadOptions(column_names=schema.names, block_size=end),
                parse_options=csv.ParseOptions(
                    newlines_in_values=True,
                    # The only column's NULL is an empty line.
                    ignore_empty_lines=False,
                ),
                convert_options=csv.ConvertOptions(
                    column_types=schema,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    true_values=["t"],
                    false_values=["f"],
                ),
            )
        except pa.ArrowInvalid as error:
            raise self._error(str(error)) from None
        self._tables.append(table)

    def _error(self, said: str) -> FrameError:
        found = re.search(r"column #(\d+)", said)
        place = int(found[1]) if found else 0
        name = list(self._columns)[place]
        kind = self._columns[name]
        message = (
            f"column {name!r} has a {kind} that no dtype holds: {said.rpartition(': ')[2]}. "
            f"Select it as text: cast({name}, Text)"
        )
        return FrameError(name, message)


def _dtype(kind: pa.DataType) -> ExtensionDtype | None:
    if pa.types.is_decimal(kind) or pa.types.is_time(kind):
        return pd.ArrowDtype(kind)
    return _PANDAS.get(kind)


def _decimals(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return exact numbers with as many digits after the point as the longest has."""
    digits = pc.replace_substring_regex(column, r"^-|\.", "")
    after = pc.replace_substring_regex(column, r"^[^.]*\.?", "")
    scale = pc.max(pc.utf8_length(after)).as_py() or 0
    before = pc.max(pc.subtract(pc.utf8_length(digits), pc.utf8_length(after))).as_py() or 0
    for most, exact in _DIGITS:
        if before + scale <= most:
            try:
                return column.cast(exact(most, scale))
            except pa.ArrowInvalid:
                break
    message = (
        f"column {name!r} has a numeric that no exact dtype holds: NaN, infinity, or more than "
        f"{_DIGITS[-1][0]} digits. Select it as text: cast({name}, Text)"
    )
    raise FrameError(name, message)


def _bytes(_: str, column: pa.ChunkedArray) -> pa.Array:
    return pa.array(
        [None if value is None else bytes.fromhex(value[2:]) for value in column.to_pylist()],
        pa.binary(),
    )


def _moments(_: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.timestamp(_MICROSECONDS, "UTC"))


_CONVERTED = {"numeric": _decimals, "bytea": _bytes, "timestamptz": _moments}
