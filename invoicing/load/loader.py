"""Load files in one transaction: stream and check them, stage them, write what differs.

Memory does not grow with the files: rows go from the file to the server in one COPY each, and bad
rows wait on disk and then on the server.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db.citus import is_distributed
from invoicing.db.refusal import UNDEFINED_COLUMN, UNDEFINED_OBJECT, UNDEFINED_TABLE
from invoicing.errors import SchemaMissingError, UsageError
from invoicing.load.checking import Problems
from invoicing.load.errors import BadRowsError, IncompleteInvoicesError, LoadFailedError
from invoicing.load.inputs import Input, Inputs, open_inputs, refuse_as_rejects, refuse_changed
from invoicing.load.kinds import BY_NAME, KINDS, LINES
from invoicing.load.mapping import Mapping, read_mapping
from invoicing.load.mapping.inputs import open_mapped
from invoicing.load.preview import Preview, notes_of
from invoicing.load.rejects import open_rejects, rejected_rows
from invoicing.load.staging import PROBLEM_COLUMNS, Staging
from invoicing.load.whole import (
    complete_lines,
    count_unknown,
    derive_amounts,
    merge_repeats,
    reject_incomplete,
)
from invoicing.rollup import fold_if_built
from invoicing.schemas.load import FileReport, LoadReport, RejectedRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from invoicing.db.session import AsyncSession, Database
    from invoicing.errors import InvoicingError


@dataclass(frozen=True)
class LoadProgress:
    """Where a load stands: `phase` is `reading`, `checking` or `writing`; `rows` of this file."""

    kind: str
    phase: str
    rows: int


async def load_files(  # noqa: PLR0913 -- each is an option of the command
    database: Database,
    *,
    accounts: str | Path | None = None,
    invoices: str | Path | None = None,
    lines: str | Path | None = None,
    mapping: str | Path | Mapping | None = None,
    files: Sequence[str | Path] = (),
    encoding: str | None = None,
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
        accounts: a CSV, JSON lines, Parquet or Excel file; so are `invoices` and `lines`. At least
            one is needed, or a mapping.
        invoices: their accounts are of `accounts` or of the database.
        lines: their invoices are of `invoices` or of the database.
        mapping: what other files mean: a path, the name of one that comes with the package, or a
            mapping that was read.
        files: those of the mapping, in its order; the ones it names itself when not given.
        encoding: of CSV and JSON lines; UTF-8 when not given.
        skip_bad: load the good rows although there are bad ones.
        rejects: where to write every bad row, if there are any.
        dry_run: do everything, then roll it back.
        show: how many bad rows the report has.
        progress: called every few thousand rows.

    Raises:
        InputFileError: a file cannot be read, lacks a column, or changed meanwhile.
        MappingError: the mapping cannot be used.
        BadRowsError: some rows are bad, and `skip_bad` was not asked for; it has the report.
        LoadInProgressError: another load is writing to this database.
        LoadFailedError: the database refused, or the connection was lost.
    """
    begun = time.monotonic()
    paths = {"accounts": accounts, "invoices": invoices, "lines": lines}
    rejects = None if rejects is None else Path(rejects)
    problems = Problems()
    try:
        inputs = _open(paths, mapping, [*map(Path, files)], problems, encoding)
        refuse_as_rejects(inputs, rejects)
        load = _Load(inputs, problems, progress or (lambda _: None))
        options = _Options(skip_bad=skip_bad, rejects=rejects, dry_run=dry_run, show=show)
        async with _transaction(database) as (session, staging):
            report = await load.run(staging, options)
            refused = report.rejected > 0 and not load.writes(options)
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
        rows = {"rows": report.rows, "rejected": report.rejected}
        if skip_bad:
            raise IncompleteInvoicesError(report, **rows, unknown=load.unknown)
        raise BadRowsError(report, **rows)
    if report.loaded:
        await fold_if_built(database)
    return report


