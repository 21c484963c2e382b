"""Load files in one transaction: stream and check them, stage them, write what differs.

Memory does not grow with the files: rows go from the file to the server in one COPY each, and bad
rows wait on disk and then on the server.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import UNDEFINED_COLUMN, UNDEFINED_OBJECT, UNDEFINED_TABLE
from invoicing.errors import SchemaMissingError, UsageError
from invoicing.load.checking import Check, Problems
from invoicing.load.errors import BadRowsError, InputFileError, LoadFailedError
from invoicing.load.kinds import KINDS
from invoicing.load.rejects import open_rejects, rejected_rows
from invoicing.load.source import open_source
from invoicing.load.staging import PROBLEM_COLUMNS, Staging
from invoicing.rollup import fold_if_built
from invoicing.schemas.load import FileReport, LoadReport, RejectedRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from invoicing.db.session import AsyncSession, Database
    from invoicing.errors import InvoicingError
    from invoicing.load.kinds import FileKind
    from invoicing.load.source import InputSource


@dataclass(frozen=True)
class LoadProgress:
    """Where a load stands: `phase` is `reading`, `checking` or `writing`; `rows` of this file."""

    kind: str
    phase: str
    rows: int


@dataclass
class _Input:
    kind: FileKind
    source: InputSource
    check: Check
    stamp: tuple[int, ...]
    inserted: int = 0
    updated: int = 0
    rejected: int = 0


async def load_files(  # noqa: PLR0913 -- each is an option of the command
    database: Database,
    *,
    accounts: str | Path | None = None,
    invoices: str | Path | None = None,
    lines: str | Path | None = None,
    skip_bad: bool = False,
    rejects: str | Path | None = None,
    dry_run: bool = False,
    show: int = 20,
    progress: Callable[[LoadProgress], None] | None = None,
) -> LoadReport:
    """Load the files, all of them or nothing; loading them again changes nothing.

    A row whose id is there already is updated where it differs; a column that the file does not
    have keeps what the database holds. Nothing is ever deleted.

    Args:
        database: one whose migrations have run.
        accounts: a CSV or Parquet file; so are `invoices` and `lines`. At least one is needed.
        invoices: their accounts are of `accounts` or of the database.
        lines: their invoices are of `invoices` or of the database.
        skip_bad: load the good rows although there are bad ones.
        rejects: where to write every bad row, if there are any.
        dry_run: do everything, then roll it back.
        show: how many bad rows the report has.
        progress: called every few thousand rows.

    Raises:
        InputFileError: a file cannot be read, lacks a column, or changed meanwhile.
        BadRowsError: some rows are bad, and `skip_bad` was not asked for; it has the report.
        LoadInProgressError: another load is writing to this database.
        LoadFailedError: the database refused, or the connection was lost.
    """
    begun = time.monotonic()
    paths = {"accounts": accounts, "invoices": invoices, "lines": lines}
    rejects = None if rejects is None else Path(rejects)
    problems = Problems()
    try:
        inputs = _open(paths, problems, rejects)
        load = _Load(inputs, problems, progress or (lambda _: None))
        async with _transaction(database) as (session, staging):
            report = await load.run(staging, skip_bad=skip_bad, rejects=rejects, show=show)
            refused = report.rejected > 0 and not skip_bad
            if refused or dry_run:
                await session.rollback()
    finally:
        problems.close()
    report = report.model_copy(
        update={
            "loaded": not (refused or dry_run),
            "dry_run": dry_run,
            "seconds": round(time.monotonic() - begun, 3),
        }
    )
    if refused:
        raise BadRowsError(report, rows=report.rows, rejected=report.rejected)
    if report.loaded:
        await fold_if_built(database)
    return report


class _Load:
    """One run over the files, inside the transaction."""

    def __init__(
        self, inputs: list[_Input], problems: Problems, progress: Callable[[LoadProgress], None]
    ) -> None:
        self._inputs = inputs
        self._problems = problems
        self._progress = progress

    async def run(
        self, staging: Staging, *, skip_bad: bool, rejects: Path | None, show: int
    ) -> LoadReport:
        """Stage, check, write; the caller commits or rolls back."""
        await staging.create({input_.kind.name: input_.check.columns for input_ in self._inputs})
        for input_ in self._inputs:
            await self._read(staging, input_)
        for input_ in self._inputs:
            await self._check(staging, input_)
        rejected = sum(input_.rejected for input_ in self._inputs)
        first: list[RejectedRow] = []
        if rejected:
            first = await self._tell(staging, rejects, show)
        if not rejected or skip_bad:
            for input_ in self._inputs:
                self._progress(LoadProgress(input_.kind.name, "writing", input_.check.rows))
                input_.inserted, input_.updated = await staging.upsert(
                    input_.kind, input_.check.columns
                )
        return LoadReport(
            loaded=False,
            dry_run=False,
            files=[
                _file_report(input_, written=not rejected or skip_bad) for input_ in self._inputs
            ],
            reasons=await staging.reasons(),
            first_rejected=first,
            rejects=rejects if rejected else None,
            seconds=0.0,
        )

    async def _read(self, staging: Staging, input_: _Input) -> None:
        def report(rows: int) -> None:
            self._progress(LoadProgress(input_.kind.name, "reading", rows))

        records = input_.check.records(report)
        await staging.copy(input_.kind.staging, ["line", *input_.check.columns], records)
        if self._problems.count:
            await staging.copy("load_problem", PROBLEM_COLUMNS, self._problems.take())
        _refuse_changed(input_)

    async def _check(self, staging: Staging, input_: _Input) -> None:
        self._progress(LoadProgress(input_.kind.name, "checking", input_.check.rows))
        names = {other.kind.name: other.source.path.name for other in self._inputs}
        parent = input_.kind.parent.name if input_.kind.parent is not None else ""
        await staging.check(input_.kind, names.get(parent, ""))
        input_.rejected = await staging.count_rejected(input_.kind)

    async def _tell(self, staging: Staging, rejects: Path | None, show: int) -> list[RejectedRow]:
        """Collect the first bad rows; with a rejects file, write all of them to it."""
        first: list[RejectedRow] = []
        if rejects is None:
            for input_ in self._inputs:
                await self._tell_file(staging, input_, first, show, None)
            return first
        with open_rejects(rejects, [input_.source for input_ in self._inputs]) as write:
            for input_ in self._inputs:
                await self._tell_file(staging, input_, first, show, write)
        return first

    async def _tell_file(
        self,
        staging: Staging,
        input_: _Input,
        first: list[RejectedRow],
        show: int,
        write: Callable[..., None] | None,
    ) -> None:
        limit = show - len(first) if write is None else None
        async for line, reason, cells in rejected_rows(staging, input_.source, input_.kind, limit):
            if len(first) < show:
                first.append(RejectedRow(path=input_.source.path, line=line, reason=reason))
            if write is not None:
                write(input_.source, line, reason, cells)
        _refuse_changed(input_)


def _open(
    paths: dict[str, str | Path | None], problems: Problems, rejects: Path | None
) -> list[_Input]:
    inputs = []
    for kind in KINDS:
        given = paths[kind.name]
        if given is None:
            continue
        path = Path(given)
        source = open_source(path, kind)
        if rejects is not None and rejects.exists() and rejects.samefile(path):
            message = f"cannot write the rejects to {rejects}: it is a file to load"
            raise UsageError(message)
        inputs.append(_Input(kind, source, Check(source, kind, problems), _stamp(path)))
    if not inputs:
        message = "there is nothing to load: name at least one file. Run: invoicing load --help"
        raise UsageError(message)
    return inputs


@asynccontextmanager
async def _transaction(database: Database) -> AsyncIterator[tuple[AsyncSession, Staging]]:
    """Yield a session's transaction and the staging on its connection; tell the driver's errors."""
    try:
        async with database.transaction() as session:
            # Also what begins the transaction: the driver's own calls do not.
            await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection = await (await session.connection()).get_raw_connection()
            yield session, Staging(connection.driver_connection)
    except DBAPIError as error:
        raise _failed(error.orig or error) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise _failed(error) from None


def _failed(error: BaseException) -> InvoicingError:
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate in {UNDEFINED_TABLE, UNDEFINED_COLUMN, UNDEFINED_OBJECT}:
        return SchemaMissingError(sqlstate, reason)
    return LoadFailedError(reason, sqlstate)


def _file_report(input_: _Input, *, written: bool) -> FileReport:
    good = input_.check.rows - input_.rejected
    return FileReport(
        kind=input_.kind.name,
        path=input_.source.path,
        rows=input_.check.rows,
        inserted=input_.inserted,
        updated=input_.updated,
        unchanged=good - input_.inserted - input_.updated if written else 0,
        rejected=input_.rejected,
        ignored_columns=[
            name for name in input_.source.columns if name not in input_.check.columns
        ],
    )


def _stamp(path: Path) -> tuple[int, ...]:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _refuse_changed(input_: _Input) -> None:
    """Refuse a file that was written to meanwhile: its lines are no longer those checked."""
    try:
        changed = _stamp(input_.source.path) != input_.stamp
    except OSError:
        changed = True
    if changed:
        raise InputFileError(input_.source.path, "it changed while it was being read")
