"""Load a sample into a migrated database: all of it, or nothing.

Everything happens in one transaction: the tables are emptied, their indexes and foreign keys taken
off, the rows streamed in by COPY, indexes and foreign keys put back, statistics gathered. A load
that is interrupted or killed leaves the tables, their rows and their indexes as they were.

COPY writes rows FREEZEd, as it may into tables emptied in its own transaction: index-only scans
work at once, and no later vacuum has to write the rows again. Until the end, readers of the three
tables wait.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import asyncpg
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database
from invoicing.db.citus import is_distributed
from invoicing.db.copying import unless_lost
from invoicing.db.refusal import explain
from invoicing.errors import UsageError
from invoicing.models import Account, Invoice, InvoiceLine
from invoicing.rollup import filled_at_once
from invoicing.sample.copy_format import HEADER, TRAILER, encode
from invoicing.sample.errors import TablesNotEmptyError
from invoicing.sample.generate import DEFAULT_SEED, count_lines, generate
from invoicing.sample.hashing import SEED_LIMIT
from invoicing.sample.rebuild import Removable, find_removable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from invoicing.db import AsyncSession

Stage: TypeAlias = Literal["rows", "indexes", "statistics"]

# All accounts are kept in memory, at 80 bytes each; this many also have different names.
MOST_ACCOUNTS = 3_000_000
MOST_INVOICES = 100_000_000

_MODELS = (Account, Invoice, InvoiceLine)
TABLES = tuple(model.__tablename__ for model in _MODELS)
# On Citus: an index or a key is made on its node after the rows were sent there, and both by the
# same connection.
_IN_TURN = (
    "SET LOCAL citus.multi_shard_modify_mode = 'sequential'",
    "SET LOCAL citus.enable_local_execution = off",
)
# What one index build may use: 24 million rows sorted in few passes, on a machine with 4 GB.
_SORT_MEMORY = "256MB"


@dataclass(frozen=True)
class SampleProgress:
    """How far a load has got.

    Attributes:
        stage: what is being done: sending rows, building indexes and foreign keys, or statistics.
        done, total: rows in the first stage, statements in the others.
        rows: rows of all tables sent so far.
        seconds: time since the beginning.
    """

    stage: Stage
    done: int
    total: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class SampleCounts:
    """What was loaded.

    Attributes:
        mismatches: invoices whose lines do not add up to their amount; about one in a thousand.
        seconds: how long it took, indexes, foreign keys, statistics and commit included.
    """

    seed: int
    accounts: int
    invoices: int
    lines: int
    mismatches: int
    seconds: float

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return self.accounts + self.invoices + self.lines

    @property
    def rows_per_second(self) -> int:
        """Rows of all tables a second, all stages included."""
        return round(self.rows / self.seconds)


async def load_sample(
    database: Database,
    *,
    accounts: int,
    invoices: int,
    seed: int = DEFAULT_SEED,
    replace: bool = False,
    progress: Callable[[SampleProgress], None] | None = None,
) -> SampleCounts:
    """Load a sample of so many accounts and invoices, with about three lines an invoice.

    Rows that are there are an error, or deleted if `replace`. `progress` is called often, between
    statements; what it raises ends the load.

    Raises:
        UsageError: a number is out of range.
        TablesNotEmptyError: there are rows, and `replace` was not asked for.
        SchemaMissingError: the database is not migrated.
        StatementFailedError: the server refused; another session holds a lock, the disk is full.
    """
    _check(accounts, invoices, seed)
    began = perf_counter()
    try:
        async with _patient(database) as patient, patient.transaction() as session:
            await _take_tables(session, database, replace=replace)
            lines = await asyncio.to_thread(count_lines, seed, invoices)
            load = _SampleLoad(session, accounts + invoices + lines, began, progress)
            async with filled_at_once(session):
                await session.execute(text(f"TRUNCATE {', '.join(TABLES)}"))
                await load.run(_Prefetched(_encoded(accounts, invoices, seed)))
    except DBAPIError as error:
        raise explain(error) from None
    except asyncpg.PostgresError as error:
        # COPY is spoken to the driver itself, so SQLAlchemy has not wrapped what it raises.
        raise explain(DBAPIError("COPY", None, error)) from None
    # After the commit, which on a slow disk is a part of the time.
    return load.counts(seed)


def _check(accounts: int, invoices: int, seed: int) -> None:
    for name, value, least, limit in (
        ("accounts", accounts, 1, MOST_ACCOUNTS),
        ("invoices", invoices, 0, MOST_INVOICES),
        ("seed", seed, 0, SEED_LIMIT - 1),
    ):
        if not least <= value <= limit:
            message = (
                f"cannot make a sample: {name} is {value:,}, and must be from {least:,} to "
                f"{limit:,}. Nothing was done. Run: invoicing sample --help"
            )
            raise UsageError(message)


@asynccontextmanager
async def _patient(database: Database) -> AsyncIterator[Database]:
    """Yield `database`, without the driver's time limit that it has behind pgbouncer."""
    if not database.settings.pgbouncer:
        yield database
        return
    settings = database.settings.model_copy(update={"statement_timeout": 0.0})
    async with Database(database.url, settings) as patient:
        yield patient


