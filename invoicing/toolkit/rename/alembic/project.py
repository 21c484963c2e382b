"""An Alembic project as its own command line finds it, and what its env.py knows of a column."""

from __future__ import annotations

import io
import logging
import os
import tomllib
from argparse import Namespace
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import inspect

from invoicing.errors import InvoicingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Table
    from sqlalchemy.types import TypeEngine

    from invoicing.toolkit.rename.model import Target

    Result = TypeVar("Result")


@dataclass(frozen=True)
class ColumnFacts:
    """The column to rename, as a model or the database has it.

    Attributes:
        context: by which its type is written as source.
        schema: as the model names it.
        table: the model's; None where only the database has the column.
    """

    context: AutogenContext
    type: TypeEngine[Any]
    nullable: bool
    schema: str | None
    table: Table | None = None


@dataclass(frozen=True)
class AlembicProject:
    """An Alembic project."""

    config: Config
    script: ScriptDirectory

    def find_column(self, target: Target) -> ColumnFacts:
        """Return the column from the models, or where they have it not, from the database.

        Raises:
            UsageError: neither has it, or env.py cannot be run.
        """
        try:
            facts = self._run_env(lambda context: _of_model(context, target), as_sql=True)
        except UsageError:  # many an env.py runs online only
            facts = None
        facts = facts or self.find_in_database(target)
        if facts is None:
            message = (
                f"there is no column {target.table}.{target.old}: neither the models of env.py nor "
                "its database has it. Nothing was written. Check the names, or give --schema"
            )
            raise UsageError(message)
        return facts

    def find_in_database(self, target: Target) -> ColumnFacts | None:
        """Return the column from the database that env.py connects to; None where it has none.

        Raises:
            UsageError: env.py cannot be run.
        """
        return self._run_env(lambda context: _of_database(context, target))

    def _run_env(
        self, read: Callable[[MigrationContext], Result], *, as_sql: bool = False
    ) -> Result | None:
        """Return what `read` finds in the context that env.py configures; no migration is run."""
        found: list[Result] = []

        def retrieve(_revision: object, context: MigrationContext) -> list[Any]:
            found.append(read(context))
            return []

        self.config.output_buffer = io.StringIO()
        environment = EnvironmentContext(
            self.config, self.script, fn=retrieve, as_sql=as_sql, dont_mutate=True
        )
        logged = logging.root.manager.disable
        logging.disable(logging.INFO)
        try:
            with environment, redirect_stdout(io.StringIO()):
                self.script.run_env()
        except InvoicingError:
            raise
        except Exception as error:
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            place = self.script.env_py_location
            message = (
                f"cannot read the models: {place} ended with {type(error).__name__}: {reason}. "
                "Nothing was written. Run it in the project's own environment and folder, where "
                "alembic check works"
            )
            raise UsageError(message) from error
        finally:
            logging.disable(logged)
        return found[0] if found else None


def open_project(config: str | None, section: str, arguments: Sequence[str]) -> AlembicProject:
    """Return the project that `alembic` would work on.

    Args:
        config: alembic.ini or pyproject.toml; None for those of the current folder.
        section: of the ini file.
        arguments: what env.py gets by `-x`.

    Raises:
        UsageError: there is none.
    """
    given = Path(config or os.environ.get("ALEMBIC_CONFIG") or "alembic.ini")
    ini, toml = given, Path("pyproject.toml")
    if given.name == toml.name:
        ini, toml = given.with_name("alembic.ini"), given
    if not ini.is_file() and not _is_configured(toml):
        message = (
            f"there is no {ini}, and no [tool.alembic] in {toml}. Nothing was written. Change into "
            "the folder of an Alembic project, or name its file: --config path/to/alembic.ini"
        )
        raise UsageError(message)
    options = Namespace(x=[*arguments], quiet=True)
    made = Config(str(ini), str(toml), ini_section=section, cmd_opts=options)
    try:
        return AlembicProject(made, ScriptDirectory.from_config(made))
    except CommandError as error:
        message = f"cannot open the Alembic project of {given}: {error}. Nothing was written"
        raise UsageError(message) from None


def _is_configured(toml: Path) -> bool:
    try:
        read = tomllib.loads(toml.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(read.get("tool", {}).get("alembic"))


def _of_model(context: MigrationContext, target: Target) -> ColumnFacts | None:
    given = context.opts.get("target_metadata")
    every = given if isinstance(given, (list, tuple)) else [given] if given is not None else []
    tables = [
        table
        for metadata in every
        for table in metadata.tables.values()
        if table.name == target.table and {target.old, target.new} & set(table.columns.keys())
    ]
    named = [table for table in tables if table.schema == target.schema] or (
        tables if target.schema is None else []
    )
    if len(named) > 1:
        schemas = ", ".join(sorted(str(table.schema) for table in named))
        message = (
            f"the models have {target.table} in several schemas: {schemas}. Nothing was written. "
            "Give --schema"
        )
        raise UsageError(message)
    if not named:
        return None
    (table,) = named
    column = table.columns.get(target.old, table.columns.get(target.new))
    if column is None:  # pragma: no cover -- one of the two is there
        return None
    made = AutogenContext(context, autogenerate=False)
    return ColumnFacts(made, column.type, bool(column.nullable), table.schema, table)


def _of_database(context: MigrationContext, target: Target) -> ColumnFacts | None:
    if context.connection is None:
        return None
    inspector = inspect(context.connection)
    if not inspector.has_table(target.table, schema=target.schema):
        return None
    for column in inspector.get_columns(target.table, schema=target.schema):
        if column["name"] == target.old:
            made = AutogenContext(context, autogenerate=False)
            return ColumnFacts(made, column["type"], column["nullable"], target.schema)
    return None