def _open(
    paths: dict[str, str | Path | None],
    mapping: str | Path | Mapping | None,
    files: list[Path],
    problems: Problems,
    encoding: str | None,
) -> Inputs:
    if mapping is None:
        return open_inputs(paths, problems, encoding)
    if any(paths.values()):
        message = "with a mapping, files are named in its order, not by their kind"
        raise UsageError(message)
    folder = Path()
    if not isinstance(mapping, Mapping):
        mapping, folder = read_mapping(str(mapping))
    return open_mapped(mapping, folder, files, problems, encoding)


class _Options(NamedTuple):
    skip_bad: bool
    rejects: Path | None
    dry_run: bool
    show: int


class _Load:
    """One run over the files, inside the transaction.

    Attributes:
        unknown: how many bad lines do not say whose they are, where invoices have to be whole.
    """

    def __init__(
        self, inputs: Inputs, problems: Problems, progress: Callable[[LoadProgress], None]
    ) -> None:
        self.unknown = 0
        self._all = inputs
        self._inputs = inputs.files
        self._problems = problems
        self._progress = progress
        self._rejected = 0

    def writes(self, options: _Options) -> bool:
        """Tell whether rows are written, as far as the bad ones matter."""
        return not self._rejected or (options.skip_bad and not self.unknown)

    async def run(self, staging: Staging, options: _Options) -> LoadReport:
        """Stage, check, write; the caller commits or rolls back."""
        columns: dict[str, dict[str, str]] = {}
        for input_ in self._inputs:
            types = {column.name: column.sql_type for column in input_.kind.columns}
            named = columns.setdefault(input_.kind.name, {})
            named |= {name: types[name] for name in input_.check.columns}
        await staging.create(columns)
        for input_ in self._inputs:
            await self._read(staging, input_)
        await self._check(staging)
        for same in self._sources():
            self._rejected += await staging.count_bad_lines(_parts(same))
        first = await self._tell(staging, options) if self._rejected else []
        written = self.writes(options)
        if written:
            await self._write(staging, columns)
        preview = Preview(staging, self._all, written=written)
        sums = await preview.sums()
        left = await preview.left_lines(sums)
        return LoadReport(
            loaded=False,
            dry_run=False,
            files=[
                self._file_report(self._all.of(input_.kind), written=written)
                for input_ in self._firsts()
            ],
            rows=sum(max(input_.check.rows for input_ in same) for same in self._sources()),
            rejected=self._rejected,
            reasons=await staging.reasons(),
            first_rejected=first,
            rejects=options.rejects if self._rejected else None,
            seconds=0.0,
            notes=[*notes_of(self._all, dry_run=options.dry_run), *([left] if left else [])],
            sums=sums,
            sums_are_stored=written,
            first_rows=await preview.first_rows() if options.dry_run else {},
        )

    async def _read(self, staging: Staging, input_: Input) -> None:
        def report(rows: int) -> None:
            self._progress(LoadProgress(input_.kind.name, "reading", rows))

        records = input_.check.records(report)
        await staging.copy(input_.kind.staging, ["line", *input_.check.columns], records)
        if self._problems.count:
            await staging.copy("load_problem", PROBLEM_COLUMNS, self._problems.take())
        refuse_changed(input_)

    async def _check(self, staging: Staging) -> None:
        inputs = self._all
        for input_ in self._inputs:
            self._progress(LoadProgress(input_.kind.name, "checking", input_.check.rows))
            if input_.repeats != "none":
                await merge_repeats(staging, input_)
        for input_ in self._firsts():
            if input_.repeats != "none":
                continue
            await staging.check_duplicates(input_.kind, input_.check.field("id"))
        if inputs.mapped and inputs.of(LINES):
            await complete_lines(staging, inputs)
        if inputs.derived:
            await derive_amounts(staging, inputs)
        if inputs.whole and inputs.of(LINES):
            self.unknown = await count_unknown(staging)
            await reject_incomplete(staging, inputs)
        names = {other.kind.name: other.source.path.name for other in self._inputs}
        for input_ in self._firsts():
            kind = input_.kind
            column = kind.parent_column or "id"
            parent = kind.parent.name if kind.parent is not None else ""
            fields = {name: input_.check.field(name) for name in ("id", column)}
            await staging.check(kind, fields, names.get(parent, ""))
        for input_ in self._inputs:
            input_.rejected = await staging.count_rejected(input_.kind, input_.part)

    async def _write(self, staging: Staging, columns: dict[str, dict[str, str]]) -> None:
        derived = {"amount_cents"} if self._all.derived else set()
        derived |= {"total_cents"} if self._all.unscaled else set()
        for input_ in self._firsts():
            kind = BY_NAME[input_.kind.name]
            self._progress(LoadProgress(kind.name, "writing", input_.check.rows))
            given = {*columns[kind.name], *derived}
            names = [column.name for column in kind.columns if column.name in given]
            input_.inserted, input_.updated = await staging.upsert(kind, names)

    def _firsts(self) -> list[Input]:
        """Return the first input of each kind, parents first."""
        return [input_ for kind in KINDS for input_ in self._all.of(kind)[:1]]

    def _sources(self) -> list[list[Input]]:
        """Return the inputs of each file: one row may be read as several kinds."""
        sources: dict[int, list[Input]] = {}
        for input_ in self._inputs:
            sources.setdefault(id(input_.source), []).append(input_)
        return [*sources.values()]

    def _file_report(self, inputs: list[Input], *, written: bool) -> FileReport:
        """Return what became of the rows of a kind; its lines may be of two files."""
        first = inputs[0]
        rows = sum(input_.rows for input_ in inputs)
        rejected = sum(input_.rejected for input_ in inputs)
        same = [input_ for input_ in self._inputs if input_.source is first.source]
        used = {name for input_ in same for name in input_.check.used}
        ignored = [name for name in first.source.columns if name not in used]
        return FileReport(
            kind=first.kind.name,
            path=first.source.path,
            rows=rows,
            inserted=first.inserted,
            updated=first.updated,
            unchanged=rows - rejected - first.inserted - first.updated if written else 0,
            rejected=rejected,
            ignored_columns=ignored if same[0] is first else [],
        )

    async def _tell(self, staging: Staging, options: _Options) -> list[RejectedRow]:
        """Collect the first bad rows; with a rejects file, write all of them to it."""
        first: list[RejectedRow] = []
        sources = self._sources()
        if options.rejects is None:
            for inputs in sources:
                await self._tell_file(staging, inputs, first, options.show, None)
            return first
        with open_rejects(options.rejects, [same[0].source for same in sources]) as write:
            for inputs in sources:
                await self._tell_file(staging, inputs, first, options.show, write)
        return first

    async def _tell_file(
        self,
        staging: Staging,
        inputs: list[Input],
        first: list[RejectedRow],
        show: int,
        write: Callable[..., None] | None,
    ) -> None:
        source = inputs[0].source
        limit = show - len(first) if write is None else None
        async for line, reason, cells in rejected_rows(staging, source, _parts(inputs), limit):
            if len(first) < show:
                first.append(RejectedRow(path=source.path, line=line, reason=reason))
            if write is not None:
                write(source, line, reason, cells)
        refuse_changed(inputs[0])


def _parts(inputs: list[Input]) -> list[tuple[str, int]]:
    return [(input_.kind.name, input_.part) for input_ in inputs]


@asynccontextmanager
async def _transaction(database: Database) -> AsyncIterator[tuple[AsyncSession, Staging]]:
    """Yield a session's transaction and the staging on its connection; tell the driver's errors."""
    try:
        async with database.transaction() as session:
            # Also what begins the transaction: the driver's own calls do not.
            await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection = await (await session.connection()).get_raw_connection()
            staging = Staging(
                connection.driver_connection, distributed=await is_distributed(session)
            )
            yield session, staging
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