async def _take_tables(session: AsyncSession, database: Database, *, replace: bool) -> None:
    # Keeps other writers out while we look, and readers in until we know that we may go on.
    await session.execute(text(f"LOCK TABLE {', '.join(TABLES)} IN SHARE ROW EXCLUSIVE MODE"))
    if not replace:
        held = {
            model.__tablename__: await session.scalar(select(func.count()).select_from(model)) or 0
            for model in _MODELS
        }
        if any(held.values()):
            raise TablesNotEmptyError(database.shown_url, held)
    await session.execute(text("SET LOCAL statement_timeout = 0"))
    if await is_distributed(session):
        for setting in _IN_TURN:
            await session.execute(text(setting))
    await set_sort_memory(session)


async def set_sort_memory(session: AsyncSession) -> None:
    """Let index builds of this transaction use _SORT_MEMORY, or more if the server says so."""
    await session.execute(
        text(
            "SELECT set_config('maintenance_work_mem', :memory, true) WHERE pg_size_bytes(:memory)"
            " > pg_size_bytes(current_setting('maintenance_work_mem'))"
        ),
        {"memory": _SORT_MEMORY},
    )


@dataclass(frozen=True)
class _Encoded:
    table: str
    columns: list[str]
    rows: int
    mismatches: int
    data: bytes


def _encoded(accounts: int, invoices: int, seed: int) -> Iterator[_Encoded]:
    for chunk in generate(accounts=accounts, invoices=invoices, seed=seed):
        columns = list(chunk.fields)
        data = encode(chunk.fields, columns, chunk.rows)
        yield _Encoded(chunk.table, columns, chunk.rows, chunk.mismatches, data)


class _Prefetched:
    """Chunks one by one; while one is being sent, a thread makes the next."""

    def __init__(self, chunks: Iterator[_Encoded]) -> None:
        self._chunks = chunks
        self.take()

    async def peek(self) -> _Encoded | None:
        """Return the chunk that is next, None after the last."""
        # Shielded: a thread cannot be stopped, and a second one must not enter the generator.
        return await asyncio.shield(self._coming)

    def take(self) -> None:
        """Go on to the next chunk."""
        self._coming: asyncio.Future[_Encoded | None] = asyncio.ensure_future(
            asyncio.to_thread(next, self._chunks, None)
        )


class _SampleLoad:
    """One load, from the emptied tables to the statistics."""

    def __init__(
        self,
        session: AsyncSession,
        total: int,
        began: float,
        progress: Callable[[SampleProgress], None] | None,
    ) -> None:
        self._session = session
        self._total = total
        self._began = began
        self._progress = progress
        self._sent = dict.fromkeys(TABLES, 0)
        self._mismatches = 0

    async def run(self, chunks: _Prefetched) -> None:
        removed = await find_removable(self._session, TABLES)
        for part in removed:
            await self._execute(part.drop)
        await self._send(chunks)
        await self._restore(removed)
        await self._gather_statistics()

    def counts(self, seed: int) -> SampleCounts:
        return SampleCounts(
            seed=seed,
            accounts=self._sent["account"],
            invoices=self._sent["invoice"],
            lines=self._sent["invoice_line"],
            mismatches=self._mismatches,
            seconds=perf_counter() - self._began,
        )

    async def _send(self, chunks: _Prefetched) -> None:
        raw = await (await self._session.connection()).get_raw_connection()
        driver: Any = raw.driver_connection
        while (chunk := await chunks.peek()) is not None:
            copying = driver.copy_to_table(
                chunk.table,
                source=self._rows_of(chunk.table, chunks),
                columns=chunk.columns,
                format="binary",
                freeze=True,
            )
            await unless_lost(driver, copying)

    async def _rows_of(self, table: str, chunks: _Prefetched) -> AsyncIterator[bytes]:
        yield HEADER
        while (chunk := await chunks.peek()) is not None and chunk.table == table:
            chunks.take()
            yield chunk.data
            self._sent[table] += chunk.rows
            self._mismatches += chunk.mismatches
            self._tell("rows", sum(self._sent.values()), self._total)
        yield TRAILER

    async def _restore(self, removed: list[Removable]) -> None:
        statements = [statement for part in reversed(removed) for statement in part.restore]
        for done, statement in enumerate(statements):
            self._tell("indexes", done, len(statements))
            await self._execute(statement)
        self._tell("indexes", len(statements), len(statements))

    async def _execute(self, statement: str) -> None:
        # Not by text(), which would take a colon in an index's expression for a parameter.
        await (await self._session.connection()).exec_driver_sql(statement)

    async def _gather_statistics(self) -> None:
        for done, table in enumerate(TABLES):
            self._tell("statistics", done, len(TABLES))
            await self._session.execute(text(f"ANALYZE {table}"))
        self._tell("statistics", len(TABLES), len(TABLES))

    def _tell(self, stage: Stage, done: int, total: int) -> None:
        if self._progress is not None:
            seconds = perf_counter() - self._began
            self._progress(SampleProgress(stage, done, total, sum(self._sent.values()), seconds))
