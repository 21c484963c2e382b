"""How a notebook comes to its database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database
from invoicing.db.migrations import current_revision
from invoicing.db.refusal import UNDEFINED_TABLE, explain
from invoicing.errors import SchemaMissingError
from invoicing.toolkit.postgres import database_url

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from sqlalchemy.engine import URL


async def open_database(url: str | URL | None = None) -> Database:
    """Return the database at `url`, else at DATABASE_URL, else the embedded server's.

    The embedded server is started if need be, in a thread, so that the kernel stays responsive.
    From here on a cell says in one sentence what the database refused, and that a connection was
    lost.
    Close it in the notebook's last cell: `await database.dispose()`.

    Raises:
        SchemaMissingError: no migration has run there; it says what to run.
        DatabaseUnavailableError: it cannot be reached.
    """
    _say_in_one_sentence()
    if url is None:
        database = Database.routed(await asyncio.to_thread(database_url))
    else:
        database = Database(url)
    if await current_revision(database) is None:
        await database.dispose()
        raise SchemaMissingError(UNDEFINED_TABLE, f"{database.shown_url} has no tables of ours")
    return database


def _say_in_one_sentence() -> None:
    shell = get_ipython()
    if shell is None:
        return

    def show(
        shell: InteractiveShell,
        _kind: type[DBAPIError],
        error: DBAPIError,
        _traceback: object,
        **_: object,
    ) -> None:
        refused = explain(error)
        shell.showtraceback((type(refused), refused, None))

    shell.set_custom_exc((DBAPIError,), show)  # type: ignore[no-untyped-call]
