"""A rename as Alembic operations: `op.expand_rename`, `op.contract_rename` and their ways back.

Those are `op.rollback_rename` and `op.restore_rename` (once `op.readd_renamed`). They run outside
the migration's transaction, for batches commit by themselves; what was done stays when the
migration is interrupted, and running it again goes on. With `--sql` they write a script.

Options come from `-x name=value` (confirm, batch_size, batch_bytes, workers, pause, quiet,
lock_timeout, max_replica_lag, accept; confirm and accept take several, with commas between or
`-x` again) or from `config.attributes["rename"]`, a dict of `confirm`, `options`, `progress` and
`stop`. An `env.py` only has to import this module; its engine is an async one (asyncpg, psycopg)
or a sync one (psycopg, psycopg2, pg8000). The table is the one that its connection finds (see
`migration`); offline, `begin_script` lets psql stop at an error from the first line on. The same
import lets `alembic revision --autogenerate` write a rename, where a model
says `info={"renamed_from": "old_name"}` (see `alembic.comparison`).
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from alembic.operations import Operations
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import explain
from invoicing.errors import InvoicingError, UsageError
from invoicing.toolkit.rename import contract, ended
from invoicing.toolkit.rename.alembic import comparison, loop
from invoicing.toolkit.rename.alembic.at_once import rename_at_once
from invoicing.toolkit.rename.alembic.ops import (
    ContractRenameOp,
    ExpandRenameOp,
    RenameOp,
    RestoreRenameOp,
    RollbackRenameOp,
)
from invoicing.toolkit.rename.errors import ConfirmationError, RenameInterruptedError
from invoicing.toolkit.rename.lease import lease
from invoicing.toolkit.rename.migration import MigrationDatabase, find_table
from invoicing.toolkit.rename.model import Options, Phase
from invoicing.toolkit.rename.rename import Rename
from invoicing.toolkit.rename.script import stamp
from invoicing.toolkit.rename.script.script import Script
from invoicing.toolkit.rename.script.stamp import begin_script
from invoicing.toolkit.rename.strategies import strategy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator

    from alembic.runtime.environment import EnvironmentContext

    from invoicing.db.session import Database
    from invoicing.toolkit.rename.model import Progress
    from invoicing.toolkit.rename.script.script import Statements

__all__ = ["begin_script"]
comparison.register()

_SECONDS_BETWEEN_LINES = 5.0
# Of the way back: it was not begun, or it is the way there that is under way.
_NOT_BACK = frozenset({Phase.NONE, Phase.CONTRACTED, Phase.REVERSED})
_SHARED = text(f"SELECT {contract.in_other_schema(':schema', ':table', ':old')}")
_NAME = r'(?:[^,("]|\([^)]*\)|"[^"]*")+'


def _seconds(text: str) -> float:
    """Read `2`, `2s` or `500ms`: a server's own setting has a unit."""
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))


_NUMBERS: dict[str, Callable[[str], float]] = {
    "batch_size": int,
    "batch_bytes": int,
    "workers": int,
    "pause": _seconds,
    "quiet": _seconds,
    "lock_timeout": _seconds,
    "max_replica_lag": _seconds,
}


