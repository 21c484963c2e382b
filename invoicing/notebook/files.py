"""Load files in a cell: with progress, and with the bad rows as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import display

from invoicing import load
from invoicing.load.errors import BadRowsError
from invoicing.notebook.progress import ProgressDisplay
from invoicing.notebook.tables import Table
from invoicing.notebook.waiting import interruptible
from invoicing.schemas.load import FileReport, RejectedRow

if TYPE_CHECKING:
    from pathlib import Path

    from invoicing.db import Database
    from invoicing.load import LoadProgress
    from invoicing.schemas.load import LoadReport


class LoadedFiles:
    """What a load did, as tables; `report` has the figures."""

    def __init__(self, report: LoadReport) -> None:
        self.report = report

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self._tables()))

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self._tables())

    def _tables(self) -> list[Table]:
        done = "Would be loaded" if self.report.dry_run else "Loaded"
        title = done if self.report.loaded or self.report.dry_run else "Nothing was loaded"
        files = Table.of(self.report.files, FileReport, title=title, hide=["ignored_columns"])
        rejected = self.report.first_rejected
        return [files, Table.of(rejected, RejectedRow, title="Bad rows")] if rejected else [files]


async def load_files(
    database: Database,
    *,
    accounts: str | Path | None = None,
    invoices: str | Path | None = None,
    lines: str | Path | None = None,
    skip_bad: bool = False,
    rejects: str | Path | None = None,
    dry_run: bool = False,
) -> LoadedFiles:
    """Load CSV or Parquet files as `invoicing load` does: all or nothing, and again without harm.

    Stopping the cell stops the load, and nothing of it is kept.

    Args:
        database: one whose migrations have run.
        accounts: a file of accounts; so are `invoices` and `lines`. At least one is needed.
        invoices: their accounts are of `accounts` or of the database.
        lines: their invoices are of `invoices` or of the database.
        skip_bad: load the good rows although there are bad ones.
        rejects: where to write every bad row, if there are any.
        dry_run: do everything, then roll it back.

    Raises:
        LoadError: a file cannot be read, or has bad rows, which are then shown above the error.
    """
    with ProgressDisplay("Loading") as shown:

        def progress(step: LoadProgress) -> None:
            shown.show(step.rows, step.rows, {"file": step.kind, "phase": step.phase})

        try:
            async with interruptible():
                report = await load.load_files(
                    database,
                    accounts=accounts,
                    invoices=invoices,
                    lines=lines,
                    skip_bad=skip_bad,
                    rejects=rejects,
                    dry_run=dry_run,
                    progress=progress,
                )
        except BadRowsError as error:
            display(LoadedFiles(error.report))  # type: ignore[no-untyped-call]
            raise
        shown.ending = f"{report.rows:,} rows read, {report.written:,} written"
    return LoadedFiles(report)
