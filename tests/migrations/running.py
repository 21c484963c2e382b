"""Run migrations with a rename's options, which an operator would give by `-x`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic import command

from invoicing.db.migrations import alembic_config
from invoicing.rename import Options

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from invoicing.db import Database

# Nobody has to be waited for, as in a test no old code is left that does not say so.
QUICK = Options(batch_size=500, quiet=0.2)


async def migrate(database: Database, verb: str, revision: str, **given: Any) -> None:
    """Upgrade or downgrade; `given` are confirm, progress and stop of the rename."""

    def run(sync: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = sync
        config.attributes["rename"] = {"options": QUICK} | given
        getattr(command, verb)(config, revision)

    async with database.engine.connect() as connection:
        await connection.run_sync(run)