@dataclass
class _Run:
    """What was given, and where to run.

    Attributes:
        confirm: every name that was confirmed.
        name: the one of them that confirms this contract; None for none.
        expected: the only name that does, where another schema has such a table.
    """

    operations: Operations
    operation: RenameOp
    confirm: str | Collection[str] | None = None
    options: Options = field(default_factory=Options)
    progress: Callable[[Progress], None] | None = None
    stop: Any = None
    name: str | None = None
    expected: str | None = None
    tell_next: float = 0.0

    def do(self, work: Callable[[Database, _Run], Coroutine[Any, Any, None]]) -> None:
        """Run `work` on connections of its own, outside the migration's transaction."""
        context = self.operations.migration_context
        connection = context.connection
        if connection is None:  # pragma: no cover -- only a script has none
            return
        if context._in_external_transaction:  # noqa: SLF001 -- else Alembic only asserts it
            message = (
                "cannot rename inside a transaction that env.py began: every batch commits by "
                "itself. Commit before context.configure(), after SET search_path for instance"
            )
            raise UsageError(message)
        with self._stopped_in_one_line(), context.autocommit_block():
            table = find_table(connection, self.operation.table, self.operation.schema)
            mapped = connection.get_execution_options().get("schema_translate_map") or {}
            own = self.operation.schema not in {None, *mapped}
            self.name = self.confirmed(table.schema, named=own)
            self.operation = replace(self.operation, schema=table.schema)
            target = self.operation.target
            shared = {"schema": table.schema, "table": target.table, "old": target.old}
            if own and connection.scalar(_SHARED, shared):
                self.expected = f"{table.schema}.{target.table}.{target.old}"
            database = MigrationDatabase.of(connection, table)
            loop.run(connection, lambda: self._work(database, work))

    @contextmanager
    def _stopped_in_one_line(self) -> Iterator[None]:
        """Let Ctrl-C end Alembic's command line as any error does, and a program as it always does.

        Raises:
            RenameInterruptedError: the command line was interrupted.
        """
        environment = self.operations.migration_context.environment_context
        try:
            yield
        except (KeyboardInterrupt, asyncio.CancelledError):
            if environment is None or environment.config.cmd_opts is None:
                raise
            target = str(self.operation.target)
            raise RenameInterruptedError(target, "stopped by Ctrl-C") from None

    async def _work(
        self,
        database: Database,
        work: Callable[[Database, _Run], Coroutine[Any, Any, None]],
    ) -> None:
        async with database:
            await work(database, self)

    def confirmed(self, schema: str, *, named: bool) -> str | None:
        """Return the name that confirms the contract; without its schema where that was not given.

        Args:
            schema: where the table is.
            named: whether the revision says so; else the search path or a schema map does.
        """
        given = {self.confirm} if isinstance(self.confirm, str) else {*(self.confirm or ())}
        given |= {name for each in given for name in _split(each)}
        bare = f"{self.operation.table}.{self.operation.old}"
        whole = f"{schema}.{bare}"
        if given & {whole, f"{self.operation.schema}.{bare}"} or (bare in given and not named):
            return whole
        return bare if bare in given else None

    def write_contract(self) -> Statements:
        """Return the contract's script."""
        script = self.script()
        schema = script.names.schema
        return script.contract(self.confirmed(schema, named=self.operation.schema is not None))

    def script(self, *, back: bool = False) -> Script:
        """Return what writes the rename down, or the way back."""
        names = self.operation.names
        searched = self.operation.schema is None
        return Script(names.reversed() if back else names, self.options, searched)

    def write_restore(self) -> Statements:
        """Return the contract's downgrade, and remember that this script has it."""
        self._restored.add(self.operation.names.key)
        return self.script(back=True).restore()

    def write_rollback(self) -> Statements:
        """Return the expand's downgrade.

        Raises:
            UsageError: the same script adds the old column again, empty: only a run fills it.
        """
        if self.operation.names.key in self._restored:
            message = (
                f"cannot write the expand's downgrade of {self.operation.target} into the script "
                "that takes back its contract: that adds the old column empty, and it has to be "
                "filled before the new one goes. Write the script as far as "
                "the contract's downgrade, then go on without --sql: alembic downgrade"
            )
            raise UsageError(message)
        return self.script().rollback()

    @property
    def _restored(self) -> set[str]:
        """Return the renames whose contract this script takes back."""
        opts = self.operations.migration_context.opts
        restored: set[str] = opts.setdefault("invoicing_restored", set())
        return restored

    def write(self, statements: Statements) -> None:
        """Write a script's statements, the last of them with the version row."""
        stamp.write(self.operations.migration_context, *statements)

    def tell(self, progress: Progress) -> None:
        """Print where a backfill stands, every few seconds."""
        environment = self.operations.migration_context.environment_context
        soon = time.monotonic() < self.tell_next
        if environment is None or soon or not progress.rows_total:
            return
        self.tell_next = time.monotonic() + _SECONDS_BETWEEN_LINES
        environment.config.print_stdout(
            "Backfill: %s of %s rows; %s rows/s",
            f"{progress.rows_done:,}",
            f"{progress.rows_total:,}",
            f"{progress.rate:,.0f}",
        )

    def rename(self, database: Database) -> Rename:
        """Return the rename on `database`."""
        return Rename(database, self.operation.target, self.options)


def _run(operations: Operations, operation: RenameOp) -> _Run:
    environment = operations.migration_context.environment_context
    given: dict[str, Any] = {}
    arguments: dict[str, str] = {}
    if environment is not None:
        given = dict(environment.config.attributes.get("rename", {}))
        arguments = environment.get_x_argument(as_dictionary=True)
    options = given.pop("options", Options(batch_size=operation.batch_size))
    try:
        changed: dict[str, Any] = {
            name: _NUMBERS[name](arguments[name]) for name in _NUMBERS if name in arguments
        }
    except ValueError as error:
        message = f"cannot read -x: {error}. Each of {', '.join(_NUMBERS)} is a number"
        raise UsageError(message) from None
    if accepted := [name for text in _given(environment, "accept") for name in _split(text)]:
        changed["accept"] = frozenset(accepted)
    given["options"] = replace(options, **operation.conversion, **changed)
    given.setdefault("confirm", _given(environment, "confirm"))
    return _Run(operations, operation, **given)


