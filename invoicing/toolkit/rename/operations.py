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

A change of the type alone is `op.expand_retype`, `op.contract_retype`, and back `op.restore_retype`
and `op.rollback_retype`.
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
from invoicing.toolkit.rename import contract
from invoicing.toolkit.rename.alembic import comparison, loop, steps
from invoicing.toolkit.rename.alembic.known import refuse_key
from invoicing.toolkit.rename.alembic.ops import (
    ContractRenameOp,
    ContractRetypeOp,
    ExpandRenameOp,
    ExpandRetypeOp,
    RenameOp,
    RestoreRenameOp,
    RestoreRetypeOp,
    RollbackRenameOp,
    RollbackRetypeOp,
)
from invoicing.toolkit.rename.errors import RenameInterruptedError
from invoicing.toolkit.rename.migration import MigrationDatabase, find_table
from invoicing.toolkit.rename.model import Options
from invoicing.toolkit.rename.rename import Rename
from invoicing.toolkit.rename.script import stamp
from invoicing.toolkit.rename.script.script import Script
from invoicing.toolkit.rename.script.stamp import begin_script
from invoicing.toolkit.rename.script.types import script_conversion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator

    from alembic.runtime.environment import EnvironmentContext

    from invoicing.db.session import Database
    from invoicing.toolkit.rename.model import Progress
    from invoicing.toolkit.rename.script.script import Statements

__all__ = ["begin_script"]
comparison.register()

_SECONDS_BETWEEN_LINES = 5.0
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

    def write_expand(self) -> Statements:
        """Return the expand's script.

        Raises:
            UsageError: it changes the type of a key.
        """
        refuse_key(self.operations.migration_context, self.operation)
        return self.script().expand()

    def write_contract(self) -> Statements:
        """Return the contract's script."""
        script = self.script()
        schema = script.names.schema
        return script.contract(self.confirmed(schema, named=self.operation.schema is not None))

    def script(self, *, back: bool = False) -> Script:
        """Return what writes the rename down, or the way back."""
        names = replace(self.operation.names, conversion=script_conversion(self.options))
        searched = self.operation.schema is None
        return Script(names.reversed() if back else names, self.options, searched)

    def write_restore(self) -> Statements:
        """Return the contract's downgrade, and remember that this script has it."""
        if self.operation.type_ is not None:
            return _refuse_back(self)
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


def _refuse_back(run: _Run) -> Statements:
    """Refuse a script of the way back from another type: it fills a column, which takes a run.

    Raises:
        UsageError: always.
    """
    operation = run.operation
    message = (
        f"cannot write {operation.name} of {operation.target} as a script: after the contract the"
        " column with the old type has to be filled by the other way round. Nothing was written."
        " Run alembic downgrade without --sql"
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
            run.write(write(run))
        else:
            run.do(work)


_implement(ExpandRenameOp, _Run.write_expand, steps.expand)
_implement(RollbackRenameOp, _Run.write_rollback, steps.rollback)
_implement(ContractRenameOp, _Run.write_contract, steps.contract)
_implement(RestoreRenameOp, _Run.write_restore, steps.restore)
_implement(ExpandRetypeOp, _Run.write_expand, steps.expand_type)
_implement(RollbackRetypeOp, lambda run: run.script().rollback(), steps.rollback_type)
_implement(ContractRetypeOp, _Run.write_contract, steps.contract_type)
_implement(RestoreRetypeOp, _refuse_back, steps.restore_type)
