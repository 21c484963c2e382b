"""Run the project's Alembic migrations on a database that is already open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from invoicing.db.errors import MigrationsMissingError
from invoicing.folders import migrations_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from invoicing.db.session import Database

# Any fixed number: it tells this project's migrations from other users of advisory locks.
MIGRATION_LOCK = 0x696E766F6963


def alembic_config() -> Config:
    """Return Alembic's configuration: `[tool.alembic]` of the checkout, or the installed package's.

    Raises:
        MigrationsMissingError: the folder of migrations is not where it was installed.
    """
    folder = migrations_folder()
    if not (folder / "env.py").is_file():
        raise MigrationsMissingError(folder)
    pyproject = folder.parent / "pyproject.toml"
    if pyproject.is_file():
        return Config(toml_file=pyproject)
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


async def upgrade(
    database: Database, revision: str = "head", *, rename: Mapping[str, Any] | None = None
) -> None:
    """Migrate `database` up to `revision`; nothing happens when it is there already.

    Args:
        database: where.
        revision: how far.
        rename: what a revision that renames a column may need: `confirm`, `options`, `progress`
            and `stop`, as `invoicing.toolkit.rename` knows them.
    """
    async with database.engine.connect() as connection:
        await connection.run_sync(partial(_run, command.upgrade, revision, rename))


async def downgrade(
    database: Database, revision: str, *, rename: Mapping[str, Any] | None = None
) -> None:
    """Migrate `database` down to `revision` (`base` for an empty schema); see `upgrade`."""
    async with database.engine.connect() as connection:
        await connection.run_sync(partial(_run, command.downgrade, revision, rename))


async def current_revision(database: Database) -> str | None:
    """Return the revision `database` is at; None when no migration has run."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )


def head_revision() -> str | None:
    """Return the newest revision there is."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def _run(
    action: Callable[[Config, str], None],
    revision: str,
    rename: Mapping[str, Any] | None,
    connection: Connection,
) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    config.attributes["rename"] = dict(rename or {})
    action(config, revision)