def _given(environment: EnvironmentContext | None, name: str) -> list[str]:
    """Return the value of every `-x name=`."""
    given = environment.get_x_argument() if environment is not None else []
    return [text.partition("=")[2] for text in given if text.startswith(f"{name}=")]


def _split(text: str) -> list[str]:
    """Return names with commas between, but for those within (...) and "..."."""
    return [name.strip() for name in re.findall(_NAME, text) if name.strip()]


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Let Alembic's command line end with the message alone; the error stays what it is."""
    try:
        try:
            yield
        except DBAPIError as error:
            # Of the migration's own connection: the rename's are explained where they are used.
            raise explain(error) from None
    except InvoicingError as error:
        kind = type(error)
        error.__class__ = type(kind.__name__, (kind, CommandError), {"__module__": kind.__module__})
        raise


async def _expand(database: Database, run: _Run) -> None:
    rename = run.rename(database)
    if (await rename.status()).phase is Phase.CONTRACTED:
        return  # the table was made by later code, with the new name alone
    if not await rename_at_once(database, rename.target):
        await _fill(rename, run)


async def _rollback(database: Database, run: _Run) -> None:
    rename = run.rename(database)
    back = rename.reversed()
    if (await back.status()).phase in _NOT_BACK:
        await rename.rollback()
        return
    # After a contract that was taken back: the old column has to have every value first.
    if (await back.status()).phase is not Phase.CONTRACTING:
        await _fill(back, run)
    await back.contract(confirm=f"{back.target.table}.{back.target.old}")
    # The table is as it was before the expand: nothing is left to tell of either way.
    for done in (rename, back):
        async with lease(database, done.target, done.options) as session:
            await ended.forget(session)


async def _contract(database: Database, run: _Run) -> None:
    rename = run.rename(database)
    confirm = run.name if run.expected in {None, run.name} else None
    try:
        await _contract_confirmed(database, rename, confirm)
    except ConfirmationError as error:
        raise ConfirmationError(error.target, run.expected or error.expected, error.lost) from None


async def _contract_confirmed(database: Database, rename: Rename, confirm: str | None) -> None:
    back = rename.reversed()
    if (await back.status()).phase not in _NOT_BACK:
        # The old column was added again and is a copy: it goes without loss. Code may use it.
        async with lease(database, back.target, back.options) as session:
            found, table = await session.state(), session.table
            if found is not None and (table.base is not None or rename.target.old in table.columns):
                strategy = strategy_of(found.strategy)
                await contract.refuse_unconfirmed(session, strategy, rename.target, confirm)
        await back.rollback()
        return
    await rename.contract(confirm=confirm)


async def _restore(database: Database, run: _Run) -> None:
    back = run.rename(database).reversed()
    if not await rename_at_once(database, back.target):
        await _fill(back, run)


async def _fill(rename: Rename, run: _Run) -> None:
    """Expand, backfill and verify; run again, it goes on where it was."""
    await rename.expand()
    report = await rename.backfill(progress=run.progress or run.tell, stop=run.stop)
    if not report.completed:
        raise RenameInterruptedError(str(rename.target), "stopped between two batches")
    await rename.verify()


def _refuse_types(operation: RenameOp) -> None:
    """Refuse a script of what only the server can say of two types.

    Raises:
        UsageError: the operation changes the type.
    """
    if operation.type_ is not None:
        message = (
            f"cannot write {operation.name} of {operation.target} as a script: it changes the type,"
            " and which values belong together is asked of the server. Nothing was written. Run "
            "this revision without --sql"
        )
        raise UsageError(message)


def _implement(
    kind: type[RenameOp],
    write: Callable[[_Run], Statements],
    work: Callable[[Database, _Run], Coroutine[Any, Any, None]],
) -> None:
    """Let an operation do `work`, or with --sql write down what `write` returns."""

    @Operations.implementation_for(kind)
    @_in_one_line()
    def implementation(operations: Operations, operation: RenameOp) -> None:
        run = _run(operations, operation)
        if operations.migration_context.as_sql:
            _refuse_types(operation)
            run.write(write(run))
        else:
            run.do(work)


_implement(ExpandRenameOp, lambda run: run.script().expand(), _expand)
_implement(RollbackRenameOp, _Run.write_rollback, _rollback)
_implement(ContractRenameOp, _Run.write_contract, _contract)
_implement(RestoreRenameOp, _Run.write_restore, _restore)
